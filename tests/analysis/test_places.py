"""Oracles: what a reader would give by eye; Python's own formatting with significant digits."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from converse.analysis.places import MOST_DIGITS, digits, places


def test_less_than_two_values_and_columns_without_a_better_side_have_no_places() -> None:
    assert places({3: 1.0}, "higher") == places({}, "lower") == places({0: 1.0, 1: 2.0}, "") == {}
    assert places({0: 1.0, 4: 2.0, 5: 2.0, 7: 0.0}, "higher") == {4: 1, 5: 1}
    assert places({0: 1.0, 4: 2.0, 5: 2.0, 7: 0.0}, "lower") == {7: 1, 0: 2}


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 5).map(float), min_size=2))
def test_what_has_a_place_is_beaten_by_less_than_two(values: dict[int, float]) -> None:
    found = places(values, "higher")
    better = {row: sum(other > value for other in values.values()) for row, value in values.items()}
    assert found == {row: count + 1 for row, count in better.items() if count < 2}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234.5, "1234.50"),
        (12.3456, "12.35"),
        (0.5, "0.500"),
        (-0.00123456, "-0.00123"),
        (1e-9, "0.000000"),
        (0, "0.00"),
    ],
)
def test_small_values_have_more_digits(value: float, expected: str) -> None:
    assert f"{value:.{digits(value, 2, 3)}f}" == expected
    assert digits(value, 2) == 2  # where digits say how closely it is known


@given(st.floats(1e-3, 1e6))
@example(64850.5)  # a tie, which rounds to 64850 here and to 6.49e+04 at once
def test_as_many_digits_are_seen_as_were_asked_for(value: float) -> None:
    behind = digits(value, 0, 3)
    assert behind <= MOST_DIGITS
    last = 10.0 ** (math.floor(math.log10(value)) - 2)  # a unit of the third digit
    assert abs(float(f"{value:.{behind}f}") - value) <= last / 2 * (1 + 1e-9)
