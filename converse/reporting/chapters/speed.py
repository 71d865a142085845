"""The chapter of speed and memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from converse.analysis.speed import different_machines
from converse.reporting.inputs.commands import UNKNOWN
from converse.reporting.inputs.material import Material
from converse.reporting.report import Part, plain_facts
from converse.reporting.tables.speed import speed_sheets

_SPEED: Final = (
    "Times are medians; subjects of one group took turns on the same input, so that they may be compared. Times of "
    "different machines may not."
)


def speed_part(material: Material) -> Iterator[Part]:
    """What ``converse speed`` measured, where it did.

    Args:
        material: of the stores.
    """
    rows = material.speed
    if len(rows):
        apart = different_machines(rows)
        text = _SPEED if apart is None else f"{_SPEED} Here are several: {apart}."
        lines = material.speed_requests
        yield Part(
            "speed",
            "Speed and memory",
            text,
            tuple(speed_sheets(rows)),
            facts=plain_facts({f"Run {run} was asked for with": UNKNOWN for run in lines if lines[run] is None}),
            commands=tuple(dict.fromkeys(str(line) for line in lines.values() if line is not None)),
        )
