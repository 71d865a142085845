"""The power report: what the seeds that were run can find, and how many the published differences would need."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from converse.analysis import power
from converse.analysis.effects import ComparedRow, Settings
from converse.analysis.published import Trust


class PowerRow(ComparedRow):
    """What a row of the power report says; what does not apply is null.

    ``deviation_low`` and ``deviation_high`` bound the true seed deviation with 95 % (χ², for normal differences);
    ``detectable`` is the smallest difference that so many seeds find with the chance asked for; ``power`` is their
    chance of finding the published one; ``seeds_needed_low`` and ``_high`` are the seeds needed at the two bounds, null
    beyond 10,000. To be found is what a verdict needs: by a test that is adjusted for all rows of the table
    (Bonferroni; Holm's finds no less).
    """

    seeds: int
    difference: float | None
    seed_deviation: float
    deviation_low: float
    deviation_high: float
    detectable: float | None
    published_difference: float | None
    published_trust: Trust | None
    power: float | None
    seeds_needed: int | None
    seeds_needed_low: int | None
    seeds_needed_high: int | None


POWER_COLUMNS: Final = tuple(PowerRow.__annotations__)
"""The columns of a table of the seeds that differences need: the keys of :class:`PowerRow`, in their order."""

_SAME: Final = POWER_COLUMNS[: POWER_COLUMNS.index("deviation_low")]


def power_report(effects: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """How many seeds the published differences need, given the observed spreads between seeds.

    Args:
        effects: with :data:`converse.analysis.effects.EFFECT_COLUMNS`.
        settings: with which they were made; the chance and the level are taken from it.

    Returns:
        A frame with :data:`POWER_COLUMNS`, one row for each row of effects that has a seed deviation. Without a spread,
        ``detectable`` is 0.
    """
    settings = settings or Settings()
    spread = effects[effects["seed_deviation"].notna()]
    found = [_row(row, settings) for row in spread.to_dict("records")]
    return pd.DataFrame(found, columns=list(POWER_COLUMNS), dtype=object)


def _row(effect: dict[Any, Any], settings: Settings) -> dict[str, Any]:
    seeds, deviation, gap = effect["seeds"], effect["seed_deviation"], effect["published_difference"]
    settings = settings.over(effect["family"])
    low, high = power.deviation_interval(deviation, seeds)
    record = {
        **dict.fromkeys(POWER_COLUMNS),
        **{name: effect[name] for name in _SAME},
        "deviation_low": low,
        "deviation_high": high,
        "detectable": power.detectable(deviation, seeds, settings.chance, settings.level),
        "published_difference": gap,
        "published_trust": effect["published_trust"],
    }
    if gap is None:
        return record
    if gap:
        record["power"] = power.power(gap, deviation, seeds, settings.level)
    needed = [
        power.seeds_to_judge(gap, each, settings.bound, settings.chance, settings.level)
        for each in (deviation, low, high)
    ]
    return record | dict(zip(("seeds_needed", "seeds_needed_low", "seeds_needed_high"), needed, strict=True))
