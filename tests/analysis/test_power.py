"""Numbers of seeds against published tables and against experiments drawn at random."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from converse.analysis.power import (
    detectable,
    deviation_interval,
    power,
    seeds_for_equivalence,
    seeds_needed,
    seeds_to_decide,
    seeds_to_judge,
)
from converse.analysis.statistics import equivalence
from converse.errors import OptionError


@pytest.mark.parametrize(
    ("dz", "seeds"),
    # One-sample t test, two-sided, 5 %, power 0.8: Cohen's d → n, as G*Power and R's power.t.test have it.
    [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)],
)
def test_seeds_of_the_tables(dz: float, seeds: int) -> None:
    assert seeds_needed(dz * 0.03, 0.03) == seeds
    assert seeds_needed(-dz * 0.03, 0.03) == seeds


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_power_is_the_share_of_experiments_that_find_the_gap(seeds: int) -> None:
    drawn = np.random.default_rng(0).normal(0.04, 0.03, (20_000, seeds))
    found = stats.ttest_1samp(drawn, 0, axis=1)
    share = np.mean((found.pvalue <= 0.05) & (found.statistic > 0))
    assert power(0.04, 0.03, seeds) == pytest.approx(share, abs=3.5 * math.sqrt(0.25 / 20_000))


@pytest.mark.parametrize("gap", [0.005, 0.03, 0.3, 30.0])
def test_the_number_is_the_smallest_that_suffices(gap: float) -> None:
    seeds = seeds_needed(gap, 0.03)
    assert seeds is not None
    assert power(gap, 0.03, seeds) >= 0.8
    assert seeds == 2 or power(gap, 0.03, seeds - 1) < 0.8


def test_seeds_for_equivalence_suffice() -> None:
    seeds = seeds_for_equivalence(0.02, 0.03)
    assert seeds is not None
    drawn = np.random.default_rng(1).normal(0, 0.03, (1000, seeds, 1))
    found = [p for p in (equivalence(experiment, 0.02) for experiment in drawn) if p is not None]
    assert len(found) == 1000
    share = np.mean([p <= 0.05 for p in found])
    assert share >= 0.8 - 3.5 * math.sqrt(0.16 / 1000)


def test_without_spread_two_seeds_show_any_gap() -> None:
    assert seeds_needed(0.01, 0.0) == 2
    assert seeds_for_equivalence(0.02, 0.0) == 2
    assert (power(0.01, 0.0, 2), power(0.0, 0.0, 2)) == (1, 0)


def test_no_gap_is_never_found() -> None:
    assert seeds_needed(0.0, 0.03) is None
    assert power(0.0, 0.03, 5) == pytest.approx(0.025)  # by chance, with either sign


def test_out_of_reach() -> None:
    assert seeds_needed(1e-4, 0.03) is None
    assert seeds_for_equivalence(1e-4, 0.03) is None


@pytest.mark.parametrize(("deviation", "seeds", "level"), [(-1, 3, 0.95), (math.nan, 3, 0.95), (1, 1, 0.95), (1, 3, 1)])
def test_what_power_cannot_be_asked(deviation: float, seeds: int, level: float) -> None:
    with pytest.raises(OptionError, match="power needs a deviation ≥ 0, at least 2 seeds and 0 < level < 1, got"):
        power(0.1, deviation, seeds, level)


def test_chances_are_probabilities() -> None:
    with pytest.raises(OptionError, match=r"the chance must be in \(0, 1\), got 80"):
        seeds_needed(0.1, 0.03, chance=80)
    with pytest.raises(OptionError, match="need 0 < chance < 1, bound > 0"):
        seeds_for_equivalence(0.0, 0.03)


def test_a_published_difference_is_found_or_shown() -> None:
    assert seeds_to_judge(0.03, 0.03, bound=0.02) == seeds_needed(0.03, 0.03)
    assert seeds_to_judge(0.0, 0.03, bound=0.02) == seeds_for_equivalence(0.02, 0.03)


@pytest.mark.parametrize("seeds", [2, 3, 30])
def test_the_detectable_difference_has_the_chance(seeds: int) -> None:
    assert power(detectable(0.03, seeds), 0.03, seeds) == pytest.approx(0.8)
    assert detectable(0.0, seeds) == 0


@pytest.mark.parametrize("wrong", [(-1, 3, 0.8), (0.03, 1, 0.8), (0.03, 3, 1.0), (0.03, 3, 0.0)])
def test_what_is_out_of_range_is_refused(wrong: tuple[float, int, float]) -> None:
    with pytest.raises(OptionError, match=r"chance|deviation"):
        detectable(*wrong)


@pytest.mark.parametrize(("difference", "deviation"), [(0.1, 0.05), (0.015, 0.005), (0.0, 0.03), (0.02, 0.02)])
def test_seeds_that_decide_find_the_difference_or_show_that_it_is_none(difference: float, deviation: float) -> None:
    seeds = seeds_to_decide(difference, deviation, 0.02)
    assert seeds is not None
    drawn = np.random.default_rng(2).normal(difference, deviation, (1000, seeds, 1))
    within = np.array([equivalence(one, 0.02) for one in drawn], dtype=float) <= 0.05
    found = stats.ttest_1samp(drawn[..., 0], 0, axis=1).pvalue <= 0.05
    assert np.mean(within | found) >= 0.8 - 3.5 * math.sqrt(0.16 / 1000)


def test_what_lies_at_the_bound_is_found_and_not_shown_to_be_none() -> None:
    assert seeds_to_decide(0.02, 0.03, 0.02) == seeds_needed(0.02, 0.03)
    assert seeds_to_decide(0.0, 10.0, 0.02) is None


def test_the_interval_of_a_deviation_covers_it() -> None:
    drawn = np.random.default_rng(3).normal(0, 0.03, (4000, 4)).std(axis=1, ddof=1)
    ends = np.array([deviation_interval(one, 4) for one in drawn])
    assert np.mean((ends[:, 0] <= 0.03) & (ends[:, 1] >= 0.03)) == pytest.approx(0.95, abs=0.012)
    for deviation, seeds in ((-0.1, 3), (math.nan, 3), (0.1, 1)):
        with pytest.raises(OptionError, match="needs a deviation"):
            deviation_interval(deviation, seeds)
