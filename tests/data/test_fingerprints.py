"""What images show: the oracles are Pillow's alterations of photographs, and what is known of the Berkeley images."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converse.data import fingerprints as module
from converse.data.catalogue import datasets, sha256_of
from converse.data.fingerprints import alike, fingerprint, fingerprints
from converse.data.images import ImageFile, image_set, read_image

PHOTOS = {image.name: image.path for name in ("skimage_train", "skimage_test") for image in image_set(name).images}


def of(image: Image.Image) -> str:
    return fingerprint(np.asarray(image.convert("L"))[:, :, None])


def encoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def cropped(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    return image.crop((left, top, image.width - right, image.height - bottom))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grey": lambda image: image.convert("L"),
    "jpeg-10": lambda image: encoded(image, 10),
    "one-row-less": lambda image: cropped(image, 0, 0, 0, 1),
    "one-row-and-column-less-on-each-side": lambda image: cropped(image, 1, 1, 1, 1),
    "multiples-of-8": lambda image: cropped(image, 0, 0, image.width % 8, image.height % 8),
    "half-as-large": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "brighter": lambda image: image.point([round(255 * (value / 255) ** 0.7) for value in range(256)] * 3),
    **{turn.name: lambda image, turn=turn: image.transpose(turn) for turn in Image.Transpose},  # type: ignore[misc]
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_show_the_same_picture_and_no_other(copy: str) -> None:
    photos = [Image.open(path).convert("RGB") for path in PHOTOS.values()]
    found = alike([of(photo) for photo in photos], [of(COPIES[copy](photo)) for photo in photos])
    assert found == [(index, index) for index in range(len(photos))]


def test_what_shows_nothing_is_like_nothing() -> None:
    flat = [fingerprint(np.full((60, 50, 1), value, np.uint8)) for value in (0, 17, 255)]
    assert flat == ["0" * 36] * 3
    assert alike(flat, flat) == []
    assert alike([], flat) == alike(flat, []) == []


def test_the_catalogue_says_what_the_images_show(shared: Path) -> None:
    for known in datasets().values():
        here = [(entry, shared / known.folders[0] / entry.name) for entry in known.files if entry.fingerprint]
        for entry, path in here[:: max(1, len(here) // 8)]:
            image = path if path.exists() else PHOTOS[entry.name]
            assert fingerprint(read_image(image, "grey")) == entry.fingerprint, (known.name, entry.name)


PAIRS = {
    ("bsd68", "bsd100"): 68,  # Roth and Black chose 68 of the 100 test images
    ("set5", "bsds500_train"): 1,  # the woman is image 302003
    ("set5", "set14"): 1,  # the head
    ("set12", "set14"): 3,  # peppers, Lena and the man
}


def test_the_pictures_that_published_sets_have_in_common() -> None:
    prints = {
        name: [entry.fingerprint for entry in known.files]
        for name, known in datasets().items()
        if known.kind == "images" and known.files and known.files[0].fingerprint
    }
    names = sorted(prints, key=list(prints).index)
    found = {
        frozenset((left, right)): len(alike(prints[left], prints[right]))
        for index, left in enumerate(names)
        for right in names[index + 1 :]
    }
    assert {pair: count for pair, count in found.items() if count} == {frozenset(p): n for p, n in PAIRS.items()}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ImageFile]:
    """Two photographs that the catalogue does not know, a broken one, and an empty cache."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    numbers = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(numbers.integers(0, 256, (20, 22), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"no image")
    return [ImageFile(path.name, path, sha256_of(path)) for path in sorted(tmp_path.glob("*.png"))]


def test_each_image_is_looked_at_once(photos: list[ImageFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprints(photos)
    assert list(first) == [photos[0].sha256, photos[1].sha256]
    assert first[photos[0].sha256] == of(Image.open(photos[0].path))
    photos[1].path.write_bytes(b"gone")
    assert fingerprints(photos) == first
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-10])  # the last line was torn
    assert list(fingerprints(photos)) == [photos[0].sha256]
    kept.write_bytes(b"\xff")
    monkeypatch.setattr(module, "_kept", dict)
    assert list(fingerprints(photos)) == [photos[0].sha256]


def test_images_of_the_catalogue_leave_nothing_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    images = image_set("skimage_test").images
    assert fingerprints(images).keys() == {image.sha256 for image in images}
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_changes_nothing(
    photos: list[ImageFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "file"))
    assert len(fingerprints(photos)) == 2
