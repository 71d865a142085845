"""By how much a metric may be worse on another platform: found by measuring the same on others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from converse.analysis.gate.baseline import Tolerance
from converse.analysis.gate.measured import Measured
from converse.analysis.statistics import LEVEL, Array, seed_interval
from converse.errors import OptionError
from converse.metrics import METRICS

MULTIPLE: Final = 3
"""Times the largest difference that was seen: other machines differ by more than those that one of them can play."""


class Floor(NamedTuple):
    """The least that is allowed on another platform, of a mean and of an image, in the metric's unit."""

    mean: float
    image: float


FLOORS: Final[Mapping[str, Floor]] = {
    "psnr": Floor(0.001, 0.01),
    "ssim": Floor(0.00002, 0.0002),
    "lpips": Floor(0.00005, 0.0005),
}
"""Where less than this was seen on the machines that were played, so much is allowed all the same.

- PSNR: a tenth of what has to be seen, 0.01 dB of a mean and 0.1 dB of an image; the machines that were played for the
  baseline of numerics version 5 (``git show f2e7564:benchmarks/baselines/gate.toml``) differed by at most 0.00013 dB of
  a mean and 0.0013 dB of an image, and those of today's by less.
- SSIM: not more than goes with 0.001 and 0.01 dB, for DnCNN and Converse-DnCNN on Set12 differ by 0.063 of SSIM for
  each dB in docs/log/findings.md, and by 0.025 in docs/reproduce.md; the same machines differed by at most 0.000023 of
  a mean and 0.0001 of an image, which is of that order, so that :data:`MULTIPLE` decided for one of three entries.
- LPIPS: a choice, by the same measure (the two differ by 0.063 of LPIPS for each dB in docs/log/findings.md); by how
  much it moves from machine to machine was not measured, since the committed baseline does not have it.
"""

_CELL = ["entry", "dataset", "case", "metric", "signature"]


class Seen(NamedTuple):
    """The largest differences of one metric, in its unit: of any value, of a mean, and of an image."""

    value: float
    mean: float
    image: float


def tolerances(
    first: Measured, again: Measured | None, others: Mapping[str, Measured], metrics: Sequence[str]
) -> dict[str, dict[str, Tolerance]]:
    """Tolerances from what the same code gave on several platforms.

    Values on an equal platform are allowed to differ by :data:`MULTIPLE` times what two runs on it differed by, which
    is nothing where all is deterministic. On another platform a mean and an image may be worse by as many times the
    largest difference that was seen there, and at least by :data:`FLOORS`. Of networks that are trained, the difference
    is the outer end of its interval over seeds, for that is what a check holds against the tolerance.

    Args:
        first: what the baseline is made of.
        again: the same on an equal platform; ``None`` where nothing was measured again.
        others: name of another platform → the same there.
        metrics: that are kept.

    Returns:
        Entry → metric → tolerance, which says how it was found.

    Raises:
        OptionError: a value is there on one platform and not on the other.
    """
    entries = dict.fromkeys(map(str, first.values["entry"]))
    return {entry: {metric: _of_entry(first, again, others, entry, metric) for metric in metrics} for entry in entries}


def _of_entry(
    first: Measured, again: Measured | None, others: Mapping[str, Measured], entry: str, metric: str
) -> Tolerance:
    same = 0.0 if again is None else _seen(first, again, entry, metric, "an equal platform").value
    seen = {name: _seen(first, other, entry, metric, name) for name, other in others.items()}
    mean, image = (max((getattr(one, part) for one in seen.values()), default=0.0) for part in ("mean", "image"))
    floor = FLOORS[metric]
    return Tolerance(
        same=_rounded(MULTIPLE * same),
        mean=_rounded(max(MULTIPLE * mean, floor.mean)),
        image=_rounded(max(MULTIPLE * image, floor.image)),
        found=_found(metric, again is not None, same, mean, image, list(seen)),
    )


def _found(metric: str, again: bool, same: float, mean: float, image: float, names: Sequence[str]) -> str:
    unit = f" {METRICS[metric].unit}" if METRICS[metric].unit else ""
    floor = FLOORS[metric]
    twice = f"two runs on this platform differ by at most {same:.2g}{unit}; " if again else ""
    if not names:
        return f"{twice}no other platform was played, so mean and image are the least that is allowed"
    return (
        f"{twice}{MULTIPLE} times the largest difference to {', '.join(names)} ({mean:.2g}{unit} of a mean, "
        f"{image:.2g}{unit} of an image), and at least {floor.mean:g} and {floor.image:g}{unit}"
    )


def _seen(first: Measured, other: Measured, entry: str, metric: str, name: str) -> Seen:
    value = mean = image = 0.0
    for block in _blocks(first, other, entry, metric, name):
        value = max(value, float(np.abs(block).max()))
        if len(block) == 1:
            mean, image = max(mean, abs(float(block.mean()))), max(image, float(np.abs(block).max()))
            continue
        mean = max(mean, _outer(block, LEVEL))
        level = 1 - (1 - LEVEL) / block.shape[1]
        image = max(image, *(_outer(block[:, [index]], level) for index in range(block.shape[1])))
    return Seen(value, mean, image)


def _outer(block: Array, level: float) -> float:
    """How far from 0 the interval over seeds reaches."""
    interval = seed_interval(block, level)
    assert interval.low is not None
    assert interval.high is not None
    return max(abs(interval.low), abs(interval.high))


def _blocks(first: Measured, other: Measured, entry: str, metric: str, name: str) -> Iterator[Array]:
    """Differences of an entry on each test set and case, [seeds, images]; what is infinite in both is equal."""
    rows = first.values[(first.values["metric"] == metric) & (first.values["entry"] == entry)]
    for cell, own in rows.groupby(_CELL, sort=False, dropna=False):
        theirs = other.values
        for column, key in zip(_CELL, cell, strict=True):
            theirs = theirs[theirs[column] == key if isinstance(key, str) else theirs[column].isna()]
        here, there = (_table(frame) for frame in (own, theirs))
        there = there.reindex(index=here.index, columns=here.columns)
        with np.errstate(invalid="ignore"):
            difference = here.to_numpy(float) - there.to_numpy(float)
        difference[here.to_numpy(float) == there.to_numpy(float)] = 0.0
        if not np.isfinite(difference).all():
            raise OptionError(
                f"{cell[0]} on {cell[1]}: {METRICS[metric].title} of an image has a value here and none, or an "
                f"infinite one, with {name}: no tolerance can be found"
            )
        yield difference


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    seeded = frame.assign(seed=frame["seed"].astype("Int64").fillna(-1).astype("int64"))
    return seeded.pivot(index="seed", columns="image", values="value")


def _rounded(value: float) -> float:
    """Up, to two digits."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / step, 9)) * step:.2g}")
