"""Result rows as tables for a terminal, in the paper's arrangement: networks down, test sets or kernels across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich import box
from rich.console import Group, OverflowMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from converse.analysis.paper_sheets import METRICS, TASKS, paper_sheets
from converse.analysis.published import published
from converse.analysis.sheets import PARAMETERS, VERDICTS, Cell, Head, Measure, Row, Sheet
from converse.analysis.tables import PUBLISHED_METRIC
from converse.cli.printing import shown
from converse.reporting import numbers

Record = Mapping[str, Any]

_STYLES: Final = {"match": "green", "close": "yellow", "differs": "red", "not measured": "dim"}

_DIGITS: Final = 4
"""Of measured numbers: here they are copied, and there is room."""


def paper_tables(rows: Sequence[Record]) -> list[RenderableType]:
    """All tables of a reproduction, and what is needed to read them.

    Args:
        rows: with the keys of :data:`converse.analysis.tables.RESULT_COLUMNS`, in the paper's order.

    Returns:
        One table per task (for deblurring, per task and test set), one of parameters, notes, a legend, signatures. The
        arrangement is that of :func:`converse.analysis.paper_sheets.paper_sheets`, which reports have too.
    """
    sheets = paper_sheets(rows, published(), source="released", whole=False)
    shown: list[RenderableType] = []
    for sheet in sheets:
        if any(head.key != PARAMETERS for head in sheet.heads):
            shown += [_table(sheet, group, list(members)) for group, members in groupby(sheet.rows, lambda r: r.group)]
    counts = {row.title: cell for sheet in sheets for row, head, cell in sheet.cells() if head.key == PARAMETERS}
    if any(not cell.empty for cell in counts.values()):
        shown.append(_parameters(counts))
    images = [row for row in rows if row["metric"] in METRICS]
    quoted = any(cell.trust == "secondary" for sheet in sheets for _, _, cell in sheet.cells())
    infinite = any(row.get("infinite") for row in images)
    shown += [_text(""), *_notes(images), _legend(quoted, infinite), *_signatures(images)]
    return shown


def plan_table(lines: Sequence[Record]) -> RenderableType:
    """What a dry run found.

    Args:
        lines: as :func:`converse.workflows.reproduce.dry_run` gives them.

    Returns:
        One table.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="What there is to do", title_justify="left")
    for name in ("network", "images of", "all", "done", "left"):
        table.add_column(_text(name), justify="left" if name in ("network", "images of") else "right", no_wrap=True)
    table.add_column("time, or why not")
    for line in lines:
        numbers = ["–" if line[name] is None else str(line[name]) for name in ("images", "done", "left")]
        remark = line["reason"] or ("unknown" if line["seconds"] is None else _duration(line["seconds"]))
        table.add_row(*map(_text, (line["entry"], line["dataset"], *numbers, "" if line["left"] == 0 else remark)))
    return table


def _table(sheet: Sheet, group: str, rows: Sequence[Row]) -> RenderableType:
    columns = [
        (at, head)
        for at, head in enumerate(sheet.heads)
        if head.key != PARAMETERS and any(not row.cells[at].empty for row in rows)
    ]
    # Five kernels fit into 80 columns without padding.
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1) if len(columns) < 5 else (0, 0),
        title=_text(f"{sheet.title}, {group}" if group else sheet.title, style="bold"),
        title_justify="left",
    )
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    for _, head in columns:
        table.add_column(_text(head.title), justify="right", min_width=9, max_width=9 + 6 * (len(columns) < 3))
    for row in rows:
        lines = list(_lines([(head, row.cells[at]) for at, head in columns]))
        for index, (label, cells) in enumerate(lines):
            table.add_row(
                _text(row.title if index == 0 else ""), _text(label), *cells, end_section=index == len(lines) - 1
            )
    return table


def _lines(cells: Sequence[tuple[Head, Cell]]) -> Iterator[tuple[str, list[Text]]]:
    """The lines of one network: each metric, and below PSNR what the paper has; without those that are all empty."""
    yield from _metric(METRICS[PUBLISHED_METRIC][0], [cell for _, cell in cells])
    if any(cell.published is not None for _, cell in cells):
        yield from _filled("published", [_text(numbers.published(cell, head)) for head, cell in cells])
        yield from _filled("Δ", [_text(numbers.number(cell.difference, _DIGITS, sign=True)) for _, cell in cells])
        yield "verdict", [_verdict(cell) for _, cell in cells]
    for title in dict.fromkeys(measure.title for _, cell in cells for measure in cell.more):
        yield from _metric(title, [{one.title: one for one in cell.more}.get(title) for _, cell in cells])


def _metric(title: str, means: Sequence[Cell | Measure | None]) -> Iterator[tuple[str, list[Text]]]:
    """The line of a metric, and below it in how many images it is infinite, where the mean leaves these out."""
    yield from _filled(title, [_bold(one.measured if one else None) for one in means])
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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Parameters", title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for name in ("counted", "published", "Δ", "verdict"):
        table.add_column(_text(name), justify="right", no_wrap=True)
    table.add_column("", ratio=1)
    for entry, cell in counts.items():
        if not cell.empty:
            said = (numbers.number(cell.measured, 0), numbers.number(cell.published, 0))
            difference = numbers.number(cell.difference, 0, sign=True)
            table.add_row(
                *map(_text, (entry, *said, difference)), _verdict(cell), _text(cell.reason or "", style="dim")
            )
    return table


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


def _legend(quoted: bool, infinite: bool) -> RenderableType:
    text = _text("PSNR in dB, mean over images. ")
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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest} s" if minutes else f"about {rest} s"
