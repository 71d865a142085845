"""Oracle: what labels must keep: order, distance, bounds; and the places of those that are far apart already."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.reporting.figures.labels import spread
from converse.reporting.figures.ticks import compact, power


@given(st.lists(st.floats(0, 1), max_size=12))
def test_labels_keep_order_distance_and_bounds(places: list[float]) -> None:
    gap = min(0.08, 1 / max(len(places) - 1, 1))
    found = spread(places, 0.08)
    assert len(found) == len(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in found)
    order = sorted(range(len(places)), key=lambda index: places[index])
    assert all(found[b] - found[a] >= gap - 1e-9 for a, b in pairwise(order))


def test_labels_that_are_far_apart_stay() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize(
    ("value", "text"), [(1e-3, "10⁻³"), (1.0, "10⁰"), (1e12, "10¹²"), (0.02, "0.02"), (0.0, "0")], ids=str
)
def test_powers_of_ten(value: float, text: str) -> None:
    assert power(value) == text


@pytest.mark.parametrize(("value", "text"), [(734913, "734.9 k"), (2e6, "2 M"), (0.5, "0.5"), (3e9, "3 G")], ids=str)
def test_numbers_in_few_letters(value: float, text: str) -> None:
    assert compact(value) == text
