"""Oracle: domination by its definition, each point against each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.pareto import pareto_front

numbers = st.one_of(st.integers(0, 4).map(float), st.just(float("nan")))


@given(st.lists(st.tuples(numbers, numbers), max_size=12))
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    def dominated(point: tuple[float, float]) -> bool:
        cost, quality = point
        return any(c <= cost and q >= quality and (c, q) != point for c, q in points)

    expected = [all(np.isfinite(point)) and not dominated(point) for point in points]
    costs, qualities = ([point[i] for point in points] for i in (0, 1))
    assert pareto_front(costs, qualities).tolist() == expected
