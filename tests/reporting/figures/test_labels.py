"""Oracle: what labels must keep: order, distance, bounds; and the places of those that are far apart already."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.reporting.figures.labels import Box, beside, spread
from converse.reporting.figures.ticks import compact, power


@given(st.lists(st.floats(0, 1), max_size=12))
def test_labels_keep_order_distance_and_bounds(places: list[float]) -> None:
    gap = min(0.08, 1 / max(len(places) - 1, 1))
    found = spread(places, 0.08)
    assert len(found) == len(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in found)
    order = sorted(range(len(places)), key=lambda index: places[index])
    assert all(found[b] - found[a] >= gap - 1e-9 for a, b in pairwise(order))


WITHIN = Box(0, 0, 200, 150)
POINTS = st.lists(st.tuples(st.floats(0, 200), st.floats(0, 150)), max_size=6)


@given(POINTS, st.floats(5, 80))
def test_each_name_is_beside_its_point(places: list[tuple[float, float]], width: float) -> None:
    points = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    found = beside(points, [(width, 10)] * len(points), [], WITHIN, 4)
    assert len(found) == len(points)
    for point, name in zip(points, found, strict=True):
        assert not name.meets(point)
        assert (name.right - name.left, name.high - name.low) == pytest.approx((width, 10))
        assert name.left - point.right <= 4 + 1e-9
        assert point.left - name.right <= 4 + 1e-9


def test_a_name_leaves_its_place_for_a_line_a_name_or_the_end() -> None:
    one, size = Box(96, 71, 104, 79), (40.0, 10.0)
    (free,) = beside([one], [size], [], WITHIN, 4)
    assert free == Box(108, 70, 148, 80)
    line = Box(100, 75, 200, 75)  # to the right of the point, at its height
    (moved,) = beside([one], [size], [line], WITHIN, 4)
    assert not moved.meets(line)
    (left,) = beside([one], [size], [], Box(0, 0, 110, 150), 4)
    assert left.right <= 110
    first, second = beside([one, one], [size, size], [], WITHIN, 4)
    assert not first.meets(second)


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
