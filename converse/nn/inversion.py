"""What an operator that inverts a blur does, in numbers: nothing here is judged.

An inverse is an operator that says which blur it undoes: ``Converse2D``, or one with a method ``blur`` that maps
[N, C, s·H, s·W] to [N, C, H, W].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.functional import circular_convolution
from converse.nn.operators import Converse2D

SIDE: Final = 64
"""H and W of the image that is blurred and restored."""

JACOBIAN_SIDE: Final = 12
"""H and W, at least, of the image whose every sample is varied."""

LAMBDAS: Final = (1e-6, 1e-4, 1e-2, 1.0)
"""From next to none over where the paper's begin (1.3e-4) to as much as the image counts."""

_STEP: Final = 1e-3  # of an image in [0, 1], in float64: exact to ten digits for what is linear
_LOST: Final = 1e-9  # of the largest singular value: what the differences cannot tell from nothing
_RESTORED: Final = 1e-24  # mean square error that float64's rounding makes


@dataclass(frozen=True)
class Inversion:
    """An inverse, measured at one scale.

    Attributes:
        scale: s.
        restored: ‖operator(blur(x)) - x‖ / ‖x - mean‖ for an image x with a spectrum 1/f as photographs have; 0 is
            perfect.
        blurred: the same without the operator, of blur(x) enlarged by nearest neighbour.
        largest_gain: largest singular value of the operator's Jacobian: what it makes of the worst pattern of size 1.
        condition: largest by smallest singular value of the operator; ≥ 1, infinite where it loses a pattern.
        blur_condition: the same of the blur.
        noise_gain: deviation of the output by that of white noise in the input.
        border: root mean square error in the outermost k - 1 samples by that in the rest, where the image goes on
            beyond its edge and not as the padding says; NaN where the rest is restored to the last digits.
    """

    scale: int
    restored: float
    blurred: float
    largest_gain: float
    condition: float
    blur_condition: float
    noise_gain: float
    border: float


def forward_model(operator: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """The blur that an operator undoes, [N, C, s·H, s·W] → [N, C, H, W]; ``None`` where it says of none."""
    own: Callable[[Tensor], Tensor] | None = getattr(operator, "blur", None)
    if own is not None or not isinstance(operator, Converse2D):
        return own
    layer = operator

    def blur(x: Tensor) -> Tensor:
        kernels = layer.weight.expand(len(x), -1, -1, -1)
        return circular_convolution(x, kernels, layer.scale)

    return blur


def inversion(operator: nn.Module, channels: int, kernel_size: int, scale: int = 1) -> Inversion:
    """Measure an inverse.

    Args:
        operator: one that has a :func:`forward_model`; it is put into evaluation and float64.
        channels: C.
        kernel_size: k.
        scale: s that it was built with.

    Returns:
        The numbers, from channel 0 where one channel is looked at.

    Raises:
        ValueError: the operator says of no blur that it undoes.
    """
    operator = operator.double().eval()
    blur = forward_model(operator)
    if blur is None:
        raise ValueError(f"{type(operator).__name__} is no inverse: it has no blur")
    with torch.no_grad():
        x = image(channels, SIDE)
        y = blur(x)
        spread = (x - x.mean()).norm()
        restored = float((operator(y) - x).norm() / spread)
        blurred = float((F.interpolate(y, scale_factor=float(scale), mode="nearest") - x).norm() / spread)
        border = _border(operator, blur, channels, kernel_size, scale)
    side = max(math.ceil(JACOBIAN_SIDE / scale), kernel_size)  # as small as every way to continue it allows
    forward = singular_values(blur, channels, scale * side)
    inverse = singular_values(operator, channels, side)
    return Inversion(
        scale=scale,
        restored=restored,
        blurred=blurred,
        largest_gain=float(inverse.max()),
        condition=_condition(inverse),
        blur_condition=_condition(forward),
        noise_gain=float(inverse.square().sum().sqrt() / (scale * side)),
        border=border,
    )


def image(channels: int, side: int, seed: int = 0) -> Tensor:
    """A random image [1, C, side, side] in float64 with mean ½, deviation ¼ and a spectrum that falls as 1/f."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, channels, side, side, generator=generator, dtype=torch.float64)
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
    frequency = (rows.square() + columns.square()).sqrt().double().clamp(min=1 / side)
    drawn: Tensor = torch.fft.irfft2(torch.fft.rfft2(noise) / frequency, s=(side, side))
    return 0.5 + 0.25 * (drawn - drawn.mean()) / drawn.std()


def singular_values(apply: Callable[[Tensor], Tensor], channels: int, side: int) -> Tensor:
    """Those of the Jacobian of channel 0 by channel 0 at an image [1, C, side, side], by central differences.

    An operator that is linear in its input has one Jacobian; of others this is the one at that image.
    """
    at = image(channels, side, seed=1)
    steps = torch.zeros(side * side, channels, side, side, dtype=at.dtype)
    steps[:, 0] = _STEP * torch.eye(side * side, dtype=at.dtype).view(-1, side, side)
    with torch.no_grad():
        moved = (apply(at + steps) - apply(at - steps))[:, 0].flatten(1) / (2 * _STEP)
    return torch.linalg.svdvals(moved)  # type: ignore[no-any-return]


def sweep(make: Callable[[float], nn.Module], channels: int, kernel_size: int) -> Iterator[tuple[float, Inversion]]:
    """Measure inverses of one kernel with several λ.

    Args:
        make: the operator with a fixed λ, at scale 1.
        channels: C.
        kernel_size: k.

    Yields:
        λ and what was measured.
    """
    for lam in LAMBDAS:
        yield lam, inversion(make(lam), channels, kernel_size)


def _condition(values: Tensor) -> float:
    least = float(values.min())
    return float(values.max()) / least if least > _LOST * float(values.max()) else math.inf


def _border(
    operator: nn.Module, blur: Callable[[Tensor], Tensor], channels: int, kernel_size: int, scale: int
) -> float:
    """The part of a larger image that a camera sees: what lies beyond its edge has come in by the blur."""
    beyond = scale * math.ceil(2 * kernel_size / scale)
    whole = image(channels, SIDE + 2 * beyond, seed=2)
    seen = blur(whole)[..., beyond // scale : -(beyond // scale), beyond // scale : -(beyond // scale)]
    error = (operator(seen) - whole[..., beyond:-beyond, beyond:-beyond]).square()
    ring = kernel_size - 1
    inside = error[..., ring:-ring, ring:-ring] if ring else error
    if not ring or inside.mean() < _RESTORED:
        return math.nan
    outside = (error.sum() - inside.sum()) / (error.numel() - inside.numel())
    return float((outside / inside.mean()).sqrt())
