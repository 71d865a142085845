"""Reverse convolution with kernels that are no larger than the scale: no transform, since no two samples share a tap.

Where k ≤ s, each sample of Y is a sum over samples of X that no other sample of Y sees. With A for "convolve and keep
every s-th sample" that is A·Aᵀ = M·I, M = Σ K², and the solution of the normal equations is

    X* = X0 + Aᵀ (Y - A·X0) / (M + λ)

Aᵀ multiplies each sample by a block of s × t numbers: the taps in reverse, since ⊗ is true convolution, and 0 where
the block is larger than K. The block of sample m begins k - 1 - ⌊k/2⌋ ahead of s·m, which is 0 for k ≤ 2. Then all of
it is one number for each phase, and the padding does not matter:

    X*_ij = T_ij · Y,      T_ij = x0 + K_ij · (1 - x0·ΣK) / (M + λ)

Larger kernels reach one sample back: A·X0 is then a correlation of Y with at most 2 × 2 numbers. Shapes as in
:mod:`converse.nn.functional`, whose formula holds for these kernels too and is what tests compare with.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from converse.nn.channel_groups import batch_limit, shares
from converse.nn.derivatives import differentiated_again, has_values, transformed
from converse.nn.worker_threads import each


def serves(kernel_size: tuple[int, int], scale: tuple[int, int]) -> bool:
    """Whether kernels k × l are no larger than the scale, on both axes."""
    return kernel_size[0] <= scale[0] and kernel_size[1] <= scale[1]


def reach(kernel_size: tuple[int, int]) -> tuple[int, int]:
    """How many samples of Y, 0 or 1, the solution depends on beside its own: above and below, left and right."""
    return min(1, _ahead(kernel_size[0])), min(1, _ahead(kernel_size[1]))


def _ahead(taps: int) -> int:
    """How many samples of X ahead of s·m the block of sample m begins."""
    return taps - 1 - taps // 2


def solve_small(continued: Tensor, weight: Tensor, lam: Tensor, scale: tuple[int, int], interpolate: bool) -> Tensor:
    """X* from the input, continued on each side by as many samples as :func:`reach` says.

    Args:
        continued: Y [N, C, H + 2·reach, W + 2·reach], float32 or float64.
        weight: K [1 or N, C, k, l], no larger than the scale.
        lam: λ > 0, broadcasts to [N, C, 1, 1].
        scale: s and t.
        interpolate: whether X0 is Y upsampled, or 0.

    Returns:
        X* [N, C, s·H, t·W].
    """
    (k, l), (s, t) = weight.shape[-2:], scale
    rows, columns = reach((k, l))
    taps = weight.flip(2, 3) / (weight.square().sum((2, 3), keepdim=True) + lam)
    if rows == columns == 0:
        factors = taps * (1 - weight.sum((2, 3), keepdim=True)) if interpolate else taps
        factors = F.pad(factors, (0, t - l, 0, s - k))
        return _spread(continued, factors + 1 if interpolate else factors)
    # Blocks that begin ahead of the first sample of X end before its last one: there is one block more.
    left = continued[:, :, rows:, columns:]
    if interpolate:
        left = left - _observed(continued, weight)
    moved = _spread(left, F.pad(taps, (0, t - l, 0, s - k)))
    (h, w), (down, along) = continued.shape[-2:], (_ahead(k), _ahead(l))
    h, w = h - 2 * rows, w - 2 * columns
    solved = moved[:, :, down : down + s * h, along : along + t * w]
    if not interpolate:
        return solved.contiguous()
    estimate = continued[:, :, rows : rows + h, columns : columns + w]
    return (_phases(solved, scale) + estimate[:, :, :, None, :, None]).reshape(solved.shape)


def _observed(continued: Tensor, weight: Tensor) -> Tensor:
    """A·X0 where X0 is the input upsampled by nearest neighbour: as far as X* needs it."""
    (n, c), (k, l) = continued.shape[:2], weight.shape[-2:]
    for axis, taps in ((2, k), (3, l)):
        if _ahead(taps):  # taps behind the origin, ⌊k/2⌋, see the sample before
            own, before = weight.split([taps // 2 + 1, _ahead(taps)], axis)
            weight = torch.cat([before.sum(axis, keepdim=True), own.sum(axis, keepdim=True)], axis)
        else:
            weight = weight.sum(axis, keepdim=True)
    filters = weight.expand(n, -1, -1, -1).reshape(n * c, 1, *weight.shape[-2:])
    joined = continued.reshape(1, n * c, *continued.shape[-2:])
    observed = F.conv2d(joined, filters, groups=n * c)
    return observed.view(n, c, *observed.shape[-2:])


def _phases(x: Tensor, scale: tuple[int, int]) -> Tensor:
    """View [N, C, s·H, t·W] as [N, C, H, s, W, t]."""
    (n, c, h, w), (s, t) = x.shape, scale
    return x.view(n, c, h // s, s, w // t, t)


def _spread(y: Tensor, factors: Tensor) -> Tensor:
    """Each sample of ``y`` [N, C, H, W] times a block [1 or N, C, s, t] of its channel: [N, C, s·H, t·W]."""
    if not has_values(y) or transformed(y, factors):
        n, c, h, w = y.shape
        s, t = factors.shape[-2:]
        return (y[:, :, :, None, :, None] * factors[:, :, None, :, None, :]).reshape(n, c, s * h, t * w)
    spread: Tensor = _Spread.apply(y, factors)
    return spread


class _Spread(torch.autograd.Function):
    """The product of :func:`_spread` in long rows: broadcast as it stands, its rows would be t numbers long."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, factors: Tensor) -> Tensor:
        (n, c, h, w), (s, t) = y.shape, factors.shape[-2:]
        ctx.save_for_backward(y, factors)
        out = y.new_empty(n, c, h, s, w * t)
        rows = _row_after_row(factors, w)

        def write(part: slice) -> None:
            torch.mul(_repeated(y[:, part], t)[:, :, :, None], rows[:, part], out=out[:, part])

        each(write, shares(y, y, (h, w), batch_limit((s, t))), y)
        return out.view(n, c, s * h, t * w)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        y, factors = ctx.saved_tensors
        needs_y, needs_factors = ctx.needs_input_grad
        (n, c, h, w), (s, t) = y.shape, factors.shape[-2:]
        if differentiated_again(grad):
            blocks = _phases(grad, (s, t))
            of_y = (blocks * factors[:, :, None, :, None, :]).sum((3, 5)) if needs_y else None
            of_factors = (blocks * y[:, :, :, None, :, None]).sum((2, 4)) if needs_factors else None
            return of_y, None if of_factors is None else of_factors.sum_to_size(factors.shape)
        grad = grad.contiguous().view(n, c, h, s, w * t)
        rows = _row_after_row(factors, w)
        grad_y = y.new_empty(y.shape) if needs_y else None

        def differentiate(part: slice) -> Tensor | None:
            theirs = grad[:, part].unbind(3)
            if grad_y is not None:
                total = theirs[0] * rows[:, part, :, 0]
                for i in range(1, s):
                    total.addcmul_(theirs[i], rows[:, part, :, i])
                grad_y[:, part] = _added(total, t)
            if not needs_factors:
                return None
            wide = _repeated(y[:, part], t)
            sums = torch.stack([(one * wide).sum(2) for one in theirs], 2)  # [N, C, s, t·W]
            of_phases: Tensor = sums.unflatten(3, (w, t)).sum(3)
            return of_phases

        found = each(differentiate, shares(y, y, (h, w), batch_limit((s, t))), y)
        per_group = [one for one in found if one is not None]
        return grad_y, torch.cat(per_group, 1).sum_to_size(factors.shape) if needs_factors else None


def _row_after_row(factors: Tensor, w: int) -> Tensor:
    """The rows of each block w times side by side: [B, C, s, t] → [B, C, 1, s, w·t]."""
    if factors.shape[3] == 2:
        first, second = factors.split(1, 3)
        pairs = torch.view_as_real(torch.complex(first.expand(-1, -1, -1, w), second.expand(-1, -1, -1, w)))
        return pairs.flatten(3)[:, :, None]
    return factors.repeat(1, 1, 1, w)[:, :, None]


def _repeated(y: Tensor, t: int) -> Tensor:
    """Each sample t times in a row: [N, C, H, W] → [N, C, H, t·W]."""
    if t == 1:
        return y
    # Complex numbers of two equal parts are the quickest way to lie a pair side by side.
    pairs = torch.view_as_real(torch.complex(y, y)) if t == 2 else y[..., None].expand(*y.shape, t)
    return pairs.flatten(3)


def _added(x: Tensor, t: int) -> Tensor:
    """The adjoint of :func:`_repeated`: sums of t samples in a row."""
    total = x[..., ::t]
    for j in range(1, t):
        total = total + x[..., j::t]
    return total
