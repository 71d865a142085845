"""Pointwise chains evaluated tile by tile, so that on a CPU their intermediate maps stay in its cache.

A chain that treats every place (n, ·, h, w) by itself may be applied to parts of an image one after another. A map of
128 channels of a 256×256 image is 32 MiB: made whole, each step of the chain waits for memory. Made in tiles of two
mebibytes, the steps between find their input in the cache, and only the chain's input and output are ever whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor

from converse.nn.worker_threads import each

TILE_BYTES = 2 * 2**20
"""About so large is the widest map of a tile."""


Chain = Callable[..., Tensor]
"""Maps tensors [N, ·, H, W] to one tensor [N, ·, H, W], each place by itself."""


def tiled(chain: Chain, *inputs: Tensor, width: int, whole: bool = False) -> Tensor:
    """Apply a pointwise chain: on a CPU without gradients tile by tile, else all at once.

    With gradients the intermediate maps must be kept anyway; computing them again in tiles was measured to save memory,
    but no time (docs/log/performance.md).

    Args:
        chain: a pointwise function of ``inputs``.
        inputs: tensors [N, ·, H, W] of equal N, H, W.
        width: channels of the widest map inside the chain, which sets the size of a tile.
        whole: all at once, since somebody looks into the chain.

    Returns:
        What ``chain(*inputs)`` gives.
    """
    like = inputs[0]
    tiles = like.device.type == "cpu" and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if whole or not tiles or like.numel() == 0:
        return chain(*inputs)
    out: Tensor | None = None
    lock = threading.Lock()

    def compute(tile: tuple[slice, slice]) -> None:
        nonlocal out
        i, j = tile
        part = chain(*(tensor[i, :, j] for tensor in inputs))
        with lock:
            if out is None:
                out = part.new_empty(like.shape[0], part.shape[1], *like.shape[2:])
        out[i, :, j] = part

    each(compute, list(_tiles(like, width)), like)
    return cast(Tensor, out)


def _tiles(like: Tensor, width: int) -> Iterator[tuple[slice, slice]]:
    """Slices of N and H: whole samples if they are small, else rows of one sample."""
    n, _, h, w = like.shape
    row = width * w * like.element_size()
    samples = max(1, TILE_BYTES // (row * h))
    rows = h if samples > 1 else max(1, min(h, TILE_BYTES // row))
    for i in range(0, n, samples):
        for j in range(0, h, rows):
            yield slice(i, i + samples), slice(j, j + rows)
