"""Which rows count. Oracle: means over values that are written down here, image by image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.selection import Selection, newest_sets, select, set_titles
from converse.experiments.store.requests import RequestedSet, StoredRequest
from converse.experiments.store.rows import ROW_COLUMNS

Image = tuple[str, str]
Measured = tuple[str, str, str, float]
"""Dataset, image, checksum, value."""


def frame(*measured: Measured, trial: str = "t0", entry: str = "A") -> pd.DataFrame:
    told = {"trial": trial, "entry": entry, "metric": "psnr", "signature": "s"}
    rows = [
        {**dict.fromkeys(ROW_COLUMNS), **told, "dataset": name, "image": image, "image_sha256": sha256, "value": value}
        for name, image, sha256, value in measured
    ]
    rows.append({**dict.fromkeys(ROW_COLUMNS), **told, "metric": "parameters", "value": 7.0})
    return pd.DataFrame(rows, columns=list(ROW_COLUMNS))


def folder(place: str, *images: tuple[str, str], others: Sequence[tuple[str, str]] = ()) -> RequestedSet:
    return RequestedSet(place.rpartition("/")[2], place, images, tuple(others))


def notes(*requests: RequestedSet | tuple[RequestedSet, ...]) -> list[StoredRequest]:
    """One after the other, as they come out of a store: the newest first."""
    asked = [StoredRequest("s", "", "", "denoising", "", None, (), (), time=str(n)) for n in range(len(requests))]
    sets = [one if isinstance(one, tuple) else (one,) for one in requests]
    whole = [StoredRequest(**{**vars(one), "sets": those}) for one, those in zip(asked, sets, strict=True)]
    return whole[::-1]


def means(found: Selection) -> dict[str, float]:
    imaged = found.rows[found.rows["image"].notna()]
    return {str(name): float(group["value"].mean()) for name, group in imaged.groupby("dataset")}


SITE_A, SITE_B = folder("/x/site_a/photos", ("one.png", "a1")), folder("/x/site_b/photos", ("one.png", "b1"))
BOTH = frame(("photos", "one.png", "a1", 20.22), ("photos", "one.png", "b1", 35.44))


@pytest.mark.parametrize("asked", [[(SITE_A, SITE_B)], [SITE_A, SITE_B], [SITE_B, SITE_A]])
def test_two_folders_of_one_name_are_two_datasets(asked: list[RequestedSet | tuple[RequestedSet, ...]]) -> None:
    found = select(BOTH, newest_sets(notes(*asked)))
    assert means(found) == {"site_a/photos": 20.22, "site_b/photos": 35.44}
    assert found.left_out == ()
    assert found.rows["value"].isin([7.0]).sum() == 1  # parameters belong to no image


def test_who_asks_for_one_of_them_gets_that_one() -> None:
    found = select(BOTH, [SITE_B], elsewhere=newest_sets(notes(SITE_A, SITE_B)))
    assert (means(found), found.left_out) == ({"photos": 35.44}, ())


OLD = folder("/x/photos", ("one.png", "1"), ("two.png", "2"))
NEW = folder("/x/photos", ("one.png", "1"), ("two.png", "3"))
REPLACED = frame(("photos", "one.png", "1", 10.0), ("photos", "two.png", "2", 11.0), ("photos", "two.png", "3", 14.0))


def test_a_replaced_image_is_named_and_not_averaged_in() -> None:
    found = select(REPLACED, newest_sets(notes(OLD, NEW)))
    assert means(found) == {"photos": 12.0}
    assert found.images == {"photos": 2}
    (said,) = map(str, found.left_out)
    assert said.startswith("photos: rows of an older image")
    assert "two.png" in said


def test_an_image_that_was_put_back_counts_again() -> None:
    assert means(select(REPLACED, newest_sets(notes(OLD, NEW, OLD)))) == {"photos": 10.5}


def test_a_removed_image_is_named() -> None:
    found = select(REPLACED, newest_sets(notes(OLD, folder("/x/photos", ("one.png", "1")))))
    assert means(found) == {"photos": 10.0}
    assert {(one.why, one.images) for one in found.left_out} == {("unknown", ("two.png", "two.png"))}


def test_a_folder_that_was_moved_stays_what_it_is() -> None:
    moved = folder("/elsewhere/pictures", *OLD.images)
    found = select(REPLACED, newest_sets(notes(OLD, moved)))
    assert means(found) == {"pictures": 10.5}
    assert [one.why for one in found.left_out] == ["unknown"]


def test_a_copy_that_has_changed_leaves_the_other_alone() -> None:
    copy, changed = folder("/y/photos", *OLD.images), folder("/y/photos", *NEW.images)
    found = select(REPLACED, newest_sets(notes(OLD, copy, changed)))
    assert means(found) == {"x/photos": 10.5, "y/photos": 12.0}
    assert found.left_out == ()


def test_the_first_images_of_a_set_are_part_of_it() -> None:
    first = folder("/x/photos", ("one.png", "1"), others=[("two.png", "2")])
    found = select(REPLACED, newest_sets(notes(OLD, first)))
    assert means(found) == {"photos": 10.0}
    assert {(one.why, one.dataset) for one in found.left_out} == {("not asked for", "photos"), ("older", "photos")}


def test_an_image_that_was_measured_under_two_names_counts_once() -> None:
    rows = frame(("pictures", "one.png", "1", 10.0), ("photos", "one.png", "1", 10.5), ("photos", "two.png", "2", 11.5))
    assert means(select(rows, [OLD])) == {"photos": 11.0}


def test_a_set_of_the_catalogue_keeps_its_name() -> None:
    set12 = RequestedSet("set12", "", (("01.png", "1"),), (("02.png", "2"),))
    found = select(frame(("set12", "01.png", "1", 10.0), ("set12", "02.png", "2", 12.0)), [set12])
    assert means(found) == {"set12": 10.0}
    assert str(found.left_out[0]).startswith("Set12: rows of an image of this set that the newest request left out")


def test_without_a_note_the_image_that_was_measured_last_counts() -> None:
    twice = frame(("photos", "a.png", "old", 1.0), ("photos", "a.png", "new", 3.0), ("photos", "b.png", "b", 5.0))
    found = select(twice, (), unlisted=True)
    assert means(found) == {"photos": 4.0}
    assert [(one.why, one.images) for one in found.left_out] == [("older", ("a.png",))]


def test_without_a_note_a_trial_that_has_the_older_image_alone_does_not_bring_it_back() -> None:
    twice = [frame(("p", "a.png", "old", 1.0), ("p", "a.png", "new", 3.0), trial=f"t{n}") for n in (0, 1)]
    late = frame(("p", "a.png", "old", 9.0), trial="t2")
    assert means(select(pd.concat([*twice, late], ignore_index=True), (), unlisted=True)) == {"p": 3.0}


def test_a_name_that_a_request_has_is_not_taken_from_older_notes() -> None:
    rows = frame(("photos", "one.png", "1", 10.0), ("photos", "x.png", "x", 0.0), ("other", "y.png", "y", 5.0))
    found = select(rows, [folder("/x/photos", ("one.png", "1"))], unlisted=True)
    assert means(found) == {"photos": 10.0, "other": 5.0}
    assert [one.images for one in found.left_out] == [("x.png",)]


NAMED = st.tuples(st.sampled_from("ab"), st.sampled_from("1234"))
IMAGES = st.lists(NAMED, min_size=1, max_size=3, unique_by=lambda image: image[0])
HISTORY = st.lists(st.tuples(st.sampled_from(["/x/p", "/y/p", "/y/q"]), IMAGES), min_size=1, max_size=6)


@given(HISTORY)
def test_each_mean_is_that_of_one_folder_as_it_was_asked_for_last(history: list[tuple[str, list[Image]]]) -> None:
    def value(image: Image) -> float:
        return float(int(hashlib.sha256("".join(image).encode()).hexdigest()[:6], 16))

    measured = dict.fromkeys((place[3:], *image) for place, images in history for image in images)
    rows = frame(*((*key, value(key[1:])) for key in measured))
    sets = newest_sets(notes(*(folder(place, *images) for place, images in history)))
    contents = {tuple(images) for images in dict(history).values()}
    wanted = sorted(sum(map(value, images)) / len(images) for images in contents)
    assert sorted(means(select(rows, sets)).values()) == pytest.approx(wanted)
    assert len(set(set_titles(sets).values())) == len(sets)
