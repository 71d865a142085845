"""Oracles: matplotlib's own choice of ticks, and numbers read off by hand."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.ticker import FixedLocator

from converse.reporting.figures.style import new_drawing, styled
from converse.reporting.figures.ticks import INTERVALS, compact, few_everywhere, few_ticks, power


@pytest.mark.parametrize("inches", [1.2, 3.0, 8.0])
def test_an_axis_has_few_ticks_and_never_more_than_there_is_room_for(inches: float) -> None:
    with styled():
        drawing = new_drawing(inches, 2.0)
        axes = drawing.subplots()
        axes.plot([0, 97], [0, 1])
        own = len(axes.xaxis.get_majorticklocs())
        few_everywhere(drawing)
        found = axes.xaxis.get_majorticklocs()
        assert len(found) <= min(own, INTERVALS + 2)  # one to each side may lie beyond the axis
        assert len(found) >= 2
        steps = np.diff(found)
        assert steps == pytest.approx(np.full(len(steps), steps[0]))
        few_ticks(axes.xaxis, 2)
        assert len(axes.xaxis.get_majorticklocs()) <= 4


def test_ticks_that_were_chosen_stay() -> None:
    with styled():
        drawing = new_drawing(4.0, 2.0)
        axes = drawing.subplots()
        axes.plot([1, 1000], [0, 1])
        axes.set_xscale("log")
        axes.set_yticks([0.0, 0.3])
        logarithmic = axes.xaxis.get_major_locator()
        few_everywhere(drawing)
        assert axes.xaxis.get_major_locator() is logarithmic
        assert isinstance(axes.yaxis.get_major_locator(), FixedLocator)


def test_numbers_in_few_letters() -> None:
    assert [compact(value) for value in (200_000, 1e6, 0.5, 2e9)] == ["200 k", "1 M", "0.5", "2 G"]
    assert [power(value) for value in (1e-3, 10.0, 3.0)] == ["10⁻³", "10¹", "3"]
