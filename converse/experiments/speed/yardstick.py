"""The yardstick: a fixed piece of plain torch, beside which times and memory are compared from machine to machine."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_WIDTH: Final = 32


class Yardstick(nn.Module):
    """What operators and blocks are made of, and nothing of this package: it is never made faster or slower.

    A 1×1 convolution to max(32, C) channels; a depthwise 5×5 convolution, whose input is continued circularly; a
    multiplication by a learnt gain between ``rfft2`` and ``irfft2``; normalisation over the whole map; 1×1 convolutions
    to twice the channels and back with GELU between; a 1×1 convolution to C channels.

    Ratios to it are kept in files. Whoever would change it gives the new one another name.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = max(_LEAST_WIDTH, channels)
        self.enter = nn.Conv2d(channels, width, 1)
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width, padding_mode="circular")
        self.gain = nn.Parameter(torch.ones(width, 1, 1))
        self.norm = nn.GroupNorm(1, width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)
        self.leave = nn.Conv2d(width, channels, 1)

    def forward(self, y: Tensor) -> Tensor:
        """``y`` [N, C, H, W], H and W ≥ 2 → the same shape."""
        x = self.depthwise(self.enter(y))
        spectrum = torch.fft.rfft2(x.float()) * self.gain
        x = x + torch.fft.irfft2(spectrum, s=x.shape[-2:]).to(x.dtype)
        x = x + self.narrow(F.gelu(self.widen(self.norm(x))))
        return cast(Tensor, self.leave(x))
