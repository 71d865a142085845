"""The five verdicts on trained differences, case by case. Oracle: the definitions, applied by hand to each case."""

from __future__ import annotations

import pytest

from converse.analysis.differences import judge
from converse.analysis.statistics import THESE_IMAGES, Interval


def interval(low: float | None, high: float | None, reason: str | None = None) -> Interval:
    middle = 0.0 if low is None or high is None else (low + high) / 2
    return Interval(middle, low, high, 2, 0.5, THESE_IMAGES, reason)


CASES = [
    pytest.param(0.04, 0.08, 0.06, False, "reproduced", id="covers"),
    pytest.param(0.06, 0.08, 0.06, False, "reproduced", id="covers-at-its-end"),
    pytest.param(0.001, 0.11, 0.06, False, "reproduced", id="just-narrow-enough"),
    pytest.param(0.001, 0.15, 0.06, False, "undecided", id="covers-but-too-wide"),
    pytest.param(0.01, 0.03, 0.06, False, "same direction", id="smaller"),
    pytest.param(0.10, 0.14, 0.06, False, "same direction", id="larger"),
    pytest.param(-0.05, -0.01, 0.06, False, "contradicted", id="other-sign"),
    pytest.param(-0.01, 0.01, 0.06, True, "contradicted", id="equivalent-where-more-is-claimed"),
    pytest.param(0.002, 0.01, 0.06, True, "contradicted", id="right-sign-but-equivalent"),
    pytest.param(-0.01, 0.01, 0.02, True, "undecided", id="equivalent-and-no-more-than-the-bound-claimed"),
    pytest.param(-0.01, 0.01, 0.01, True, "undecided", id="equivalent-and-less-claimed"),
    pytest.param(0.002, 0.018, 0.01, True, "reproduced", id="a-small-claim"),
    pytest.param(-0.01, 0.2, 0.06, False, "undecided", id="wide"),
    pytest.param(-0.03, 0.04, 0.06, False, "undecided", id="excludes-the-claim-and-not-0"),
    pytest.param(0.0, 0.1, 0.06, False, "undecided", id="0-at-its-end-is-not-excluded"),
    pytest.param(0.05, 0.05, 0.06, False, "same direction", id="no-spread"),
    pytest.param(0.06, 0.06, 0.06, False, "reproduced", id="no-spread-and-equal"),
]


@pytest.mark.parametrize(("low", "high", "published", "equivalent", "verdict"), CASES)
def test_verdicts(low: float, high: float, published: float, equivalent: bool, verdict: str) -> None:
    assert judge(interval(low, high), published, equivalent=equivalent).verdict == verdict


@pytest.mark.parametrize(("low", "high", "published", "equivalent", "verdict"), CASES)
def test_a_claimed_loss_is_judged_as_a_claimed_gain(
    low: float, high: float, published: float, equivalent: bool, verdict: str
) -> None:
    assert judge(interval(-high, -low), -published, equivalent=equivalent).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "verdict"),
    [
        pytest.param(-0.01, 0.01, True, "reproduced", id="equivalent"),
        pytest.param(0.005, 0.01, True, "reproduced", id="equivalent-though-not-0"),
        pytest.param(0.03, 0.05, False, "contradicted", id="beyond-the-bound"),
        pytest.param(-0.05, -0.03, False, "contradicted", id="below-the-bound"),
        pytest.param(0.01, 0.05, False, "undecided", id="across-the-bound"),
        pytest.param(-0.1, 0.1, False, "undecided", id="wide"),
    ],
)
def test_no_difference_can_be_claimed_too(low: float, high: float, equivalent: bool, verdict: str) -> None:
    assert judge(interval(low, high), 30.7 - 30.7, equivalent=equivalent).verdict == verdict


def test_what_was_not_run() -> None:
    assert judge(None, 0.06, equivalent=None).verdict == "not run"


def test_one_seed_decides_nothing() -> None:
    judgement = judge(interval(None, None, "one seed: no claim about seeds"), 0.06, equivalent=None)
    assert (judgement.verdict, judgement.reason) == ("undecided", "one seed: no claim about seeds")


def test_the_bound_is_a_choice() -> None:
    assert judge(interval(-0.03, 0.03), 0.06, equivalent=True, bound=0.1).verdict == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "reason"),
    [
        (0.01, 0.03, False, "smaller than published"),
        (0.10, 0.14, False, "larger than published"),
        (-0.05, -0.01, False, "the difference has the other sign"),
        (-0.01, 0.01, True, "equivalent within ±0.02, where the paper claims more"),
        (0.001, 0.15, False, "the interval is too wide (±0.0745) to tell the published difference"),
        (-0.03, 0.04, False, "smaller than published, and not told from 0"),
        (-0.03, 0.4, False, "neither 0 nor the published difference is excluded"),
    ],
)
def test_reasons(low: float, high: float, equivalent: bool, reason: str) -> None:
    assert judge(interval(low, high), 0.06, equivalent=equivalent).reason == reason
