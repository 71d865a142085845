"""Involution: each place has a kernel of its own, made from what is there, and the channels of a group share it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad, unfold


class Involution(nn.Module):
    """Σ over a k×k neighbourhood, weighted by a kernel from the place itself (Li et al., "Involution", CVPR 2021)."""

    def __init__(
        self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular", reduction: int = 4
    ) -> None:
        super().__init__()
        if scale != 1:
            raise ValueError(f"Involution has scale 1, got {scale}")
        self.k, self.mode = kernel_size, {"zero": "constant"}.get(padding_mode, padding_mode)
        hidden = max(1, channels // reduction)
        self.kernels = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, kernel_size * kernel_size, 1)
        )

    def forward(self, y: Tensor) -> Tensor:
        """Filter ``y`` [N, C, H, W], the same shape."""
        n, c, h, w = y.shape
        before, after = self.k // 2, self.k - 1 - self.k // 2
        least = {"circular": before, "reflect": before + 1}.get(self.mode, 1)
        if min(h, w) < least:
            raise ValueError(f"the image must be at least {least}×{least}, got {h}×{w}")
        around = unfold(pad(y, (before, after, before, after), mode=self.mode), self.k)
        weights = self.kernels(y).unsqueeze(1)  # [N, 1, k·k, H, W]
        return (around.view(n, c, -1, h, w) * weights).sum(2)
