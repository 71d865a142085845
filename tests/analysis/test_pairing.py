"""What is left of incomplete measurements, laid out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.analysis.pairing import UNSEEDED, Pairs, pairs
from converse.errors import OptionError

NAMES = ("circular", "zero")


def rows(values: Mapping[int | None, Sequence[float | None]], *, entry: str = "circular") -> pd.DataFrame:
    """Seed → one value for each image, None where there is no row."""
    found = [
        {"entry": entry, "seed": seed, "image": f"{index}.png", "image_sha256": f"sha{index}", "value": value}
        for seed, of_seed in values.items()
        for index, value in enumerate(of_seed)
        if value is not None
    ]
    frame = pd.DataFrame(found, columns=["entry", "seed", "image", "image_sha256", "value"])
    return frame.assign(seed=frame["seed"].astype("Int64"), value=frame["value"].astype(float))


def paired(
    base: Mapping[int | None, Sequence[float | None]], other: Mapping[int | None, Sequence[float | None]]
) -> Pairs:
    return pairs(rows(base), rows(other, entry="zero"), NAMES)


def test_pairs_are_made_by_seed_and_image_whatever_the_order() -> None:
    base, other = rows({1: [3, 4], 0: [1, 2]}), rows({0: [11, 22], 1: [33, 44]})
    found = pairs(base, other.sample(frac=1, random_state=0))
    np.testing.assert_array_equal(found.differences, [[10, 20], [30, 40]])
    assert (found.seeds, found.images, found.notes) == ((0, 1), ("0.png", "1.png"), ())


def test_a_failed_seed_is_left_out_of_both() -> None:
    found = paired({0: [1, 2], 1: [1, 2], 2: [1, 2]}, {0: [2, 3], 2: [3, 4]})
    np.testing.assert_array_equal(found.differences, [[1, 1], [2, 2]])
    assert found.seeds == (0, 2)
    assert found.notes == ("seed 1 left out: zero has no values",)


def test_a_seed_of_nothing_but_nan_has_failed() -> None:
    found = paired({0: [1, 2], 1: [math.nan, math.nan]}, {0: [2, 3], 1: [2, 3]})
    assert (found.seeds, found.notes) == ((0,), ("seed 1 left out: circular has no values",))


@pytest.mark.parametrize("missing", [None, math.nan], ids=["no-row", "nan"])
def test_a_missing_image_is_left_out_of_all_seeds(missing: float | None) -> None:
    found = paired({0: [1, 2, 3], 1: [1, 2, 3]}, {0: [1, 2, 3], 1: [2, missing, 4]})
    np.testing.assert_array_equal(found.differences, [[0, 0], [1, 1]])
    assert found.images == ("0.png", "2.png")
    assert found.notes == ("1 of 3 images left out (1.png): without a value in every seed of both",)


@pytest.mark.parametrize(
    ("first", "second"), [(math.inf, math.inf), (math.inf, 30.0), (30.0, math.inf)], ids=["both", "base", "other"]
)
def test_an_image_restored_without_error_is_left_out(first: float, second: float) -> None:
    found = paired({0: [1, first, 3], 1: [1, 2, 3]}, {0: [1, second, 3], 1: [1, 2, 3]})
    assert found.images == ("0.png", "2.png")
    assert found.notes == ("1 of 3 images left out (1.png): infinite: an output equals the image",)


def test_a_seed_that_broke_off_does_not_cost_all_seeds_their_images() -> None:
    full = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = paired({0: full, 1: full}, {0: full, 1: [1, 2, None, None, None]})
    assert (found.seeds, len(found.images)) == ((0,), 5)
    assert found.notes == ("seed 1 left out: fewer than half of the images have a value in both",)


def test_an_entry_measured_on_fewer_images_is_compared_on_those() -> None:
    full = [1.0, 2.0, 3.0, 4.0, 5.0]
    found = paired({0: full, 1: full}, {0: [2.0], 1: [2.0]})
    np.testing.assert_array_equal(found.differences, [[1], [1]])
    assert found.notes == ("4 of 5 images left out (1.png, 2.png, 3.png, …): without a value in every seed of both",)


def test_images_are_the_same_when_their_checksums_are() -> None:
    other = rows({0: [1, 2]}).replace({"image_sha256": {"sha1": "another"}})
    found = pairs(rows({0: [1, 2]}), other)
    assert found.images == ("0.png",)


def test_networks_without_seeds_are_one_pair() -> None:
    found = paired({None: [1, 2]}, {None: [2, 4]})
    np.testing.assert_array_equal(found.differences, [[1, 2]])
    assert found.seeds == (UNSEEDED,)


@pytest.mark.parametrize(
    ("base", "other", "notes"),
    [
        pytest.param({}, {0: [1]}, ["circular has no values"], id="no-base"),
        pytest.param({}, {}, ["circular has no values", "zero has no values"], id="neither"),
        pytest.param({0: [math.nan]}, {0: [1]}, ["circular has no values"], id="only-nan"),
        pytest.param(
            {0: [1]},
            {1: [1]},
            ["seed 0 left out: zero has no values", "seed 1 left out: circular has no values"],
            id="other-seeds",
        ),
        pytest.param(
            {0: [1]},
            {None: [1]},
            ["seed 0 left out: zero has no values", "the network without a seed left out: circular has no values"],
            id="released-against-trained",
        ),
        pytest.param(
            {0: [math.inf]},
            {0: [math.inf]},
            ["1 of 1 image left out (0.png): infinite: an output equals the image"],
            id="all-infinite",
        ),
        pytest.param(
            {0: [1, None], 1: [None, 1]},
            {0: [1, None], 1: [None, 1]},
            ["2 of 2 images left out (0.png, 1.png): without a value in every seed of both"],
            id="no-image-in-common",
        ),
    ],
)
def test_nothing_to_pair(
    base: Mapping[int | None, Sequence[float | None]],
    other: Mapping[int | None, Sequence[float | None]],
    notes: list[str],
) -> None:
    found = paired(base, other)
    assert found.differences.shape == (0, 0)
    assert (found.seeds, found.images, list(found.notes)) == ((), (), notes)


def test_two_values_for_one_cell_are_an_error() -> None:
    twice = pd.concat([rows({0: [1, 2]}), rows({0: [1]})])
    with pytest.raises(OptionError, match=r"'circular' has two values for seed 0 and image 0.png: .* one device"):
        pairs(twice, rows({0: [1, 2]}))


def test_a_seed_that_restores_most_images_without_error_is_none_that_broke_off() -> None:
    base: dict[int | None, list[float]] = {0: [1.0, 2.0, 3.0, 4.0], 1: [1.0, 2.0, 3.0, 4.0]}
    found = paired(base, {0: [2.0, 3.0, 4.0, 5.0], 1: [math.inf, math.inf, math.inf, 5.0]})
    assert (found.seeds, found.images, found.infinite) == ((0, 1), ("3.png",), 3)
    assert found.notes == ("3 of 4 images left out (0.png, 1.png, 2.png): infinite: an output equals the image",)


VALUES = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([math.inf, -math.inf, math.nan]))
BLOCK = st.integers(1, 4).flatmap(
    lambda images: st.lists(st.lists(VALUES, min_size=images, max_size=images), min_size=1, max_size=3)
)


@settings(max_examples=30, deadline=None)
@given(BLOCK, st.data())
def test_pairs_are_finite_whatever_was_measured(base: list[list[float]], data: st.DataObject) -> None:
    # Oracle: an image counts as infinite where in some seed that is kept either side is, and is in no difference.
    line = st.lists(VALUES, min_size=len(base[0]), max_size=len(base[0]))
    other = data.draw(st.lists(line, min_size=len(base), max_size=len(base)))
    found = paired(dict(enumerate(base)), dict(enumerate(other)))
    assert np.isfinite(found.differences).all()
    assert found.differences.shape == (len(found.seeds), len(found.images)) or not found.differences.size
    for image in found.images:
        index = int(image.removesuffix(".png"))
        assert all(math.isfinite(base[seed][index] - other[seed][index]) for seed in found.seeds)
    if found.seeds:
        exact = {
            index
            for index in range(len(base[0]))
            for seed in found.seeds
            if math.inf in map(abs, (both := (base[seed][index], other[seed][index])))
            and not any(map(math.isnan, both))
        }
        assert found.infinite == len(exact)
