"""Some unrolled steps of Richardson and Lucy: an iteration of deconvolution whose kernels are learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, softplus


class RichardsonLucy(nn.Module):
    """X ← X · Kᵀ⊗(Y / (K⊗X)), some times over (Richardson, 1972; Lucy, 1974), with circular boundaries.

    The iteration is one of positive numbers: features go through softplus, and a softmax makes kernels positive with
    the sum 1.
    """

    def __init__(
        self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular", steps: int = 2
    ) -> None:
        super().__init__()
        if scale != 1 or padding_mode != "circular":
            raise ValueError(f"RichardsonLucy has scale 1 and circular padding, got {scale} and {padding_mode}")
        self.weight = nn.Parameter(torch.randn(channels, 1, kernel_size, kernel_size))
        self.steps = steps

    def forward(self, y: Tensor) -> Tensor:
        """Deconvolve ``y`` [N, C, H, W], the same shape."""
        kernel = self.weight.flatten(1).softmax(1).view_as(self.weight).to(y.dtype)
        observed = softplus(y)
        x = observed
        for _ in range(self.steps):
            ratio = observed / (_correlated(x, kernel.flip(-2, -1)) + 1e-6)
            x = x * _correlated(ratio, kernel)
        return x


def _correlated(x: Tensor, kernel: Tensor) -> Tensor:
    k = kernel.shape[-1]
    before, after = k // 2, k - 1 - k // 2
    if min(x.shape[-2:]) < before:
        raise ValueError(f"the image must be at least {before}×{before}, got {x.shape[-2]}×{x.shape[-1]}")
    return conv2d(pad(x, (before, after, before, after), mode="circular"), kernel, groups=len(kernel))
