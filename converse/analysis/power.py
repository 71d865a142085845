"""How many seeds a difference needs, given the spread between seeds: power of tests on per-seed mean differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from scipy import optimize, special, stats

from converse.analysis.statistics import LEVEL
from converse.errors import OptionError

CHANCE: Final = 0.8
"""Of finding what is there."""

MOST_SEEDS: Final = 10_000
"""What needs more is out of reach."""

_NO_SPREAD = 1e-12


def power(gap: float, deviation: float, seeds: int, level: float = LEVEL) -> float:
    """The chance that a two-sided t test on per-seed mean differences finds a gap, with its sign.

    Args:
        gap: the true mean difference.
        deviation: the seed deviation, ≥ 0, in the unit of the gap.
        seeds: how many, at least 2.
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        By the noncentral t distribution; without spread 1, or 0 where there is no gap either.

    Raises:
        OptionError: the deviation is not ≥ 0, there is one seed, or the level is not in (0, 1).
    """
    if not deviation >= 0 or seeds < 2 or not 0 < level < 1:
        raise OptionError(
            f"power needs a deviation ≥ 0, at least 2 seeds and 0 < level < 1, got {deviation}, {seeds} and {level}"
        )
    if deviation <= _NO_SPREAD:
        return float(abs(gap) > _NO_SPREAD)
    critical, shift = _quantile(seeds - 1, (1 - level) / 2), abs(gap) / deviation * math.sqrt(seeds)
    return float(stats.nct.sf(critical, seeds - 1, shift))


def seeds_needed(gap: float, deviation: float, chance: float = CHANCE, level: float = LEVEL) -> int | None:
    """The number of seeds that a gap needs to be found, given the observed seed deviation.

    Args:
        gap: the mean difference to find, for example the published one.
        deviation: the seed deviation, ≥ 0, in the unit of the gap.
        chance: of finding it, in (0, 1).
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        The smallest number, at least 2, whose :func:`power` reaches the chance; ``None`` for no gap, or beyond 10,000.
        A deviation from few seeds is itself uncertain: with 3 seeds the true one may well be three times as large.

    Raises:
        OptionError: an argument is outside of its range.
    """
    if not 0 < chance < 1:
        raise OptionError(f"the chance must be in (0, 1), got {chance}")
    if abs(gap) <= _NO_SPREAD:
        return None
    return _fewest(lambda seeds: power(gap, deviation, seeds, level) >= chance)


def seeds_for_equivalence(bound: float, deviation: float, chance: float = CHANCE, level: float = LEVEL) -> int | None:
    """The seeds that :func:`converse.analysis.statistics.equivalence` needs where there is no difference at all.

    Args:
        bound: of equivalence, > 0.
        deviation: the seed deviation, ≥ 0, in the unit of the bound.
        chance: of stating equivalence, in (0, 1).
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        A number that suffices: it gives each of the two one-sided tests the chance (1 + chance) / 2. ``None`` beyond
        10,000.

    Raises:
        OptionError: an argument is outside of its range.
    """
    if not 0 < chance < 1 or not bound > 0 or not deviation >= 0 or not 0 < level < 1:
        raise OptionError(
            f"need 0 < chance < 1, bound > 0, deviation ≥ 0, 0 < level < 1, got {chance}, {bound}, {deviation}, {level}"
        )
    if deviation <= _NO_SPREAD:
        return 2

    def enough(seeds: int) -> bool:
        shift = bound / deviation * math.sqrt(seeds)
        return bool(stats.nct.sf(_quantile(seeds - 1, 1 - level), seeds - 1, shift) >= (1 + chance) / 2)

    return _fewest(enough)


def seeds_to_judge(
    gap: float, deviation: float, bound: float, chance: float = CHANCE, level: float = LEVEL
) -> int | None:
    """The seeds that a published difference needs to be judged: to be found, or, where it is 0, to be shown.

    Args:
        gap: the published difference.
        deviation: the seed deviation, ≥ 0, in the unit of the gap.
        bound: of equivalence, > 0.
        chance: of success, in (0, 1).
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        :func:`seeds_needed` for a gap, :func:`seeds_for_equivalence` for none.

    Raises:
        OptionError: an argument is outside of its range.
    """
    if abs(gap) <= _NO_SPREAD:
        return seeds_for_equivalence(bound, deviation, chance, level)
    return seeds_needed(gap, deviation, chance, level)


def seeds_to_decide(
    difference: float, deviation: float, bound: float, chance: float = CHANCE, level: float = LEVEL
) -> int | None:
    """The seeds that tell two networks apart, or show them to be equal, if they differ by what was observed.

    Args:
        difference: the observed one.
        deviation: the seed deviation, ≥ 0, in the unit of the difference.
        bound: of equivalence, > 0.
        chance: of success, in (0, 1).
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        The lesser of :func:`seeds_needed` for the difference and, where it lies inside the bound, the
        :func:`seeds_for_equivalence` for what is left of the bound; ``None`` beyond 10,000. What was observed is no
        more certain than its interval, and so is this number.

    Raises:
        OptionError: an argument is outside of its range.
    """
    left = bound - abs(difference)
    ways = [seeds_needed(difference, deviation, chance, level)]
    ways += [seeds_for_equivalence(left, deviation, chance, level)] if left > _NO_SPREAD else []
    return min((seeds for seeds in ways if seeds is not None), default=None)


def deviation_interval(deviation: float, seeds: int) -> tuple[float, float]:
    """Where the true seed deviation lies with 95 %, by χ², for normal differences.

    Args:
        deviation: the observed one, ≥ 0.
        seeds: that it was observed with, at least 2.

    Returns:
        Lower and upper end, in the unit of the deviation.

    Raises:
        OptionError: the deviation is not ≥ 0, or there is one seed.
    """
    if not deviation >= 0 or seeds < 2:
        raise OptionError(f"needs a deviation ≥ 0 and at least 2 seeds, got {deviation} and {seeds}")
    low, high = (deviation * math.sqrt((seeds - 1) / float(stats.chi2.isf(tail, seeds - 1))) for tail in (0.025, 0.975))
    return low, high


def detectable(deviation: float, seeds: int, chance: float = CHANCE, level: float = LEVEL) -> float:
    """The smallest difference that so many seeds find.

    Args:
        deviation: the seed deviation, ≥ 0.
        seeds: how many, at least 2.
        chance: of finding it, in (0, 1).
        level: 1 less the test's error rate, in (0, 1).

    Returns:
        In the unit of the deviation: the gap whose :func:`power` is the chance; 0 without spread.

    Raises:
        OptionError: an argument is outside of its range.
    """
    if not 0 < chance < 1:
        raise OptionError(f"the chance must be in (0, 1), got {chance}")
    least = power(0.0, deviation, seeds, level)  # refuses what is out of range
    if deviation <= _NO_SPREAD or chance <= least:
        return 0.0

    def lacking(gap: float) -> float:
        return power(gap, 1.0, seeds, level) - chance

    most = 1.0
    while lacking(most) < 0:
        most *= 2
    return deviation * float(optimize.brentq(lacking, 0.0, most))


def _quantile(df: int, tail: float) -> float:
    """Student's t that is exceeded with probability ``tail``."""
    return -float(special.stdtrit(df, tail))


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest number of seeds from 2 that is enough; more are enough, too."""
    if not enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS  # low is not enough, high is
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
