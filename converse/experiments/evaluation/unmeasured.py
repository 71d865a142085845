"""What of the images that a trial was to restore has no value, and why, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from converse.counted import counted
from converse.experiments.store.rows import Row
from converse.metrics import LACKING

_CAUSES: Final = 2
"""So many different causes are told; the rows have all of them."""


def unmeasured(rows: Iterable[Row]) -> str:
    """What of a trial's images has no value.

    A metric whose features are not at hand is not counted, since nothing went wrong. Of an image that was replaced by
    another of the same name the newer one counts.

    Args:
        rows: of one trial, the older before the newer.

    Returns:
        ``3 of 12 images not measured: output is not finite``; an image counts once in each case. Empty where
        every image has its values.
    """
    newest: dict[tuple[Any, ...], dict[tuple[Any, ...], Row]] = {}
    for row in rows:
        if row["image"] is not None:
            place = (row["dataset"], row["case"], row["image"])
            values = newest.setdefault(place, {})
            if values and next(iter(values.values()))["image_sha256"] != row["image_sha256"]:
                values.clear()
            values[row["metric"], row["signature"]] = row
    causes: dict[str, None] = {}
    lacking = 0
    for values in newest.values():
        failed = [row for row in values.values() if _failed(row)]
        causes |= {str(row["reason"]): None for row in failed}
        lacking += bool(failed)
    return sentence(lacking, len(newest), causes)


def sentence(lacking: int, whole: int, causes: Iterable[str]) -> str:
    """How many images have no value, and why; empty where all have one.

    Args:
        lacking: so many.
        whole: of so many.
        causes: different ones, in order.
    """
    if not lacking:
        return ""
    different = list(dict.fromkeys(filter(None, causes)))
    more = [*different[:_CAUSES], *(["…"] if len(different) > _CAUSES else [])]
    text = f"{counted(lacking, 'image', of=whole)} not measured"
    return ": ".join([text, *(["; ".join(more)] if more else [])])


def _failed(row: Row) -> bool:
    value = row["value"]
    return (value is None or value != value) and not str(row["reason"]).startswith(LACKING)
