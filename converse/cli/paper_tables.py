"""Result rows as tables for a terminal, in the paper's arrangement: networks down, test sets or kernels across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, OverflowMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from converse.analysis.published import published
from converse.analysis.tables import PUBLISHED_METRIC
from converse.cli.folding import table_lines
from converse.cli.printing import shown
from converse.data.noise_levels import level_of
from converse.metrics import METRICS, PARAMETERS
from converse.reporting import numbers
from converse.reporting.tables.noise_levels import noise_level_sheet
from converse.reporting.tables.paper import TASKS, paper_sheets
from converse.reporting.tables.sheet import VERDICTS, Cell, Head, Measure, Row, Sheet
from converse.reporting.tables.sources import image_sheets

if TYPE_CHECKING:
    from converse.analysis.image_checks import ImageCheck
    from converse.analysis.tables import ResultRow

Record = Mapping[str, Any]

_STYLES: Final = {"match": "green", "close": "yellow", "differs": "red", "not measured": "dim"}

_SENTENCE: Final = 12
"""Columns that a sentence needs at the end of a row."""

_DIGITS: Final = 4
"""Of measured numbers: here they are copied, and there is room."""


def paper_tables(rows: Sequence[ResultRow], checks: Sequence[ImageCheck] = ()) -> list[RenderableType]:
    """All tables of a reproduction, and what is needed to read them.

    Args:
        rows: in the paper's order.
        checks: single images beside the authors' logs.

    Returns:
        One table per task (for deblurring, per task and test set), one of further noise levels, one of single images,
        one of parameters, notes, a legend, signatures. The arrangement is that of
        :func:`converse.reporting.tables.paper.paper_sheets`, which reports have too.
    """
    own = [row for row in rows if level_of(row["case"]) is None]
    sheets = paper_sheets(own, published(), source="released", whole=False)
    for task in dict.fromkeys(row["task"] for row in rows):
        further = noise_level_sheet([row for row in rows if row["task"] == task], source="released", key=task)
        sheets += [] if further is None else [further]
    found: list[RenderableType] = []
    for sheet in sheets:
        if any(head.key != PARAMETERS for head in sheet.heads):
            found += [_Values(sheet, group, list(members)) for group, members in groupby(sheet.rows, lambda r: r.group)]
    found += [_Values(sheet, "", sheet.rows) for sheet in image_sheets(checks)]
    counts = {row.title: cell for sheet in sheets for row, head, cell in sheet.cells() if head.key == PARAMETERS}
    if any(not cell.empty for cell in counts.values()):
        found.append(_parameters(counts))
    images = [row for row in rows if row["metric"] in METRICS]
    quoted = any(cell.trust == "secondary" for sheet in sheets for _, _, cell in sheet.cells())
    infinite = any(row.get("infinite") for row in images)
    found += [_text(""), *_notes(images), _legend(quoted, infinite, means=bool(images)), *_signatures(images)]
    return found


@dataclass(frozen=True)
class _Values:
    """Rows of a sheet: test sets across, in several tables where one would be too wide."""

    sheet: Sheet
    group: str
    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        columns = [
            (at, head)
            for at, head in enumerate(self.sheet.heads)
            if head.key != PARAMETERS and any(not row.cells[at].empty for row in self.rows)
        ]
        lines = [list(_lines([(head, row.cells[at]) for at, head in columns])) for row in self.rows]
        names = max((cell_len(shown(row.title)) for row in self.rows), default=0)
        labels = max((cell_len(shown(label)) for of_row in lines for label, _ in of_row), default=0)
        room = options.max_width - names - labels - 6
        # Five kernels fit into 80 columns without padding.
        together = next((n for n in range(len(columns), 1, -1) if n * (10 if n >= 5 else 12) <= room), 1)
        for first in range(0, len(columns), together):
            # Where there is no room for one number, names are folded.
            widest = names if room >= 12 else max(names + room - 10, 4)
            yield self._table(columns[first : first + together], widest, narrow=room < 12, titled=first == 0)

    def _table(self, columns: Sequence[tuple[int, Head]], widest_name: int, *, narrow: bool, titled: bool) -> Table:
        title = f"{self.sheet.title}, {self.group}" if self.group else self.sheet.title
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1) if len(columns) < 5 and not narrow else (0, 0),
            title=_text(title, style="bold") if titled else None,
            title_justify="left",
        )
        table.add_column("", width=widest_name, overflow="fold")
        table.add_column("", no_wrap=True, style="dim")
        widest = 9 + 6 * (len(columns) < 3)
        for _, head in columns:
            table.add_column(_text(head.title), justify="right", min_width=9, max_width=widest, overflow="fold")
        for row in self.rows:
            lines = list(_lines([(head, row.cells[at]) for at, head in columns]))
            for index, (label, cells) in enumerate(lines):
                name = _text(row.title if index == 0 else "")
                table.add_row(name, _text(label), *cells, end_section=index == len(lines) - 1)
        return table


@dataclass(frozen=True)
class _Remarks:
    """Rows that end with a sentence; without lines and styles where a terminal is too narrow for these."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Text]]
    left: int
    """Columns before the numbers."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        heads = [shown(head) for head in self.heads]
        cells = [[cell.plain for cell in row] for row in self.rows]
        taken = sum(max(map(cell_len, column)) + 3 for column in list(zip(heads, *cells, strict=True))[:-1])
        if taken + _SENTENCE > options.max_width:
            yield _text(self.title, style="bold")
            for line in table_lines(heads, cells, options.max_width):
                yield Text(line.text, style="bold" if line.bold else "")
            yield Text("")
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_text(self.title, style="bold"), title_justify="left")
        for number, head in enumerate(heads[:-1]):
            table.add_column(Text(head), justify="left" if number < self.left else "right", no_wrap=True)
        table.add_column(Text(heads[-1]), ratio=1)
        for row in self.rows:
            table.add_row(*row)
        yield table


def _lines(cells: Sequence[tuple[Head, Cell]]) -> Iterator[tuple[str, list[Text]]]:
    """The lines of one network: each metric, and below PSNR what the paper has; without those that are all empty."""
    held = any(cell.published is not None for _, cell in cells)
    yield from _metric(METRICS[PUBLISHED_METRIC].title, [cell for _, cell in cells], said=held)
    if held:
        yield from _filled("published", [_text(numbers.published(cell, head)) for head, cell in cells])
        yield from _filled("Δ", [_text(numbers.number(cell.difference, _DIGITS, sign=True)) for _, cell in cells])
        yield "verdict", [_verdict(cell) for _, cell in cells]
    for title in dict.fromkeys(measure.title for _, cell in cells for measure in cell.more):
        yield from _metric(title, [{one.title: one for one in cell.more}.get(title) for _, cell in cells])


def _metric(
    title: str, means: Sequence[Cell | Measure | None], *, said: bool = True
) -> Iterator[tuple[str, list[Text]]]:
    """The line of a metric, and below it in how many images it is infinite, where the mean leaves these out.

    Unless a line of verdicts says so, what is not measured is said here.
    """
    silent = [one if isinstance(one, Cell) and one.measured is None and not said else None for one in means]
    shown = zip(means, silent, strict=True)
    yield from _filled(title, [_verdict(one) if one else _bold(mean.measured if mean else None) for mean, one in shown])
    infinite = [one.infinite if one and one.infinite and one.infinite.some else None for one in means]
    yield from _filled("∞ in", [_text(f"{one.images} of {one.of}" if one else "") for one in infinite])


def _filled(label: str, cells: list[Text]) -> Iterator[tuple[str, list[Text]]]:
    if any(cell.plain for cell in cells):
        yield label, cells


def _bold(value: float | None) -> Text:
    return _text(numbers.number(value, _DIGITS), style="bold")


def _verdict(cell: Cell) -> Text:
    return _text(numbers.verdict(cell.verdict), style=_STYLES.get(cell.verdict or "", ""))


def _parameters(counts: Mapping[str, Cell]) -> RenderableType:
    rows = []
    for entry, cell in counts.items():
        if not cell.empty:
            said = (numbers.number(cell.measured, 0), numbers.number(cell.published, 0))
            difference = numbers.number(cell.difference, 0, sign=True)
            words = [_text(word) for word in (entry, *said, difference)]
            rows.append([*words, _verdict(cell), _text(cell.reason or "", style="dim")])
    return _Remarks("Parameters", ("", "counted", "published", "Δ", "verdict", ""), rows, left=1)


def _notes(rows: Sequence[Record]) -> Iterator[RenderableType]:
    """Why there is no verdict: each reason once, with the networks and test sets that it holds for."""
    where: dict[str, dict[str, None]] = {}
    for row in rows:
        said = (row["reason"] or "").split("; ")
        reason = "; ".join(part for part in said if part != "no published value")
        if not reason:
            continue
        if row["entry"] in reason:
            where.setdefault(reason.replace(row["entry"], "{}"), {})[row["entry"]] = None
        else:
            here = "" if reason.startswith(f"{row['dataset']}:") else f"{row['entry']} {row['dataset']}"
            where.setdefault(reason.replace("{", "{{").replace("}", "}}"), {})[here] = None
    if where:
        yield _text("Without a verdict", style="bold")
    for reason, names in where.items():
        subject = ", ".join(filter(None, names))
        text = reason.format(subject)
        yield _item(f"{subject}: {text}" if subject and "{}" not in reason else text)


def _legend(quoted: bool, infinite: bool, *, means: bool) -> RenderableType:
    text = _text("PSNR in dB, mean over images. " if means else "PSNR in dB. ")
    for verdict in VERDICTS:
        text.append(shown(f" {numbers.verdict(verdict)}"), style=_STYLES[verdict])
    if quoted:
        text.append(shown("  † quoted by a third party"))
    if infinite:
        text.append("\n" + shown("∞: the output equals the image; the mean is that of the other images."))
    return Group(_text(""), text)


def _signatures(rows: Sequence[Record]) -> Iterator[RenderableType]:
    found = dict.fromkeys((row["task"], row["signature"]) for row in rows if row["signature"])
    if found:
        yield _text("Signatures", style="bold")
    for task, signature in found:
        yield _item(f"{TASKS.get(task, task)}: {signature}", "dim")


def _item(text: str, style: str = "") -> RenderableType:
    return Padding(_text(text, style=style, overflow="fold"), (0, 0, 0, 2))


def _text(text: str, style: str = "", overflow: OverflowMethod | None = None) -> Text:
    """Text of any origin, without markup."""
    return Text(shown(text), style=style, overflow=overflow)
