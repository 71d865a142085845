"""The transfer form as one would write it down: half spectra, plain PyTorch, autograd, and nothing kept or tuned.

    X* = F⁻¹[ tile_s(F_Y) · T ],    T = F_B + conj(F_K) (1 - Q) / (M + λ)

M and Q are the means over the s·t aliases of |F_K|² and F_K·F_B; B is the s × t box, with its origin at its first tap.
It is what speed is held against beside the formula as it was released (:mod:`converse.nn.literal`): the same
arithmetic as ours in the form that nobody has worked on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.functional import InitialEstimate, PaddingMode, PerAxis, pad, per_axis
from converse.nn.operators import Converse2D, with_classes
from converse.nn.plain_block import PlainBlock, PlainNorm, PlainPointwise


def half_spectrum_converse2d(
    y: Tensor,
    weight: Tensor,
    lam: Tensor,
    scale: PerAxis = 1,
    padding: PerAxis = 0,
    padding_mode: PaddingMode = "circular",
    initial_estimate: InitialEstimate = "interpolation",
) -> Tensor:
    """Reverse convolution by half spectra of the output's size.

    Args:
        y: [N, C, H, W].
        weight: [1 or N, C, k, l].
        lam: λ > 0, broadcasts to [N, C, 1, 1].
        scale: s, or (s, t) for rows and columns.
        padding: samples added on each side before the solve, or (rows, columns).
        padding_mode: circular, reflect, replicate or zero.
        initial_estimate: X0: ``interpolation`` or ``zero``.

    Returns:
        X*, [N, C, s·H, t·W].
    """
    (s, t), (p, q), (k, l) = per_axis(scale), per_axis(padding), weight.shape[-2:]
    y = pad(y, (p, p), (q, q), padding_mode)
    size = s * y.shape[-2], t * y.shape[-1]
    columns = size[1] // 2 + 1

    def half(image: Tensor) -> Tensor:
        spectrum: Tensor = torch.fft.rfft2(image)
        return spectrum

    def tiled(image: Tensor) -> Tensor:
        if s == t == 1:
            return half(image)
        whole: Tensor = torch.fft.fft2(image).repeat(1, 1, s, t)
        return whole[..., :columns]

    def mean(spectrum: Tensor) -> Tensor:  # what keeping every s-th sample does to a spectrum
        return spectrum if s == t == 1 else tiled(torch.fft.irfft2(spectrum, s=size)[..., ::s, ::t])

    kernel = F.pad(weight, (0, size[1] - l, 0, size[0] - k)).roll((-(k // 2), -(l // 2)), (-2, -1))
    fk, fy = half(kernel), tiled(y)
    power = mean(fk.abs() ** 2 + 0j).real + lam
    if initial_estimate == "zero":
        transfer = fk.conj() / power
    else:
        fb = half(F.pad(y.new_ones(1, 1, s, t), (0, size[1] - t, 0, size[0] - s)))
        transfer = fb + fk.conj() * (1 - mean(fk * fb)) / power
    solved: Tensor = torch.fft.irfft2(fy * transfer, s=size)
    return solved[..., s * p : size[0] - s * p, t * q : size[1] - t * q]


class HalfSpectrumConverse2D(Converse2D):
    """:class:`converse.Converse2D` with this formula in its place; same parameters."""

    def forward(self, y: Tensor, overwrite: bool = False, initial_estimate: Tensor | None = None) -> Tensor:
        """Undo the convolution; ``y`` stays as it is.

        Raises:
            ValueError: an estimate of one's own was given, for which there is no transfer function.
        """
        if initial_estimate is not None:
            raise ValueError("the half-spectrum formula takes no estimate of one's own")
        return half_spectrum_converse2d(
            y, self.weight, self.lam, self.scale, self.padding, self.padding_mode, self.initial_estimate
        )


def make_half_spectrum(network: nn.Module) -> nn.Module:
    """Put this formula in the place of every reverse convolution of a network, and plain blocks around it, in place.

    Args:
        network: any module; its parameters stay.

    Returns:
        The same module.
    """
    return with_classes(network, HalfSpectrumConverse2D, PlainBlock, PlainNorm, PlainPointwise)
