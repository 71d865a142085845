"""Denoisers: DnCNN, and the block network that stands against it with any operator (Converse-, Conv-, ConvT-DnCNN)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from converse.nn.blocks import block_stack, operator_factory
from converse.nn.functional import PaddingMode
from converse.nn.operators import OperatorClass


class DnCNN(nn.Module):
    """DnCNN (Zhang et al., 2017): a stack of 3×3 convolutions that predicts the noise, which is then subtracted.

    Args:
        in_channels: channels of the image.
        features: channels inside.
        layers: number of convolutions.
        normalisation: batch normalisation after the middle convolutions (557,057 parameters); the released weights have
            it folded into the convolutions, and are loaded without (555,137).
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(
        self, in_channels: int = 1, features: int = 64, layers: int = 17, *, normalisation: bool = True
    ) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"layers must be at least 2, got {layers}")
        parts: list[nn.Module] = [nn.Conv2d(in_channels, features, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(layers - 2):
            parts.append(nn.Conv2d(features, features, 3, padding=1))
            if normalisation:
                parts.append(nn.BatchNorm2d(features))
            parts.append(nn.ReLU(inplace=True))
        parts.append(nn.Conv2d(features, in_channels, 3, padding=1))
        self.body = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` [N, C, H, W], same shape."""
        out: Tensor = x - self.body(x)
        return out


class BlockDnCNN(nn.Module):
    """1×1 head, blocks, 1×1 tail, no global skip (paper: Converse-DnCNN with 20 blocks).

    With k = 5 it has the published 734,913 parameters; the released checkpoint has k = 7 (796,353). The authors'
    ConvT-DnCNN pads with zeros, the others continue circularly.

    Args:
        operator: of the blocks, a registered name or what makes one.
        in_channels: channels of the image.
        features: C.
        blocks: number of blocks.
        kernel_size: k.
        padding_mode: of the operator.
        operator_options: further arguments of the operator.
        design: fields of :class:`converse.nn.blocks.BlockDesign` that differ from the paper's.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(
        self,
        operator: str | OperatorClass = "converse",
        in_channels: int = 1,
        features: int = 64,
        blocks: int = 20,
        kernel_size: int = 5,
        padding_mode: PaddingMode = "circular",
        operator_options: Mapping[str, Any] | None = None,
        design: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        make = operator_factory(operator, kernel_size, padding_mode, operator_options)
        self.head = nn.Conv2d(in_channels, features, 1)
        self.body = block_stack(blocks, features, make, design)
        self.tail = nn.Conv2d(features, in_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` [N, C, H, W], same shape."""
        out: Tensor = self.tail(self.body(self.head(x)))
        return out
