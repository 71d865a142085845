"""A learnt Wiener filter: each channel has a kernel and a ratio of noise to signal, and is filtered by its inverse."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Wiener(nn.Module):
    """X = conj(K)·Y / (|K|² + n) for each frequency (N. Wiener, 1949); n = exp(``noise``) is learnt.

    It is circular. Its method ``blur`` is what it undoes, so `converse verify` measures it as an inverse.
    """

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__()
        if scale != 1 or padding_mode != "circular":
            raise ValueError(f"Wiener has scale 1 and circular padding, got {scale} and {padding_mode}")
        kernel = 0.1 * torch.rand(channels, kernel_size, kernel_size)
        kernel[:, kernel_size // 2, kernel_size // 2] += 1
        self.weight = nn.Parameter(kernel / kernel.sum((1, 2), keepdim=True))
        self.noise = nn.Parameter(torch.full((channels, 1, 1), -4.0))

    def spectrum(self, x: Tensor) -> Tensor:
        """Of the kernels, for an image as large as ``x``."""
        rows, columns = x.shape[-2:]
        k = self.weight.shape[-1]
        if min(rows, columns) < k:
            raise ValueError(f"the image must be at least {k}×{k}, got {rows}×{columns}")
        whole = nn.functional.pad(self.weight.to(x.dtype), (0, columns - k, 0, rows - k))
        return torch.fft.rfft2(whole.roll((-(k // 2), -(k // 2)), (-2, -1)))

    def blur(self, x: Tensor) -> Tensor:
        """Convolve ``x`` [N, C, H, W] with the kernels."""
        return torch.fft.irfft2(torch.fft.rfft2(x) * self.spectrum(x), s=x.shape[-2:])

    def forward(self, y: Tensor) -> Tensor:
        """Undo :meth:`blur`: ``y`` [N, C, H, W], the same shape."""
        with torch.autocast(y.device.type, enabled=False):  # transforms have no bfloat16
            wide = y.to(torch.promote_types(y.dtype, torch.float32))
            k = self.spectrum(wide)
            filtered = torch.fft.rfft2(wide) * k.conj() / (k.abs().square() + self.noise.to(wide.dtype).exp())
            return torch.fft.irfft2(filtered, s=y.shape[-2:]).to(y.dtype)
