"""Channels in groups that stay in a CPU's cache, and memory that is kept from one group to the next."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from converse.nn.core_cache import core_cache
from converse.nn.worker_threads import thread_count

GROUP: Final = 1
"""On a CPU, channels are processed in groups whose padded input is so many times a core's cache: they stay near it."""

BATCH_GROUP: Final = 6
"""The same for input and output of a batch that shares its filters, which are not as large as it is then."""


def groups(like: Tensor, size: tuple[int, int], limit: int | None = None) -> list[slice]:
    """Slices of the channels of ``like`` [N, C, …]: all at once, or as many of this size as a CPU's cache holds.

    Args:
        like: a tensor with N and C.
        size: of what is computed of each sample and channel.
        limit: in bytes; ``None`` for :func:`group_bytes`.
    """
    n, c = like.shape[:2]
    if not _grouped(like):
        return _split(c, 1)
    return _split(c, _number(c, n * size[0] * size[1] * like.element_size(), limit or group_bytes()))


def shares(y: Tensor, held: Tensor, size: tuple[int, int], limit: int | None = None) -> list[slice]:
    """The same for threads that share the work (:func:`converse.nn.worker_threads.each`): as many for each of them.

    Args:
        y: the input [N, C, H, W], which says how much work there is.
        held: what has to stay in the cache, [B, C, …]: the kernels, or the input itself.
        size: of the padded input.
        limit: in bytes; ``None`` for :func:`group_bytes`.
    """
    c = y.shape[1]
    if not _grouped(y):
        return _split(c, 1)
    channel = size[0] * size[1] * y.element_size()
    number = _number(c, held.shape[0] * channel, limit or group_bytes())
    threads = thread_count(y)
    if threads > 1:
        number = -(-number // threads) * threads
    return _split(c, number)


def group_bytes() -> int:
    """The padded input of a group."""
    return int(GROUP * core_cache())


def batch_limit(scale: tuple[int, int]) -> int:
    """For :func:`groups`, where input and output lie in the cache, and filters do not."""
    if torch.compiler.is_compiling():
        return 0  # there are no groups, and nothing that a tracer can follow to the system's account
    return max(group_bytes(), int(BATCH_GROUP * core_cache()) // (1 + math.prod(scale)))


def _grouped(like: Tensor) -> bool:
    if like.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    keep_freed_memory()
    return True


def _number(channels: int, channel: int, limit: int) -> int:
    """How many groups there are, where one channel has so many bytes."""
    return max(1, math.ceil(channels / max(1, limit // channel)))


def _split(channels: int, number: int) -> list[slice]:
    """Groups of equal size, as far as may be: a small last one costs as many calls."""
    number = min(number, channels)
    bounds = [-(-index * channels // number) for index in range(number + 1)] if number else []
    return list(map(slice, bounds, bounds[1:]))


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let GNU's allocator keep some of the memory that is freed, so that the system need not hand it out anew.

    Its bounds grow with the largest block that was ever freed (``mallopt``, M_MMAP_THRESHOLD): in a process that saw
    small images alone, temporaries of a few hundred KiB go back to the system after each call, and their pages come
    back one by one. A block of nearly 32 MiB, none of whose pages is ever taken, moves the bounds to where the first
    large image would. Elsewhere nothing happens.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8, device="cpu")
