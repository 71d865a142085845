"""Result rows as tables for a terminal, arranged like the paper's: networks down, test sets or kernels across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Record = Mapping[str, Any]

_TITLES = {"denoising": "Denoising", "super_resolution": "Super-resolution ×4", "deblurring": "Deblurring"}
_VERDICTS = {
    "match": ("✓", "green"),
    "close": ("≈", "yellow"),
    "differs": ("✗", "red"),
    "not measured": ("·", "dim"),
}
_METRICS = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS"}


def paper_tables(rows: Sequence[Record]) -> list[RenderableType]:
    """All tables of a reproduction, and what is needed to read them.

    Args:
        rows: with the keys of :data:`converse.analysis.tables.RESULT_COLUMNS`, in the paper's order.

    Returns:
        One table per task (for deblurring, per task and test set), one of parameters, notes, a legend, signatures.
    """
    shown: list[RenderableType] = []
    images = [row for row in rows if row["metric"] in _METRICS]
    for task, of_task in groupby(images, key=lambda row: row["task"]):
        cells = list(of_task)
        if any(row["case"] for row in cells):
            for dataset in dict.fromkeys(row["dataset"] for row in cells):
                here = [row for row in cells if row["dataset"] == dataset]
                shown.append(_table(f"{_TITLES.get(task, task)}, {dataset}", here, "case"))
        else:
            shown.append(_table(_TITLES.get(task, task), cells, "dataset"))
    counts = [row for row in rows if row["metric"] == "parameters"]
    if counts:
        shown.append(_parameters(counts))
    shown += [Text(""), *_notes(images), _legend(), *_signatures(images)]
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
        table.add_column(name, justify="left" if name in ("network", "images of") else "right", no_wrap=True)
    table.add_column("time, or why not")
    for line in lines:
        numbers = ["–" if line[name] is None else str(line[name]) for name in ("images", "done", "left")]
        remark = line["reason"] or ("unknown" if line["seconds"] is None else _duration(line["seconds"]))
        table.add_row(line["entry"], line["dataset"], *numbers, "" if line["left"] == 0 else remark)
    return table


def _table(title: str, rows: Sequence[Record], across: str) -> RenderableType:
    columns = list(dict.fromkeys(row[across] for row in rows))
    # Five kernels fit into 80 columns without padding.
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1) if len(columns) < 5 else (0, 0),
        title=title,
        title_justify="left",
        title_style="bold",
    )
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    for column in columns:
        table.add_column(
            str(column).replace("_", " "), justify="right", min_width=9, max_width=9 + 6 * (len(columns) < 3)
        )
    for entry, of_entry in groupby(rows, key=lambda row: row["entry"]):
        by_cell = {(row[across], row["metric"]): row for row in of_entry}
        lines = list(_lines(by_cell, columns))
        for index, (label, cells) in enumerate(lines):
            table.add_row(entry if index == 0 else "", label, *cells, end_section=index == len(lines) - 1)
    return table


def _lines(cells: Mapping[tuple[Any, str], Record], columns: Sequence[Any]) -> Iterator[tuple[str, list[Text]]]:
    """The lines of one network: each metric, and below PSNR what the paper has; without those that are all empty."""
    for metric, label in _METRICS.items():
        of_metric = [cells.get((column, metric)) for column in columns]
        yield from _filled(label, [_number(row, "measured", 4) for row in of_metric])
        if any(row and row["published"] is not None for row in of_metric):
            yield from _filled("published", [_number(row, "published", 2) for row in of_metric])
            yield from _filled("Δ", [_number(row, "difference", 4, sign=True) for row in of_metric])
            yield "verdict", [_verdict(row) for row in of_metric]


def _filled(label: str, cells: list[Text]) -> Iterator[tuple[str, list[Text]]]:
    if any(cell.plain for cell in cells):
        yield label, cells


def _number(row: Record | None, name: str, digits: int, *, sign: bool = False) -> Text:
    if row is None or row[name] is None:
        return Text("")
    text = f"{row[name]:{'+' if sign else ''}.{digits}f}".replace("-", "−")
    return Text(text, style="bold" if name == "measured" else "")


def _verdict(row: Record | None) -> Text:
    if row is None or row["verdict"] is None:
        return Text("")
    symbol, style = _VERDICTS[row["verdict"]]
    return Text(f"{symbol} {row['verdict']}", style=style)


def _parameters(rows: Sequence[Record]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Parameters", title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for name in ("counted", "published", "Δ", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", ratio=1)
    for row in rows:
        numbers = [
            "" if row[name] is None else f"{row[name]:{sign},}".replace(",", " ").replace("-", "−")
            for name, sign in (("measured", ""), ("published", ""), ("difference", "+"))
        ]
        table.add_row(row["entry"], *numbers, _verdict(row), Text(row["reason"] or "", style="dim"))
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
        yield Text("Without a verdict", style="bold")
    for reason, names in where.items():
        subject = ", ".join(filter(None, names))
        text = reason.format(subject)
        yield _item(f"{subject}: {text}" if subject and "{}" not in reason else text)


def _legend() -> RenderableType:
    text = Text("PSNR in dB, mean over images. ")
    for verdict, (symbol, style) in _VERDICTS.items():
        text.append(f" {symbol} {verdict}", style=style)
    return Group(Text(""), text)


def _signatures(rows: Sequence[Record]) -> Iterator[RenderableType]:
    found = dict.fromkeys((row["task"], row["signature"]) for row in rows if row["signature"])
    if found:
        yield Text("Signatures", style="bold")
    for task, signature in found:
        yield _item(f"{_TITLES.get(task, task)}: {signature}", "dim")


def _item(text: str, style: str = "") -> RenderableType:
    return Padding(Text(text, style=style, overflow="fold"), (0, 0, 0, 2))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min {rest} s" if minutes else f"about {rest} s"
