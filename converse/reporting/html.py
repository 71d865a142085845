"""A report as one HTML file, complete in itself: styles, scripts, figures and the data behind each cell are inside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup

from converse import __version__
from converse.counted import counted
from converse.metrics import METRICS, PARAMETERS
from converse.plain_text import slug
from converse.reporting import numbers
from converse.reporting.exports import Texts
from converse.reporting.inputs.evidence import Evidence
from converse.reporting.pages import data_element, page_template
from converse.reporting.report import Report
from converse.reporting.tables.decided import Shown, decided, notes, shown_digits
from converse.reporting.tables.sheet import (
    ALL_VERDICTS,
    DIFFERENCE_VERDICTS,
    HERE_VERDICTS,
    VERDICTS,
    Cell,
    Head,
    Row,
    Sheet,
)
from converse.reporting.viewer.page import gallery_view

_FILTERED: Final = 4
"""Tables of so many rows have a filter."""

_TRUST: Final = {"secondary": " (quoted by a third party)", "superseded": " (replaced by the authors)"}
"""What is said of a published number that is not the paper's own."""

_COUNT_DIGITS: Final = 5
"""Of values that are of no metric."""


def render(report: Report, texts: Texts | None = None) -> str:
    """The page.

    Args:
        report: all that it says.
        texts: what can be taken away from it, where that is made already.

    Returns:
        HTML. The same report gives the same text.
    """
    taken = texts or Texts.of(report)
    behind = _Behind(report)
    parts = [(part, [_view(sheet, behind) for sheet in part.sheets]) for part in report.parts]
    audit = [_view(sheet, behind) for sheet in report.audit]
    return page_template("report.html").render(
        report=report,
        parts=parts,
        audit=audit,
        contents=list(_contents(report)),
        released=_Tally.of(report.verdicts, VERDICTS, good=("match",), bar=("not measured",)),
        differences=_Tally.of(
            report.differences,
            (*DIFFERENCE_VERDICTS, *HERE_VERDICTS),
            good=[word for word in DIFFERENCE_VERDICTS if word != "not run"],
            bar=("not run",),
        ),
        looks=numbers.LOOKS,
        version=__version__,
        data=behind.json(),
        tables=data_element(taken.tables),
        figures=data_element(taken.figures),
        gallery=gallery_view(report.gallery),
    )


@dataclass(frozen=True)
class _Tally:
    """Verdicts counted, for a summary: so many of all that were measured, and each word with its number."""

    counts: list[tuple[str, int]]
    all: int
    measured: int
    good: int

    @classmethod
    def of(cls, counted: Counter[str], words: Sequence[str], good: Sequence[str], bar: Sequence[str]) -> _Tally:
        """The tally with these words as good ones, and those as what was not measured."""
        whole = sum(counted.values())
        return cls(
            [(word, counted[word]) for word in words if counted[word]],
            whole,
            whole - sum(counted[word] for word in bar),
            sum(counted[word] for word in good),
        )


def _contents(report: Report) -> Iterable[tuple[str, str]]:
    yield "summary", "Summary"
    yield from ((part.key, part.title) for part in report.parts)
    further = (
        (report.gallery is not None and report.gallery.shelves, "images", "Images"),
        (report.audit, "audit", "Known disagreements"),
        (report.missing, "missing", "What is missing"),
        (report.failures, "failures", "Failures"),
        (report.environments, "environment", "Environment and seeds"),
    )
    yield from ((key, title) for there, key, title in further if there)
    yield "repeat", "How to repeat it"


# Tables


@dataclass(frozen=True)
class _CellView:
    empty: bool = False
    text: str | None = None
    value: str = ""
    arrow: str = ""
    against: str = ""
    spread: str = ""
    published: str = ""
    difference: str = ""
    partial: tuple[str, ...] = ()
    verdict: str | None = None
    sort: str = ""
    place: int | None = None
    number: int | None = None
    address: str = ""


@dataclass(frozen=True)
class _RowView:
    title: str
    marks: tuple[str, ...]
    words: str
    verdicts: str
    cells: list[_CellView]


@dataclass(frozen=True)
class _View:
    sheet: Sheet
    groups: list[tuple[str, int]]
    bodies: list[tuple[str, list[_RowView]]]
    verdicts: list[str]
    filters: bool
    unmeasured: bool
    folded: str
    notes: tuple[str, ...]


def _view(sheet: Sheet, behind: _Behind) -> _View:
    shown = decided(sheet)
    groups = [(name, len(list(heads))) for name, heads in groupby(sheet.heads, key=lambda head: head.group)]
    bodies = [
        (group, [_row(sheet, row, shown[index], behind) for index, row in members])
        for group, members in groupby(enumerate(sheet.rows), key=lambda line: line[1].group)
    ]
    present = {cell.verdict for _, head, cell in sheet.cells() if cell.verdict and head.key != PARAMETERS}
    return _View(
        sheet=sheet,
        groups=groups if any(name for name, _ in groups) else [],
        bodies=bodies,
        verdicts=[word for word in ALL_VERDICTS if word in present],
        filters=len(sheet.rows) >= _FILTERED and sheet.kind != "audit",
        unmeasured=len({any(cell.measured is not None for cell in row.cells) for row in sheet.rows}) > 1,
        folded=_folded(sheet),
        notes=notes(sheet),
    )


def _folded(sheet: Sheet) -> str:
    """The line behind which a published table lies of which nothing was measured; empty for all others."""
    cells = [cell for _, head, cell in sheet.cells() if head.key != PARAMETERS]
    whole = sheet.kind == "paper" or sheet.whose != "paper"
    if not whole or any(cell.measured is not None for cell in cells):
        return ""
    many = sum(cell.published is not None for cell in cells)
    return f"Nothing of this table was measured here; it has the {sheet.whose}'s {counted(many, 'number')}"


def _row(sheet: Sheet, row: Row, decisions: Sequence[Shown], behind: _Behind) -> _RowView:
    cells = [
        _cell(sheet, row, head, cell, one, behind)
        for head, cell, one in zip(sheet.heads, row.cells, decisions, strict=True)
    ]
    pairs = zip(sheet.heads, row.cells, strict=True)
    verdicts = dict.fromkeys(cell.verdict for head, cell in pairs if cell.verdict and head.key != PARAMETERS)
    words = " ".join((row.title, row.group, *row.marks)).lower()
    return _RowView(row.title, row.marks, words, ",".join(verdicts), cells)


def _cell(sheet: Sheet, row: Row, head: Head, cell: Cell, decision: Shown, behind: _Behind) -> _CellView:
    if cell.empty:
        return _CellView(empty=True)
    if cell.text is not None:
        return _CellView(text=cell.text)
    spread = f"± {decision.deviation}" if decision.deviation else ""
    partial = decision.left_out
    if cell.measured is not None and not partial:
        if cell.part:
            partial = (cell.part,)
        elif cell.verdict == "not measured":
            partial = (str(cell.reason).partition(";")[0],)  # the rest opens with the cell
    if sheet.kind == "audit" and cell.measured is None:
        return _CellView(value=decision.published, sort=repr(cell.published))
    sort = "" if cell.measured is None else repr(float(cell.measured))
    number = behind.add(sheet, row, head, cell)
    return _CellView(
        value=decision.value,
        arrow=decision.arrow,
        against=decision.against or "",
        spread=decision.interval or spread,
        published=decision.published,
        difference=decision.difference,
        partial=partial,
        verdict=cell.verdict,
        sort={"inf": "Infinity", "-inf": "-Infinity"}.get(sort, sort),
        place=decision.place,
        number=number,
        address=behind.address(sheet, row, head),
    )


# What lies behind the cells


class _Behind:
    """The data that opens with a cell; what several cells share is there once."""

    def __init__(self, report: Report) -> None:
        self._trials = report.trials
        self._used: dict[str, None] = {}
        self._cells: list[dict[str, Any]] = []
        self._evidence: list[dict[str, Any]] = []
        self._images: list[tuple[str, ...]] = []
        self._places: dict[int, int] = {}
        self._image_places: dict[tuple[str, ...], int] = {}
        self._addresses: Counter[str] = Counter()

    def address(self, sheet: Sheet, row: Row, head: Head) -> str:
        """What a link to the cell ends with: the same as long as table, network and column have their names."""
        key = ".".join(("cell", sheet.key, *(slug(part) for part in (row.group, row.title, head.key) if part)))
        self._addresses[key] += 1
        return key if self._addresses[key] == 1 else f"{key}.{self._addresses[key]}"

    def add(self, sheet: Sheet, row: Row, head: Head, cell: Cell) -> int | None:
        """The number of the cell's data; ``None`` where there is no more to say than the table does."""
        facts = list(_facts(cell, head))
        if cell.evidence is None and cell.command is None and not cell.reason and not cell.facts:
            return None
        title = " · ".join(part for part in (row.title, row.group, _column(head)) if part)
        # Of a cell that has its number the command asks for it again, of an empty one for the first time.
        asks = "command" if cell.measured is None else "again"
        self._cells.append(
            {"title": title, "facts": facts, "evidence": self._rests_on(cell.evidence), asks: cell.command}
        )
        return len(self._cells) - 1

    def json(self) -> Markup:
        """All of it, as JSON that can stand inside an element ``<script>``."""
        trials = {
            key: [
                text
                for text in (one.name, one.state, one.machine, one.versions, _code(one.commit, one.dirty), one.older)
                if text
            ]
            for key, one in self._trials.items()
            if key in self._used
        }
        whole = {"cells": self._cells, "evidence": self._evidence, "images": self._images, "trials": trials}
        return data_element(whole)

    def _rests_on(self, evidence: Evidence | None) -> int | None:
        if evidence is None:
            return None
        if id(evidence) in self._places:
            return self._places[id(evidence)]
        facts = METRICS.get(evidence.metric)
        digits = facts.fine_digits if facts else _COUNT_DIGITS
        if evidence.images not in self._image_places:
            self._image_places[evidence.images] = len(self._images)
            self._images.append(evidence.images)
        trials = [trial for trial in evidence.trials if trial in self._trials]
        self._used |= dict.fromkeys(trials)
        self._evidence.append(
            {
                "dataset": evidence.dataset,
                "seeds": evidence.seeds,
                "images": self._image_places[evidence.images],
                "values": [[_value(value, digits) for value in line] for line in evidence.values],
                "digits": digits,
                "lower": facts is not None and facts.better == "lower",
                "trials": trials,
                "base": [trial for trial in evidence.base if trial in self._trials],
            }
        )
        self._places[id(evidence)] = len(self._evidence) - 1
        return len(self._evidence) - 1


def _facts(cell: Cell, head: Head) -> Iterable[tuple[str, str]]:
    unit = f" {head.unit}" if head.unit else ""
    head = replace(head, digits=shown_digits(cell, head))
    if cell.measured is not None:
        said = "Difference" if head.signed else "Measured"
        left_out = "; ".join(numbers.left_out(cell.infinite))
        number = numbers.mean(cell.measured, cell.deviation, None, head.digits, sign=head.signed)
        yield said, f"{left_out} {number}{unit}" if left_out else f"{numbers.measured(cell, head)}{unit}"
    if cell.low is not None:
        yield "Interval", numbers.interval(cell, head) + unit
    if cell.published is not None:
        yield "Published", numbers.published(cell, head) + unit + _TRUST.get(cell.trust or "", "")
    if cell.difference is not None:
        digits = 0 if head.digits == 0 else head.digits + 1
        yield "Measured − published", numbers.number(cell.difference, digits, sign=True) + unit
    if cell.verdict:
        yield "Verdict", numbers.verdict(cell.verdict)
    if cell.reason or cell.part:
        yield "Remark", cell.reason or str(cell.part)
    yield from cell.facts
    for more in cell.more:
        yield more.title, numbers.mean(more.measured, more.deviation, more.infinite, more.digits)
    if cell.evidence is not None:
        if cell.evidence.seeds:
            yield "Seeds", ", ".join(map(str, cell.evidence.seeds))
        if cell.evidence.signature:
            yield "Metric", cell.evidence.signature
        if cell.evidence.devices:
            yield "Device", ", ".join(cell.evidence.devices)


def _column(head: Head) -> str:
    return head.title if not head.group or head.group in ("Test set", "Blur kernel") else f"{head.group}, {head.title}"


def _code(commit: str | None, dirty: bool | None) -> str:
    return "" if commit is None else f"commit {commit[:12]}{', changed' if dirty else ''}"


def _value(value: float | None, digits: int) -> float | str | None:
    if value is None:
        return None
    return numbers.number(value, 0) if math.isinf(value) else round(value, digits)
