"""Numbers of an inverse. Oracles: NumPy's FFT of the Wiener filter, the dense matrix, and inverses that are trivial."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from converse.nn.inversion import JACOBIAN_SIDE, LAMBDAS, SIDE, forward_model, image, inversion, sweep
from converse.nn.operators import Converse2D, DepthwiseConv2d

LAM = 1e-2


def layer(**options: object) -> Converse2D:
    torch.manual_seed(0)
    return Converse2D(1, 5, padding=0, lam=LAM, **options).double()  # type: ignore[arg-type]


def spectrum(operator: Converse2D, side: int) -> npt.NDArray[np.complex128]:
    """Of the kernel, its origin at ⌊k/2⌋."""
    kernel = operator.weight.detach().numpy()[0, 0]
    padded = np.zeros((side, side))
    padded[:5, :5] = kernel
    return np.fft.fft2(np.roll(padded, (-2, -2), (0, 1)))


def test_reverse_convolution_without_padding_is_the_wiener_filter() -> None:
    operator = layer()
    found = inversion(operator, 1, 5)
    blur = spectrum(operator, JACOBIAN_SIDE)
    filtered = (blur.conj() + LAM) / (abs(blur) ** 2 + LAM)
    gains = abs(filtered)
    assert found.largest_gain == pytest.approx(gains.max(), rel=1e-6)
    assert found.condition == pytest.approx(gains.max() / gains.min(), rel=1e-6)
    assert found.blur_condition == pytest.approx(abs(blur).max() / abs(blur).min(), rel=1e-6)
    assert found.noise_gain == pytest.approx(np.sqrt((gains**2).mean()), rel=1e-6)

    x = image(1, SIDE).numpy()[0, 0]
    blur = spectrum(operator, SIDE)
    blurred = np.fft.ifft2(np.fft.fft2(x) * blur).real
    restored = np.fft.ifft2(np.fft.fft2(blurred) * (blur.conj() + LAM) / (abs(blur) ** 2 + LAM)).real
    spread = np.linalg.norm(x - x.mean())
    assert found.restored == pytest.approx(np.linalg.norm(restored - x) / spread, rel=1e-6)
    assert found.blurred == pytest.approx(np.linalg.norm(blurred - x) / spread, rel=1e-6)


def test_at_scale_2_the_blur_keeps_every_second_sample() -> None:
    operator = layer(scale=2)
    blur = forward_model(operator)
    assert blur is not None
    x = image(1, 16)
    whole = np.fft.ifft2(np.fft.fft2(x.numpy()[0, 0]) * spectrum(operator, 16)).real
    np.testing.assert_allclose(blur(x).detach().numpy()[0, 0], whole[::2, ::2], atol=1e-12)
    found = inversion(operator, 1, 5, 2)
    assert found.scale == 2
    assert found.restored < found.blurred


class Halves(nn.Module):
    """Undoes a multiplication by 2; ``off`` what it adds in the outermost samples."""

    def __init__(self, off: float = 0.0) -> None:
        super().__init__()
        self.off = off

    def blur(self, x: Tensor) -> Tensor:
        return 2 * x

    def forward(self, y: Tensor) -> Tensor:
        inner = torch.zeros_like(y)
        inner[..., 2:-2, 2:-2] = 1
        return y / 2 + self.off * (1 + 2 * (1 - inner)) * torch.where(torch.arange(y.shape[-1]) % 2 == 0, 1.0, -1.0)


def test_a_perfect_inverse() -> None:
    found = inversion(Halves(), 3, 3)
    assert found.restored == 0
    assert math.isnan(found.border)
    assert (found.largest_gain, found.noise_gain, found.condition) == pytest.approx((0.5, 0.5, 1))
    assert found.blur_condition == pytest.approx(1)
    assert found.blurred == pytest.approx(float(image(3, SIDE).norm() / (image(3, SIDE) - 0.5).norm()))


def test_an_error_that_is_three_times_as_large_at_the_border() -> None:
    assert inversion(Halves(0.01), 1, 3).border == pytest.approx(3)


class Forgets(nn.Module):
    def blur(self, x: Tensor) -> Tensor:
        return x

    def forward(self, y: Tensor) -> Tensor:
        return y - y.mean((-2, -1), keepdim=True)


def test_a_pattern_that_is_lost_makes_the_condition_infinite() -> None:
    assert inversion(Forgets(), 1, 3).condition == math.inf


def test_what_inverts_nothing_is_refused() -> None:
    assert forward_model(DepthwiseConv2d(2, 3)) is None
    with pytest.raises(ValueError, match="DepthwiseConv2d is no inverse: it has no blur"):
        inversion(DepthwiseConv2d(2, 3), 2, 3)


def test_noise_falls_as_lambda_grows() -> None:
    found = list(sweep(lambda lam: Converse2D(2, 5, lam=lam, kernel_init="uniform+softmax"), 2, 5))
    assert [lam for lam, _ in found] == list(LAMBDAS)
    gains = [one.noise_gain for _, one in found]
    assert gains == sorted(gains, reverse=True)


def test_the_image_has_the_spectrum_of_photographs() -> None:
    x = image(8, SIDE).numpy()
    assert (x.mean(), x.std()) == pytest.approx((0.5, 0.25), rel=1e-3)
    power = (abs(np.fft.rfft2(x - x.mean())) ** 2).mean((0, 1))
    near, far = power[4, 0], power[16, 0]
    assert 8 < near / far < 32  # (16 / 4)²
