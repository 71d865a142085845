"""What each cell of a sheet shows, decided once: its text, its digits, its sign, its marks. All writers show this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from converse.analysis.places import digits, places
from converse.analysis.told_apart import Against
from converse.metrics import PARAMETERS
from converse.reporting import numbers
from converse.reporting.tables.sheet import BLIND, CHANCE, INPUT, LIMIT, Cell, Head, Kind, Sheet, place
from converse.reporting.words import listed

UNRANKED: Final[tuple[Kind, ...]] = ("effects", "audit", "gate")
"""Kinds of sheets of which no value is best or second: a difference that is larger need not be better."""

_NAMED: Final = 4
"""Names in a note, at most."""

ARROWS: Final[dict[Against, str]] = {"larger": "↑", "smaller": "↓"}

_ARROWS_SAID: Final = (
    f"{ARROWS['larger']} {ARROWS['smaller']}: larger or smaller than the base entry's by more than chance explains "
    "(p ≤ 0.05, adjusted by Holm over the table of differences)."
)


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
    ranks = [
        {row: rank for group in _groups(sheet, column) for row, rank in places(group.values, head.better).items()}
        for column, head in enumerate(sheet.heads)
    ]
    return tuple(
        tuple(
            _shown(cell, head, ranks[column].get(line))
            for column, (head, cell) in enumerate(zip(sheet.heads, row.cells, strict=True))
        )
        for line, row in enumerate(sheet.rows)
    )


def notes(sheet: Sheet) -> tuple[str, ...]:
    """What stands below a sheet: its own notes, what arrows mean, and without which rows best was chosen."""
    marked = (*sheet.notes, *((_ARROWS_SAID,) if any(cell.against for _, _, cell in sheet.cells()) else ()))
    lacking: dict[tuple[str, ...], dict[str, None]] = {}
    for column, head in enumerate(sheet.heads):
        for group in _groups(sheet, column):
            if places(group.values, head.better) and group.without:
                lacking.setdefault(tuple(group.without), {})[place(sheet.kind, group.title, head)] = None
    if not lacking:
        return marked
    said = "; ".join(f"without {listed(names, _NAMED)} ({', '.join(where)})" for names, where in lacking.items())
    return (*marked, f"Best and second are those of what was measured: {said}.")


def _shown(cell: Cell, head: Head, place: int | None) -> Shown:
    if cell.text is not None:
        return Shown(cell.text, number=cell.text, verdict=cell.verdict or "")
    exactly = shown_digits(cell, head)
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


def shown_digits(cell: Cell, head: Head) -> int:
    """Digits behind the point with which the measured number of a cell is shown, wherever it is shown."""
    return head.digits if cell.measured is None else digits(cell.measured, head.digits, head.significant)


@dataclass(frozen=True)
class _Group:
    """Cells of a column that are held against each other.

    Attributes:
        title: of the group of rows.
        values: row → its value as it is shown.
        without: rows that have no value, though one is known of or was asked for.
    """

    title: str
    values: dict[int, float]
    without: tuple[str, ...]


def _groups(sheet: Sheet, column: int) -> Iterator[_Group]:
    """What is held against each other; without groups in which nothing has a place."""
    if sheet.kind in UNRANKED:
        return
    head = sheet.heads[column]
    groups: dict[tuple[str, bool], dict[int, Cell]] = {}
    for index, row in enumerate(sheet.rows):
        if not {INPUT, LIMIT, CHANCE} & set(row.marks):
            groups.setdefault((row.group, BLIND in row.marks), {})[index] = row.cells[column]
    for (title, _), members in groups.items():
        if any(cell.infinite and (cell.infinite.some or cell.verdict == "not measured") for cell in members.values()):
            continue
        values = {
            index: round(cell.measured, shown_digits(cell, head))
            for index, cell in members.items()
            if cell.measured is not None and cell.verdict != "not measured" and cell.part is None
        }
        without = (sheet.rows[index].title for index, cell in members.items() if index not in values and _asked(cell))
        yield _Group(title, values, tuple(without))


def _asked(cell: Cell) -> bool:
    """Whether a cell without a place was to have a value; of a part of a test set :func:`parts` says it."""
    return not cell.empty and not (cell.part and cell.verdict is None)
