"""MATLAB's ``imresize`` with the bicubic kernel, as two small matrices: one for the rows, one for the columns."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_SUPPORT = 4.0  # the cubic kernel is zero outside (-2, 2)


def imresize(image: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    """Resize as MATLAB's ``imresize(image, scale)`` does: bicubic with a = -1/2, antialiased, symmetric boundary.

    Everything is float64 and nothing is rounded or clipped, so values may overshoot the range of the input.

    Args:
        image: [H, W, C], any range.
        scale: the factor of both sides, above 1 enlarges.

    Returns:
        [⌈scale·H⌉, ⌈scale·W⌉, C] in float64.

    Raises:
        ValueError: the image is not [H, W, C] or empty, or the scale is not a positive finite number.
    """
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"image must be [H, W, C] and not empty, got shape {image.shape}")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be a positive number, got {scale}")
    rows, columns = (weights(size, scale) for size in image.shape[:2])
    tall = np.tensordot(rows, image.astype(np.float64), axes=(1, 0))  # [h, W, C]
    return np.ascontiguousarray(np.einsum("wW,hWc->hwc", columns, tall, optimize=True))


def weights(size: int, scale: float) -> npt.NDArray[np.float64]:
    """The matrix that resizes one axis.

    Output sample i (from 0) lies at u = (i + ½) / scale - ½ of the input. When the image shrinks the kernel is
    stretched by 1 / scale, which is MATLAB's antialiasing. Each row sums to one.

    Args:
        size: number of input samples.
        scale: the factor of this axis.

    Returns:
        [⌈scale·size⌉, size] in float64.
    """
    shrink = min(scale, 1.0)
    centre = (np.arange(math.ceil(scale * size)) + 0.5) / scale - 0.5
    taps = math.ceil(_SUPPORT / shrink) + 2
    first = np.floor(centre - _SUPPORT / shrink / 2)
    position = first[:, None] + np.arange(taps)  # [out, taps]
    weight = cubic(shrink * (centre[:, None] - position))
    weight /= weight.sum(axis=1, keepdims=True)

    # Beyond the border the image is mirrored, the border sample itself repeated: 2 1 0 | 0 1 2 … n-1 | n-1 n-2
    folded = position.astype(np.int64) % (2 * size)
    folded = np.where(folded < size, folded, 2 * size - 1 - folded)
    matrix = np.zeros((len(centre), size))
    np.add.at(matrix, (np.arange(len(centre))[:, None], folded), weight)
    return matrix


def cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cubic convolution kernel with a = -1/2 (Keys 1981, equation 15).

    Args:
        x: distances in samples, any shape.

    Returns:
        1.5|x|³ - 2.5|x|² + 1 up to 1, -0.5|x|³ + 2.5|x|² - 4|x| + 2 up to 2, zero beyond; of x's shape.
    """
    d = np.abs(x)
    inner = (1.5 * d - 2.5) * d**2 + 1
    outer = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d <= 1, inner, np.where(d <= 2, outer, 0.0))
