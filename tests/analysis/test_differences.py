"""Verdicts on trained differences: case by case, by their definitions, and of papers whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import verdict_shares
from verdict_shares import AGREE, NETWORKS, Judged, false_alarms, replications, share

from converse.analysis.differences import Shown, judge

# The prediction interval ends at 0.08 − 0.10 = −0.02 and 0.18; the paper's differences lie in it, or don't.
PLAIN: dict[str, Any] = {"difference": 0.08, "sign": 0, "low": 0.05, "high": 0.11, "equivalent": False}


def shown(**known: Any) -> Shown:
    values: dict[str, Any] = {**PLAIN, "prediction": (-0.02, 0.18), **known}
    return Shown(**values)


def mirrored(one: Shown) -> Shown:
    low, high = one.prediction
    return Shown(-one.difference, -one.sign, -one.high, -one.low, (-high, -low), one.equivalent)


SMALL: dict[str, Any] = {"difference": 0.0, "low": -0.01, "high": 0.01, "prediction": (-0.03, 0.03), "equivalent": True}
CASES = [
    pytest.param(shown(sign=1), 0.06, "reproduced", None, id="covered"),
    pytest.param(shown(sign=1), 0.18, "reproduced", None, id="covered-at-its-end"),
    pytest.param(
        shown(sign=1),
        0.03,
        "consistent",
        "the sign is shown, and our mean is known to ±0.03 only",
        id="covered-and-a-mean-that-is-as-uncertain-as-the-claim-is-large",
    ),
    pytest.param(shown(), 0.06, "consistent", "0 is not excluded", id="covered-and-no-sign"),
    pytest.param(
        shown(sign=-1),
        0.06,
        "consistent",
        "the sign is the other, and chance gives a single run as much",
        id="covered-and-the-other-sign",
    ),
    pytest.param(
        shown(**{**SMALL, "prediction": (-0.07, 0.07)}),
        0.06,
        "consistent",
        "equivalent within ±0.02, and chance gives a single run as much",
        id="covered-and-equivalent",
    ),
    pytest.param(shown(sign=1), 0.3, "same direction", "smaller than published", id="smaller"),
    pytest.param(shown(sign=1, prediction=(0.07, 0.09)), 0.06, "same direction", "larger than published", id="larger"),
    pytest.param(shown(sign=-1), 0.3, "contradicted", "the difference has the other sign", id="other-sign"),
    pytest.param(
        shown(**SMALL), 0.06, "contradicted", "equivalent within ±0.02, where the paper claims more", id="equivalent"
    ),
    pytest.param(
        shown(**SMALL, sign=1),
        0.04,
        "contradicted",
        "equivalent within ±0.02, where the paper claims more",
        id="right-sign-but-equivalent",
    ),
    pytest.param(
        shown(**SMALL),
        0.039,
        "undecided",
        "smaller than published, and 0 is not excluded",
        id="equivalent-by-a-bound-near-the-claim",
    ),
    pytest.param(
        shown(**SMALL, sign=1), 0.035, "same direction", "smaller than published", id="a-bound-near-the-claim"
    ),
    pytest.param(shown(), 0.3, "undecided", "smaller than published, and 0 is not excluded", id="no-sign"),
    pytest.param(
        shown(prediction=(0.07, 0.09)),
        0.06,
        "undecided",
        "larger than published, and 0 is not excluded",
        id="no-sign-2",
    ),
]


@pytest.mark.parametrize(("found", "published", "verdict", "reason"), CASES)
def test_verdicts(found: Shown, published: float, verdict: str, reason: str | None) -> None:
    for one, claim in ((found, published), (mirrored(found), -published)):  # a claimed loss, as a claimed gain
        judgement = judge(one, claim)
        assert (judgement.verdict, judgement.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        pytest.param(SMALL, "reproduced", id="equivalent"),
        pytest.param({**SMALL, "prediction": (0.001, 0.02)}, "reproduced", id="equivalent-though-not-0"),
        pytest.param({"low": -0.01}, "consistent", id="wide"),
        pytest.param({"sign": 1, "low": 0.03}, "consistent", id="beyond-the-bound-but-predicted"),
        pytest.param({"sign": 1, "low": 0.03, "prediction": (0.01, 0.1)}, "contradicted", id="beyond-the-bound"),
        pytest.param({"sign": 1, "low": 0.01, "prediction": (0.01, 0.1)}, "undecided", id="across-the-bound"),
    ],
)
def test_no_difference_can_be_claimed_too(known: dict[str, Any], verdict: str) -> None:
    for found in (shown(**known), mirrored(shown(**known))):
        assert judge(found, 30.7 - 30.7).verdict == verdict


def test_the_bound_is_a_choice() -> None:
    assert judge(shown(**SMALL), 0.06, bound=0.1).verdict == "undecided"


REPLICATED = [
    pytest.param(0.02, NETWORKS["0.03 dB each"], id="small"),
    pytest.param(0.06, NETWORKS["0.03 dB each"], id="plain"),
    pytest.param(0.06, NETWORKS["0.1 dB each"], id="loud"),
    pytest.param(0.3, NETWORKS["0.1 dB each"], id="large"),
    pytest.param(0.0, NETWORKS["0.03 dB each, correlation 0.8"], id="shared-luck"),
    pytest.param(0.06, NETWORKS["0.01 and 0.1 dB"], id="unlike-deviations"),
]


@pytest.mark.parametrize(("gap", "networks"), REPLICATED)
def test_a_perfect_replication_agrees_whatever_the_seeds(gap: float, networks: verdict_shares.Networks) -> None:
    rng = np.random.default_rng(20)
    found = [replications(rng, 800, seeds, gap, networks) for seeds in (2, 3, 8, 40)]
    assert max(share(studies, "contradicted") for studies in found) <= 0.025
    agreement = [share(studies, *AGREE) for studies in found]
    error = (0.975 * 0.025 / 800) ** 0.5
    assert min(agreement) >= 0.95 - 3 * error
    assert agreement[-1] >= max(agreement) - 3 * 2**0.5 * error  # it does not fall


def test_more_seeds_turn_consistent_into_reproduced() -> None:
    rng = np.random.default_rng(21)
    found = [replications(rng, 300, seeds, 0.06, NETWORKS["0.03 dB each"]) for seeds in (2, 5, 20)]
    reproduced = [share(studies, "reproduced") for studies in found]
    assert reproduced == sorted(reproduced)
    assert reproduced[-1] > 0.8


@pytest.mark.parametrize("seeds", [3, 10])
def test_tables_without_any_difference_seldom_decide_one(seeds: int) -> None:
    studies = replications(np.random.default_rng(22), 200, seeds, 0.0, NETWORKS["0.03 dB each"], rows=40)
    assert {len(study) for study in studies} == {40}
    assert false_alarms(studies) <= 0.05


def test_false_alarms_by_hand() -> None:
    right = (Judged(0.0, "reproduced"), Judged(0.02, "consistent"), Judged(-0.05, "undecided"))
    wrong = (*right, Judged(0.02, "reproduced"))
    assert false_alarms([right, wrong, right, (Judged(0.0, "contradicted"),)]) == 0.5


def test_the_tables_of_the_documentation_can_be_made() -> None:
    rng = np.random.default_rng(23)
    for table, lines in (
        (verdict_shares.agreement_table(rng, 3), len(NETWORKS)),
        (verdict_shares.verdict_table(rng, 3), 3 * len(verdict_shares.SEEDS)),
        (verdict_shares.alarm_table(rng, 2, rows=2), len(NETWORKS)),
    ):
        made = list(table)
        assert len(made) == 2 + lines
        assert len({text.count("|") for text in made}) == 1
