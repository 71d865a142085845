"""What a small study has shown, and what it cannot show, in words for who sees such a table for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from converse.analysis.statistics import LEVEL
from converse.analysis.tables import PUBLISHED_METRIC
from converse.counted import counted
from converse.reporting.numbers import number

ENOUGH_SEEDS = 3
"""With fewer, no difference is called one."""


def shown(effects: pd.DataFrame, means: pd.DataFrame) -> Iterator[str]:
    """What the differences of a study say, and what they cannot.

    Args:
        effects: with :data:`converse.analysis.effects.EFFECT_COLUMNS`, of one study.
        means: its result rows, with :data:`converse.analysis.tables.RESULT_COLUMNS`.

    Yields:
        Sentences; none where no difference was measured.
    """
    measured = effects[(effects["metric"] == PUBLISHED_METRIC) & effects["difference"].notna()]
    if measured.empty:
        return
    psnr = means[means["metric"] == PUBLISHED_METRIC].set_index("entry")["measured"]
    for one in measured.to_dict("records"):
        side = "above" if one["difference"] > 0 else "below"
        values = [number(psnr.get(name), 2) for name in (one["entry"], one["base"])]
        yield (
            f"{one['entry']} came out {number(abs(one['difference']), 2)} dB {side} {one['base']} ({values[0]} and "
            f"{values[1]} dB; {_means(one['seeds'], one['images'])})."
        )
    seeds = int(measured["seeds"].min())
    if seeds < ENOUGH_SEEDS:
        few = "One seed" if seeds == 1 else counted(seeds, "seed")
        yield (
            f"{few} cannot show which operator is better: trained with other seeds, the same networks may come out in "
            "another order."
        )
    else:
        undecided = [one["entry"] + " and " + one["base"] for one in measured.to_dict("records") if not _told(one)]
        if undecided:
            yield f"{counted(seeds, 'seed')} do not tell {', nor '.join(undecided)} apart."
    yield "Networks so small and trained so shortly say nothing about the paper's."


def _means(seeds: int, images: int) -> str:
    return f"mean of {counted(seeds, 'seed')} and {counted(images, 'image')}"


def _told(one: Mapping[Any, Any]) -> bool:
    """As the table of differences has it: adjusted for all that the table compares."""
    return one["p_holm"] is not None and one["p_holm"] <= 1 - LEVEL
