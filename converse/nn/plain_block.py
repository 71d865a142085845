"""The block as one would write it down: whole maps, PyTorch's own layers, and nothing fused or made in tiles."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from converse.nn.blocks import Block, ChannelNorm, Pointwise


class PlainNorm(ChannelNorm):
    """:class:`converse.nn.blocks.ChannelNorm` by PyTorch's ``layer_norm``, which wants channels last."""

    def forward(self, x: Tensor, affine: bool = True) -> Tensor:
        """Normalise ``x`` [N, C, H, W]; weight and bias are applied always."""
        return F.layer_norm(x.movedim(1, -1), x.shape[1:2], self.weight, self.bias, self.eps).movedim(-1, 1)


class PlainPointwise(Pointwise):
    """:class:`converse.nn.blocks.Pointwise` by PyTorch's ``conv2d``."""

    def forward(self, x: Tensor, affine: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Mix the channels of ``x`` [N, C, H, W] → [N, C', H, W]."""
        return F.conv2d(x, self.weight, self.bias)


class PlainBlock(Block):
    """:class:`converse.Block`, one layer after the other; same parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform ``x`` [N, C, H, W], same shape."""
        for half in (self.spatial, self.channel):
            if half is not None:
                x = x + half(x) if self.residual else half(x)
        return x
