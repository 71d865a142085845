"""Deblurring with any operator: the blind ConverseNet and ConvNet, and the unfolding Converse- and Conv-USRNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from converse.nn.blocks import block_stack, operator_factory
from converse.nn.functional import PaddingMode, circular_convolution, converse2d
from converse.nn.operators import OperatorClass, initialise_kernel


class BlockNet(nn.Module):
    """1×1 head, the same blocks run several times, 1×1 tail (paper: ConverseNet; ConvNet with depthwise convolutions).

    Blind: it sees the blurred image only. With the defaults it has the published 243,267 parameters.

    Args:
        operator: of the blocks, a registered name or what makes one.
        in_channels: channels of the image.
        features: C.
        blocks: number of blocks.
        iterations: how often the blocks are run.
        kernel_size: k.
        padding_mode: of the operator.
        operator_options: further arguments of the operator.
        design: fields of :class:`converse.nn.blocks.BlockDesign` that differ from the paper's.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input",)

    def __init__(
        self,
        operator: str | OperatorClass = "converse",
        in_channels: int = 3,
        features: int = 64,
        blocks: int = 7,
        iterations: int = 5,
        kernel_size: int = 3,
        padding_mode: PaddingMode = "circular",
        operator_options: Mapping[str, Any] | None = None,
        design: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.head = nn.Conv2d(in_channels, features, 1)
        self.body = block_stack(
            blocks, features, operator_factory(operator, kernel_size, padding_mode, operator_options), design
        )
        self.tail = nn.Conv2d(features, in_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` [N, C, H, W], same shape."""
        y = self.head(x)
        for _ in range(self.iterations):
            y = self.body(y)
        out: Tensor = self.tail(y)
        return out


class BlockUSRNet(nn.Module):
    """Unfolding with a learnt data step (paper: Converse-USRNet; Conv-USRNet convolves instead of inverting).

    A small MLP turns the blur kernel into ``kernels`` kernels, and a 1×1 convolution per iteration turns those into one
    per feature. Each iteration is a data step with them (reverse convolution, λ shared by all iterations, eps 1e-3; or
    depthwise convolution) and the same α-blocks. The released checkpoint has 307,987 parameters; the published 307,091
    leave out α.

    α is 0 at the start: the blocks pass their input on. Under the start ``impulses`` (:mod:`converse.nn.starts`) the
    kernels are unit impulses, so that with either operator the data steps pass it on too.

    Args:
        operator: ``converse`` or ``conv``, in the blocks and in the data step.
        in_channels: channels of the image.
        features: C.
        blocks: number of blocks.
        iterations: number of unfolded iterations.
        kernel_size: k of the blocks.
        blur_size: side of the blur kernel.
        kernels: number of kernels that the MLP makes.
        padding_mode: of the operator in the blocks.
        operator_options: further arguments of the operator in the blocks.
        design: fields of :class:`converse.nn.blocks.BlockDesign` that differ from the paper's (which here has α).
    """

    inputs: ClassVar[tuple[str, ...]] = ("input", "kernel")

    def __init__(
        self,
        operator: str = "converse",
        in_channels: int = 3,
        features: int = 64,
        blocks: int = 7,
        iterations: int = 5,
        kernel_size: int = 3,
        blur_size: int = 7,
        kernels: int = 16,
        padding_mode: PaddingMode = "circular",
        operator_options: Mapping[str, Any] | None = None,
        design: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if operator not in ("converse", "conv"):
            raise ValueError(f"the data step inverts ('converse') or convolves ('conv'), got operator {operator!r}")
        hidden = 64
        taps = blur_size**2
        self.kernels = kernels
        self.blur_size = blur_size
        self.head = nn.Conv2d(in_channels, features, 1)
        self.kernel_mlp = nn.Sequential(
            nn.Linear(taps, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            KernelBank(hidden, kernels, blur_size),
        )
        self.kernel_mix = nn.ModuleList(KernelMix(kernels, features) for _ in range(iterations))
        self.data_step = ReverseDataStep(features) if operator == "converse" else ForwardDataStep()
        self.body = block_stack(
            blocks,
            features,
            operator_factory(operator, kernel_size, padding_mode, operator_options),
            {**self.implied_options({})["design"], **(design or {})},
        )
        self.tail = nn.Conv2d(features, in_channels, 1)

    @classmethod
    def implied_options(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What options stand for that are left out: these blocks scale their sums by α, other networks' don't."""
        return {"design": {"alpha": True}}

    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Restore ``x`` [N, C, H, W], blurred with ``kernel`` [N, 1, k, k]; same shape as ``x``."""
        bank = self.kernel_mlp(kernel.flatten(1)).view(-1, self.kernels, self.blur_size, self.blur_size)
        y = self.head(x)
        for mix in self.kernel_mix:
            y = self.body(self.data_step(y, mix(bank)))
        out: Tensor = self.tail(y)
        return out


class KernelBank(nn.Linear):
    """What the MLP ends with: features of the blur kernel → kernels.

    Args:
        in_features: of the blur kernel.
        kernels: number of kernels.
        size: side k of each.
    """

    def __init__(self, in_features: int, kernels: int, size: int) -> None:
        super().__init__(in_features, kernels * size**2)
        self.size = size

    def reset_to_impulses(self) -> None:
        """Make unit impulses, whatever the blur kernel."""
        nn.init.zeros_(self.weight)
        initialise_kernel(self.bias.view(1, -1, self.size, self.size), "delta")


class KernelMix(nn.Conv2d):
    """Kernels → one per feature, by a 1×1 convolution.

    Args:
        kernels: number of kernels.
        features: C.
    """

    def __init__(self, kernels: int, features: int) -> None:
        super().__init__(kernels, features, 1)

    def reset_to_impulses(self) -> None:
        """Make weighted means, under which impulses stay impulses: softmax over Gaussian values, no bias."""
        nn.init.normal_(self.weight)
        with torch.no_grad():
            self.weight.copy_(self.weight.softmax(1))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class ReverseDataStep(nn.Module):
    """Reverse convolution with given kernels; λ = sigmoid(bias - 9) + 1e-3 is learnt per channel.

    Args:
        features: C.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(1, features, 1, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set λ to its start."""
        nn.init.zeros_(self.bias)

    def forward(self, y: Tensor, kernels: Tensor) -> Tensor:
        """Undo the convolution of ``y`` [N, C, H, W] with ``kernels`` [N, C, k, k]."""
        return converse2d(y, kernels, torch.sigmoid(self.bias - 9) + 1e-3, validate_lam=False)


class ForwardDataStep(nn.Module):
    """Circular depthwise convolution with given kernels."""

    def forward(self, y: Tensor, kernels: Tensor) -> Tensor:
        """Convolve ``y`` [N, C, H, W] with ``kernels`` [N, C, k, k]."""
        return circular_convolution(y, kernels)
