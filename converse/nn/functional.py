"""Reverse convolution in closed form: one linear filter of the input, applied through its spectrum.

Per channel, with circular boundaries,

    X* = argmin_X  ‖Y - (X ⊗ K)↓s‖² + λ ‖X - X0‖²

(⊗ is true convolution with the origin of K at ⌊k/2⌋; ↓s keeps samples 0, s, 2s, …; no ½ stands before either norm).

The solution is computed in polyphase form. Split X into its s² phases X_ij[m, n] = X[s·m + i, s·n + j], each as large
as Y. In the spectrum of that size, "convolve and keep every s-th sample" is one row vector per frequency, conj(P_ij),
and the normal equations are a rank-one update of λI, which Sherman and Morrison invert:

    F(X*_ij) = F(Y) · T_ij,      T_ij = x0 + P_ij · (1 - x0 · Q) / (M + λ)
    M = Σ_ij |P_ij|²,            Q = Σ_ij conj(P_ij)

with x0 = 1 where X0 is Y upsampled by nearest neighbour (Y itself for s = 1) and x0 = 0 where X0 = 0. For s = 1, P is
conj(F_K), and T is the Wiener filter pulled toward the identity, (conj(F_K) + λ) / (|F_K|² + λ). This is the transfer
form of the paper's solution: M is the mean of |F_K|² over the s² aliases (Parseval), Q that of F_K·F_B. Nothing is
divided by λ, every transform has the size of Y, and half spectra suffice since Y and K are real.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from converse.nn.autocast import without_autocast
from converse.nn.derivatives import differentiated_again, has_values, transformed
from converse.nn.filters import Filters
from converse.nn.spectra import (
    column_weights,
    columns_first,
    image_of,
    join_channels,
    kernel_spectra_adjoint,
    spectrum_of,
    sum_over,
)

PaddingMode = Literal["circular", "reflect", "replicate", "zero"]
InitialEstimate = Literal["interpolation", "zero"]
PADDING_MODES: tuple[str, ...] = get_args(PaddingMode)
INITIAL_ESTIMATES: tuple[str, ...] = get_args(InitialEstimate)


def converse2d(
    y: Tensor,
    weight: Tensor,
    lam: Tensor | float,
    *,
    scale: int = 1,
    padding: int = 0,
    padding_mode: PaddingMode = "circular",
    initial_estimate: InitialEstimate = "interpolation",
    overwrite: bool = False,
    validate_lam: bool = True,
) -> Tensor:
    """Reverse convolution of ``y`` with ``weight`` (paper, closed-form solution; see the module's formula).

    The transforms run in float32 (float64 for float64 input) whatever autocast says; the result has the dtype of ``y``.

    Args:
        y: input [N, C, H, W], floating point.
        weight: kernels [1, C, k, k], or [N, C, k, k] with one set per sample.
        lam: regularisation weight λ > 0, a number, or a tensor that has no dimension or broadcasts to [N, C, 1, 1].
        scale: s, the factor of upsampling.
        padding: p, added on each side of ``y`` before the solve; p·s is cropped on each side after it.
        padding_mode: how ``y`` is continued by the padding: circular, reflect, replicate or zero.
        initial_estimate: X0: ``interpolation`` (nearest-neighbour upsampling of ``y``) or ``zero``.
        overwrite: without gradients, allow X* to be written into the memory of ``y`` where both have the same size;
            ``y`` must not be used afterwards.
        validate_lam: check the values of a tensor λ, which makes a GPU synchronise; ``False`` where λ is positive by
            construction. Tensors without values (meta and fake tensors, compilation) are not checked.

    Returns:
        X* [N, C, s·H, s·W].

    Raises:
        TypeError: ``y`` is not floating point.
        ValueError: λ that is not positive, shapes that do not fit, an unknown mode, a kernel or padding larger than the
            image allows.

    Example:
        >>> import torch
        >>> from converse import converse2d
        >>> kernel = torch.full((1, 3, 3, 3), 1 / 9)
        >>> converse2d(torch.rand(2, 3, 16, 20), kernel, 0.01, scale=2).shape
        torch.Size([2, 3, 32, 40])
    """
    check_arguments(y, weight, scale, padding, padding_mode, initial_estimate)
    dtype = torch.promote_types(torch.promote_types(y.dtype, weight.dtype), torch.float32)
    lam = _checked_lam(lam, y, dtype, validate_lam)
    if y.numel() == 0:
        # The sums keep the graph: an empty batch has gradients, and they are zero.
        empty = y.new_zeros(*y.shape[:2], scale * y.shape[2], scale * y.shape[3])
        return empty + (y.sum() + weight.sum() + lam.sum()).to(y.dtype) * 0
    interpolate = initial_estimate == "interpolation"
    with without_autocast(y.device):
        x, weight, lam = y.to(dtype), weight.to(dtype), lam.to(dtype)
        if transformed(x, weight, lam):
            spectrum = spectrum_of(pad(x, (padding, padding), padding_mode))
            solved = _plain(spectrum, weight, lam, _padded(x.shape, padding), scale, padding, interpolate)
        elif torch.is_grad_enabled() or torch.compiler.is_compiling():
            # What else it returns is its own.
            solved, *_ = _ReverseConvolution.apply(x, weight, lam, scale, padding, padding_mode, interpolate)
        else:
            solved = _output(x, scale, overwrite)
            for _ in _solve(x, weight, lam, padding, padding_mode, interpolate, solved):
                pass  # the spectra are for gradients
    return solved.to(y.dtype)


def transfer(
    weight: Tensor,
    lam: Tensor,
    size: tuple[int, int],
    scale: int = 1,
    initial_estimate: InitialEstimate = "interpolation",
) -> Tensor:
    """The transfer function T of the module's formula.

    Args:
        weight: kernels [B, C, k, k], float32 or float64.
        lam: λ, broadcasts to [B, C, 1, 1].
        size: height and width of the (padded) input.
        scale: s.
        initial_estimate: X0.

    Returns:
        T [B, C, s, s, H, ⌊W/2⌋ + 1], complex: the half spectrum of each of the s² phases.
    """
    h, w = size
    interpolate = initial_estimate == "interpolation"
    shape = (*weight.shape[:2], scale, scale)
    dtype, device = weight.dtype.to_complex(), weight.device
    if columns_first(weight):
        out = torch.empty(*shape, w // 2 + 1, h, dtype=dtype, device=device).mT
    else:
        out = torch.empty(*shape, h, w // 2 + 1, dtype=dtype, device=device)
    with without_autocast(weight.device):
        for part in _groups(weight, size):
            filters = Filters(weight[:, part], _channels(lam, part), size, scale, interpolate)
            out[:, part] = filters.transfer()
    return out


def apply_transfer(
    y: Tensor, transfer: Tensor, padding: int = 0, padding_mode: PaddingMode = "circular", overwrite: bool = False
) -> Tensor:
    """Filter ``y`` with a transfer function computed before (:func:`transfer`), without gradients.

    Args:
        y: input [N, C, H, W].
        transfer: T [1 or N, C, s, s, H + 2p, ⌊(W + 2p)/2⌋ + 1].
        padding: p.
        padding_mode: how ``y`` is continued.
        overwrite: X* may take the place of ``y``, where it is as large; nobody must need ``y`` any more.

    Returns:
        X* [N, C, s·H, s·W], in the dtype of ``y``.
    """
    x = y.to(transfer.real.dtype)
    out = _output(x, transfer.shape[2], overwrite)
    size = _padded(x.shape, padding)
    for part in _groups(x, size):
        spectrum = spectrum_of(pad(x[:, part], (padding, padding), padding_mode))
        _synthesise(spectrum, transfer[:, part], padding, out[:, part])
    return out.to(y.dtype)


def pad(y: Tensor, padding: tuple[int, int], mode: PaddingMode) -> Tensor:
    """Continue ``y`` [N, C, H, W] by p samples before and q after each axis: [N, C, H + p + q, W + p + q]."""
    if padding == (0, 0):
        return y
    return F.pad(y, padding * 2, mode="constant" if mode == "zero" else mode)


def circular_convolution(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolve, x ⊗ K with circular boundaries: what :func:`converse2d` undoes. K's origin is at ⌊k/2⌋.

    Args:
        x: [N, C, H, W].
        kernels: [N, C, k, k], one set per sample.

    Returns:
        [N, C, H, W].
    """
    n, c, h, w = x.shape
    k = kernels.shape[-1]
    if x.numel() == 0:
        return x + kernels.sum().to(x.dtype) * 0  # the sum keeps the graph, as in converse2d
    # Convolution of torch is a correlation: flipped kernels, and the origin of the flipped kernel is at k - 1 - ⌊k/2⌋.
    padded = pad(x, (k - 1 - k // 2, k // 2), "circular").reshape(1, n * c, h + k - 1, w + k - 1)
    return F.conv2d(padded, kernels.flip(-2, -1).to(x.dtype).reshape(n * c, 1, k, k), groups=n * c).view(n, c, h, w)


def check_arguments(y: Tensor, weight: Tensor, scale: int, padding: int, mode: str, initial_estimate: str) -> None:
    """Refuse what :func:`converse2d` can't solve, with its ``TypeError`` and ``ValueError``."""
    if not y.is_floating_point():
        raise TypeError(f"y must be floating point, got {y.dtype}")
    if y.dim() != 4:
        raise ValueError(f"y must be [N, C, H, W], got shape {tuple(y.shape)}")
    n, c, h, w = y.shape
    if weight.dim() != 4 or weight.shape[0] not in (1, n) or weight.shape[1] != c or weight.shape[2] != weight.shape[3]:
        raise ValueError(f"weight must be [1 or {n}, {c}, k, k], got shape {tuple(weight.shape)}")
    if scale < 1:
        raise ValueError(f"scale must be at least 1, got {scale}")
    if mode not in PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {mode!r}")
    if initial_estimate not in INITIAL_ESTIMATES:
        raise ValueError(f"initial_estimate must be one of {', '.join(INITIAL_ESTIMATES)}, got {initial_estimate!r}")
    if padding < 0:
        raise ValueError(f"padding must not be negative, got {padding}")
    # Reflection repeats no edge sample, so it reaches one sample less far than the image is long.
    least = {"circular": padding, "reflect": padding + 1}.get(mode, 0)
    if min(h, w) < least and n * c > 0:
        raise ValueError(f"{mode} padding of {padding} needs an image of at least {least}×{least}, got {h}×{w}")
    k = weight.shape[-1]
    fits = scale * (min(h, w) + 2 * padding)
    if k > fits and y.numel() > 0:
        raise ValueError(
            f"kernel of {k}×{k} is larger than the padded, upsampled image ({fits} samples on its shorter side)"
        )


def _padded(shape: torch.Size, padding: int) -> tuple[int, int]:
    return shape[-2] + 2 * padding, shape[-1] + 2 * padding


def _checked_lam(lam: Tensor | float, y: Tensor, dtype: torch.dtype, look: bool) -> Tensor:
    """λ as a tensor that broadcasts to [N, C, 1, 1], with :func:`converse2d`'s ``ValueError``."""
    if not isinstance(lam, Tensor):
        if not lam > 0:
            raise ValueError(f"lam must be positive, got {lam}")
        return torch.full((1, 1, 1, 1), lam, dtype=dtype, device=y.device)
    if lam.dim() == 0:
        lam = lam.view(1, 1, 1, 1)
    n, c = y.shape[:2]
    if lam.dim() != 4 or lam.shape[2:] != (1, 1) or lam.shape[0] not in (1, n) or lam.shape[1] not in (1, c):
        raise ValueError(f"lam must broadcast to [{n}, {c}, 1, 1], got shape {tuple(lam.shape)}")
    # NaN is neither positive nor not: let through, it would be a whole image of NaN.
    if look and has_values(lam) and lam.numel() and not bool((lam.detach() > 0).all()):
        raise ValueError(f"lam must be positive, got {lam.detach().min().item():g} in a tensor of λ")
    return lam


CACHE_BYTES = 2**20
"""On a CPU, channels are processed in groups whose padded input has about this size, so that they stay in its cache."""

BATCH_BYTES = 6 * 2**20
"""The same for input and output of a batch that shares its filters, which are not as large as it is then."""


def _groups(like: Tensor, size: tuple[int, int], limit: int | None = None) -> list[slice]:
    """Slices of the channels of ``like`` [N, C, …]: all at once, or as many of this size as a CPU's cache holds."""
    n, c = like.shape[:2]
    group = c
    if like.device.type == "cpu" and not torch.compiler.is_compiling():
        keep_freed_memory()
        per_channel = n * size[0] * size[1] * like.element_size()
        groups = max(1, math.ceil(c / max(1, (limit or CACHE_BYTES) // per_channel)))
        group = max(1, math.ceil(c / groups))  # of equal size, as far as may be: a small last one costs as many calls
    return [slice(start, min(start + group, c)) for start in range(0, c, group)]


def _batch_limit(scale: int) -> int:
    return max(CACHE_BYTES, BATCH_BYTES // (1 + scale**2))


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let GNU's allocator keep some of the memory that is freed, so that the system need not hand it out anew.

    Its bounds grow with the largest block that was ever freed (``mallopt``, M_MMAP_THRESHOLD): in a process that saw
    small images alone, temporaries of a few hundred KiB go back to the system after each call, and their pages come
    back one by one. A block of nearly 32 MiB, none of whose pages is ever taken, moves the bounds to where the first
    large image would. Elsewhere nothing happens.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8, device="cpu")


def _output(y: Tensor, scale: int, overwrite: bool = False) -> Tensor:
    """Where X* is written; ``y`` itself, if it may be and is as large: a group of channels is read before."""
    if overwrite and scale == 1 and y.is_contiguous():
        return y
    return y.new_empty(*y.shape[:2], scale * y.shape[2], scale * y.shape[3])


def _phases(x: Tensor, scale: int) -> Tensor:
    """View [N, C, s·H, s·W] as its phases [N, C, s, s, H, W]."""
    n, c, h, w = x.shape
    return x.view(n, c, h // scale, scale, w // scale, scale).permute(0, 1, 3, 5, 2, 4)


def _synthesise(spectrum: Tensor, transfer: Tensor, padding: int, out: Tensor) -> None:
    """Filter the spectrum [N, C, H', W'], go back, crop, interleave the phases in ``out`` [N, C, s·H, s·W]."""
    s = transfer.shape[2]
    h, w = out.shape[-2] // s, out.shape[-1] // s
    _phases(out, s).copy_(_filtered(spectrum, transfer, (h, w), padding))


def _filtered(spectrum: Tensor, transfer: Tensor, size: tuple[int, int], padding: int) -> Tensor:
    """The phases of X* [N, C, s, s, H, W] from the spectrum of the padded Y [N, C, H', W']."""
    h, w = size
    solved = image_of(spectrum[:, :, None, None] * transfer, w + 2 * padding, slice(padding, padding + h))
    return solved[..., padding : padding + w]


def _plain(
    spectrum: Tensor, weight: Tensor, lam: Tensor, size: tuple[int, int], scale: int, padding: int, interpolate: bool
) -> Tensor:
    """X* from the spectrum of the padded Y, whose size this is, by nothing but plain operations on new tensors.

    So it can be differentiated in every way and order, and mapped. It takes all channels at once.
    """
    h, w = size[0] - 2 * padding, size[1] - 2 * padding
    transfer = Filters(weight, lam, size, scale, interpolate).transfer()
    phases = _filtered(spectrum, transfer, (h, w), padding)  # [N, C, s, s, H, W]
    return phases.permute(0, 1, 4, 2, 5, 3).reshape(*phases.shape[:2], scale * h, scale * w)


def _pad_adjoint(grad: Tensor, padding: int, mode: str) -> Tensor:
    """The adjoint of :func:`pad`: [N, C, H + 2p, W + 2p] → [N, C, H, W]; changes ``grad``."""
    if padding == 0:
        return grad
    for axis in (-2, -1):
        length = grad.shape[axis] - 2 * padding
        before = grad.narrow(axis, 0, padding)
        core = grad.narrow(axis, padding, length)
        after = grad.narrow(axis, padding + length, padding)
        if mode == "circular":
            core.narrow(axis, length - padding, padding).add_(before)
            core.narrow(axis, 0, padding).add_(after)
        elif mode == "reflect":
            core.narrow(axis, 1, padding).add_(before.flip(axis))
            core.narrow(axis, length - 1 - padding, padding).add_(after.flip(axis))
        elif mode == "replicate":
            core.narrow(axis, 0, 1).add_(before.sum(axis, keepdim=True))
            core.narrow(axis, length - 1, 1).add_(after.sum(axis, keepdim=True))
        grad = core
    return grad


def _solve(
    y: Tensor, weight: Tensor, lam: Tensor, padding: int, mode: PaddingMode, interpolate: bool, out: Tensor
) -> Iterator[Tensor]:
    """Write X* into ``out`` [N, C, s·H, s·W], which may be ``y`` for s = 1; the spectra of Y, group by group."""
    size = _padded(y.shape, padding)
    scale = out.shape[-1] // y.shape[-1]
    for several in _groups(weight, size):
        filters = Filters(weight[:, several], _channels(lam, several), size, scale, interpolate)
        transfer = filters.transfer()
        theirs, into = y[:, several], out[:, several]
        for part in _groups(theirs, size, _batch_limit(scale)):
            spectrum = spectrum_of(pad(theirs[:, part], (padding, padding), mode))
            _synthesise(spectrum, transfer[:, part], padding, into[:, part])
            yield spectrum
        del filters, transfer  # before the next ones are made: what lies in the cache must not be twice as much


class _ReverseConvolution(torch.autograd.Function):
    """Saves the conjugate spectrum of Y, K and λ; the transfer function is cheaper to compute again than to keep.

    With dL = Re Σ w·conj(g)·dT over the half spectrum (w = 2 where a column stands for its mirror image too),

        gT_ij = conj(F_Y)·Ĝ_ij / (H·W)
        gP_ij = gT_ij·conj(S) - x0·h/D - 2·Re(h·S)/D·P_ij,     gλ = -Re(h·S)/D,     h = Σ_ij conj(gT_ij)·P_ij

    where D = M + λ and S = (1 - x0·Q)/D. With one phase, where T = x0 + P·S, that is less work:

        gP = (gT - 2·Re(gT·conj(T))·P)/D,     gλ = -Re(gT·conj(P·S))/D

    dK comes back through the thin products. All of it is linear in gT, so the factors w/(H·W) wait for the sums over
    columns.

    The spectra that are kept are outputs too. Nobody but autograd gets them: of an output it knows what it was made
    from, so gradients can be differentiated with respect to Y, and Y itself need not be kept.
    """

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, weight: Tensor, lam: Tensor, scale: int, padding: int, mode: PaddingMode, interpolate: bool
    ) -> tuple[Tensor, ...]:
        out = _output(y, scale)
        keep = any(ctx.needs_input_grad[1:3])
        solving = _solve(y, weight, lam, padding, mode, interpolate, out)
        # Conjugated here, where it lies in the cache: backward needs nothing else of it.
        kept = [spectrum.conj_physical_() for spectrum in solving if keep]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, lam, *kept)
        ctx.options = y.shape, scale, padding, mode, interpolate
        return out, *kept

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *of_spectra: Tensor | None) -> tuple[Tensor | None, ...]:
        if differentiated_again(grad, *of_spectra) or any(one is not None for one in of_spectra):
            return _ReverseConvolution._plain_backward(ctx, grad, of_spectra)
        if grad is None:
            return (None,) * 7
        weight, lam, *kept = ctx.saved_tensors
        shape, s, p, mode, interpolate = ctx.options
        n, (h, w) = shape[0], _padded(shape, p)
        needs_y, needs_kernel = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        grad_y = grad.new_empty(shape) if needs_y else None
        grad_weight, grad_lam = [], []
        weights = column_weights(h, w, weight)
        phases = _phases(grad.contiguous(), s)
        shared = weight.shape[0] == lam.shape[0] == 1
        spectra = iter(kept)
        for several in _groups(weight, (h, w)):
            filters = Filters(weight[:, several], _channels(lam, several), (h, w), s, interpolate)
            adjoint = filters.adjoint() if needs_y else None
            theirs, gts = phases[:, several], []
            for part in _groups(theirs, (h, w), _batch_limit(s)):
                ghat = spectrum_of(F.pad(theirs[:, part], (p, p, p, p)))  # [N, C, s, s, H', W']
                if grad_y is not None and adjoint is not None:
                    filtered = ghat * adjoint[:, part]
                    filtered = sum_over(filtered, (2, 3)) if s > 1 else filtered
                    grad_y[:, several][:, part] = _pad_adjoint(image_of(filtered[:, :, 0, 0], w), p, mode)
                if needs_kernel:
                    gt = ghat.mul_(next(spectra)[:, :, None, None])
                    gts.append(sum_over(gt, 0) if shared and n > 1 else gt)
            if needs_kernel:
                of_lam, gp = filters.gradients(join_channels(gts), weights, ctx.needs_input_grad[1])
                grad_lam.append(of_lam)
                if gp is not None:
                    grad_weight.append(kernel_spectra_adjoint(gp, weight, (h, w), weights))
            del filters, adjoint  # before the next ones are made: what lies in the cache must not be twice as much
        return (
            grad_y,
            torch.cat(grad_weight, dim=1).sum_to_size(weight.shape) if ctx.needs_input_grad[1] else None,
            torch.cat(grad_lam, dim=1)[:, :, None, None].sum_to_size(lam.shape) if ctx.needs_input_grad[2] else None,
            *(None,) * 4,
        )

    @staticmethod
    def _plain_backward(
        ctx: Any, grad: Tensor | None, of_spectra: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...]:
        """The same gradients, and those by way of the spectra, in a form that can be differentiated and mapped."""
        weight, lam, *kept = ctx.saved_tensors
        shape, scale, padding, mode, interpolate = ctx.options

        def solve(y: Tensor, weight: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
            own = spectrum_of(pad(y, (padding, padding), mode))
            spectrum = own + join_channels(kept).conj() if kept else own
            return _plain(spectrum, weight, lam, _padded(shape, padding), scale, padding, interpolate), own.conj()

        # The value of Y is in the spectra that were kept; here it is 0, and stands for what they depend on.
        outputs, pull, *_ = torch.func.vjp(solve, weight.new_zeros(shape), weight, lam)
        of_x, of_own = (torch.zeros_like(output) for output in outputs)
        if any(one is not None for one in of_spectra):
            pairs = zip(of_spectra, kept, strict=True)
            of_own = join_channels([torch.zeros_like(like) if one is None else one for one, like in pairs])
        return *pull((of_x if grad is None else grad, of_own)), *(None,) * 4


def _channels(lam: Tensor, part: slice) -> Tensor:
    return lam if lam.shape[1] == 1 else lam[:, part]
