"""What each cell of a sheet shows, decided once: its text, its digits, its sign, its marks. All writers show this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from converse.analysis.places import digits, places
from converse.analysis.told_apart import Against
from converse.metrics import PARAMETERS
from converse.reporting import numbers
from converse.reporting.tables.sheet import BLIND, CHANCE, INPUT, LIMIT, Cell, Head, Kind, Sheet

UNRANKED: Final[tuple[Kind, ...]] = ("effects", "audit", "gate")
"""Kinds of sheets of which no value is best or second: a difference that is larger need not be better."""

ARROWS: Final[dict[Against, str]] = {"larger": "↑", "smaller": "↓"}


@dataclass(frozen=True)
class Shown:
    """What a cell shows. What does not apply is empty.

    Attributes:
        value: the measured number, or the words in its place.
        deviation: over seeds, without ±.
        number: both, and before them the images that the mean leaves out.
        interval: of a difference.
        published: the published number; † where a third party quotes it.
        difference: measured − published.
        left_out: what stands beside a mean that leaves out images.
        verdict: word for it.
        place: 1 for the best of its column, 2 for the second.
        against: how it stands to the base entry, where chance does not explain that.
    """

    value: str = ""
    deviation: str = ""
    number: str = ""
    interval: str = ""
    published: str = ""
    difference: str = ""
    left_out: tuple[str, ...] = ()
    verdict: str = ""
    place: int | None = None
    against: Against | None = None

    @property
    def arrow(self) -> str:
        """The sign of ``against``."""
        return ARROWS[self.against] if self.against else ""


def decided(sheet: Sheet) -> tuple[tuple[Shown, ...], ...]:
    """What the cells of a sheet show, row by row.

    The best and the second value of a column are those within each group of rows, as they are shown, after rounding;
    networks that are not given the blur kernel and those that are have each their own.
    A mean over a part of the images has no place, nor has a value whose verdict is ``not measured``, an
    :data:`converse.reporting.tables.sheet.INPUT`, a :data:`converse.reporting.tables.sheet.LIMIT` or a
    :data:`converse.reporting.tables.sheet.CHANCE`. Where a mean leaves
    out images of infinite PSNR, nothing in the group has a place: it is that of easier or harder images than the
    others, and none of those is above it. In sheets of :data:`UNRANKED` nothing has one.
    """
    ranks = [_places(sheet, column) for column in range(len(sheet.heads))]
    return tuple(
        tuple(
            _shown(cell, head, ranks[column].get(line))
            for column, (head, cell) in enumerate(zip(sheet.heads, row.cells, strict=True))
        )
        for line, row in enumerate(sheet.rows)
    )


def _shown(cell: Cell, head: Head, place: int | None) -> Shown:
    if cell.text is not None:
        return Shown(cell.text, number=cell.text, verdict=cell.verdict or "")
    exactly = _digits(cell, head)
    difference = None if head.key == PARAMETERS else cell.difference
    return Shown(
        numbers.number(cell.measured, exactly, sign=head.signed),
        numbers.number(cell.deviation, exactly),
        numbers.mean(cell.measured, cell.deviation, cell.infinite, exactly, sign=head.signed),
        numbers.interval(cell, head),
        numbers.published(cell, head),
        numbers.number(difference, exactly, sign=True),
        numbers.left_out(cell.infinite) if cell.measured is not None else (),
        cell.verdict or "",
        place,
        cell.against,
    )


def _digits(cell: Cell, head: Head) -> int:
    return head.digits if cell.measured is None else digits(cell.measured, head.digits, head.significant)


def _places(sheet: Sheet, column: int) -> dict[int, int]:
    """Row → 1 or 2."""
    if sheet.kind in UNRANKED:
        return {}
    head = sheet.heads[column]
    ranks: dict[int, int] = {}
    groups: dict[tuple[str, bool], dict[int, Cell]] = {}
    for index, row in enumerate(sheet.rows):
        groups.setdefault((row.group, BLIND in row.marks), {})[index] = row.cells[column]
    for members in groups.values():
        if any(cell.infinite and (cell.infinite.some or cell.verdict == "not measured") for cell in members.values()):
            continue
        values = {
            index: round(cell.measured, _digits(cell, head))
            for index, cell in members.items()
            if cell.measured is not None
            and cell.verdict != "not measured"
            and cell.part is None
            and not {INPUT, LIMIT, CHANCE} & set(sheet.rows[index].marks)
        }
        ranks |= places(values, head.better)
    return ranks
