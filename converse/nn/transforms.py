"""Fourier transforms along one axis, by the library that is quicker for its length.

On a CPU, PyTorch's transforms (MKL's, on x86) are slow where a length has a large prime factor. For lengths with a
factor between 23 and 61, such as 493 = 17·29 or 258 = 6·43, SciPy's take about half as long; for larger ones, as in
268 = 4·67, and for primes both are slow (docs/log/performance.md). What is chosen follows from the length alone: the
same bits wherever the libraries are the same. All other lengths are PyTorch's, and so is all that SciPy can't do: other
devices, and what is differentiated, mapped, traced, compiled or counted.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

import torch
from torch import Tensor

from converse.nn.derivatives import has_values, transformed

LARGEST_OF_TORCH: Final = 19
"""Up to this prime factor PyTorch's transforms are as quick as SciPy's, or quicker."""

LARGEST_OF_SCIPY: Final = 61
"""From larger prime factors on SciPy's transforms are no quicker."""


@cache
def by_scipy(length: int) -> bool:
    """Whether SciPy transforms this length on a CPU.

    Args:
        length: of the axis, ≥ 1.
    """
    largest = _largest_factor(length)
    return LARGEST_OF_TORCH < largest <= LARGEST_OF_SCIPY and largest < length


def rule(device: str = "cpu") -> str:
    """Which library transforms which lengths, in words, for whoever keeps where a number comes from.

    Args:
        device: where transforms are made: ``cpu``, ``cuda`` …

    Returns:
        One line. What SciPy can't do is PyTorch's at any length.
    """
    if not device.startswith("cpu"):
        return "torch: all lengths"
    above, largest = LARGEST_OF_TORCH, LARGEST_OF_SCIPY
    chosen = f"composite lengths whose largest prime factor is above {above} and at most {largest}"
    return f"scipy: {chosen}; torch: all others"


def _largest_factor(length: int) -> int:
    largest, factor = 1, 2
    while factor * factor <= length:
        while length % factor == 0:
            largest, length = factor, length // factor
        factor += 1
    return max(largest, length)


def rows_to_half(x: Tensor) -> Tensor:
    """The half spectra of real rows: [..., W] → [..., ⌊W/2⌋ + 1]."""
    if not (_mere_numbers(x) and by_scipy(x.shape[-1])):
        return cast(Tensor, torch.fft.rfft(x))
    return torch.from_numpy(_scipy().rfft(x.numpy(), workers=torch.get_num_threads()))


def half_to_rows(spectra: Tensor, n: int) -> Tensor:
    """Real rows from their half spectra: [..., ⌊n/2⌋ + 1] → [..., n]."""
    if not (_mere_numbers(spectra) and by_scipy(n)):
        return cast(Tensor, torch.fft.irfft(spectra, n=n))
    return torch.from_numpy(_scipy().irfft(spectra.numpy(), n=n, workers=torch.get_num_threads()))


def along_columns(spectra: Tensor, *, inverse: bool = False) -> Tensor:
    """Transform complex columns [..., H, W'], or, with ``inverse``, go back; the result lies by columns."""
    if not (_mere_numbers(spectra) and by_scipy(spectra.shape[-2])):
        return cast(Tensor, (torch.fft.ifft if inverse else torch.fft.fft)(spectra, dim=-2))
    columns = spectra.mT.contiguous()
    own = columns.data_ptr() != spectra.data_ptr()  # a copy may be written over
    transform = _scipy().ifft if inverse else _scipy().fft
    return torch.from_numpy(transform(columns.numpy(), overwrite_x=own, workers=torch.get_num_threads())).mT


def _mere_numbers(x: Tensor) -> bool:
    """Whether this is nothing but numbers in the CPU's memory: nobody differentiates it, maps it, or watches."""
    # First of all whether this is traced, for then shapes are no numbers either.
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    if x.device.type != "cpu" or x.numel() == 0 or not has_values(x) or transformed(x):
        return False
    watched = torch._C._len_torch_dispatch_stack() > 0  # operations are counted, or stand-ins at work
    differentiated = torch.is_grad_enabled() and x.requires_grad
    return not watched and not differentiated and not x.is_conj()


def _scipy() -> Any:
    from scipy import fft

    return fft
