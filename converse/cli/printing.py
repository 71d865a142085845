"""What commands write: lines and tables for people, one document for programs.

No other module of the command line writes. Text of files, stores and servers comes out as text, whatever it holds.
"""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from converse.cli.options import OutputFormat
from converse.cli.streams import fitting, output
from converse.plain_text import json_safe, spreadsheet_cell, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


_SCALARS: Final = {str, int, float, bool, type(None)}


def say(text: object = "", *, err: bool = False) -> None:
    """Write one or more lines.

    Args:
        text: what to say; characters that control a terminal are shown, line breaks kept.
        err: to standard error, as notes, errors and progress are.
    """
    stream = sys.stderr if err else output()
    stream.write(visible(str(text), keep="\n") + "\n")
    stream.flush()


def console() -> Console:
    """A console of rich's on standard output, for what has styles."""
    from rich.console import Console

    return Console(file=output(), highlight=False)


def shown(text: object, *, err: bool = False) -> str:
    """Text of any origin as a cell or a bar has it: visible, and in the characters of the stream.

    Args:
        text: any.
        err: for standard error.
    """
    return fitting(visible(str(text)), sys.stderr if err else output())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; on a narrow terminal its columns are folded between words, see `converse.cli.folding`.

    Args:
        columns: the header.
        rows: one cell per column.
    """
    from converse.cli.folding import table_lines

    terminal = console()
    cells = _shown_rows(rows)
    width = terminal.width if terminal.is_terminal else None
    for line in table_lines([shown(name) for name in columns], cells, width):
        if line.bold and terminal.is_terminal:
            terminal.print(line.text, style="bold", markup=False, soft_wrap=True)
        else:
            output().write(line.text + "\n")


def _shown_rows(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    whole = "".join(chain.from_iterable(rows))
    if shown(whole) == whole:  # as of most tables, of which one may have ten thousand rows
        return rows
    return [row if (joined := "".join(row)) == shown(joined) else _shown_cells(row) for row in rows]


def _shown_cells(row: Sequence[str]) -> list[str]:
    return ["\n".join(shown(line) for line in cell.split("\n")) for cell in row]


def print_rich(*parts: RenderableType) -> None:
    """Print what rich lays out, one below the other.

    Args:
        parts: their text has been through :func:`shown`.
    """
    console().print(*parts, sep="\n")


def print_document(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], output_format: OutputFormat) -> None:
    """Print records as one JSON list or as CSV with a header.

    Args:
        columns: the keys of each record.
        rows: JSON-able.
        output_format: ``json`` or ``csv``.
    """
    if output_format is OutputFormat.json:
        print_json([dict(row) for row in rows])
        return
    writer = csv.DictWriter(output(), columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: spreadsheet_cell(value) for key, value in row.items()} for row in rows)


def print_json(value: Any) -> None:
    """Print one JSON document.

    Args:
        value: JSON-able; NaN becomes null, and infinities the strings ``inf`` and ``-inf``, for JSON has none of them.
    """
    text = json_safe(_json(value, ensure_ascii=False))
    stream = output()
    if fitting(text, stream) != text:  # JSON has a way of its own, in which nothing is lost
        text = _json(value, ensure_ascii=True)
    stream.write(text + "\n")


def _json(value: Any, *, ensure_ascii: bool) -> str:
    """A document as :func:`json.dumps` indents it; of ten thousand records its own way of indenting takes a second."""
    from converse.experiments.store.files import jsonable

    if _flat(value):
        encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, allow_nan=False, separators=(",\n    ", ": "))
        with contextlib.suppress(ValueError):  # there is a NaN or an infinity among them
            records = encoder.encode(value)[2:-2].split("},\n    {")  # no string has a line break of its own in JSON
            return "[\n  {\n    " + "\n  },\n  {\n    ".join(records) + "\n  }\n]"
    return json.dumps(jsonable(value), indent=2, ensure_ascii=ensure_ascii, allow_nan=False)


def _flat(value: Any) -> bool:
    """Whether it is a list of records without tables and lists in them."""
    records = isinstance(value, list) and value and all(type(row) is dict and row for row in value)
    return bool(records) and _SCALARS.issuperset(map(type, chain.from_iterable(map(dict.values, value))))
