"""What a small study has shown, and what it cannot show, in words for who sees such a table for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from converse.analysis.qualification import Grounds
from converse.analysis.statistics import LEVEL
from converse.analysis.tables import PUBLISHED_METRIC
from converse.counted import agreeing, counted
from converse.reporting.numbers import number
from converse.reporting.words import listed

ENOUGH_SEEDS = 3
"""With fewer, no difference is called one."""


def shown(
    effects: pd.DataFrame, means: pd.DataFrame, rows: pd.DataFrame, grounds: Grounds | None = None
) -> Iterator[str]:
    """What the differences of a study say, and what they cannot.

    Args:
        effects: with :data:`converse.analysis.effects.EFFECT_COLUMNS`, of one study.
        means: its result rows, with :data:`converse.analysis.tables.RESULT_COLUMNS`.
        rows: what both were made from, with ``entry`` and ``trial``.
        grounds: what is known of its trainings; without them nothing is known.

    Yields:
        Sentences; none where no difference was measured.
    """
    measured = effects[(effects["metric"] == PUBLISHED_METRIC) & effects["difference"].notna()]
    if measured.empty:
        return
    psnr = means[means["metric"] == PUBLISHED_METRIC].set_index("entry")["measured"]
    for one in measured.to_dict("records"):
        values = [number(psnr.get(name), 2) for name in (one["entry"], one["base"])]
        amount = number(abs(one["difference"]), 2)
        side = f"{amount} dB {'above' if one['difference'] > 0 else 'below'}"
        yield (
            f"{one['entry']} came out {side if float(amount) else 'within 0.01 dB of'} {one['base']} ({values[0]} and "
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
    compared = list(dict.fromkeys([*measured["base"], *measured["entry"]]))
    yield from _unlike_the_papers(compared, rows, grounds or Grounds())


def _unlike_the_papers(entries: Sequence[str], rows: pd.DataFrame, grounds: Grounds) -> Iterator[str]:
    """Why trainings say nothing about the paper's networks, where their size or their length is a reason."""
    small, unknown = grounds.other_sizes(entries)
    states = [grounds.state(str(trial)) for trial in rows[rows["entry"].isin(entries)]["trial"].unique()]
    converged = states.count("converged")
    lacks = []
    if small:
        some = f"{listed(small)} {agreeing(len(small), 'does', 'do')} not have"
        lacks.append(f"{'none of these networks has' if len(small) == len(entries) else some} the paper's size")
    if unknown:
        lacks.append(f"whether {listed(unknown)} {agreeing(len(unknown), 'has', 'have')} the paper's size is not known")
    if converged < len(states):
        trainings = counted(len(states), "training")
        are = agreeing(converged, "is", "are")
        lacks.append(f"{converged or 'none'} of {trainings} {are if converged else 'is'} shown to have converged")
    if lacks:
        said = ", and ".join(lacks)
        yield f"{said[0].upper()}{said[1:]}: nothing here speaks for or against the paper."


def _means(seeds: int, images: int) -> str:
    return f"mean of {counted(seeds, 'seed')} and {counted(images, 'image')}"


def _told(one: Mapping[Any, Any]) -> bool:
    """As the table of differences has it: adjusted for all that the table compares."""
    return one["p_holm"] is not None and one["p_holm"] <= 1 - LEVEL
