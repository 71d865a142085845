"""Images held out: the oracle is the rule (the smallest checksums), applied by hand to sets that are made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.data.images import ImageFile, ImageSet
from converse.data.splits import hold_out
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
