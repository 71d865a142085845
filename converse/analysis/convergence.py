"""Whether the loss of a training is flat at its end, and whether it has left the plateau that it first sat on.

Losses are looked at in decibels, as PSNR counts them: 20 log₁₀ of a mean absolute difference, 10 log₁₀ of a mean
squared one. So a threshold here is of the unit of the differences that a study is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Trend = Literal["flat", "falling", "rising", "not told"]
State = Literal["converged", "on the plateau", "still falling", "rising", "too noisy to tell", "not known"]

LAST: Final = 0.2
"""The part of a training, at its end, over which the loss has to be flat."""

FLAT: Final = 0.1
"""dB by which a flat loss changes at most over that part."""

LEFT: Final = 1.0
"""dB below a plateau from which on it has been left."""

_STATES: Final[Mapping[Trend, State]] = {
    "flat": "converged",
    "falling": "still falling",
    "rising": "rising",
    "not told": "too noisy to tell",
}
_FEWEST: Final = 10  # points of the last part, and as many before it
_HELD: Final = 0.5  # dB by which a plateau falls at most while the steps double
_OCTAVE: Final = 8  # levels in a doubling of the steps
_HALF: Final = 2**0.25  # a level is the mean over steps from t / this to t · this
_SURE: Final = 3.0  # standard errors
_WINDOW: Final = 3  # points of a level, at least


@dataclass(frozen=True)
class Curve:
    """The loss of one training.

    Attributes:
        steps: of each point, ascending.
        decibels: loss at each point, the mean since the point before.
    """

    steps: Array
    decibels: Array

    @classmethod
    def of(cls, steps: Iterable[float], losses: Iterable[float | None], *, squared: bool) -> Curve:
        """The curve of a trial.

        Args:
            steps: of each point, ascending.
            losses: of each point; those that are missing, infinite or not above 0 are left out.
            squared: whether the loss is a mean squared difference, not a mean absolute one.
        """
        where = np.asarray(list(steps), dtype=float)
        loss = np.asarray([np.nan if one is None else one for one in losses], dtype=float)
        kept = np.isfinite(loss) & (loss > 0)
        return cls(where[kept], (10 if squared else 20) * np.log10(loss[kept]))


def as_loss(decibels: float, *, squared: bool) -> float:
    """A level in decibels as a loss."""
    return float(10 ** (decibels / (10 if squared else 20)))


@dataclass(frozen=True)
class Ending:
    """How the loss moves over the last fifth of a training.

    Attributes:
        trend: ``flat`` where the whole interval lies within ± :data:`FLAT`; ``falling`` or ``rising`` where it lies
            beyond; ``not told`` where the noise of the loss is too large to say.
        fall: dB over the last fifth, positive where the loss gets smaller.
        low: lower end of its interval of 95 %.
        high: upper end.
    """

    trend: Trend
    fall: float
    low: float
    high: float


def ending(curve: Curve) -> Ending | None:
    """The trend of a loss over the last fifth of the steps: the Theil–Sen slope with its interval (Sen 1968).

    The slope is the median over all pairs of points, which single large losses do not move. A flat loss is no promise
    that more steps would change nothing: a learning rate that goes down to 0 flattens every loss.

    Args:
        curve: of a training that was finished.

    Returns:
        The trend; ``None`` where the curve has too few points to tell, as those of older stores have.
    """
    from scipy.stats import theilslopes  # slow to load

    if not len(curve.steps):
        return None
    span = LAST * curve.steps[-1]
    last = curve.steps > curve.steps[-1] - span
    if last.sum() < _FEWEST:
        return None
    slope, _, least, most = theilslopes(curve.decibels[last], curve.steps[last], alpha=0.95)
    fall, low, high = (float(-one * span) for one in (slope, most, least))
    return Ending(_trend(low, high), fall, low, high)


def _trend(low: float, high: float) -> Trend:
    if low >= -FLAT and high <= FLAT:
        return "flat"
    return "falling" if low > FLAT else "rising" if high < -FLAT else "not told"


@dataclass(frozen=True)
class Plateau:
    """A stretch where the loss hardly falls, between two in which it falls fast.

    Attributes:
        level: mean of the loss on it, dB.
        first: step at which it begins.
        last: step up to which it is known to hold: twice `first`.
    """

    level: float
    first: float
    last: float


def plateau(curve: Curve) -> Plateau | None:
    """The plateau of a curve that has left it, or is leaving it.

    A loss that falls ever more slowly has none. There is one where the loss falls by at most 0.5 dB while the steps
    double, and by at least 1 dB in a doubling before it and in one after it, which are more than three standard errors
    away. Where the noise of the loss is larger than 0.5 dB nothing is called flat. Of several such stretches it is the
    flattest.

    Args:
        curve: of a training.

    Returns:
        The plateau; ``None`` where the curve does not show any, such as one that never left it.
    """
    at, level, error = _levels(curve)
    if len(at) <= _OCTAVE:
        return None
    falls = level[:-_OCTAVE] - level[_OCTAVE:]
    errors = np.hypot(error[:-_OCTAVE], error[_OCTAVE:])
    found = []
    for index in np.flatnonzero((falls <= _HELD) & (errors <= _HELD)):
        faster = (falls >= LEFT) & (falls - falls[index] > _SURE * np.hypot(errors, errors[index]))
        if faster[: max(index + 1 - _OCTAVE // 2, 0)].any() and faster[index + _OCTAVE // 2 :].any():
            found.append((abs(float(falls[index])), index))
    if not found:
        return None
    _, index = min(found)
    return Plateau(float(level[index : index + _OCTAVE + 1].mean()), float(at[index]), float(at[index + _OCTAVE]))


def left_at(curve: Curve, level: float) -> float | None:
    """The step from which on a loss stays at least :data:`LEFT` below a plateau.

    Args:
        curve: of a training.
        level: of the plateau, dB.

    Returns:
        The step; ``None`` where it is not that far below at the end.
    """
    at, smooth, _ = _levels(curve)
    above = np.flatnonzero(smooth > level - LEFT)
    if not len(at) or (len(above) and above[-1] == len(at) - 1):
        return None
    return float(at[above[-1] + 1]) if len(above) else float(at[0])


@dataclass(frozen=True)
class Convergence:
    """What the curves of a study say of one of its trainings.

    Attributes:
        ending: how its loss ended; ``None`` where that is not known.
        level: of the plateau on which trainings of the study sat, dB; ``None`` where none shows any.
        left: step at which this one left it; ``None`` where it did not.
    """

    ending: Ending | None
    level: float | None = None
    left: float | None = None

    @property
    def state(self) -> State:
        """In a few words; ``converged`` where its loss is flat at the end, and off the plateau."""
        if self.ending is None:
            return "not known"
        if self.level is not None and self.left is None:
            return "on the plateau"
        return _STATES[self.ending.trend]


def convergences(curves: Mapping[str, Curve]) -> dict[str, Convergence]:
    """How the trainings of a study went, all held against one plateau: the median of those that curves show.

    Args:
        curves: by trial, of the same task, data and loss.

    Returns:
        By trial.
    """
    levels = [found.level for found in map(plateau, curves.values()) if found is not None]
    level = float(np.median(levels)) if levels else None
    return {
        trial: Convergence(ending(curve), level, None if level is None else left_at(curve, level))
        for trial, curve in curves.items()
    }


def _levels(curve: Curve) -> tuple[Array, Array, Array]:
    """Steps, eight in each doubling up to the last; the mean level around each, over half a doubling; its error."""
    if len(curve.steps) < _FEWEST:
        return np.empty(0), np.empty(0), np.empty(0)
    many = int(_OCTAVE * np.log2(curve.steps[-1] / curve.steps[0]))
    at = curve.steps[-1] / _HALF * 2.0 ** (np.arange(-many, 1) / _OCTAVE)
    near = (curve.steps > at[:, None] / _HALF) & (curve.steps <= at[:, None] * _HALF * (1 + 1e-9))
    enough = near.sum(axis=1) >= _WINDOW
    at, near = at[enough], near[enough]
    averaged = np.diff(curve.steps, prepend=0.0)  # steps that each point is the mean of
    steps = near @ averaged
    return at, near @ (averaged * curve.decibels) / steps, _noise(curve.decibels, averaged) / np.sqrt(steps)


def _noise(decibels: Array, averaged: Array) -> float:
    """Standard deviation of a single step's loss, from how neighbouring points differ; a median, so without trends."""
    each = 1 / averaged
    return float(np.median(np.abs(np.diff(decibels)) / np.sqrt(each[1:] + each[:-1])) / 0.6745)
