"""Oracle: NumPy's slices, flips and transposition of each image by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.data.patches import PatchPlaces, PatchSource


def make(sizes: list[tuple[int, int]], channels: int, dtype: type = np.uint8) -> tuple[list[np.ndarray], PatchSource]:
    random = np.random.default_rng(0)
    images: list[np.ndarray] = [random.integers(0, 256, (channels, *size)).astype(dtype) for size in sizes]
    flat = torch.from_numpy(np.concatenate([image.ravel() for image in images]))
    return images, PatchSource.of(flat, channels, sizes)


@given(st.data())
@settings(max_examples=60)
def test_a_crop_is_slicing_mirroring_and_transposing(data: st.DataObject) -> None:
    side = data.draw(st.integers(1, 6))
    sizes = data.draw(st.lists(st.tuples(st.integers(side, 12), st.integers(side, 12)), min_size=1, max_size=4))
    channels = data.draw(st.sampled_from([1, 3]))
    images, planes = make(sizes, channels)
    count = data.draw(st.integers(1, 5))
    image = np.array(data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=count, max_size=count)))
    top = np.array([data.draw(st.integers(0, sizes[i][0] - side)) for i in image])
    left = np.array([data.draw(st.integers(0, sizes[i][1] - side)) for i in image])
    turn = np.array(data.draw(st.lists(st.integers(0, 7), min_size=count, max_size=count)))
    crops = planes.crop(PatchPlaces(image, top, left, turn), side)
    assert crops.shape == (count, channels, side, side)
    assert crops.dtype == torch.uint8
    for n in range(count):
        expected = images[image[n]][:, top[n] : top[n] + side, left[n] : left[n] + side]
        if turn[n] & 1:
            expected = expected[:, ::-1]
        if turn[n] & 2:
            expected = expected[:, :, ::-1]
        if turn[n] & 4:
            expected = expected.transpose(0, 2, 1)
        assert (crops[n].numpy() == expected).all()


def test_the_eight_turns_are_eight() -> None:
    _, planes = make([(3, 3)], 1)
    zero = np.zeros(8, dtype=np.int64)
    crops = planes.crop(PatchPlaces(zero, zero, zero, np.arange(8)), 3)
    assert len({crop.numpy().tobytes() for crop in crops}) == 8


def test_floats_stay_floats() -> None:
    _, planes = make([(4, 4)], 3, np.float32)
    zero = np.zeros(1, dtype=np.int64)
    assert planes.crop(PatchPlaces(zero, zero, zero, zero), 2).dtype == torch.float32
    assert len(planes.to("cpu")) == 1


def test_pixels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pixels must be \[24\] for images of these sizes, got \(23,\)"):
        PatchSource.of(torch.zeros(23), 1, [(4, 6)])
