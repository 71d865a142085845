"""Which settings of each entry were best on the validation images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

import numpy as np
import pandas as pd

from converse.analysis.tables import PUBLISHED_METRIC
from converse.metrics import averaged


class ScoreRow(TypedDict):
    """What is known of one point of a grid.

    ``entry`` is the entry that is tuned, ``point`` the settings' name; ``seeds`` is how many have a value for every
    image, ``psnr`` the mean over validation images (and blur kernels), then over those seeds, in dB, ``deviation`` the
    sample standard deviation over them; ``chosen`` says whether it is the best of its entry.
    """

    entry: str
    point: str
    seeds: int
    psnr: float | None
    deviation: float | None
    chosen: bool


SCORE_COLUMNS: Final = tuple(ScoreRow.__annotations__)
"""The columns of a table of tuning: the keys of :class:`ScoreRow`, in their order."""


def scores(rows: pd.DataFrame, points: Mapping[str, str]) -> list[ScoreRow]:
    """The score of each point, and which are chosen.

    A point of which a seed failed, or lacks an image that others have, is not chosen: of the others the one with the
    largest PSNR is, and of equal ones the first.

    Args:
        rows: of the trials, with :data:`converse.experiments.store.rows.ROW_COLUMNS`, ``entry`` being the point.
        points: name of the point → entry that it tunes, in order.

    Returns:
        A row for each point, in order.
    """
    of_psnr = rows[(rows["metric"] == PUBLISHED_METRIC) & rows["value"].notna() & rows["entry"].isin(list(points))]
    by_trial = of_psnr.groupby(["entry", "trial"], sort=False)  # which two points may share
    values = [(str(one["entry"].iloc[0]), one["value"].tolist()) for _, one in by_trial]
    whole = max((len(found) for _, found in values), default=0)
    means: dict[str, list[float]] = {point: [] for point in points}
    for point, found in values:
        if len(found) == whole:
            means[point].append(float(np.mean(averaged(found))))
    seeds = max(map(len, means.values()), default=0)
    best: dict[str, str] = {}
    for point, entry in points.items():
        if seeds and len(means[point]) == seeds:
            first = best.setdefault(entry, point)
            if np.mean(means[point]) > np.mean(means[first]):
                best[entry] = point
    return [
        {
            "entry": entry,
            "point": point,
            "seeds": len(means[point]),
            "psnr": float(np.mean(means[point])) if means[point] else None,
            "deviation": float(np.std(means[point], ddof=1)) if len(means[point]) > 1 else None,
            "chosen": best.get(entry) == point,
        }
        for point, entry in points.items()
    ]


def at_an_edge(settings: Mapping[str, Mapping[str, Any]], found: Iterable[ScoreRow]) -> list[str]:
    """Where a wider grid might find better: numbers that are chosen and the smallest or largest of three or more.

    Args:
        settings: point → field → value.
        found: from :func:`scores`.

    Returns:
        A sentence for each: ``DnCNN: training.lr = 0.016 is the largest that was tried``.
    """
    tried: dict[tuple[str, str], set[float]] = {}
    chosen: dict[tuple[str, str], float] = {}
    for row in found:
        for field, value in settings[row["point"]].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                tried.setdefault((row["entry"], field), set()).add(value)
                if row["chosen"]:
                    chosen[row["entry"], field] = value
    ends = {"smallest": min, "largest": max}
    return [
        f"{entry}: {field} = {value:g} is the {which} that was tried"
        for (entry, field), value in chosen.items()
        for which, end in ends.items()
        if len(tried[entry, field]) > 2 and value == end(tried[entry, field])
    ]
