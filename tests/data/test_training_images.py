"""Oracles: Pillow reading the same files, MATLAB's resize on the whole image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from converse.data.images import ImageSet, image_set
from converse.data.resize import imresize
from converse.data.tasks import TASKS
from converse.data.training_images import LIMIT_VARIABLE, resident_bytes, training_images
from converse.errors import DataError, OptionError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    training_images.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def photographs(tmp_path: Path) -> ImageSet:
    random = np.random.default_rng(1)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, size in (("a.png", (18, 21)), ("b.png", (16, 16))):
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    return image_set(folder)


def planes_of(pixels: torch.Tensor, index: int, offsets: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    start = int(offsets[index])
    return pixels[start : start + int(np.prod(shape))].numpy().reshape(shape)


def test_images_lie_there_as_pillow_reads_them(photographs: ImageSet) -> None:
    found = training_images(TASKS["deblurring"], (photographs,))
    assert found.names == ("a.png", "b.png")
    assert found.input is None
    assert found.target.pixels.dtype == torch.uint8
    for index, image in enumerate(photographs.images):
        expected = np.asarray(Image.open(image.path)).transpose(2, 0, 1)[:, :16, :16]  # 8 divides the sides
        assert (planes_of(found.target.pixels, index, found.target.offsets, expected.shape) == expected).all()


def test_small_images_are_made_of_whole_ones(photographs: ImageSet) -> None:
    found = training_images(TASKS["super_resolution"], (photographs,))
    assert found.input is not None
    clean = np.asarray(Image.open(photographs.images[0].path))[:16, :20]
    expected = imresize(clean / 255.0, 0.25).astype(np.float32).transpose(2, 0, 1)
    assert (planes_of(found.input.pixels, 0, found.input.offsets, expected.shape) == expected).all()


@pytest.mark.parametrize("task", ["denoising", "super_resolution"])
def test_a_large_set_is_mapped_and_the_same(
    photographs: ImageSet, task: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    resident = training_images(TASKS[task], (photographs,))
    monkeypatch.setenv(LIMIT_VARIABLE, "0.0001")
    for _ in range(2):  # written, then found
        training_images.cache_clear()
        mapped = training_images(TASKS[task], (photographs,))
        assert torch.equal(mapped.target.pixels, resident.target.pixels)
        assert (mapped.input is None) == (resident.input is None)
        if mapped.input is not None and resident.input is not None:
            assert torch.equal(mapped.input.pixels, resident.input.pixels)
    assert len(list((cache / "decoded").glob("*.target"))) == 1
    assert not list((cache / "decoded").glob(".writing-*"))


def test_a_cache_that_cannot_be_written(photographs: ImageSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"decoded training images in .* cannot be written or read .*free some space"):
        training_images(TASKS["denoising"], (photographs,))


def test_the_limit_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resident_bytes() == 1_024_000_000
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(OptionError, match="CONVERSE_RESIDENT_MB must be a number of megabytes, got 'much'"):
        resident_bytes()


def test_an_image_too_small_for_the_task_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 9), dtype=np.uint8)).save(tmp_path / "tiny.png")
    with pytest.raises(DataError, match=r"training image .*tiny\.png: the image is 3×9 pixels, at least 8×8"):
        training_images(TASKS["deblurring"], (image_set(tmp_path),))


@pytest.mark.parametrize("damage", ["zeros", "half", "longer", "one bit", "another layout", "missing"])
def test_a_damaged_cache_is_decoded_anew(
    photographs: ImageSet, damage: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    resident = training_images(TASKS["super_resolution"], (photographs,))
    monkeypatch.setenv(LIMIT_VARIABLE, "0")
    training_images.cache_clear()
    training_images(TASKS["super_resolution"], (photographs,))
    (path,) = (cache / "decoded").glob("*.json" if damage == "another layout" else "*.target")
    whole = path.read_bytes()
    if damage == "another layout":
        path.write_bytes(whole.replace(b"20", b"16", 1))
    elif damage == "missing":
        path.unlink()
    else:
        flipped = bytes([*whole[:100], whole[100] ^ 4, *whole[101:]])
        changed = {"zeros": bytes(len(whole)), "half": whole[: len(whole) // 2], "longer": whole + b"0"}
        path.write_bytes(changed.get(damage, flipped))
    training_images.cache_clear()
    with pytest.warns(UserWarning, match="are not what was written: they are decoded anew"):
        again = training_images(TASKS["super_resolution"], (photographs,))
    assert torch.equal(again.target.pixels, resident.target.pixels)
    assert path.read_bytes() == whole
