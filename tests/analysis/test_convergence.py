"""Oracle: curves made by a formula, whose plateau, ending and noise are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from converse.analysis.convergence import (
    Array,
    Convergence,
    Curve,
    Ending,
    as_loss,
    convergences,
    ending,
    left_at,
    plateau,
)
from converse.experiments.training.loop import curve_steps

QUIET, NOISY = 0.2, 2.4
"""Deviation of a single step's loss in dB: of large batches, and of two patches of 24×24."""

Formula = Callable[[Array], Array]


def early(t: Array) -> Array:
    """From −12 dB to a plateau at −26 dB."""
    return -12 - 14 * (1 - np.exp(-t / 60))


def falls_off(at: float, width: float, by: float = 4.0) -> Formula:
    return lambda t: early(t) - by / (1 + np.exp(-(t - at) / width))


def power(exponent: float) -> Formula:
    """A loss that falls ever more slowly: no plateau."""
    return lambda t: -12 - 20 * exponent * np.log10(t / 5 + 1)


def curve(formula: Formula, steps: int = 1600, noise: float = 0.0, seed: int = 0) -> Curve:
    """As a training keeps it: each point the mean since the one before."""
    points = np.array(sorted(curve_steps(steps)), dtype=float)
    since = np.diff(points, prepend=0.0)
    drawn = np.random.default_rng(seed).standard_normal(len(points))
    return Curve(points, formula(points - since / 2) + noise / np.sqrt(since) * drawn)


def test_losses_are_in_decibels_and_what_has_none_is_left_out() -> None:
    losses = [0.1, None, float("nan"), float("inf"), 0.0, 0.01]
    assert Curve.of(range(1, 7), losses, squared=False).decibels == pytest.approx([-20, -40])
    assert Curve.of(range(1, 7), losses, squared=True).decibels == pytest.approx([-10, -20])
    assert list(Curve.of(range(1, 7), losses, squared=True).steps) == [1, 6]
    assert as_loss(-20, squared=False) == pytest.approx(0.1)
    assert as_loss(-20, squared=True) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("slope", "noise", "trend"),
    [
        pytest.param(0.0, 0.0, "flat", id="constant"),
        pytest.param(-0.09, 0.0, "flat", id="falls-by-less-than-the-bound"),
        pytest.param(-0.11, 0.0, "falling", id="falls-by-more"),
        pytest.param(0.11, 0.0, "rising", id="rises"),
        pytest.param(0.0, NOISY, "not told", id="flat-under-noise"),
        pytest.param(-5.0, NOISY, "falling", id="falls-by-more-than-the-noise"),
    ],
)
def test_the_last_fifth(slope: float, noise: float, trend: str) -> None:
    found = ending(curve(lambda t: -30 + slope * t / 320, noise=noise))
    assert found is not None
    assert found.trend == trend
    if not noise:
        assert found.fall == pytest.approx(-slope, abs=1e-9)


def test_a_fall_before_the_last_fifth_is_none_of_it_and_one_huge_loss_moves_nothing() -> None:
    whole = curve(falls_off(800, 30))
    whole.decibels[-3] += 40
    found = ending(whole)
    assert found is not None
    assert found.trend == "flat"


def test_the_interval_of_a_flat_ending_covers_0_about_as_often_as_it_says() -> None:
    found = [ending(curve(lambda t: np.full_like(t, -30.0), noise=1.0, seed=seed)) for seed in range(200)]
    covered = sum(one is not None and one.low <= 0 <= one.high for one in found)
    assert covered >= 180  # 190 are meant; five standard errors of a binomial are 15


def test_few_points_tell_nothing() -> None:
    four = Curve(np.array([400.0, 800, 1200, 1600]), np.full(4, -30.0))
    assert ending(four) is None
    assert plateau(four) is None
    assert left_at(four, -20.0) is None
    assert ending(Curve.of([], [], squared=False)) is None


@pytest.mark.parametrize("noise", [0.0, QUIET, NOISY])
@pytest.mark.parametrize("steps", [1600, 400_000], ids=["short", "long"])
def test_a_plateau_that_was_left_is_found_with_its_level_and_the_step(noise: float, steps: int) -> None:
    for seed in range(5):
        one = curve(falls_off(1000, 60), steps, noise, seed)
        found = plateau(one)
        assert found is not None
        assert found.level == pytest.approx(-26, abs=0.6)
        assert 80 <= found.first < found.last <= 1000
        left = left_at(one, -26.0)
        assert left is not None
        assert 850 < left < 1200


def test_a_loss_that_begins_flat_was_on_no_plateau_there() -> None:
    def warmed_up(formula: Formula) -> Formula:
        return lambda t: formula(np.maximum(t - 40, 0))

    found = plateau(curve(warmed_up(falls_off(1000, 60))))
    assert found is not None
    assert found.level == pytest.approx(-26, abs=0.6)
    assert plateau(curve(warmed_up(power(0.25)))) is None


@pytest.mark.parametrize("noise", [0.0, QUIET, NOISY])
@pytest.mark.parametrize(
    "formula", [early, falls_off(1550, 30), power(0.25)], ids=["never-left", "just-leaving-at-the-end", "no-plateau"]
)
def test_what_has_not_left_shows_no_plateau_of_its_own_and_is_on_that_of_others(formula: Formula, noise: float) -> None:
    for seed in range(5):
        one = curve(formula, noise=noise, seed=seed)
        assert plateau(one) is None
        assert left_at(one, -26.0) is None


def test_all_trainings_of_a_study_are_held_against_one_plateau() -> None:
    found = convergences(
        {
            "left": curve(falls_off(700, 30), noise=QUIET / 4),
            "never": curve(early, noise=QUIET / 4, seed=1),
            "leaving": curve(falls_off(1550, 30), noise=QUIET / 4, seed=2),
            "smooth": curve(lambda t: power(0.5)(t), noise=QUIET / 4, seed=3),
        }
    )
    assert {one.level for one in found.values()} == {found["left"].level}
    assert [name for name, one in found.items() if one.left is not None] == ["left", "smooth"]
    assert [one.state for one in found.values()] == ["converged", "on the plateau", "on the plateau", "still falling"]


def test_without_a_plateau_the_ending_decides() -> None:
    flat = curve(lambda t: -30 + 0 * t)
    found = convergences({"flat": flat, "short": Curve(flat.steps[:1], flat.decibels[:1])})
    assert found["flat"] == Convergence(Ending("flat", 0.0, 0.0, 0.0))
    assert [one.state for one in found.values()] == ["converged", "not known"]
    assert Convergence(Ending("not told", 0.1, -0.2, 0.4)).state == "too noisy to tell"
    assert Convergence(Ending("rising", -0.3, -0.4, -0.2)).state == "rising"
