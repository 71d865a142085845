"""Whether the difference of two trained entries is the published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from converse.analysis.statistics import EQUIVALENCE_BOUND

DifferenceVerdict = Literal["reproduced", "consistent", "same direction", "contradicted", "undecided", "not run"]
"""What is said of the paper, where trainings may judge it (:mod:`converse.analysis.qualification`)."""

ROUNDING: Final = 0.01
"""dB by which the difference of two published values may be off: each is rounded to 0.01."""

OUTWEIGHS: Final = 2
"""A claim can be contradicted by equivalence from so many times the bound on."""

# Differences of numbers with two decimals are off by some 1e-15.
_SLACK = 1e-9


@dataclass(frozen=True)
class Shown:
    """What the seeds of a study show of one difference, while the chance of an error is held for its whole table.

    Attributes:
        difference: the mean, in dB.
        sign: of the true mean difference, 1 or −1, where p adjusted by Holm excludes 0; else 0.
        low: lower end of the simultaneous interval.
        high: its upper end.
        prediction: the simultaneous prediction interval: where the difference of two published values falls, if the
            paper trained the same networks in the same way.
        equivalent: whether the two are shown to be practically equal.
    """

    difference: float
    sign: int
    low: float
    high: float
    prediction: tuple[float, float]
    equivalent: bool


@dataclass(frozen=True)
class Judgement:
    """A verdict on a difference.

    Attributes:
        verdict: one word for it.
        reason: why, where the word does not say it.
    """

    verdict: DifferenceVerdict
    reason: str | None = None


def judge(shown: Shown, published: float, bound: float = EQUIVALENCE_BOUND) -> Judgement:
    """Hold what was measured with two seeds or more against the published difference.

    The published difference is that of two single runs, rounded. So it is held against what single runs give, the
    prediction interval, and not against the interval of our mean:

    - ``reproduced``: the prediction interval covers it, its sign is shown, and our mean is known to less than its size.
    - ``consistent``: the prediction interval covers it, and not all of that is shown. With few seeds it covers much.
    - ``contradicted``: the prediction interval excludes it, and the other sign is shown; or equivalence is, where the
      paper claims at least twice the bound. A bound near the claim's own size contradicts nothing.
    - ``same direction``: the prediction interval excludes it, but its sign is shown.
    - ``undecided``: all else.

    A published difference of 0 claims that there is none: equivalence reproduces it, whatever is predicted. An interval
    beyond the bound contradicts it where the prediction interval excludes 0 too.

    Absolute values are no part of this; they depend on the budget, and :mod:`converse.analysis.verdicts` judges them.

    Args:
        shown: in dB.
        published: in dB.
        bound: of equivalence, in dB.

    Returns:
        The verdict and its reason; never ``not run``, which is for what has no difference.
    """
    low, high = shown.prediction
    covered = low - _SLACK <= published <= high + _SLACK
    if abs(published) <= _SLACK:
        return _no_difference(shown, covered, bound)
    claimed = 1 if published > 0 else -1
    sign = shown.sign * claimed
    size = "larger" if shown.difference * claimed > abs(published) else "smaller"
    if covered:
        half = (shown.high - shown.low) / 2
        if sign > 0 and half < abs(published):
            return Judgement("reproduced")
        return Judgement("consistent", _unshown(shown, sign, half, bound))
    if sign < 0:
        return Judgement("contradicted", "the difference has the other sign")
    if shown.equivalent and abs(published) >= OUTWEIGHS * bound - _SLACK:
        return Judgement("contradicted", f"equivalent within ±{bound:g}, where the paper claims more")
    if sign > 0:
        return Judgement("same direction", f"{size} than published")
    return Judgement("undecided", f"{size} than published, and 0 is not excluded")


def _unshown(shown: Shown, sign: int, half: float, bound: float) -> str:
    if sign > 0:
        return f"the sign is shown, and our mean is known to ±{half:.2g} only"
    if sign < 0:
        return "the sign is the other, and chance gives a single run as much"
    if shown.equivalent:
        return f"equivalent within ±{bound:g}, and chance gives a single run as much"
    return "0 is not excluded"


def _no_difference(shown: Shown, covered: bool, bound: float) -> Judgement:
    if shown.equivalent:
        return Judgement("reproduced", f"equivalent within ±{bound:g}, and the paper claims no difference")
    if covered:
        return Judgement("consistent", "the paper claims no difference, and equivalence is not shown")
    if shown.low > bound or shown.high < -bound:
        return Judgement("contradicted", "the paper claims no difference")
    return Judgement("undecided", "the paper claims no difference, and equivalence is not shown")
