"""What reverse convolution does to one image: blurred and reduced, and reversed again under several λ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from converse.data.images import image_set, read_image
from converse.metrics import Image, as_uint8
from converse.nn.functional import converse2d

_SIDE: Final = 128
_DEVIATION: Final = 1.2
_TAPS: Final = 7
LAMBDAS: Final = (1e-1, 1e-3, 1e-6)


@dataclass(frozen=True)
class Step:
    """One image on the way.

    Attributes:
        title: ``x``, ``y``, ``reverse, λ = 0.001``.
        image: [H, W, 1] uint8; y is smaller than the others by the scale.
        psnr: in dB, to x; ``None`` for x, and for what has another size.
        lam: λ of a reverse convolution.
    """

    title: str
    image: Image
    psnr: float | None = None
    lam: float | None = None


@dataclass(frozen=True)
class OperatorShown:
    """x → y → reverse.

    Attributes:
        name: of the image.
        kernel: [k, k], it sums to one.
        scale: → the steps, x first.
    """

    name: str
    kernel: npt.NDArray[np.float64]
    steps: dict[int, tuple[Step, ...]]


def operator_shown() -> OperatorShown:
    """Blur a photograph that scikit-image ships by a Gaussian, with circular borders, reduce it, and reverse both.

    No noise is added and nothing is learnt: what is seen is the operator with the kernel that was used.

    Returns:
        For the scales 1 and 2, x, y = (k ∗ x)↓s, and the reverse convolution of y under each of :data:`LAMBDAS`.
    """
    chosen = image_set("skimage_test").images[0]
    whole = read_image(chosen.path, "grey")
    top, left = ((side - _SIDE) // 2 for side in whole.shape[:2])
    x = whole[top : top + _SIDE, left : left + _SIDE, 0] / 255.0  # [H, W] in [0, 1]
    place = np.arange(_TAPS) - _TAPS // 2
    line = np.exp(-0.5 * (place / _DEVIATION) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    blurred = _circular(x, kernel)
    steps = {}
    for scale in (1, 2):
        y = blurred[::scale, ::scale]
        found = [Step("x", _image(x)), Step("y", _image(y), _psnr(x, y) if scale == 1 else None)]
        for lam in LAMBDAS:
            restored = converse2d(
                torch.from_numpy(y)[None, None], torch.from_numpy(kernel)[None, None], lam, scale=scale
            )
            reverse = restored[0, 0].numpy()
            found.append(Step(f"reverse, λ = {lam:g}", _image(reverse), _psnr(x, reverse), lam))
        steps[scale] = tuple(found)
    return OperatorShown(chosen.name, kernel, steps)


def _circular(x: npt.NDArray[np.float64], kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The circular convolution of an image with a kernel whose middle is its origin, [H, W]."""
    padded = np.zeros_like(x)
    padded[: len(kernel), : len(kernel)] = kernel
    padded = np.roll(padded, -(len(kernel) // 2), (0, 1))
    return np.fft.irfft2(np.fft.rfft2(x) * np.fft.rfft2(padded), s=x.shape)


def _image(values: npt.NDArray[np.float64]) -> Image:
    return as_uint8(values[:, :, None].astype(np.float32))


def _psnr(x: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    return float(-10 * np.log10(np.mean((x - other) ** 2)))
