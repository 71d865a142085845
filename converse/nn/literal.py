"""The reference: the released formula evaluated literally, with full complex FFTs of three images and autograd.

    X* = F⁻¹[ (L - conj(F_K) ⊙s ((F_K L)⇓s / (|F_K|²⇓s + λ))) / λ ],   L = conj(F_K) F(Y↑s) + λ F(X0)

⊙s repeats an array over the s×s blocks of the spectrum, ⇓s is the mean over those blocks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.operators import Converse2D


def _kernel_spectrum(weight: Tensor, size: tuple[int, int]) -> Tensor:
    k = weight.shape[-1]
    padded = F.pad(weight, (0, size[1] - k, 0, size[0] - k))
    spectrum: Tensor = torch.fft.fft2(torch.roll(padded, (-(k // 2), -(k // 2)), dims=(-2, -1)))
    return spectrum


def _alias_mean(spectrum: Tensor, s: int) -> Tensor:
    n, c, h, w = spectrum.shape
    return spectrum.view(n, c, s, h // s, s, w // s).mean(dim=(2, 4))


def literal_converse2d(
    y: Tensor, weight: Tensor, lam: Tensor, scale: int = 1, padding: int = 0, padding_mode: str = "circular"
) -> Tensor:
    """Reverse convolution as released.

    Args:
        y: [N, C, H, W].
        weight: [1, C, k, k].
        lam: λ > 0, [1, C, 1, 1] or [1, 1, 1, 1].
        scale: s.
        padding: samples added on each side before the solve.
        padding_mode: circular, reflect, replicate or zero.

    Returns:
        X*, [N, C, s·H, s·W].
    """
    if padding:
        y = F.pad(y, (padding,) * 4, mode="constant" if padding_mode == "zero" else padding_mode)
    _, _, h, w = y.shape
    size = (h * scale, w * scale)
    zero_filled = torch.zeros(*y.shape[:2], *size, dtype=y.dtype, device=y.device)
    zero_filled[..., ::scale, ::scale] = y
    x0 = y if scale == 1 else F.interpolate(y, scale_factor=scale, mode="nearest")
    fk = _kernel_spectrum(weight, size)
    left = fk.conj() * torch.fft.fft2(zero_filled) + torch.fft.fft2(lam * x0)
    inner = _alias_mean(fk * left, scale) / (_alias_mean(fk.abs() ** 2, scale) + lam)
    solution: Tensor = torch.fft.ifft2((left - fk.conj() * inner.repeat(1, 1, scale, scale)) / lam).real
    crop = padding * scale
    return solution[..., crop : size[0] - crop, crop : size[1] - crop]


class LiteralConverse2D(Converse2D):
    """:class:`converse.Converse2D` with the literal formula in its place; same parameters."""

    def forward(self, y: Tensor, overwrite: bool = False) -> Tensor:
        """Undo the convolution; ``y`` stays as it is."""
        return literal_converse2d(y, self.weight, self.lam, self.scale, self.padding, self.padding_mode)


def make_literal(network: nn.Module) -> nn.Module:
    """Put the literal formula in the place of every reverse convolution of a network, in place.

    Args:
        network: any module; its parameters stay.

    Returns:
        The same module.
    """
    for module in network.modules():
        if isinstance(module, Converse2D):
            module.__class__ = LiteralConverse2D
    return network
