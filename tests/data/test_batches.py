"""Oracles: slices of images that Pillow reads, MATLAB's resize, SciPy's convolution, statistics of the normal law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from PIL import Image

from converse.data import degradations
from converse.data.batches import Batch, Batches, blur
from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.data.training_images import TrainingImages, training_images
from converse.errors import DataError

KERNELS = {f"kernel_{i}": np.random.default_rng(i).dirichlet(np.ones(49)).reshape(7, 7) for i in range(1, 6)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(2)
    for name, size in (("a.png", (40, 48)), ("b.png", (32, 56)), ("c.png", (32, 32))):
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(place / name)
    return place


def images(folder: Path, task: str) -> TrainingImages:
    return training_images(TASKS[task], (image_set(folder),))


def make(folder: Path, task: str = "denoising", **changes: object) -> Batches:
    given = {"patch": 16, "batch": 4, "seed": 0, "kernels": KERNELS if TASKS[task].cases else None}
    return Batches(TASKS[task], images(folder, task), **{**given, **changes})  # type: ignore[arg-type]


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [value for value in vars(batch).values() if value is not None]


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_is_a_function_of_seed_and_step(folder: Path, task: str) -> None:
    forwards = [make(folder, task)(step) for step in range(4)]
    other = make(folder, task)
    backwards = [other(step) for step in reversed(range(4))][::-1]
    for one, two in zip(forwards, backwards, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))
    assert not torch.equal(forwards[0].target, forwards[1].target)
    assert not torch.equal(forwards[0].target, make(folder, task, seed=1)(0).target)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_are_the_batch(folder: Path, task: str, parts: int) -> None:
    whole = tensors(make(folder, task)(3))
    shares = [tensors(make(folder, task, share=(part, parts))(3)) for part in range(parts)]
    for tensor, *pieces in zip(whole, *shares, strict=True):
        assert torch.equal(torch.cat(pieces), tensor)


def test_a_batch_without_such_parts_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="batch must be a multiple of the 3 parts that it is divided into, got 4"):
        make(folder, share=(0, 3))


@pytest.mark.parametrize(
    ("task", "small", "channels"), [("denoising", 16, 1), ("super_resolution", 4, 3), ("deblurring", 16, 3)]
)
def test_shapes(folder: Path, task: str, small: int, channels: int) -> None:
    batch = make(folder, task)(0)
    assert batch.input.shape == (4, channels, small, small)
    assert batch.target.shape == (4, channels, 16, 16)
    assert {value.dtype for value in tensors(batch)} == {torch.float32}
    assert (batch.kernel is not None) == (task == "deblurring")
    assert (batch.noise_level is None) == (task == "super_resolution")


def test_targets_are_turned_cuts_of_the_images(folder: Path) -> None:
    whole = {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}
    batches = make(folder, "deblurring", batch=64)
    places = batches.draw(3).places
    target = (batches(3).target * 255).round().to(torch.uint8).numpy()
    names = sorted(whole)
    for n in range(64):
        top, left = places.top[n], places.left[n]
        cut = whole[names[places.image[n]]][top : top + 16, left : left + 16].transpose(2, 0, 1)
        turned = [np.rot90(m, k, (1, 2)) for m in (cut, cut[:, :, ::-1]) for k in range(4)]
        assert sum((target[n] == one).all() for one in turned) >= 1
    assert set(places.image) == {0, 1, 2}
    assert set(places.turn) == set(range(8))


def test_places_reach_every_corner(folder: Path) -> None:
    batches = make(folder, batch=4096)
    places = batches.draw(0).places
    wide = places.image == 1  # 32×56
    assert (places.top[wide].min(), places.top[wide].max()) == (0, 16)
    assert (places.left[wide].min(), places.left[wide].max()) == (0, 40)
    assert scipy.stats.chisquare(np.bincount(places.image)).pvalue > 1e-6
    assert scipy.stats.chisquare(np.bincount(places.turn)).pvalue > 1e-6


def test_noise_is_normal_white_and_not_clipped(folder: Path) -> None:
    batch = make(folder, batch=256)(0)
    noise = (batch.input - batch.target).double().flatten() * 255
    assert batch.input.min() < 0
    assert batch.input.max() > 1
    assert abs(noise.mean()) < 5 * 25 / len(noise) ** 0.5
    assert abs(noise.std() - 25) < 5 * 25 / (2 * len(noise)) ** 0.5
    assert scipy.stats.kstest(noise[:20000] / 25, "norm").pvalue > 1e-6
    assert batch.noise_level is not None
    assert torch.equal(batch.noise_level, torch.full((256, 1, 1, 1), 25 / 255))


def test_streams_do_not_move_each_other(folder: Path) -> None:
    # The same patches whatever is drawn for their degradation.
    noisy, clean = make(folder, "deblurring"), make(folder, "super_resolution")
    for step in range(3):
        places = [(batches.draw(step).places.image, batches.draw(step).places.turn) for batches in (noisy, clean)]
        assert (places[0][0] == places[1][0]).all()
        assert (places[0][1] == places[1][1]).all()
    # The same noise whatever patches there are.
    one = make(folder).draw(2).noise
    other = Batches(TASKS["denoising"], images(folder, "denoising"), patch=16, batch=4, seed=0).draw(2).noise
    smaller = make(folder, batch=2).draw(2).noise
    assert one is not None
    assert other is not None
    assert smaller is not None
    assert (one == other).all()
    assert (one[:2] == smaller).all()


def test_super_resolution_pairs_are_aligned(folder: Path) -> None:
    batches = make(folder, "super_resolution", batch=16)
    places = batches.draw(0).places
    batch = batches(0)
    whole = [np.asarray(Image.open(path)) / 255.0 for path in sorted(folder.iterdir())]
    for n in range(16):
        small = imresize_cut(whole[places.image[n]], places.top[n], places.left[n])
        turn = places.turn[n]
        small = small[:, ::-1] if turn & 1 else small
        small = small[:, :, ::-1] if turn & 2 else small
        small = small.transpose(0, 2, 1) if turn & 4 else small
        assert np.abs(batch.input[n].numpy() - small).max() < 1e-6


def imresize_cut(image: np.ndarray, top: int, left: int) -> np.ndarray:
    from converse.data.resize import imresize

    return imresize(image, 0.25)[top : top + 4, left : left + 4].transpose(2, 0, 1)


def test_patches_are_blurred_as_whole_images_are(folder: Path) -> None:
    task = TASKS["deblurring"]
    batches = make(folder, "deblurring", batch=32)
    batch, chosen = batches(1), batches.draw(1)
    assert chosen.kernel is not None
    assert chosen.noise is not None
    assert batch.kernel is not None
    grey_levels = (batch.target * 255).round().to(torch.uint8).numpy().transpose(0, 2, 3, 1)
    blurred = ((batch.input - torch.from_numpy(chosen.noise)) * 255).numpy().transpose(0, 2, 3, 1)
    for n in range(32):
        kernel = KERNELS[task.cases[chosen.kernel[n]]]
        expected = degradations.blur(grey_levels[n], kernel).astype(float)
        wrong = np.abs(blurred[n] - expected) > 0.01
        assert wrong.mean() < 0.01  # a sum within round-off of a whole number
        assert np.abs(blurred[n] - expected).max() < 1.01
        assert np.abs(batch.kernel[n, 0].numpy() - kernel).max() < 1e-7
    assert set(batches.draw(1).kernel) == set(range(5))  # type: ignore[arg-type]


def test_blur_is_true_convolution() -> None:
    random = np.random.default_rng(3)
    image, kernel = random.random((1, 2, 9, 11)), random.random((1, 1, 5, 5))
    expected = np.stack([scipy.ndimage.convolve(plane, kernel[0, 0], mode="wrap") for plane in image[0]])
    found = blur(torch.from_numpy(image), torch.from_numpy(kernel))[0]
    assert np.abs(found.numpy() - expected).max() < 1e-12


def test_an_image_smaller_than_the_patch_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"training image b\.png is 32×56 pixels, smaller than the patch of 40×40"):
        make(folder, patch=40)


def test_a_patch_that_the_task_cannot_divide(folder: Path) -> None:
    with pytest.raises(ValueError, match="patch must be a multiple of 8 for deblurring, got 12"):
        make(folder, "deblurring", patch=12)


def test_blur_kernels_are_needed(folder: Path) -> None:
    with pytest.raises(ValueError, match="deblurring needs blur kernels"):
        make(folder, "deblurring", kernels=None)


@pytest.mark.gpu
def test_a_gpu_sees_the_same(folder: Path) -> None:
    here, there = make(folder)(5), make(folder, device="cuda")(5)
    assert all(torch.equal(a, b.cpu()) for a, b in zip(tensors(here), tensors(there), strict=True))
