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

Kernels are k × l, and the scale of columns, t, may be another than that of rows: then there are s·t phases, of [s, t].
Kernels no larger than the scale, k ≤ s and l ≤ t, need no transform (:mod:`converse.nn.small_kernels`).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from converse.nn.autocast import without_autocast
from converse.nn.channel_groups import batch_limit, groups, shares
from converse.nn.derivatives import differentiated_again, has_values, transformed
from converse.nn.filters import Filters
from converse.nn.small_kernels import reach, serves, solve_small
from converse.nn.spectra import (
    column_weights,
    columns_first,
    image_of,
    join_channels,
    kernel_spectra_adjoint,
    spectrum_of,
    sum_over,
    with_ones,
)
from converse.nn.worker_threads import each

PaddingMode = Literal["circular", "reflect", "replicate", "zero"]
InitialEstimate = Literal["interpolation", "zero"]
PerAxis = int | tuple[int, int]
"""One number for rows and columns, or one for each."""

PADDING_MODES: tuple[str, ...] = get_args(PaddingMode)
INITIAL_ESTIMATES: tuple[str, ...] = get_args(InitialEstimate)


def converse2d(
    y: Tensor,
    weight: Tensor,
    lam: Tensor | float,
    *,
    scale: PerAxis = 1,
    padding: PerAxis = 0,
    padding_mode: PaddingMode = "circular",
    initial_estimate: InitialEstimate | Tensor = "interpolation",
    overwrite: bool = False,
    validate_lam: bool = True,
) -> Tensor:
    """Reverse convolution of ``y`` with ``weight`` (paper, closed-form solution; see the module's formula).

    The transforms run in float32 (float64 for float64 input) whatever autocast says; the result has the dtype of ``y``.

    Args:
        y: input [N, C, H, W], floating point.
        weight: kernels [1, C, k, l], or [N, C, k, l] with one set per sample; square or not.
        lam: regularisation weight λ > 0, a number, or a tensor that has no dimension or broadcasts to [N, C, 1, 1].
        scale: s, the factor of upsampling; (s, t) where that of rows is not that of columns.
        padding: p, added on each side of ``y`` before the solve; p·s is cropped on each side after it. (p, q) for p
            rows and q columns.
        padding_mode: how ``y`` is continued by the padding: circular, reflect, replicate or zero.
        initial_estimate: X0: ``interpolation`` (nearest-neighbour upsampling of the continued ``y``), ``zero``, or a
            tensor [1 or N, C, s·H, t·W], which is continued as ``y`` is, by s times as many samples.
        overwrite: without gradients, allow X* to be written into the memory of ``y`` where both have the same size;
            ``y`` must not be used afterwards.
        validate_lam: check the values of a tensor λ, which makes a GPU synchronise; ``False`` where λ is positive by
            construction. Tensors without values (meta and fake tensors, compilation) are not checked.

    Returns:
        X* [N, C, s·H, t·W].

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
    scale, padding = per_axis(scale), per_axis(padding)
    dtype = torch.promote_types(torch.promote_types(y.dtype, weight.dtype), torch.float32)
    lam = _checked_lam(lam, y, dtype, validate_lam)
    x0 = initial_estimate if isinstance(initial_estimate, Tensor) else None
    kernel_size = (weight.shape[2], weight.shape[3])
    small = serves(kernel_size, scale)
    if small:
        # As much as the solution sees of what lies around Y, and no more.
        padding = min(padding[0], reach(kernel_size)[0]), min(padding[1], reach(kernel_size)[1])
    if y.numel() == 0:
        # The sums keep the graph: an empty batch has gradients, and they are zero.
        sums = y.sum() + weight.sum() + lam.sum() + (0 if x0 is None else x0.sum())
        return _output(y, scale).zero_() + sums.to(y.dtype) * 0
    if x0 is not None:
        return _from_estimate(y, weight, lam, x0, scale, padding, padding_mode, torch.promote_types(dtype, x0.dtype))
    interpolate = initial_estimate == "interpolation"
    with without_autocast(y.device):
        x, weight, lam = y.to(dtype), weight.to(dtype), lam.to(dtype)
        if small:
            solved = solve_small(_reached(x, kernel_size, padding, padding_mode), weight, lam, scale, interpolate)
        elif transformed(x, weight, lam):
            spectrum = spectrum_of(_continued(x, padding, padding_mode))
            solved = _plain(spectrum, weight, lam, (y.shape[2], y.shape[3]), scale, padding, interpolate)
        elif torch.is_grad_enabled() or torch.compiler.is_compiling():
            # What else it returns is its own.
            solved, *_ = _ReverseConvolution.apply(x, weight, lam, scale, padding, padding_mode, interpolate)
        else:
            solved = _output(x, scale, overwrite)
            grouping = _grouping(x, weight, _padded(x.shape, padding), scale)
            _solve(x, weight, lam, padding, padding_mode, interpolate, solved, grouping, keep=False)
    return solved.to(y.dtype)


def converse1d(
    y: Tensor,
    weight: Tensor,
    lam: Tensor | float,
    *,
    scale: int = 1,
    padding: int = 0,
    padding_mode: PaddingMode = "circular",
    initial_estimate: InitialEstimate | Tensor = "interpolation",
    validate_lam: bool = True,
) -> Tensor:
    """Reverse convolution of signals: :func:`converse2d` of images that have one row.

    Args:
        y: input [N, C, L], floating point.
        weight: kernels [1, C, k], or [N, C, k] with one set per sample.
        lam: λ > 0, a number, or a tensor that has no dimension or broadcasts to [N, C, 1].
        scale: s, the factor of upsampling.
        padding: p, added on each side of ``y`` before the solve; p·s is cropped on each side after it.
        padding_mode: how ``y`` is continued by the padding: circular, reflect, replicate or zero.
        initial_estimate: X0: ``interpolation``, ``zero``, or a tensor [1 or N, C, s·L].
        validate_lam: check the values of a tensor λ, which makes a GPU synchronise.

    Returns:
        X* [N, C, s·L].

    Raises:
        TypeError: ``y`` is not floating point.
        ValueError: what :func:`converse2d` refuses, and shapes of another number of dimensions.

    Example:
        >>> import torch
        >>> from converse import converse1d
        >>> converse1d(torch.rand(2, 3, 100), torch.full((1, 3, 5), 1 / 5), 0.01, scale=2).shape
        torch.Size([2, 3, 200])
    """
    for name, given in (("y", y), ("weight", weight), ("lam", lam), ("initial_estimate", initial_estimate)):
        if isinstance(given, Tensor) and given.dim() != 3 and not (name == "lam" and given.dim() == 0):
            raise ValueError(f"{name} must have three dimensions, got shape {tuple(given.shape)}")
    solved = converse2d(
        y.unsqueeze(2),
        weight.unsqueeze(2),
        lam.unsqueeze(-1) if isinstance(lam, Tensor) and lam.dim() else lam,
        scale=(1, scale),
        padding=(0, padding),
        padding_mode=padding_mode,
        initial_estimate=initial_estimate.unsqueeze(2) if isinstance(initial_estimate, Tensor) else initial_estimate,
        validate_lam=validate_lam,
    )
    return solved.squeeze(2)


def transfer(
    weight: Tensor,
    lam: Tensor,
    size: tuple[int, int],
    scale: PerAxis = 1,
    initial_estimate: InitialEstimate = "interpolation",
) -> Tensor:
    """The transfer function T of the module's formula.

    Args:
        weight: kernels [B, C, k, l], float32 or float64.
        lam: λ, broadcasts to [B, C, 1, 1].
        size: height and width of the (padded) input.
        scale: s, or s for rows and t for columns.
        initial_estimate: X0.

    Returns:
        T [B, C, s, t, H, ⌊W/2⌋ + 1], complex: the half spectrum of each of the s·t phases.
    """
    h, w = size
    interpolate = initial_estimate == "interpolation"
    scale = per_axis(scale)
    shape = (*weight.shape[:2], *scale)
    dtype, device = weight.dtype.to_complex(), weight.device
    if columns_first(weight):
        out = torch.empty(*shape, w // 2 + 1, h, dtype=dtype, device=device).mT
    else:
        out = torch.empty(*shape, h, w // 2 + 1, dtype=dtype, device=device)

    def write(part: slice) -> None:
        out[:, part] = Filters(weight[:, part], _channels(lam, part), size, scale, interpolate).transfer()

    with without_autocast(weight.device):
        if torch.is_grad_enabled() and (weight.requires_grad or lam.requires_grad):
            write(slice(None))  # the graph is this thread's
        else:
            each(write, shares(weight, weight, size), weight)
    return out


def apply_transfer(
    y: Tensor, transfer: Tensor, padding: PerAxis = 0, padding_mode: PaddingMode = "circular", overwrite: bool = False
) -> Tensor:
    """Filter ``y`` with a transfer function computed before (:func:`transfer`), without gradients.

    Args:
        y: input [N, C, H, W].
        transfer: T [1 or N, C, s, t, H + 2p, ⌊(W + 2q)/2⌋ + 1].
        padding: p, or p for rows and q for columns.
        padding_mode: how ``y`` is continued.
        overwrite: X* may take the place of ``y``, where it is as large; nobody must need ``y`` any more.

    Returns:
        X* [N, C, s·H, t·W], in the dtype of ``y``.
    """
    padding = per_axis(padding)
    x = y.to(transfer.real.dtype)
    out = _output(x, _scale_of(transfer), overwrite)

    def write(part: slice) -> None:
        spectrum = spectrum_of(_continued(x[:, part], padding, padding_mode))
        _synthesise(spectrum, transfer[:, part], padding, out[:, part], overwrite=True)

    each(write, shares(x, x, _padded(x.shape, padding)), x)
    return out.to(y.dtype)


def per_axis(value: PerAxis) -> tuple[int, int]:
    """For rows and for columns."""
    if isinstance(value, int):
        return value, value
    rows, columns = value
    return rows, columns


def pad(y: Tensor, rows: tuple[int, int], columns: tuple[int, int], mode: PaddingMode) -> Tensor:
    """Continue ``y`` [N, C, H, W] by so many rows above and below, and columns left and right."""
    if rows == columns == (0, 0):
        return y
    return F.pad(y, columns + rows, mode="constant" if mode == "zero" else mode)


def _continued(y: Tensor, padding: tuple[int, int], mode: PaddingMode) -> Tensor:
    p, q = padding
    return pad(y, (p, p), (q, q), mode)


def _reached(y: Tensor, kernel_size: tuple[int, int], padding: tuple[int, int], mode: PaddingMode) -> Tensor:
    """Y and what :func:`reach` says around it: by the padding where there is one, else from the other side."""
    rows, columns = reach(kernel_size)
    y = pad(y, (rows, rows), (0, 0), mode if padding[0] else "circular")
    return pad(y, (0, 0), (columns, columns), mode if padding[1] else "circular")


def circular_convolution(x: Tensor, kernels: Tensor, scale: PerAxis = 1) -> Tensor:
    """Convolve and keep every s-th sample, (x ⊗ K)↓s with circular boundaries: what :func:`converse2d` undoes.

    K's origin is at ⌊k/2⌋; ↓s keeps samples 0, s, 2s, …

    Args:
        x: [N, C, s·H, t·W].
        kernels: [N, C, k, l], one set per sample.
        scale: s, or (s, t) for rows and columns.

    Returns:
        [N, C, H, W].
    """
    n, c, h, w = x.shape
    k, l = kernels.shape[-2:]
    s, t = per_axis(scale)
    if x.numel() == 0:
        return x[..., ::s, ::t] + kernels.sum().to(x.dtype) * 0  # the sum keeps the graph, as in converse2d
    # Convolution of torch is a correlation: flipped kernels, and the origin of the flipped kernel is at k - 1 - ⌊k/2⌋.
    padded = pad(x, (k - 1 - k // 2, k // 2), (l - 1 - l // 2, l // 2), "circular")
    flipped = kernels.flip(-2, -1).to(x.dtype).reshape(n * c, 1, k, l)
    convolved = F.conv2d(padded.reshape(1, n * c, *padded.shape[-2:]), flipped, stride=(s, t), groups=n * c)
    return convolved.view(n, c, h // s, w // t)


def check_arguments(
    y: Tensor, weight: Tensor, scale: PerAxis, padding: PerAxis, mode: str, initial_estimate: str | Tensor
) -> None:
    """Refuse what :func:`converse2d` can't solve, with its ``TypeError`` and ``ValueError``."""
    if not y.is_floating_point():
        raise TypeError(f"y must be floating point, got {y.dtype}")
    if y.dim() != 4:
        raise ValueError(f"y must be [N, C, H, W], got shape {tuple(y.shape)}")
    n, c, h, w = y.shape
    if weight.dim() != 4 or weight.shape[0] not in (1, n) or weight.shape[1] != c:
        raise ValueError(f"weight must be [1 or {n}, {c}, k, l], got shape {tuple(weight.shape)}")
    (s, t), (p, q) = per_axis(scale), per_axis(padding)
    if min(s, t) < 1:
        raise ValueError(f"scale must be at least 1, got {scale}")
    if mode not in PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {mode!r}")
    if isinstance(initial_estimate, Tensor):
        size = (c, s * h, t * w)
        if initial_estimate.shape not in ((1, *size), (n, *size)) or not initial_estimate.is_floating_point():
            raise ValueError(
                f"initial_estimate must be [1 or {n}, {c}, {s * h}, {t * w}] and floating point, "
                f"got shape {tuple(initial_estimate.shape)} of {initial_estimate.dtype}"
            )
    elif initial_estimate not in INITIAL_ESTIMATES:
        raise ValueError(f"initial_estimate must be one of {', '.join(INITIAL_ESTIMATES)}, got {initial_estimate!r}")
    if min(p, q) < 0:
        raise ValueError(f"padding must not be negative, got {padding}")
    # Reflection repeats no edge sample, so it reaches one sample less far than the image is long.
    least = {"circular": (p, q), "reflect": (p + 1, q + 1)}.get(mode, (0, 0))
    if (h < least[0] or w < least[1]) and n * c > 0:
        raise ValueError(f"{mode} padding of {padding} needs an image of at least {least[0]}×{least[1]}, got {h}×{w}")
    k, l = weight.shape[2:]
    fits = s * (h + 2 * p), t * (w + 2 * q)
    if (k > fits[0] or l > fits[1]) and y.numel() > 0:
        raise ValueError(f"kernel of {k}×{l} is larger than the padded, upsampled image of {fits[0]}×{fits[1]}")


def _padded(shape: torch.Size, padding: tuple[int, int]) -> tuple[int, int]:
    return shape[-2] + 2 * padding[0], shape[-1] + 2 * padding[1]


def _from_estimate(
    y: Tensor,
    weight: Tensor,
    lam: Tensor,
    x0: Tensor,
    scale: tuple[int, int],
    padding: tuple[int, int],
    mode: PaddingMode,
    dtype: torch.dtype,
) -> Tensor:
    """X* from an estimate of one's own: X0, and the solution with the estimate 0 for what X0 leaves of Y.

    So it is since the objective is a square: X = X0 + Z turns it into ‖(Y - (X0 ⊗ K)↓s) - (Z ⊗ K)↓s‖² + λ‖Z‖².
    """
    (s, t), (p, q), (h, w) = scale, padding, x0.shape[-2:]
    with without_autocast(y.device):
        x0, weight = x0.to(dtype).expand(len(y), -1, -1, -1), weight.to(dtype)
        observed = circular_convolution(_continued(x0, (s * p, t * q), mode), weight.expand(len(y), -1, -1, -1), scale)
        left = _continued(y.to(dtype), padding, mode) - observed
        z = converse2d(left, weight, lam, scale=scale, initial_estimate="zero", overwrite=True, validate_lam=False)
        return (x0 + z[..., s * p : s * p + h, t * q : t * q + w]).to(y.dtype)


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


def _output(y: Tensor, scale: tuple[int, int], overwrite: bool = False) -> Tensor:
    """Where X* is written; ``y`` itself, if it may be and is as large: a group of channels is read before."""
    if overwrite and scale == (1, 1) and y.is_contiguous():
        return y
    return y.new_empty(*y.shape[:2], scale[0] * y.shape[2], scale[1] * y.shape[3])


def _scale_of(transfer: Tensor) -> tuple[int, int]:
    return transfer.shape[2], transfer.shape[3]


def _phases(x: Tensor, scale: tuple[int, int]) -> Tensor:
    """View [N, C, s·H, t·W] as its phases [N, C, s, t, H, W]."""
    (n, c, h, w), (s, t) = x.shape, scale
    return x.view(n, c, h // s, s, w // t, t).permute(0, 1, 3, 5, 2, 4)


def _synthesise(spectrum: Tensor, transfer: Tensor, padding: tuple[int, int], out: Tensor, *, overwrite: bool) -> None:
    """Filter the spectrum [N, C, H', W'], go back, crop, interleave the phases in ``out`` [N, C, s·H, t·W].

    With ``overwrite`` nobody needs the spectrum afterwards.
    """
    into = _phases(out, _scale_of(transfer))
    spectra = with_ones(spectrum, 2, 2)
    # In place where that is one phase: the group has so much more of the cache.
    filtered = spectra.mul_(transfer) if overwrite and spectra.shape[2:4] == transfer.shape[2:4] else spectra * transfer
    into.copy_(_cropped(filtered, (into.shape[-2], into.shape[-1]), padding))


def _cropped(filtered: Tensor, size: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """The phases of X* [N, C, s, t, H, W] from their spectra, as large as the padded Y."""
    (h, w), (p, q) = size, padding
    return image_of(filtered, w + 2 * q, slice(p, p + h))[..., q : q + w]


def _plain(
    spectrum: Tensor,
    weight: Tensor,
    lam: Tensor,
    size: tuple[int, int],
    scale: tuple[int, int],
    padding: tuple[int, int],
    interpolate: bool,
) -> Tensor:
    """X* from the spectrum of the padded Y, by nothing but plain operations on new tensors, all channels at once.

    So it can be differentiated in every way and order, and mapped.

    Args:
        spectrum: [N, C, H', W'].
        weight: K.
        lam: λ.
        size: of Y, without padding.
        scale: s and t.
        padding: p and q.
        interpolate: whether X0 is Y upsampled, or 0.
    """
    padded = size[0] + 2 * padding[0], size[1] + 2 * padding[1]
    transfer = Filters(weight, lam, padded, scale, interpolate).transfer()
    phases = _cropped(with_ones(spectrum, 2, 2) * transfer, size, padding)
    n, c, s, t, h, w = phases.shape
    return phases.permute(0, 1, 4, 2, 5, 3).reshape(n, c, s * h, t * w)


def _pad_adjoint(grad: Tensor, padding: tuple[int, int], mode: str) -> Tensor:
    """The adjoint of the padding: [N, C, H + 2p, W + 2q] → [N, C, H, W]; changes ``grad``."""
    for axis, beyond in ((-2, padding[0]), (-1, padding[1])):
        if beyond:
            grad = _one_axis_adjoint(grad, axis, beyond, mode)
    return grad


def _one_axis_adjoint(grad: Tensor, axis: int, padding: int, mode: str) -> Tensor:
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
    return core


Grouping = list[tuple[slice, list[slice]]]
"""Channels whose filters are made at once, by one thread; and those of them that are transformed at once."""


def _grouping(y: Tensor, weight: Tensor, size: tuple[int, int], scale: tuple[int, int]) -> Grouping:
    limit = batch_limit(scale)
    return [(several, groups(y[:, several], size, limit)) for several in shares(y, weight, size)]


def _solve(
    y: Tensor,
    weight: Tensor,
    lam: Tensor,
    padding: tuple[int, int],
    mode: PaddingMode,
    interpolate: bool,
    out: Tensor,
    grouping: Grouping,
    *,
    keep: bool,
) -> list[Tensor]:
    """Write X* into ``out`` [N, C, s·H, t·W], which may be ``y`` for s = t = 1.

    Returns:
        The conjugate spectra of Y, group by group, if they are to be kept.
    """
    size = _padded(y.shape, padding)
    scale = out.shape[-2] // y.shape[-2], out.shape[-1] // y.shape[-1]

    def solve(group: tuple[slice, list[slice]]) -> list[Tensor]:
        several, parts = group
        transfer = Filters(weight[:, several], _channels(lam, several), size, scale, interpolate).transfer()
        theirs, into, kept = y[:, several], out[:, several], []
        for part in parts:
            spectrum = spectrum_of(_continued(theirs[:, part], padding, mode))
            _synthesise(spectrum, transfer[:, part], padding, into[:, part], overwrite=not keep)
            if keep:
                # Conjugated here, where it lies in the cache: backward needs nothing else of it.
                kept.append(spectrum.conj_physical_())
        return kept

    return [spectrum for kept in each(solve, grouping, y) for spectrum in kept]


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
        ctx: Any,
        y: Tensor,
        weight: Tensor,
        lam: Tensor,
        scale: tuple[int, int],
        padding: tuple[int, int],
        mode: PaddingMode,
        interpolate: bool,
    ) -> tuple[Tensor, ...]:
        out = _output(y, scale)
        keep = any(ctx.needs_input_grad[1:3])
        grouping = _grouping(y, weight, _padded(y.shape, padding), scale)
        kept = _solve(y, weight, lam, padding, mode, interpolate, out, grouping, keep=keep)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, lam, *kept)
        ctx.options = y.shape, scale, padding, mode, interpolate
        ctx.grouping = grouping  # as it was then, whatever number of threads backward has
        return out, *kept

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *of_spectra: Tensor | None) -> tuple[Tensor | None, ...]:
        if differentiated_again(grad, *of_spectra) or any(one is not None for one in of_spectra):
            return _ReverseConvolution._plain_backward(ctx, grad, of_spectra)
        if grad is None:
            return (None,) * 7
        weight, lam, *kept = ctx.saved_tensors
        shape, scale, (p, q), mode, interpolate = ctx.options
        n, (h, w) = shape[0], _padded(shape, (p, q))
        needs_y, needs_kernel = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        grad_y = grad.new_empty(shape) if needs_y else None
        weights = column_weights(h, w, weight)
        phases = _phases(grad.contiguous(), scale)
        shared = weight.shape[0] == lam.shape[0] == 1
        spectra = iter(kept)
        pieces = [(several, parts, [next(spectra) for _ in parts if kept]) for several, parts in ctx.grouping]

        def differentiate(piece: tuple[slice, list[slice], list[Tensor]]) -> tuple[Tensor | None, Tensor | None]:
            several, parts, spectra = piece
            filters = Filters(weight[:, several], _channels(lam, several), (h, w), scale, interpolate)
            adjoint = filters.adjoint() if needs_y else None
            theirs, gts = phases[:, several], []
            for index, part in enumerate(parts):
                ghat = spectrum_of(F.pad(theirs[:, part], (q, q, p, p)))  # [N, C, s, t, H', W']
                if grad_y is not None and adjoint is not None:
                    filtered = ghat * adjoint[:, part]
                    filtered = filtered if scale == (1, 1) else sum_over(filtered, (2, 3))
                    grad_y[:, several][:, part] = _pad_adjoint(image_of(filtered[:, :, 0, 0], w), (p, q), mode)
                if needs_kernel:
                    gt = ghat.mul_(spectra[index][:, :, None, None])
                    gts.append(sum_over(gt, 0) if shared and n > 1 else gt)
            if not needs_kernel:
                return None, None
            of_lam, gp = filters.gradients(join_channels(gts), weights, ctx.needs_input_grad[1])
            return of_lam, None if gp is None else kernel_spectra_adjoint(gp, weight, (h, w), weights)

        found = each(differentiate, pieces, grad)
        grad_lam = [of_lam for of_lam, _ in found if of_lam is not None]
        grad_weight = [of_weight for _, of_weight in found if of_weight is not None]
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
            own = spectrum_of(_continued(y, padding, mode))
            spectrum = own + join_channels(kept).conj() if kept else own
            return _plain(spectrum, weight, lam, shape[-2:], scale, padding, interpolate), own.conj()

        # The value of Y is in the spectra that were kept; here it is 0, and stands for what they depend on.
        outputs, pull, *_ = torch.func.vjp(solve, weight.new_zeros(shape), weight, lam)
        of_x, of_own = (torch.zeros_like(output) for output in outputs)
        if any(one is not None for one in of_spectra):
            pairs = zip(of_spectra, kept, strict=True)
            of_own = join_channels([torch.zeros_like(like) if one is None else one for one, like in pairs])
        return *pull((of_x if grad is None else grad, of_own)), *(None,) * 4


def _channels(lam: Tensor, part: slice) -> Tensor:
    return lam if lam.shape[1] == 1 else lam[:, part]
