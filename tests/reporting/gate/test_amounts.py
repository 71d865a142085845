"""Oracle: what a reader needs to see a difference, written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.gate.findings import Aspect, Finding
from converse.reporting.gate.amounts import allowed, before_and_now, change


def found(aspect: Aspect = "quality", **facts: Any) -> Finding:
    return Finding(aspect, "subject", "place", "what", "regressed", "why", **facts)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        pytest.param(found(unit="dB", change=0.1, low=0.1, high=0.1), "0.1 dB worse", id="exact"),
        pytest.param(found(unit="dB", change=-0.1234, low=-0.1234, high=-0.1234), "0.123 dB better", id="better"),
        pytest.param(found(unit="dB", change=3.6e-15), "3.6e−15 dB worse", id="last-bit"),
        pytest.param(found(change=0.00021), "0.00021 worse", id="no-unit"),
        pytest.param(found("time", unit="s", change=0.2, low=0.18, high=0.22), "20 % slower [18 %, 22 %]", id="time"),
        pytest.param(found("time", change=-0.05, low=-0.1, high=0.01), "5 % faster [−10 %, 1 %]", id="faster"),
        pytest.param(found("memory", unit="MiB", change=0.153), "15.3 % more", id="memory"),
        pytest.param(found("memory", change=-0.5), "50 % less", id="less-memory"),
        pytest.param(found(unit="dB", change=0.0, low=0.0, high=0.0), "equal", id="equal"),
        pytest.param(found("time", change=0.0, low=-0.02, high=0.02), "equal [−2 %, 2 %]", id="equal-within"),
        pytest.param(found(unit="dB", change=math.inf), "∞ dB worse", id="infinite"),
        pytest.param(found("shape"), "", id="no-number"),
    ],
)
def test_change(finding: Finding, text: str) -> None:
    assert change(finding) == text


@pytest.mark.parametrize(
    ("before", "now", "unit", "texts"),
    [
        pytest.param(31.2345678, 31.1345678, "dB", ("31.23 dB", "31.13 dB"), id="two-digits-of-what-differs"),
        pytest.param(31.2345678, 31.2344678, "dB", ("31.23457 dB", "31.23447 dB"), id="small"),
        pytest.param(31.0, 31.000000000000004, "", ("31.000000000000000", "31.000000000000004"), id="last-bit"),
        pytest.param(0.0, 0.0, "dB", ("0 dB", "0 dB"), id="zero"),
        pytest.param(733_833, 734_913, "", ("733\u202f833", "734\u202f913"), id="counts"),
        pytest.param(math.inf, 48.25, "dB", ("∞ dB", "48.2 dB"), id="infinite"),
        pytest.param(30.5, math.nan, "dB", ("30.5 dB", "NaN"), id="nan"),
        pytest.param("1×1×8×8", "1×1×8×9", "", ("1×1×8×8", "1×1×8×9"), id="words"),
        pytest.param(1.25, None, "", ("1.25", ""), id="gone"),
        pytest.param(None, None, "", ("", ""), id="nothing"),
    ],
)
def test_values(before: Any, now: Any, unit: str, texts: tuple[str, str]) -> None:
    assert before_and_now(found(before=before, now=now, unit=unit)) == texts


def test_what_is_allowed() -> None:
    assert allowed(found(unit="dB", allowed=0.01)) == "0.01 dB"
    assert allowed(found("time", allowed=0.125)) == "12.5 %"
    assert allowed(found(unit="dB", allowed=0.0)) == "0 dB"
    assert allowed(found()) == ""


@given(st.floats(5, 60), st.floats(-40, 0))
def test_what_differs_is_seen_to_differ(before: float, exponent: float) -> None:
    now = before + 2.0**exponent
    texts = before_and_now(found(before=before, now=now, unit="dB"))
    assert (texts[0] != texts[1]) == (now != before and abs(now - before) > 1e-15)


@given(st.floats(), st.floats(), st.floats(), st.floats(), st.floats(), st.floats())
def test_any_numbers_have_a_text(before: float, now: float, by: float, low: float, high: float, most: float) -> None:
    finding = found(before=before, now=now, change=by, low=low, high=high, allowed=most)
    assert all(before_and_now(finding))
    assert (change(finding) == "") == math.isnan(by)
    assert (allowed(finding) == "") == math.isnan(most)
