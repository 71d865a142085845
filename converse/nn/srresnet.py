"""Super-resolution: SRResNet, and the block network with any operator (Converse-, Conv-, ConvT-SRResNet)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.blocks import block_stack, operator_factory
from converse.nn.functional import PaddingMode
from converse.nn.operators import Converse2D, DepthwiseConvTranspose2d, OperatorClass

Upsampler = Literal["converse", "pixel-shuffle", "transposed", "nearest", "transposed-5x5"]
ResidualUpsampler = Literal["pixel-shuffle", "converse", "transposed", "nearest"]


@dataclass(frozen=True)
class Upsampling:
    """How a network of blocks doubles the sides of its maps, and what stands around it.

    Args:
        double: makes, for so many channels, what maps [N, C, H, W] to [N, C, 2H, 2W].
        block: whether a block stands ahead of each doubling.
        tail_bias: whether the last convolution of the network has a bias.
    """

    double: Callable[[int], nn.Module]
    block: bool = True
    tail_bias: bool = False


UPSAMPLERS: dict[str, Upsampling] = {
    "converse": Upsampling(lambda channels: Converse2D(channels, 2, 2, padding=2, padding_mode="replicate", eps=1e-3)),
    "pixel-shuffle": Upsampling(
        lambda channels: nn.Sequential(nn.Conv2d(channels, 4 * channels, 1), nn.PixelShuffle(2))
    ),
    "transposed": Upsampling(lambda channels: DepthwiseConvTranspose2d(channels, 2, 2)),
    "nearest": Upsampling(
        lambda channels: nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(channels, channels, 2, groups=channels),
        ),
        block=False,
        tail_bias=True,
    ),
    "transposed-5x5": Upsampling(
        lambda channels: nn.Sequential(
            nn.ConvTranspose2d(channels, channels, 5, stride=2, padding=2, groups=channels),
            nn.ZeroPad2d((1, 0, 1, 0)),  # GELU comes after it, and keeps zeros
        ),
        block=False,
        tail_bias=True,
    ),
}
"""By name. The authors' Converse-, Conv- and ConvT-SRResNet have ``converse``, ``nearest`` and ``transposed-5x5``; with
``pixel-shuffle`` and ``transposed`` a network differs from Converse-SRResNet in its operators alone."""

_UPSAMPLER_OF = {"conv": "nearest", "convt": "transposed-5x5"}


class _Residual(nn.Module):
    """x + conv(relu(conv(x))), without normalisation."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(F.relu(self.conv1(x), inplace=True))
        return out


class _PixelShuffle(nn.Conv2d):
    """3×3 convolution to 4C channels, pixel shuffle, LeakyReLU."""

    def __init__(self, features: int) -> None:
        super().__init__(features, 4 * features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(F.pixel_shuffle(super().forward(x), 2), 0.1, inplace=True)


def _doubling(features: int, up: nn.Module, first: Literal["conv", "up"]) -> nn.Sequential:
    """A 3×3 convolution and what doubles the sides, in this order or the other, and GELU."""
    parts = OrderedDict(conv=nn.Conv2d(features, features, 3, padding=1), up=up, activation=nn.GELU())
    parts.move_to_end(first, last=False)
    return nn.Sequential(parts)


_DOUBLINGS: dict[str, Callable[[int], nn.Module]] = {
    "pixel-shuffle": _PixelShuffle,
    "converse": lambda features: _doubling(features, Converse2D(features, 2, 2, padding=2), "conv"),
    "transposed": lambda features: _doubling(features, DepthwiseConvTranspose2d(features, 2, 2), "up"),
    "nearest": lambda features: _doubling(features, nn.Upsample(scale_factor=2), "up"),
}
"""Upsamplers of SRResNet."""


class SRResNet(nn.Module):
    """The modified SRResNet of the field (×4): residual blocks without normalisation, pixel shuffle, bilinear skip.

    With 16 blocks of 64 features it has the published 1,517,571 parameters. In the authors' second family of networks
    another upsampler stands in the place of pixel shuffle: reverse convolution after a 3×3 convolution (1,296,643
    parameters), a depthwise transposed convolution of stride 2 (1,296,643) or nearest neighbour (1,296,003) before one,
    and GELU.

    Args:
        in_channels: channels of the image.
        features: channels inside.
        blocks: number of residual blocks.
        scale: factor of upsampling, a power of 2.
        upsampler: ``pixel-shuffle``, ``converse``, ``transposed`` or ``nearest``.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(
        self,
        in_channels: int = 3,
        features: int = 64,
        blocks: int = 16,
        scale: int = 4,
        upsampler: ResidualUpsampler = "pixel-shuffle",
    ) -> None:
        super().__init__()
        _check_upsampler(upsampler, _DOUBLINGS)
        self.scale = scale
        self.head = nn.Conv2d(in_channels, features, 3, padding=1)
        self.body = nn.Sequential(*(_Residual(features) for _ in range(blocks)))
        self.upsample = nn.ModuleList(_DOUBLINGS[upsampler](features) for _ in range(_doublings(scale)))
        self.refine = nn.Conv2d(features, features, 3, padding=1)
        self.tail = nn.Conv2d(features, in_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample ``x`` [N, C, H, W] → [N, C, s·H, s·W]."""
        y = self.body(F.leaky_relu(self.head(x), 0.1, inplace=True))
        for stage in self.upsample:
            y = stage(y)
        y = self.tail(F.leaky_relu(self.refine(y), 0.1, inplace=True))
        return _add_bilinear(y, x, self.scale)


class BlockSRResNet(nn.Module):
    """1×1 head and GELU, blocks, the doublings of the sides, one block, GELU, 1×1 tail, bilinear skip.

    A doubling is [block, upsampler, GELU] in Converse-SRResNet, which upsamples by reverse convolution. As in the
    released checkpoint it has 699,072 parameters; the published 694,208 leave out those of LayerNorm.

    The authors' Conv-SRResNet has [upsampler, GELU] and a tail with bias: nearest neighbour, a zero row and column
    after the last, a depthwise 2×2 convolution (625,603 parameters). Their ConvT-SRResNet has a depthwise transposed
    5×5 convolution of stride 2 and a zero row and column before the first. As they committed it, with transposed 3×3
    convolutions in its blocks, a map loses rows and the code fails. Ours is an adaptation: 5×5 in the blocks, and where
    ``padding_mode`` is ``zero`` it is the nearest that runs (628,291 parameters).

    Args:
        operator: of the blocks, a registered name or what makes one.
        in_channels: channels of the image.
        features: C.
        blocks: number of blocks before the upsampling.
        kernel_size: k of the blocks.
        padding_mode: of the operator in the blocks.
        scale: factor of upsampling, a power of 2.
        upsampler: a name in :data:`UPSAMPLERS`; ``None`` takes the operator's own, as the authors have it.
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
        _check_upsampler(chosen, UPSAMPLERS)
        upsampling = UPSAMPLERS[chosen]
        make = operator_factory(operator, kernel_size, padding_mode, operator_options)
        self.scale = scale
        self.head = nn.Conv2d(in_channels, features, 1)
        self.body = block_stack(blocks, features, make, design)
        self.upsample = nn.ModuleList(
            nn.Sequential(
                *block_stack(int(upsampling.block), features, make, design), upsampling.double(features), nn.GELU()
            )
            for _ in range(_doublings(scale))
        )
        self.refine = block_stack(1, features, make, design)
        self.tail = nn.Conv2d(features, in_channels, 1, bias=upsampling.tail_bias)

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


def _check_upsampler(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"upsampler must be one of {', '.join(known)}, got {name!r}")


def _doublings(scale: int) -> int:
    if scale < 1 or scale & (scale - 1):
        raise ValueError(f"scale must be a power of 2, got {scale}")
    return int(math.log2(scale))


def _add_bilinear(y: Tensor, x: Tensor, scale: int) -> Tensor:
    return y + F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
