"""The reference: the released formula evaluated literally, with full complex FFTs of three images and autograd.

    X* = F⁻¹[ (L - conj(F_K) ⊙s ((F_K L)⇓s / (|F_K|²⇓s + λ))) / λ ],   L = conj(F_K) F(Y↑s) + λ F(X0)

⊙s repeats an array over the s×s blocks of the spectrum, ⇓s is the mean over those blocks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.functional import InitialEstimate, PaddingMode, PerAxis, pad, per_axis
from converse.nn.operators import Converse2D, with_classes


def _kernel_spectrum(weight: Tensor, size: tuple[int, int]) -> Tensor:
    k, l = weight.shape[-2:]
    padded = F.pad(weight, (0, size[1] - l, 0, size[0] - k))
    spectrum: Tensor = torch.fft.fft2(torch.roll(padded, (-(k // 2), -(l // 2)), dims=(-2, -1)))
    return spectrum


def _alias_mean(spectrum: Tensor, scale: tuple[int, int]) -> Tensor:
    (n, c, h, w), (s, t) = spectrum.shape, scale
    return spectrum.view(n, c, s, h // s, t, w // t).mean(dim=(2, 4))


def literal_converse2d(
    y: Tensor,
    weight: Tensor,
    lam: Tensor,
    scale: PerAxis = 1,
    padding: PerAxis = 0,
    padding_mode: PaddingMode = "circular",
    initial_estimate: InitialEstimate | Tensor = "interpolation",
) -> Tensor:
    """Reverse convolution as released.

    Args:
        y: [N, C, H, W].
        weight: [1, C, k, l].
        lam: λ > 0, [1, C, 1, 1] or [1, 1, 1, 1].
        scale: s, or (s, t) for rows and columns.
        padding: samples added on each side before the solve, or (rows, columns).
        padding_mode: circular, reflect, replicate or zero.
        initial_estimate: X0: ``interpolation``, ``zero``, or a tensor [N, C, s·H, t·W], which is continued as ``y`` is.

    Returns:
        X*, [N, C, s·H, t·W].
    """
    (s, t), (p, q) = per_axis(scale), per_axis(padding)
    y = pad(y, (p, p), (q, q), padding_mode)
    _, _, h, w = y.shape
    size = (h * s, w * t)
    zero_filled = torch.zeros(*y.shape[:2], *size, dtype=y.dtype, device=y.device)
    zero_filled[..., ::s, ::t] = y
    if isinstance(initial_estimate, Tensor):
        x0 = pad(initial_estimate, (p * s, p * s), (q * t, q * t), padding_mode)
    elif initial_estimate == "zero":
        x0 = torch.zeros_like(zero_filled)
    else:
        x0 = y if s == t == 1 else F.interpolate(y, scale_factor=(s, t), mode="nearest")
    fk = _kernel_spectrum(weight, size)
    left = fk.conj() * torch.fft.fft2(zero_filled) + torch.fft.fft2(lam * x0)
    inner = _alias_mean(fk * left, (s, t)) / (_alias_mean(fk.abs() ** 2, (s, t)) + lam)
    solution: Tensor = torch.fft.ifft2((left - fk.conj() * inner.repeat(1, 1, s, t)) / lam).real
    return solution[..., p * s : size[0] - p * s, q * t : size[1] - q * t]


class LiteralConverse2D(Converse2D):
    """:class:`converse.Converse2D` with the literal formula in its place; same parameters."""

    def forward(self, y: Tensor, overwrite: bool = False, initial_estimate: Tensor | None = None) -> Tensor:
        """Undo the convolution; ``y`` stays as it is."""
        estimate = self.initial_estimate if initial_estimate is None else initial_estimate
        return literal_converse2d(y, self.weight, self.lam, self.scale, self.padding, self.padding_mode, estimate)


def make_literal(network: nn.Module) -> nn.Module:
    """Put the literal formula in the place of every reverse convolution of a network, in place.

    Args:
        network: any module; its parameters stay.

    Returns:
        The same module.
    """
    return with_classes(network, LiteralConverse2D)
