"""Channels in groups that stay in a CPU's cache, and memory that is kept from one group to the next."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

CACHE_BYTES = 2**20
"""On a CPU, channels are processed in groups whose padded input has about this size, so that they stay in its cache."""

BATCH_BYTES = 6 * 2**20
"""The same for input and output of a batch that shares its filters, which are not as large as it is then."""


def groups(like: Tensor, size: tuple[int, int], limit: int | None = None) -> list[slice]:
    """Slices of the channels of ``like`` [N, C, …]: all at once, or as many of this size as a CPU's cache holds."""
    n, c = like.shape[:2]
    group = c
    if like.device.type == "cpu" and not torch.compiler.is_compiling():
        keep_freed_memory()
        per_channel = n * size[0] * size[1] * like.element_size()
        number = max(1, math.ceil(c / max(1, (limit or CACHE_BYTES) // per_channel)))
        group = max(1, math.ceil(c / number))  # of equal size, as far as may be: a small last one costs as many calls
    return [slice(start, min(start + group, c)) for start in range(0, c, group)]


def batch_limit(scale: tuple[int, int]) -> int:
    """For :func:`groups`, where input and output lie in the cache, and filters do not."""
    return max(CACHE_BYTES, BATCH_BYTES // (1 + math.prod(scale)))


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let GNU's allocator keep some of the memory that is freed, so that the system need not hand it out anew.

    Its bounds grow with the largest block that was ever freed (``mallopt``, M_MMAP_THRESHOLD): in a process that saw
    small images alone, temporaries of a few hundred KiB go back to the system after each call, and their pages come
    back one by one. A block of nearly 32 MiB, none of whose pages is ever taken, moves the bounds to where the first
    large image would. Elsewhere nothing happens.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8, device="cpu")
