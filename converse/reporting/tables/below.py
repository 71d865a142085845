"""Networks that are below what they are given: in a mean, or on single images."""

from __future__ import annotations

from collections.abc import Iterator

from converse.counted import counted
from converse.reporting import numbers
from converse.reporting.inputs.evidence import Evidence
from converse.reporting.tables.sheet import INPUT, Cell, Head, Row, Sheet

_NAMED = 3
"""Images that a note names."""


def below(sheet: Sheet) -> tuple[str, ...]:
    """A note for each network of a table and test set that is below its own input there; none where none is.

    Args:
        sheet: of networks and, marked as :data:`converse.reporting.tables.sheet.INPUT`, of what they are given.

    Returns:
        ``ConverseNet is below its own input on 1 image of 100, BSD100, kernel 1: 101085.jpg (30.36 for 31.41 dB).``
    """
    return tuple(_notes(sheet))


def _notes(sheet: Sheet) -> Iterator[str]:
    given = {row.group: row for row in sheet.rows if INPUT in row.marks}
    for row in sheet.rows:
        if INPUT in row.marks or row.group not in given:
            continue
        for head, cell, least in zip(sheet.heads, row.cells, given[row.group].cells, strict=True):
            if head.better == "higher" and cell.measured is not None:
                yield from _note(row, head, cell, least)


def _note(row: Row, head: Head, cell: Cell, least: Cell) -> Iterator[str]:
    where = ", ".join(filter(None, (row.group, head.title)))
    images = list(_images(cell.evidence, least.evidence))
    lower = [(name, own, floor) for name, own, floor in images if own < floor]
    if not lower:
        return
    named = "; ".join(
        f"{name} ({numbers.number(own, head.digits)} for {numbers.number(floor, head.digits)} {head.unit})"
        for name, own, floor in lower[:_NAMED]
    )
    more = f"; and {len(lower) - _NAMED} more" if len(lower) > _NAMED else ""
    many = counted(len(lower), "image", of=len(images))
    yield f"{row.title} is below its own input on {many}, {where}: {named}{more}."


def _images(own: Evidence | None, given: Evidence | None) -> Iterator[tuple[str, float, float]]:
    """Image, mean over seeds, and value of the input, where both have one and are of one definition."""
    if own is None or given is None or own.signature != given.signature:
        return
    floor = dict(zip(given.images, given.values[0], strict=True)) if given.values else {}
    for place, name in enumerate(own.images):
        values = [line[place] for line in own.values]
        known = [value for value in values if value is not None]
        least = floor.get(name)
        if known and len(known) == len(values) and least is not None:
            yield name, sum(known) / len(known), least
