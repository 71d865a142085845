"""Numbers as readers see them; the expected texts are written out by hand."""

from __future__ import annotations

import math

import pytest

from converse.reporting import numbers
from converse.reporting.tables.sheet import ALL_VERDICTS, Cell, Head, Infinite


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        pytest.param(30.699, 2, False, "30.70", id="rounds"),
        pytest.param(-0.0211, 3, True, "−0.021", id="minus"),
        pytest.param(0.0211, 3, True, "+0.021", id="plus"),
        pytest.param(-0.0001, 3, True, "0.000", id="nothing-has-no-sign"),
        pytest.param(734913, 0, False, "734\u202f913", id="thousands"),
        pytest.param(math.inf, 2, False, "∞", id="infinite"),
        pytest.param(None, 2, False, "", id="nothing"),
    ],
)
def test_number(value: float | None, digits: int, sign: bool, text: str) -> None:
    assert numbers.number(value, digits, sign=sign) == text


def test_cells() -> None:
    head = Head("Set12", "Set12", digits=3)
    cell = Cell(measured=30.7, deviation=0.01, low=-0.5, high=0.25, published=30.7, trust="secondary")
    assert numbers.measured(cell, head) == "30.700 ± 0.010"
    assert numbers.interval(cell, head) == "[−0.500, 0.250]"
    assert numbers.interval(cell, Head("gain", "Gain", digits=3, signed=True)) == "[−0.500, +0.250]"
    assert numbers.published(cell, head) == "30.70†"
    assert numbers.measured(Cell(text="none"), head) == "none"


def test_every_verdict_has_a_symbol_and_its_word() -> None:
    for word in ALL_VERDICTS:
        symbol, _, rest = numbers.verdict(word).partition(" ")
        assert len(symbol) == 1
        assert rest == word


@pytest.mark.parametrize(
    ("cell", "text", "beside"),
    [
        pytest.param(
            Cell(measured=62.793, deviation=0.01, infinite=Infinite(2, 3)),
            "∞ in 2 of 3; others 62.79 ± 0.01",
            ("∞ in 2 of 3 images", "mean of the others"),
            id="some",
        ),
        pytest.param(Cell(measured=math.inf, infinite=Infinite(3, 3)), "∞", (), id="all"),
        pytest.param(Cell(measured=-math.inf), "−∞", (), id="minus"),
        pytest.param(Cell(measured=62.793), "62.79", (), id="none"),
    ],
)
def test_a_mean_says_what_it_leaves_out(cell: Cell, text: str, beside: tuple[str, ...]) -> None:
    assert numbers.measured(cell, Head("x", "X", digits=2)) == text
    assert numbers.left_out(cell.infinite) == beside
