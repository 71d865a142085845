"""Verdicts against the rule as it is written: |Δ| ≤ 0.005 is a match, ≤ 0.05 is close."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.verdicts import Thresholds, verdict
from converse.errors import OptionError


@pytest.mark.parametrize(
    ("measured", "published", "expected"),
    [
        (30.6986, 30.70, "match"),
        (30.705, 30.70, "match"),
        (30.695, 30.70, "match"),
        (30.7051, 30.70, "close"),
        (30.75, 30.70, "close"),
        (30.65, 30.70, "close"),
        (30.7501, 30.70, "differs"),
        (math.inf, 30.70, "differs"),
        (None, 30.70, "not measured"),
        (math.nan, 30.70, "not measured"),
    ],
)
def test_verdict(measured: float | None, published: float, expected: str) -> None:
    assert verdict(measured, published, Thresholds()) == expected


@given(
    st.decimals(20, 40, places=2, allow_nan=False),
    st.decimals(-1, 1, places=4, allow_nan=False),
)
def test_verdict_is_the_rule_in_decimal_arithmetic(published: Decimal, difference: Decimal) -> None:
    expected = "match" if abs(difference) <= Decimal("0.005") else "close" if abs(difference) <= Decimal("0.05") else ""
    assert verdict(float(published + difference), float(published), Thresholds()) == (expected or "differs")


def test_thresholds_can_be_set() -> None:
    assert verdict(30.8, 30.7, Thresholds(0.2, 0.3)) == "match"
    assert verdict(30.7001, 30.7, Thresholds(0, 0)) == "differs"


@pytest.mark.parametrize(("match", "close"), [(-0.1, 0.1), (0.2, 0.1), (math.nan, 0.1)])
def test_thresholds_out_of_order_are_refused(match: float, close: float) -> None:
    with pytest.raises(OptionError, match="0 ≤ match ≤ close"):
        Thresholds(match, close)
