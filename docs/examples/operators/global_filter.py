"""The global filter of GFNet: one learnt complex number for each channel and frequency."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GlobalFilter(nn.Module):
    """X = F⁻¹(W · F(Y)) (Rao et al., "Global filter networks for image classification", NeurIPS 2021).

    W is learnt for images of ``side`` × ``side`` pixels, and interpolated for other sizes, as GFNet does.
    """

    def __init__(
        self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular", side: int = 16
    ) -> None:
        super().__init__()
        if scale != 1 or padding_mode != "circular":
            raise ValueError(f"GlobalFilter has scale 1 and circular padding, got {scale} and {padding_mode}")
        # [real and imaginary, C, H, W']; a real parameter, so that it is interpolated and kept as any other.
        self.weight = nn.Parameter(0.02 * torch.randn(2, channels, side, side // 2 + 1))
        with torch.no_grad():
            self.weight[0] += 1  # it starts near the identity

    def forward(self, y: Tensor) -> Tensor:
        """Filter ``y`` [N, C, H, W], the same shape."""
        with torch.autocast(y.device.type, enabled=False):  # transforms have no bfloat16
            wide = y.to(torch.promote_types(y.dtype, torch.float32))
            spectrum = torch.fft.rfft2(wide)
            weight = self.weight.to(wide.dtype)
            if weight.shape[-2:] != spectrum.shape[-2:]:
                weight = nn.functional.interpolate(weight, spectrum.shape[-2:], mode="bilinear", align_corners=True)
            return torch.fft.irfft2(spectrum * torch.complex(weight[0], weight[1]), s=y.shape[-2:]).to(y.dtype)
