"""Oracles: the pixels that were given."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from converse.data.images import ImageFile, ImageSet
from converse.data.tasks import TASKS
from converse.experiments.evaluation.keeping import Keeper, Keeping, cut, detailed_window, encoded
from converse.experiments.store import Store
from converse.experiments.store.outputs import Outputs, Window
from converse.experiments.trials import Trial


@given(st.integers(0, 99), st.integers(4, 15), st.integers(4, 15), st.sampled_from([1, 2]))
def test_the_window_lies_on_a_grid_and_inside(seed: int, height: int, width: int, multiple: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)
    found = detailed_window(image, 6, multiple=multiple)
    high, wide = (min(6, side) // multiple * multiple for side in (height, width))
    if found is None:
        assert (high, wide) == (height, width)
        return
    assert (found.height, found.width) == (high, wide)
    assert found.top % multiple == found.left % multiple == 0
    assert found.top + high <= height
    assert found.left + wide <= width


def test_the_window_is_where_there_is_something_to_see() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[21:27, 30:36] = np.random.default_rng(0).integers(0, 256, (6, 6, 3))
    found = detailed_window(image, 10)
    assert found is not None
    assert np.array_equal(np.unique(cut(image, found)), np.unique(image))
    assert cut(image, found).sum(dtype=int) == image.sum(dtype=int)


def images(*names: str) -> ImageSet:
    return ImageSet("mine", "mine", tuple(ImageFile(f"{name}.png", Path(), name * 64) for name in names))


@pytest.mark.parametrize(("which", "names"), [("all", "dacb"), ("crops", "abc"), ("none", "")])
def test_which_images_are_kept(which: str, names: str) -> None:
    chosen = Keeping(which).images(images(*"dacb"))  # type: ignore[arg-type]
    assert [one.name for one in chosen] == [f"{name}.png" for name in names]


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    trial = Trial("denoising", "DnCNN", "trained", 0, "quick", {}, {}, platform={"device": "cpu"})
    return Outputs(Store(tmp_path / "runs").folder(trial))


def test_crops_are_windows_of_the_outputs(outputs: Outputs) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (300, 280, 1), dtype=np.uint8)
    (image,) = images("a").images
    with outputs.folder.lock():
        Keeper(Keeping("crops", limit=10**9), outputs, TASKS["denoising"]).keep(image, None, truth, 255 - truth)
    (one,) = outputs.kept().values()
    assert one.window is not None
    assert (one.window.height, one.window.width, one.size) == (256, 256, (300, 280))
    restored = np.asarray(Pillow.open(io.BytesIO(outputs.read(one))))
    assert np.array_equal(restored, 255 - cut(truth, one.window)[:, :, 0])


def test_what_does_not_fit_is_counted_and_not_asked_for_again(outputs: Outputs) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    asked = images("a", "b", "c")
    with outputs.folder.lock():
        keeper = Keeper(Keeping("all", asked=True, limit=2 * len(encoded(truth))), outputs, TASKS["denoising"])
        for image in asked.images:
            keeper.keep(image, None, truth, truth)
    assert len(outputs.kept()) == 2
    assert keeper.note.startswith("1 output not kept")
    assert list(keeper.lacking(asked)) == []


def test_outputs_of_another_size_are_not_kept(outputs: Outputs) -> None:
    (image,) = images("a").images
    with outputs.folder.lock():
        keeper = Keeper(Keeping("all", limit=10**9), outputs, TASKS["denoising"])
        keeper.keep(image, None, np.zeros((8, 8, 1), np.uint8), np.zeros((8, 9, 1), np.uint8))
    assert outputs.kept() == {}
    assert detailed_window(np.zeros((8, 8, 1), np.uint8), 256) is None
    assert cut(np.ones((2, 2, 1), np.uint8), Window(0, 1, 1, 1)).shape == (1, 1, 1)
