"""An operator with four mistakes that train without a word: docs/tutorials/own-operator.md reads them aloud."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Broken(nn.Module):
    """A depthwise convolution of what differs from the mean, with a gain."""

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__()
        if scale != 1:
            raise ValueError(f"Broken has scale 1, got {scale}")
        self.convolution = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.gain = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def forward(self, y: Tensor) -> Tensor:
        """Filter ``y`` [N, C, H, W], the same shape for odd kernels."""
        y -= y.mean(0, keepdim=True)
        x = self.convolution(y) * self.gain.detach()
        self.seen.append(x.mean())
        return x
