"""What commands write to standard output: a table for people, one document for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import typer

from converse.cli.options import OutputFormat

if TYPE_CHECKING:
    from converse.workflows.work import Failure


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; its last column is folded where the terminal is narrow, the others are never cut.

    Args:
        columns: the header.
        rows: one cell per column.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for column, cells in zip(table.columns[:-1], zip_longest(columns, *rows, fillvalue=""), strict=False):
        column.no_wrap = True
        column.min_width = max(map(cell_len, cells))  # no_wrap alone lets rich cut them
    table.columns[-1].overflow = "fold"
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # a reason or a path may hold what looks like markup
    console = Console()
    needs = Measurement.get(console, console.options.update(max_width=10_000), table)
    console.width = max(console.width, needs.minimum) if console.is_terminal else max(needs.maximum, 1)
    console.print(table)


def print_document(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], output: OutputFormat) -> None:
    """Print records as one JSON list or as CSV with a header.

    Args:
        columns: the keys of each record.
        rows: JSON-able.
        output: ``json`` or ``csv``.
    """
    if output is OutputFormat.json:
        print_json([dict(row) for row in rows])
        return
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_json(value: Any) -> None:
    """Print one JSON document.

    Args:
        value: JSON-able, without NaN.
    """
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def report_failures(failures: Sequence[Failure], notes: Sequence[str] = ()) -> None:
    """Say on standard error what failed, and what else there is to know."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    for failure in failures:
        when = "failed" if failure.fresh else "failed before"
        typer.echo(f"{when}: {failure.name} (trial {failure.trial}): {failure.reason}", err=True)
    if failures:
        typer.echo(f"tracebacks: {failures[0].folder.parent}/TRIAL/failure.txt", err=True)
    if any(not failure.fresh for failure in failures):
        typer.echo("--retry-failed runs failed trials again", err=True)
