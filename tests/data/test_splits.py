"""Images held out and left out: the rules, applied by hand to sets that are made here and to the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converse.data.images import ImageFile, ImageSet, image_set
from converse.data.splits import hold_out, listed, overlaps, parts, split
from converse.errors import DataError


def of(name: str, *checksums: str) -> ImageSet:
    files = (ImageFile(f"{one}.png", Path(name, f"{one}.png"), one * 64) for one in checksums)
    return ImageSet(name, name.title(), tuple(files))


def checksums(images: ImageSet) -> str:
    return "".join(image.sha256[0] for image in images.images)


def test_the_smallest_checksums_are_held_out_of_all_sets_together() -> None:
    train, held = hold_out((of("left", "c", "4", "0"), of("right", "7", "1", "a")), 3)
    assert [checksums(one) for one in train] == ["c", "7a"]
    assert checksums(held) == "014"
    assert [checksums(one.first(1)) for one in train] == ["c", "7"]
    assert [one.whole_sha256 for one in train] != [one.sha256 for one in train]


def test_the_order_of_sets_and_files_does_not_matter() -> None:
    _, held = hold_out((of("right", "a", "1", "7"), of("left", "0", "4", "c")), 3)
    assert checksums(held) == "014"


def test_an_image_that_two_sets_have_leaves_both() -> None:
    train, held = hold_out((of("left", "3", "8"), of("right", "9", "3")), 1)
    assert ([checksums(one) for one in train], checksums(held)) == (["8", "9"], "3")


@pytest.mark.parametrize("count", [3, 4])
def test_something_must_be_left_to_train_on(count: int) -> None:
    with pytest.raises(DataError, match=f"cut = {count} leaves nothing to train on: there are 3 different .* in Left"):
        hold_out((of("left", "a", "b"), of("right", "b", "c")), count)


# By content


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images of noise in a folder `train`, and a turned copy of the first, in grey and without its last row."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    numbers = np.random.default_rng(0)
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    for index in range(4):
        image = Image.fromarray(numbers.integers(0, 256, (60, 64, 3), dtype=np.uint8))
        image.save(tmp_path / "train" / f"{index}.png")
        if index == 0:
            image.convert("L").crop((0, 0, 64, 59)).transpose(Image.Transpose.ROTATE_90).save(
                tmp_path / "test/copy.png"
            )
    return tmp_path


def names(*sets: ImageSet) -> list[list[str]]:
    return [[image.name for image in one.images] for one in sets]


def test_copies_in_sets_that_are_to_be_left_out_are_not_trained_on(photos: Path) -> None:
    train, test = image_set(photos / "train"), image_set(photos / "test")
    assert names(*split((train,)).train) == [["0.png", "1.png", "2.png", "3.png"]]
    assert overlaps((train,), None, (test,)).keys() == {"trained on and tested on"}
    parts = split((train,), leave_out=(test,))
    assert names(*parts.train) == [["1.png", "2.png", "3.png"]]
    assert parts.plain() == {"left_out": ["0.png of train is copy.png of test"], "held_out": []}
    assert parts.notes() == ["not trained on, since they are test images: 0.png of train (which is copy.png of test)"]
    assert overlaps(parts.train, None, (test,)) == {}


def test_nothing_that_is_published_as_a_test_image_is_trained_or_validated_on(shared: Path) -> None:
    train = image_set("bsds500_train", shared)
    parts = split((train, image_set("bsds500_test", shared)), cut=10)
    assert parts.plain()["left_out"] == ["302003.jpg of BSDS500 train is woman_GT.bmp of Set5"]
    assert [len(one) for one in parts.train] == [196, 193]
    tests = tuple(image_set(name, shared) for name in ("set5", "set14", "bsd100"))
    assert overlaps(parts.train, parts.held_out, tests) == {}
    assert overlaps(parts.train, image_set("set5", shared), ()).keys() == {"validated on and tested on"}
    whole = split((train,), overlap=True)
    assert (whole.train, whole.left_out) == ((train,), ())
    assert overlaps(whole.train, None, tests).keys() == {"trained on and tested on"}


def test_parts_of_test_images_are_known_where_the_catalogue_has_them(shared: Path) -> None:
    train = image_set("train400", shared)
    found = parts((train,), (image_set("set12", shared), image_set("bsd68", shared)))
    assert [(str(ours), str(theirs)) for ours, theirs in found] == [("test_020.png of Train400", "04.png of Set12")]
    assert overlaps((train,), None, (image_set("set12", shared),)) == {}
    cut = split((train,), cut=380)
    assert {"test_020.png", "test_135.png"} <= {image.name for one in cut.train for image in one.images}


def test_test_images_are_not_held_out_even_where_they_are_trained_on(photos: Path) -> None:
    train, test = image_set(photos / "train"), image_set(photos / "test")
    held = {
        name
        for cut in (1, 2, 3)
        for name in split((train,), cut=cut, leave_out=(test,), overlap=True).plain()["held_out"]
    }
    assert held == {"1.png", "2.png", "3.png"}


def test_copies_of_what_is_held_out_are_not_trained_on(photos: Path) -> None:
    (photos / "test/copy.png").rename(photos / "train/copy.png")
    train, held = hold_out((image_set(photos / "train"),), 3)
    left = {"0.png", "1.png", "2.png", "3.png", "copy.png"} - {image.name for image in held.images}
    expected = left - {"0.png", "copy.png"} if len(left & {"0.png", "copy.png"}) == 1 else left
    assert set(names(*train)[0]) == expected


def test_something_must_be_left_when_test_images_are_gone(photos: Path) -> None:
    for index in (1, 2, 3):
        (photos / f"train/{index}.png").unlink()
    with pytest.raises(DataError, match=r"nothing is left to train on: .*: 0.png of train \(which is copy.png of test"):
        split((image_set(photos / "train"),), leave_out=(image_set(photos / "test"),))
    with pytest.raises(DataError, match="cut = 1 leaves nothing to train on"):
        split((image_set(photos / "train"),), cut=1)


def test_many_pairs_are_told_in_few_words(photos: Path) -> None:
    train = image_set(photos / "train")
    (pairs,) = overlaps((train,), None, (train,)).values()
    assert listed(pairs).endswith("; 2.png of train (which is 2.png of train); and 1 more")
