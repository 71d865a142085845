"""Half spectra of images and of kernels, and how they lie in memory."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from converse.nn.derivatives import exporting, has_values
from converse.nn.transforms import along_columns, half_to_rows, rows_to_half


def _exponentials(length: int, columns: int, k: int, scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """exp(-2πi·u·m/length) for each phase, frequency and tap: [s, columns, k] complex, zero at taps of other phases.

    Tap n of K lies at d = ⌊k/2⌋ - n in the correlation with K; d = s·m + i puts it into phase i at shift m.
    """
    # On the CPU whatever ``torch.device`` is in force: small, and moved at the end.
    taps = k // 2 - torch.arange(k, dtype=torch.int64, device="cpu")
    phase, shift = taps % scale, torch.div(taps, scale, rounding_mode="floor")
    # Reduced modulo the length in integers, so that the angle is exact however large the image.
    angle = (torch.arange(columns, device="cpu")[:, None] * shift % length).to(torch.float64) * (-2 * math.pi / length)
    theirs = (phase == torch.arange(scale, device="cpu")[:, None])[:, None, :]  # [s, 1, k]
    real, imaginary = ((part * theirs).to(dtype) for part in (angle.cos(), angle.sin()))
    table = torch.complex(real, imaginary)  # [s, columns, k]
    return table if table.device == device else table.to(device)  # of complex numbers ONNX has no copy


@lru_cache(maxsize=64)
def _kept_exponentials(
    length: int, columns: int, k: int, scale: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    with torch.inference_mode(False):  # a table made during an evaluation must serve autograd later
        return _exponentials(length, columns, k, scale, dtype, device)


def _tables(weight: Tensor, size: tuple[int, int], scale: tuple[int, int]) -> tuple[Tensor, Tensor]:
    (h, w), (s, t), (k, l) = size, scale, weight.shape[-2:]
    # What is traced (compiled, or with fake tensors in place of real ones) must not meet kept tensors, nor leave any.
    make = _kept_exponentials if has_values(weight) else _exponentials
    ey = make(h, h, k, s, weight.dtype, weight.device)  # [s, H, k]
    ex = make(w, w // 2 + 1, l, t, weight.dtype, weight.device)  # [t, W', l]
    return ey, ex


def as_complex(real: Tensor) -> Tensor:
    """The same numbers as complex ones."""
    # ONNX has no cast to complex numbers; elsewhere it is one pass over memory in place of two.
    if exporting():
        return torch.complex(real, torch.zeros_like(real))
    return real.to(torch.complex128 if real.dtype == torch.float64 else torch.complex64)  # to_complex() breaks graphs


def with_ones(spectra: Tensor, dim: int, many: int = 1) -> Tensor:
    """A view with so many dimensions of length 1 ahead of one; of complex numbers ONNX has no ``unsqueeze``."""
    return spectra.view(*spectra.shape[:dim], *(1,) * many, *spectra.shape[dim:])


def kernel_spectra(weight: Tensor, size: tuple[int, int], scale: tuple[int, int]) -> Tensor:
    """P: spectra of the s × t phases of the correlation with K, by two thin products: [B, C, s, t, H, W'] complex."""
    ey, ex = _tables(weight, size, scale)
    rows = as_complex(weight[:, :, None]) @ ex.mT  # [B, C, t, k, W']
    if columns_first(weight):
        return (rows.mT[:, :, None] @ ey.mT[:, None]).mT
    return with_ones(ey, 1) @ with_ones(rows, 2)  # [B, C, s, t, H, W']


def kernel_spectra_adjoint(grad: Tensor, weight: Tensor, size: tuple[int, int], columns: Tensor) -> Tensor:
    """The adjoint of :func:`kernel_spectra` with so much weight on each column.

    [B, C, s, t, H, W'] → [B, C, k, l], real.
    """
    ey, ex = _tables(weight, size, (grad.shape[2], grad.shape[3]))
    rows = (ey.mH[:, None] @ grad).sum(dim=2)  # [B, C, t, k, W']
    return (rows @ (ex.conj() * columns[:, None])).real.sum(dim=2)


def columns_first(like: Tensor) -> bool:
    """Whether spectra [H, W'] lie in memory as [W', H]: transforms along columns then find them as they want them.

    So it is on a CPU: a two-dimensional transform there is one transform after the other, and the library transposes
    what does not lie that way, there and back. Products, and what else treats each place by itself, keep the layout.
    """
    return like.device.type == "cpu" and not torch.compiler.is_compiling()


def spectrum_of(y: Tensor) -> Tensor:
    """The half spectrum of ``y`` [..., H, W]: [..., H, W']."""
    if columns_first(y):
        return along_columns(rows_to_half(y))
    return cast(Tensor, torch.fft.rfft2(y))


def image_of(spectrum: Tensor, w: int, rows: slice | None = None) -> Tensor:
    """The image that has this half spectrum, or some of its rows: [..., H, W'] → [..., so many, W]."""
    if rows is None and not columns_first(spectrum):
        return cast(Tensor, torch.fft.irfft2(spectrum, s=(spectrum.shape[-2], w)))
    # By its two steps: rows that are not wanted need no second one.
    rows = rows or slice(None)
    return half_to_rows(along_columns(spectrum, inverse=True)[..., rows, :], w)


def sum_over(spectra: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Σ over dimensions ahead of the last two, which stay with length 1; it lies in memory as ``spectra`` do."""
    if columns_first(spectra):
        return spectra.mT.sum(dim, keepdim=True).mT
    return spectra.sum(dim, keepdim=True)


def join_channels(spectra: list[Tensor]) -> Tensor:
    """The channels of all of them, in the layout that they have."""
    if len(spectra) == 1:
        return spectra[0]
    if columns_first(spectra[0]):
        return torch.cat([part.mT for part in spectra], dim=1).mT
    return torch.cat(spectra, dim=1)


def column_weights(h: int, w: int, like: Tensor) -> Tensor:
    """w/(H·W) for each column of a half spectrum, where w = 2 if it stands for its mirror image too: [W'] real."""
    columns = torch.full((w // 2 + 1,), 2 / (h * w), dtype=like.dtype, device=like.device)
    columns[0] /= 2
    if w % 2 == 0:
        columns[-1] /= 2
    return columns
