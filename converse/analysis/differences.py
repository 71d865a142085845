"""Whether the difference of two trained entries is the published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from converse.analysis.statistics import EQUIVALENCE_BOUND, Interval

DifferenceVerdict = Literal["reproduced", "same direction", "contradicted", "undecided", "not run"]

# Differences of numbers with two decimals are off by some 1e-15.
_SLACK = 1e-9


@dataclass(frozen=True)
class Judgement:
    """A verdict on a difference.

    Attributes:
        verdict: one of five words.
        reason: why, where the word does not say it.
    """

    verdict: DifferenceVerdict
    reason: str | None = None


def judge(
    interval: Interval | None, published: float, *, equivalent: bool | None, bound: float = EQUIVALENCE_BOUND
) -> Judgement:
    """Hold the interval of a measured difference against the published difference.

    In this order:

    - ``not run``: there is no measured difference.
    - ``undecided``: there is no interval, since one seed can't have one.
    - ``reproduced``: the interval excludes 0, has the published sign, covers the published difference, and is narrower
    than
      ± that difference.
    - ``contradicted``: it excludes 0 with the other sign; or the entries are equivalent where the paper claims more
    than the
      bound.
    - ``same direction``: it excludes 0 with the published sign, and does not cover the published difference.
    - ``undecided``: all else; also an interval that covers the published difference and excludes 0, but is too wide to
    say
      more.

    A published difference of 0 claims that there is none: it is reproduced by equivalence, contradicted by an interval
    that lies beyond the bound, undecided otherwise.

    Absolute values are no part of this; they depend on the budget, and :mod:`converse.analysis.verdicts` judges them.

    Args:
        interval: of the measured difference; ``None`` where it was not run.
        published: in the unit of the interval.
        equivalent: whether the two are practically equal, as :func:`converse.analysis.statistics.equivalence` has it;
            ``None`` where that was not tested.
        bound: of equivalence.

    Returns:
        The verdict and its reason.
    """
    if interval is None:
        return Judgement("not run")
    if interval.low is None or interval.high is None:
        return Judgement("undecided", interval.reason)
    low, high = interval.low, interval.high
    if abs(published) <= _SLACK:
        return _no_difference(low, high, equivalent, bound)
    if published < 0:  # as if the paper's difference were positive
        low, high, published = -high, -low, -published
    covers = low - _SLACK <= published <= high + _SLACK
    half = (high - low) / 2
    if low > 0 and covers and half < published:
        return Judgement("reproduced")
    if high < 0:
        return Judgement("contradicted", "the difference has the other sign")
    if equivalent and published > bound + _SLACK:
        return Judgement("contradicted", f"equivalent within ±{bound:g}, where the paper claims more")
    if low > 0 and not covers:
        return Judgement("same direction", f"{'larger' if low > published else 'smaller'} than published")
    if low > 0:
        return Judgement("undecided", f"the interval is too wide (±{half:.3g}) to tell the published difference")
    if not covers:
        return Judgement("undecided", "smaller than published, and not told from 0")
    return Judgement("undecided", "neither 0 nor the published difference is excluded")


def _no_difference(low: float, high: float, equivalent: bool | None, bound: float) -> Judgement:
    if equivalent:
        return Judgement("reproduced", f"equivalent within ±{bound:g}, and the paper claims no difference")
    if low > bound or high < -bound:
        return Judgement("contradicted", "the paper claims no difference")
    return Judgement("undecided", "the paper claims no difference, and equivalence is not shown")
