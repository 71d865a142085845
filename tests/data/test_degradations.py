"""The three degradations, against a literal restatement of the protocol with NumPy's global generator and SciPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from converse.data.degradations import blur, blur_kernels, crop, degrade
from converse.data.resize import imresize
from converse.data.tasks import TASKS
from converse.errors import DataError

DENOISING, SUPER, DEBLURRING = (TASKS[name] for name in ("denoising", "super_resolution", "deblurring"))


def picture(height: int, width: int, channels: int, seed: int = 7) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def kernel(seed: int = 3) -> npt.NDArray[np.float64]:
    taps = np.random.default_rng(seed).random((7, 7))
    normalised: npt.NDArray[np.float64] = taps / taps.sum()
    return normalised


def test_denoising_is_the_protocol_to_the_bit() -> None:
    image = picture(31, 17, 1)
    # Oracle: protocols.md with the global generator, summed in place as the reference implementation does.
    np.random.seed(0)  # noqa: NPY002 - the protocol's own words
    noisy: npt.NDArray[np.float32] = (image / 255.0).astype(np.float32)
    noisy += np.random.normal(0, 25 / 255.0, noisy.shape)  # noqa: NPY002
    sample = degrade(DENOISING, image)
    np.testing.assert_array_equal(sample.input.numpy()[0].transpose(1, 2, 0), noisy)
    assert (sample.input.shape, sample.input.dtype) == ((1, 1, 31, 17), torch.float32)
    np.testing.assert_array_equal(sample.target, image)
    assert sample.kernel is None
    assert sample.noise_level is not None
    assert sample.noise_level.shape == (1, 1, 1, 1)
    assert sample.noise_level.item() == pytest.approx(25 / 255)
    assert sample.input.min() < 0 or sample.input.max() > 1  # the sum is not clipped


def test_super_resolution_is_the_protocol_to_the_bit() -> None:
    image = picture(27, 38, 3)
    small = imresize(image[:24, :36] / 255.0, 0.25).astype(np.float32)
    sample = degrade(SUPER, image)
    np.testing.assert_array_equal(sample.input.numpy()[0].transpose(1, 2, 0), small)
    assert sample.input.shape == (1, 3, 6, 9)
    np.testing.assert_array_equal(sample.target, image[:24, :36])
    assert sample.kernel is None
    assert sample.noise_level is None


def test_deblurring_is_the_protocol_to_the_bit() -> None:
    image, taps = picture(29, 18, 3), kernel()
    # Oracle: SciPy on uint8, then the global generator.
    blurred = scipy.ndimage.convolve(image[:24, :16], np.expand_dims(taps, axis=2), mode="wrap")
    assert blurred.dtype == np.uint8
    np.random.seed(0)  # noqa: NPY002 - the protocol's own words
    expected: npt.NDArray[np.float32] = (blurred / 255.0).astype(np.float32)
    expected += np.random.normal(0, 2.55 / 255.0, expected.shape)  # noqa: NPY002
    sample = degrade(DEBLURRING, image, taps)
    np.testing.assert_array_equal(sample.input.numpy()[0].transpose(1, 2, 0), expected)
    np.testing.assert_array_equal(sample.target, image[:24, :16])
    assert sample.kernel is not None
    np.testing.assert_array_equal(sample.kernel.numpy()[0, 0], taps.astype(np.float32))
    assert sample.noise_level is not None
    assert sample.noise_level.item() == pytest.approx(0.01)


@given(st.integers(8, 20), st.integers(8, 20), st.integers(0, 99))
def test_blur_is_a_true_circular_convolution(height: int, width: int, seed: int) -> None:
    # Oracle: the convolution theorem, the kernel's origin at its middle; SciPy truncates, so at most one below.
    image, taps = picture(height, width, 1, seed), kernel(seed)
    padded = np.zeros((height, width))
    padded[:7, :7] = taps
    spectrum = np.fft.fft2(np.roll(padded, (-3, -3), (0, 1)))
    exact = np.fft.ifft2(np.fft.fft2(image[:, :, 0]) * spectrum).real
    lost = exact - blur(image, taps)[:, :, 0]
    assert lost.min() > -1e-9
    assert lost.max() < 1 + 1e-9


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    degrade(DENOISING, picture(8, 8, 1))
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], before)  # noqa: NPY002


@given(st.integers(8, 40), st.integers(8, 40), st.sampled_from([1, 4, 8]))
def test_crop_keeps_the_largest_multiple(height: int, width: int, multiple: int) -> None:
    image = picture(height, width, 1)
    cropped = crop(image, multiple)
    assert all(
        side % multiple == 0 and full - multiple < side <= full
        for side, full in zip(cropped.shape, image.shape[:2], strict=False)
    )
    np.testing.assert_array_equal(cropped, image[: cropped.shape[0], : cropped.shape[1]])


@pytest.mark.parametrize(
    ("name", "size", "needed"),
    [("super_resolution", (3, 9), "3×9 pixels, at least 4×4"), ("deblurring", (9, 7), "9×7 pixels, at least 8×8")],
)
def test_an_image_that_is_too_small_is_refused(name: str, size: tuple[int, int], needed: str) -> None:
    with pytest.raises(DataError, match=needed):
        degrade(TASKS[name], picture(*size, 3), kernel() if TASKS[name].cases else None)


def test_an_image_smaller_than_its_kernel_is_refused() -> None:
    with pytest.raises(DataError, match="blur kernel"):
        blur(picture(6, 20, 3), kernel())


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a blur kernel"):
        degrade(DEBLURRING, picture(8, 8, 3))
    with pytest.raises(ValueError, match="takes no blur kernel"):
        degrade(DENOISING, picture(8, 8, 1), kernel())
    with pytest.raises(ValueError, match=r"\[H, W, 3\]"):
        degrade(SUPER, picture(8, 8, 1))
    with pytest.raises(ValueError, match="uint8"):
        degrade(DENOISING, np.zeros((8, 8, 1)))  # type: ignore[arg-type]


def test_the_blur_kernels(shared: Path) -> None:
    kernels = blur_kernels(shared)
    assert tuple(kernels) == DEBLURRING.cases
    for taps in kernels.values():
        assert taps.shape == (7, 7)
        assert taps.dtype == np.float64
        assert taps.min() >= 0
        assert taps.sum() == pytest.approx(1)
