"""The Transformer-like block, with any operator in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.errors import OptionError, unknown
from converse.nn.autocast import autocast_dtype, without_autocast
from converse.nn.derivatives import differentiated_again, transformed
from converse.nn.functional import PaddingMode
from converse.nn.hooks import watched
from converse.nn.matmul import mixed, summed_products
from converse.nn.operators import OPERATORS, Converse2D, OperatorClass
from converse.nn.tiling import tiled

OperatorFactory = Callable[[int], nn.Module]
"""Makes an operator for so many channels."""


def operator_factory(
    operator: str | OperatorClass, kernel_size: int, padding_mode: PaddingMode, options: Mapping[str, Any] | None = None
) -> OperatorFactory:
    """What makes the operator, a registered one by its name, for any number of channels.

    Raises:
        OptionError: no such operator.
    """
    if isinstance(operator, str):
        if operator not in OPERATORS:
            raise OptionError(unknown("operator", operator, OPERATORS))
        operator = OPERATORS[operator]
    made: OperatorClass = operator
    return lambda channels: made(channels, kernel_size, padding_mode=padding_mode, **(options or {}))


@dataclass(frozen=True)
class BlockDesign:
    """The parts of the block. The defaults are the paper's; other values are for ablations.

    Args:
        norm: LayerNorm at the start of each half.
        activation: GELU after each expansion and after the operator.
        expansion: channels inside each half, as a multiple of C.
        position: where the operator is: ``between`` the two 1×1 convolutions, on the expanded channels (paper), or
            ``before`` or ``after`` them, on C channels.
        second: whether the block has its second half, the one without an operator.
        residual: whether each half is added to its input.
        alpha: whether each half is scaled by a learnt α per channel, which starts at 0 (Converse-USRNet).

    Example:
        >>> from converse import BlockDesign
        >>> BlockDesign(expansion=4, norm=False).position
        'between'
    """

    norm: bool = True
    activation: bool = True
    expansion: int = 2
    position: Literal["between", "before", "after"] = "between"
    second: bool = True
    residual: bool = True
    alpha: bool = False

    def __post_init__(self) -> None:
        if self.expansion < 1:
            raise ValueError(f"expansion must be at least 1, got {self.expansion}")
        if self.position not in ("between", "before", "after"):
            raise ValueError(f"position must be one of between, before, after, got {self.position!r}")


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of [N, C, H, W], at each place by itself; biased variance, eps 1e-5.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.eps = 1e-5
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the plain normalisation."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, affine: bool = True) -> Tensor:
        """Normalise ``x`` [N, C, H, W]; computed in float32 at least, whatever autocast says.

        Args:
            x: the input.
            affine: whether weight and bias are applied, or left to the product that follows (:class:`Pointwise`).
        """
        with without_autocast(x.device):
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            if transformed(wide):
                out = F.layer_norm(wide.movedim(1, -1), wide.shape[1:2], eps=self.eps).movedim(-1, 1)
            else:
                out, _ = _Normalise.apply(wide, self.eps)
            if affine:
                weight, bias = (parameter.to(wide.dtype)[:, None, None] for parameter in (self.weight, self.bias))
                out = torch.addcmul(bias, out, weight)
        return out.to(x.dtype)


class _Normalise(torch.autograd.Function):
    """Plain means over the channels: torch's layer_norm wants them last, and the copies there and back cost more.

    With x̂ the normalised input, grad_x = (grad - mean(grad) - x̂·mean(grad·x̂)) / deviation. Keeping x̂ and the deviation
    alone, and not each step between, halves the passes over memory (docs/log/performance.md).

    1/deviation is an output too, though nobody's but autograd's. So both that are kept have a derivative with respect
    to x, and the gradient, which is made of them by plain operations, can be differentiated.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        centred = x - x.mean(1, keepdim=True)
        inverse = centred.square().mean(1, keepdim=True).add_(eps).rsqrt_()
        normalised = centred.mul_(inverse)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(normalised, inverse)
        return normalised, inverse

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, of_inverse: Tensor | None) -> tuple[Tensor | None, ...]:
        normalised, inverse = ctx.saved_tensors
        grad_x = None
        if grad is not None:
            along = (grad * normalised).mean(1, keepdim=True)
            grad_x = (grad - grad.mean(1, keepdim=True)).addcmul_(normalised, along, value=-1).mul_(inverse)
        if of_inverse is not None:
            by_inverse = normalised * (of_inverse * inverse.square() / -normalised.shape[1])
            grad_x = by_inverse if grad_x is None else grad_x + by_inverse
        return grad_x, None


class Pointwise(nn.Conv2d):
    """1×1 convolution, as the matrix product that it is: no copy into another layout, whatever the tile.

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether there is one.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor, affine: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Mix the channels of ``x`` [N, C, H, W] → [N, C', H, W]; ``affine`` are W and b of :meth:`after`."""
        n, _, h, w = x.shape
        weight, bias = affine or (self.weight[:, :, 0, 0], self.bias)
        if bias is None:
            bias = weight.new_zeros(self.out_channels)
        dtype = autocast_dtype(x.device) or torch.promote_types(x.dtype, weight.dtype)
        with without_autocast(x.device):
            x, weight, bias = x.to(dtype).flatten(2), weight.to(dtype), bias.to(dtype)
            if transformed(x, weight, bias):
                out = mixed(weight, x, bias, plain=True)
            else:
                out = cast(Tensor, _Mix.apply(x, weight, bias))
        return out.view(n, self.out_channels, h, w)

    def after(self, norm: ChannelNorm) -> tuple[Tensor, Tensor]:
        """W and b with the weight γ and the bias β of a norm folded in: W(γx + β) + b = (Wγ)x + (Wβ + b)."""
        weight = self.weight[:, :, 0, 0]
        with without_autocast(weight.device):
            shift = weight @ norm.bias
            return weight * norm.weight, shift if self.bias is None else shift + self.bias


class _Mix(torch.autograd.Function):
    """W·x + b for x [N, C, L]: autograd's own gradient of W makes one matrix per sample, slowly, and then their sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return mixed(weight, x, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        again = differentiated_again(grad)
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            mixed(weight.T, grad, plain=again) if needs_x else None,
            summed_products(grad, x, plain=again) if needs_weight else None,
            grad.sum((0, 2)) if needs_bias else None,
        )


class Scale(nn.Module):
    """α·x with a learnt α per channel that starts at 0.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(1, channels, 1, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start at 0: the block is the identity."""
        nn.init.zeros_(self.alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``x`` [N, C, H, W]."""
        return self.alpha * x


class Block(nn.Module):
    """The paper's block: ``x + f(x)`` twice, first with an operator between two 1×1 convolutions, then without one.

    Args:
        channels: number of channels C of input and output.
        operator: called with a number of channels, returns the operator as a module.
        design: which parts the block has; ``None`` for the paper's.

    Example:
        >>> import torch
        >>> from converse import Block, Converse2D
        >>> block = Block(8, lambda channels: Converse2D(channels, 5))
        >>> block(torch.rand(1, 8, 16, 20)).shape
        torch.Size([1, 8, 16, 20])
    """

    def __init__(self, channels: int, operator: OperatorFactory, design: BlockDesign | None = None) -> None:
        super().__init__()
        design = design or BlockDesign()
        self.residual = design.residual
        self.width = design.expansion * channels
        self.spatial = _half(channels, operator, design)
        self.channel = _half(channels, None, design) if design.second else None

    def forward(self, x: Tensor) -> Tensor:
        """Transform ``x`` [N, C, H, W], same shape."""
        # Everything but the operator treats each place by itself: one pointwise chain ahead of it, one behind.
        parts = dict(self.spatial.named_children())
        names = list(parts)
        at = names.index("operator")
        ahead = [parts[name] for name in names[:at]]
        behind = [parts[name] for name in names[at + 1 :]]
        whole = self._must_stay_whole()
        y = tiled(partial(_run, _steps(ahead)), x, width=self.width, whole=whole) if ahead else x
        operator = parts["operator"]
        # A module put into a part's place may hand x itself on; a class that derives from ours takes y alone.
        if y is not x and type(operator) is Converse2D and not whole:
            y = operator(y, overwrite=True)  # a map of 2C channels, which is nobody's but ours
        else:
            y = operator(y)  # lets go of its input at least
        return self._finish(behind, y, x, whole)

    def _must_stay_whole(self) -> bool:
        """Whether a hook would see maps in parts, or overwritten; in training, or compiled, they are whole anyway."""
        if (self.training and torch.is_grad_enabled()) or torch.compiler.is_compiling():
            return True
        return watched(self.spatial, *([] if self.channel is None else [self.channel]))

    def _finish(self, behind: list[nn.Module], y: Tensor, x: Tensor, whole: bool) -> Tensor:
        first = _steps(behind)
        second = [] if self.channel is None else _steps(list(self.channel.children()))

        def chain(y: Tensor, x: Tensor) -> Tensor:
            y = _run(first, y)
            x = x + y if self.residual else y
            if second:
                y = _run(second, x)
                x = x + y if self.residual else y
            return x

        return tiled(chain, y, x, width=self.width, whole=whole)


Step = Callable[[Tensor], Tensor]


def _steps(modules: list[nn.Module]) -> list[Step]:
    """The modules as functions; what a normalisation scales and adds is left to the product that follows it."""
    steps: list[Step] = []
    norm: ChannelNorm | None = None
    for module, following in zip_longest(modules, modules[1:]):
        if isinstance(module, ChannelNorm) and isinstance(following, Pointwise):
            norm = module
            steps.append(partial(module, affine=False))
        elif norm is not None:
            steps.append(partial(module, affine=cast(Pointwise, module).after(norm)))
            norm = None
        else:
            steps.append(module)
    return steps


def _run(steps: list[Step], x: Tensor) -> Tensor:
    for step in steps:
        x = step(x)
    return x


def _half(channels: int, operator: OperatorFactory | None, design: BlockDesign) -> nn.Sequential:
    hidden = design.expansion * channels
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if design.norm:
        parts["norm"] = ChannelNorm(channels)
    if operator and design.position == "before":
        parts["operator"] = operator(channels)
    parts["expand"] = Pointwise(channels, hidden)
    if design.activation:
        parts["activation"] = nn.GELU()
    if operator and design.position == "between":
        parts["operator"] = operator(hidden)
        if design.activation:
            parts["operator_activation"] = nn.GELU()
    parts["project"] = Pointwise(hidden, channels)
    if operator and design.position == "after":
        parts["operator"] = operator(channels)
    if design.alpha:
        parts["scale"] = Scale(channels)
    return nn.Sequential(parts)


def block_stack(
    blocks: int, channels: int, operator: OperatorFactory, design: Mapping[str, Any] | None = None
) -> nn.Sequential:
    """So many blocks in a row; ``design`` holds the fields of :class:`BlockDesign` that differ from the paper's."""
    return nn.Sequential(*(Block(channels, operator, BlockDesign(**(design or {}))) for _ in range(blocks)))
