"""The networks of a comparison side by side: quality, parameters, multiply-adds, time, memory, and how they trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict, cast

import pandas as pd

from converse.analysis.answers import Compared, sets_in_words
from converse.analysis.pareto import pareto_front
from converse.analysis.qualification import Grounds
from converse.analysis.speed import SpeedVerdict, beside_first
from converse.analysis.tables import PUBLISHED_METRIC, or_none
from converse.metrics import PARAMETERS, averaged


class NetworkRow(TypedDict):
    """What a row says of one network; what was not measured is null.

    ``psnr`` is the mean over all test images (each blur kernel counted), then over ``seeds``, in dB, and ``deviation``
    the sample standard deviation over these; ``multiply_adds`` are per pixel of the output; ``milliseconds`` and
    ``mebibytes`` are the median time and the peak memory of evaluating one image of 128×128 pixels, and ``speed`` says
    whether that is faster or slower than with reverse convolution; ``step_`` are those of one step of training;
    ``width`` is the number of features; ``trainings`` says how many of its trainings converged, and what became of the
    others; ``settings`` are those that the tuning chose. ``front_…`` is true where no other network of the comparison
    is at least as good at no more of that cost.
    """

    task: str
    sets: str
    entry: str
    name: str
    own: bool
    psnr: float | None
    deviation: float | None
    seeds: int
    images: int
    parameters: int | None
    multiply_adds: float | None
    milliseconds: float | None
    mebibytes: float | None
    speed: SpeedVerdict | None
    step_milliseconds: float | None
    step_mebibytes: float | None
    width: int | None
    trainings: str
    settings: str
    front_parameters: bool | None
    front_multiply_adds: bool | None
    front_milliseconds: bool | None
    front_mebibytes: bool | None
    reason: str | None


NETWORK_COLUMNS: Final = tuple(NetworkRow.__annotations__)
"""The columns of a table of networks: the keys of :class:`NetworkRow`, in their order."""

COSTS: Final = ("parameters", "multiply_adds", "milliseconds", "mebibytes")
"""Columns with what a network costs, of which less is better."""

_PASSES: Final = {"evaluation": "", "step": "step_"}

Record = dict[str, Any]


def side_by_side(
    one: Compared,
    *,
    multiply_adds: Mapping[str, float],
    times: pd.DataFrame,
    grounds: Grounds,
    widths: Mapping[str, int],
    settings: Mapping[str, str],
) -> pd.DataFrame:
    """One row for each network of a comparison: that with the own operator, then its rivals.

    Args:
        one: what was measured.
        multiply_adds: entry → multiply-adds per pixel of its output, where they were counted.
        times: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`, of one run, its subjects being called
            as the comparison calls the entries, reverse convolution first.
        grounds: what is known of the trainings.
        widths: entry → its number of features.
        settings: entry → what the tuning chose, in words.

    Returns:
        A frame with :data:`NETWORK_COLUMNS`.
    """
    psnr = one.rows[(one.rows["metric"] == PUBLISHED_METRIC) & one.rows["image"].notna()]
    counts = one.rows[one.rows["metric"] == PARAMETERS].groupby("entry")["value"].first()
    beside = beside_first(times) if len(times) else times
    found: list[Record] = []
    for entry in (one.own, *one.rivals):
        own = psnr[psnr["entry"] == entry]
        means = [averaged(values.dropna().tolist()) for _, values in own.groupby("seed")["value"]]
        of_seeds = pd.Series([sum(values) / len(values) for values in means if values], dtype=float)
        name = one.names.get(entry, entry)
        found.append(
            {
                **dict.fromkeys(NETWORK_COLUMNS),
                "task": one.task,
                "sets": sets_in_words(psnr),
                "entry": entry,
                "name": name,
                "own": entry == one.own,
                "psnr": _number(of_seeds.mean()),
                "deviation": _number(of_seeds.std()),
                "seeds": len(of_seeds),
                "images": len(own[["dataset", "case", "image_sha256"]].drop_duplicates()),
                "parameters": None if entry not in counts.index else int(counts[entry]),
                "multiply_adds": multiply_adds.get(entry),
                **_times(beside[beside["subject"] == name]),
                "width": widths.get(entry),
                "trainings": grounds.trainings(str(trial) for trial in own["trial"].unique()),
                "settings": settings.get(entry, ""),
                "reason": one.reasons.get(entry),
            }
        )
    for cost in COSTS:
        known = [record for record in found if record[cost] is not None and record["psnr"] is not None]
        front = pareto_front([record[cost] for record in known], [record["psnr"] for record in known])
        for record, on_it in zip(known, front, strict=True):
            record[f"front_{cost}"] = bool(on_it)
    return pd.DataFrame(found, columns=list(NETWORK_COLUMNS), dtype=object)


def network_records(frame: pd.DataFrame) -> list[NetworkRow]:
    """Rows of networks, ``None`` for what does not apply.

    Args:
        frame: from :func:`side_by_side`.
    """
    return [
        cast(NetworkRow, {str(name): None if pd.isna(value) else value for name, value in record.items()})
        for record in frame.astype(object).to_dict("records")
    ]


def _times(rows: pd.DataFrame) -> Record:
    """Time and memory of one subject, in each pass."""
    found: Record = {}
    for row in rows.to_dict("records"):
        if row["pass"] == "evaluation":
            found["speed"] = or_none(row["verdict"])
        if (begins := _PASSES.get(row["pass"])) is not None:
            found[f"{begins}milliseconds"] = _number(row["median_s"], 1e3)
            found[f"{begins}mebibytes"] = _number(row["peak_bytes"], 1 / 2**20)
    return found


def _number(value: Any, factor: float = 1.0) -> float | None:
    return None if value is None or pd.isna(value) else float(value) * factor
