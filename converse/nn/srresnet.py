"""Super-resolution: SRResNet, and the block network with any operator (Converse-, Conv-, ConvT-SRResNet)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.blocks import block_stack, operator_factory
from converse.nn.functional import PaddingMode
from converse.nn.operators import Converse2D, DepthwiseConv2d, DepthwiseConvTranspose2d, OperatorClass

Upsampler = Literal["converse", "pixel-shuffle", "transposed", "interpolation"]

UPSAMPLERS: dict[str, Callable[[int], nn.Module]] = {
    "converse": lambda channels: Converse2D(channels, 2, 2, padding=2, padding_mode="replicate", eps=1e-3),
    "pixel-shuffle": lambda channels: nn.Sequential(nn.Conv2d(channels, 4 * channels, 1), nn.PixelShuffle(2)),
    "transposed": lambda channels: DepthwiseConvTranspose2d(channels, 2, 2, padding_mode="replicate"),
    "interpolation": lambda channels: nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), DepthwiseConv2d(channels, 3, padding_mode="replicate")
    ),
}
"""Ways to double the sides of [N, C, H, W]; the paper's networks use the first three."""

_UPSAMPLER_OF = {"conv": "pixel-shuffle", "convt": "transposed"}


class _Residual(nn.Module):
    """x + conv(relu(conv(x))), without normalisation."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(F.relu(self.conv1(x), inplace=True))
        return out


class SRResNet(nn.Module):
    """The modified SRResNet of the field (×4): residual blocks without normalisation, pixel shuffle, bilinear skip.

    With 16 blocks of 64 features it has the published 1,517,571 parameters.

    Args:
        in_channels: channels of the image.
        features: channels inside.
        blocks: number of residual blocks.
        scale: factor of upsampling, a power of 2.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(self, in_channels: int = 3, features: int = 64, blocks: int = 16, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(in_channels, features, 3, padding=1)
        self.body = nn.Sequential(*(_Residual(features) for _ in range(blocks)))
        self.upsample = nn.ModuleList(nn.Conv2d(features, 4 * features, 3, padding=1) for _ in range(_doublings(scale)))
        self.refine = nn.Conv2d(features, features, 3, padding=1)
        self.tail = nn.Conv2d(features, in_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample ``x`` [N, C, H, W] → [N, C, s·H, s·W]."""
        y = self.body(F.leaky_relu(self.head(x), 0.1, inplace=True))
        for conv in self.upsample:
            y = F.leaky_relu(F.pixel_shuffle(conv(y), 2), 0.1, inplace=True)
        y = self.tail(F.leaky_relu(self.refine(y), 0.1, inplace=True))
        return _add_bilinear(y, x, self.scale)


class BlockSRResNet(nn.Module):
    """1×1 head and GELU, blocks, then per doubling [block, upsampler, GELU], one block, GELU, 1×1 tail, bilinear skip.

    Converse-SRResNet upsamples by reverse convolution, Conv- by pixel shuffle after a 1×1 convolution, ConvT- by a
    depthwise stride-2 transposed convolution (the last two are a reading of the paper, whose code is not released).
    As in the released checkpoint it has 699,072 parameters; the published 694,208 leave out those of LayerNorm.

    Args:
        operator: of the blocks, a registered name or what makes one.
        in_channels: channels of the image.
        features: C.
        blocks: number of blocks before the upsampling.
        kernel_size: k of the blocks.
        padding_mode: of the operator in the blocks.
        scale: factor of upsampling, a power of 2.
        upsampler: a name in :data:`UPSAMPLERS`; ``None`` takes the operator's own.
        operator_options: further arguments of the operator in the blocks.
        design: fields of :class:`converse.nn.blocks.BlockDesign` that differ from the paper's.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(
        self,
        operator: str | OperatorClass = "converse",
        in_channels: int = 3,
        features: int = 64,
        blocks: int = 16,
        kernel_size: int = 5,
        padding_mode: PaddingMode = "replicate",
        scale: int = 4,
        upsampler: Upsampler | None = None,
        operator_options: Mapping[str, Any] | None = None,
        design: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        chosen = upsampler or self.implied_options({"operator": operator})["upsampler"]
        if chosen not in UPSAMPLERS:
            raise ValueError(f"upsampler must be one of {', '.join(UPSAMPLERS)}, got {chosen!r}")
        make = operator_factory(operator, kernel_size, padding_mode, operator_options)
        self.scale = scale
        self.head = nn.Conv2d(in_channels, features, 1)
        self.body = block_stack(blocks, features, make, design)
        self.upsample = nn.ModuleList(
            nn.Sequential(*block_stack(1, features, make, design), UPSAMPLERS[chosen](features), nn.GELU())
            for _ in range(_doublings(scale))
        )
        self.refine = block_stack(1, features, make, design)
        self.tail = nn.Conv2d(features, in_channels, 1, bias=False)

    @classmethod
    def implied_options(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What options stand for that are left out, beside the ``operator`` that is given."""
        operator = given.get("operator")
        return {"upsampler": _UPSAMPLER_OF.get(operator, "converse") if isinstance(operator, str) else "converse"}

    def forward(self, x: Tensor) -> Tensor:
        """Upsample ``x`` [N, C, H, W] → [N, C, s·H, s·W]."""
        y = self.body(F.gelu(self.head(x)))
        for stage in self.upsample:
            y = stage(y)
        y = F.gelu(self.refine(y))
        return _add_bilinear(self.tail(y), x, self.scale)


def _doublings(scale: int) -> int:
    if scale < 1 or scale & (scale - 1):
        raise ValueError(f"scale must be a power of 2, got {scale}")
    return int(math.log2(scale))


def _add_bilinear(y: Tensor, x: Tensor, scale: int) -> Tensor:
    return y + F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
