"""MATLAB's bicubic resize, against values computed by hand, Pillow, and what a linear interpolation must satisfy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from converse.data.resize import cubic, imresize, weights

SCALES = (0.25, 1 / 3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0)


def row(values: list[float], scale: float) -> np.ndarray:
    """One axis alone: [n] → [⌈scale·n⌉]."""
    return weights(len(values), scale) @ np.array(values, dtype=np.float64)


def test_halving_by_hand() -> None:
    # Oracle: exact fractions. An output sample lies midway between two inputs; the stretched kernel takes inputs at
    # ±½, ±3/2, ±5/2, ±7/2, that is k(¼), k(¾), k(5/4), k(7/4), each halved: 111, 29, -9, -3 of 256.
    def k(x: Fraction) -> Fraction:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1 if x <= 1 else -(x**3) / 2 + 5 * x**2 / 2 - 4 * x + 2

    taps = [k(Fraction(n, 4)) / 2 for n in (7, 5, 3, 1, 1, 3, 5, 7)]
    assert taps[4:] == [Fraction(n, 256) for n in (111, 29, -9, -3)]
    impulse = [0.0] * 8 + [1.0] + [0.0] * 7
    # Input 8 is seen by outputs 2 … 5, from outputs' centres 4½, 6½, 8½, 10½.
    expected = [0, 0, taps[7], taps[5], taps[3], taps[1], 0, 0]
    np.testing.assert_allclose(row(impulse, 0.5), np.array(expected, dtype=np.float64), atol=1e-16)


def test_quartering_a_ramp_mirrors_the_border() -> None:
    # Oracle: imresize(1:8, 0.25) worked out with the mirrored sequence 8 7 … 1 | 1 2 … 8 | 8 7 … 1 and plain loops.
    mirrored = [*range(8, 0, -1), *range(1, 9), *range(8, 0, -1)]
    expected = []
    for i in range(2):
        u = (i + 0.5) * 4 - 0.5
        weight = [float(cubic(np.array((u - (j - 8)) / 4))) for j in range(24)]
        expected.append(sum(w * v for w, v in zip(weight, mirrored, strict=True)) / sum(weight))
    np.testing.assert_allclose(row(list(range(1, 9)), 0.25), expected, rtol=1e-14)
    assert sum(expected) == pytest.approx(9)  # the ramp's symmetry


def test_doubling_by_hand() -> None:
    # Oracle: the kernel itself at ¼, ¾, 5/4, 7/4: 111/128, 29/128, -9/128, -3/128.
    a, b, c, d = 111 / 128, 29 / 128, -9 / 128, -3 / 128
    doubled = row([0, 0, 0, 1, 0, 0, 0], 2)
    np.testing.assert_allclose(doubled, [0, 0, 0, d, c, b, a, a, b, c, d, 0, 0, 0], atol=1e-16)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.7, 2.0, 4.0])
def test_agrees_with_pillow_away_from_the_border(scale: float) -> None:
    # Oracle: Pillow's BICUBIC (a = -1/2, antialiased) on float32. At the border Pillow renormalises, MATLAB mirrors.
    image = np.random.default_rng(1).random((80, 100)).astype(np.float32)
    height, width = math.ceil(80 * scale), math.ceil(100 * scale)
    pillow = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    ours = imresize(image.astype(np.float64)[:, :, None], scale)[:, :, 0]
    rim = math.ceil(2 * max(1, scale)) + 1
    inside = (slice(rim, -rim), slice(rim, -rim))
    assert ours[inside].size > 100
    np.testing.assert_allclose(ours[inside], pillow[inside], atol=2e-6)  # float32


@given(st.integers(1, 40), st.sampled_from(SCALES))
def test_weights_sum_to_one_and_mirror(size: int, scale: float) -> None:
    matrix = weights(size, scale)
    assert matrix.shape == (math.ceil(scale * size), size)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    if (scale * size).is_integer():  # otherwise MATLAB's grid is not centred either
        np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("scale", [scale for scale in SCALES if scale != 0.7])
def test_a_plane_stays_a_plane_away_from_the_border(scale: float) -> None:
    # Oracle: the cubic kernel reproduces linear functions when it enlarges; stretched, it does so only where an output
    # lies in the middle of inputs, which whole factors give.
    size = 48
    y, x = np.mgrid[:size, :size].astype(np.float64)
    out = imresize((2 * x - 3 * y + 1)[:, :, None], scale)[:, :, 0]
    v, u = ((np.arange(n) + 0.5) / scale - 0.5 for n in out.shape)
    rim = math.ceil(2 * max(1, scale)) + 1
    expected = 2 * u[None, :] - 3 * v[:, None] + 1
    np.testing.assert_allclose(out[rim:-rim, rim:-rim], expected[rim:-rim, rim:-rim], atol=1e-10)


def test_scale_one_is_the_identity_and_axes_are_separate() -> None:
    image = np.random.default_rng(2).random((9, 12, 3))
    np.testing.assert_allclose(imresize(image, 1), image, atol=1e-15)
    swapped = imresize(image.transpose(1, 0, 2), 0.25).transpose(1, 0, 2)
    np.testing.assert_allclose(imresize(image, 0.25), swapped, atol=1e-14)
    assert imresize(image, 0.25).shape == (3, 3, 3)
    assert imresize(image, 0.25).dtype == np.float64


@pytest.mark.parametrize(
    ("shape", "scale", "message"),
    [
        ((4, 4), 0.5, "H, W, C"),
        ((0, 4, 1), 0.5, "not empty"),
        ((4, 4, 1), 0.0, "positive"),
        ((4, 4, 1), math.nan, "positive"),
    ],
)
def test_refuses(shape: tuple[int, ...], scale: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        imresize(np.zeros(shape), scale)
