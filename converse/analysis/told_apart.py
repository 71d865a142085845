"""What a table of values may say of differences: which values chance does not explain, and which entry is its base."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from converse.analysis.effects import ITSELF, EffectRow
from converse.analysis.statistics import LEVEL

Against = Literal["larger", "smaller"]
Place = tuple[str, str | None, str | None, str | None]
"""Entry, title of the test set, case and metric."""


def told_apart(records: Iterable[EffectRow]) -> dict[Place, Against]:
    """How values stand to that of the base entry, where chance does not explain their difference.

    Args:
        records: of one study, from :func:`converse.analysis.effects.effect_records`.

    Returns:
        Place → whether its value is larger or smaller, where p, adjusted by Holm over the table of differences, is at
        most 5 %. An entry that is held against several others has none, for a mark could not say which is meant.
    """
    listed = list(records)
    bases: dict[str, set[str]] = {}
    for one in listed:
        bases.setdefault(one["entry"], set()).add(one["base"])
    return {
        (one["entry"], one["dataset"], one["case"], one["metric"]): "larger" if one["difference"] > 0 else "smaller"
        for one in listed
        if len(bases[one["entry"]]) == 1
        and one["difference"] is not None
        and one["p_holm"] is not None
        and one["p_holm"] <= 1 - LEVEL
    }


def same_as_base(records: Iterable[EffectRow]) -> dict[str, str]:
    """Base → the entry that is its base, trial for trial, under the name of a value of what is varied.

    Args:
        records: of one study.
    """
    return {one["base"]: one["entry"] for one in records if one["reason"] == ITSELF}
