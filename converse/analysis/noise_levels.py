"""PSNR of networks, and of what they are given, against the noise level of the test images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.noise_levels import level_of

LEVEL_COLUMNS: Final = ("entry", "dataset", "level", "psnr", "deviation", "images")
"""A mean: name, title of the test set, σ of the noise (of 255), dB, dB over seeds (NaN for one), how many images."""

LEAST: Final = 3
"""So many levels make a line."""


def against_level(records: Iterable[Mapping[str, Any]], own: float) -> pd.DataFrame:
    """The means at each noise level, of those that have enough of them.

    A mean over fewer images than others of its test set have would bend a line, and is left out; so is an infinite one.

    Args:
        records: result rows of one task, source and budget (:func:`converse.analysis.tables.records`).
        own: the task's noise level, which rows without a case have.

    Returns:
        A frame with :data:`LEVEL_COLUMNS`, in the order of the records, levels ascending: entries with :data:`LEAST`
        levels on a test set.
    """
    found = pd.DataFrame(
        [
            (
                record["entry"],
                record["dataset"],
                level_of(record["case"]) or own,
                record["measured"],
                math.nan if record["deviation"] is None else record["deviation"],
                record["images"],
            )
            for record in records
            if record["metric"] == PUBLISHED_METRIC
            and record["measured"] is not None
            and math.isfinite(record["measured"])
            and not record["infinite"]
        ],
        columns=list(LEVEL_COLUMNS),
    )
    found = found.astype({"level": float, "psnr": float, "deviation": float, "images": int})
    # Of several signatures or devices in one table the first, as the paper's order has it.
    found = found.drop_duplicates(["entry", "dataset", "level"])
    whole = found.groupby("dataset", sort=False)["images"].transform("max")
    found = found[found["images"] == whole]
    levels = found.groupby(["entry", "dataset"], sort=False)["level"].transform("nunique")
    found = found[levels >= LEAST]
    lines = list(zip(found["dataset"], found["entry"], strict=True))
    order = {line: place for place, line in enumerate(dict.fromkeys(lines))}
    places = [order[line] for line in lines]
    return found.assign(place=places).sort_values(["place", "level"]).drop(columns="place").reset_index(drop=True)
