"""An answer of the gate for a terminal: what is as it should be, then what to look at and how, then the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converse.reporting import numbers

if TYPE_CHECKING:
    from converse.reporting.gate.answer import Answer
    from converse.reporting.tables.sheet import Sheet

Table = tuple[list[str], list[list[str]]]
"""Columns and rows."""


def tables(answer: Answer) -> Iterator[Table]:
    """The tables of an answer as text, the one to look at last: nearest to where a reader of a terminal is."""
    from converse.reporting.gate.sheets import gate_sheets

    yield from (_table(sheet) for sheet in reversed(list(gate_sheets(answer))))


def reasons(answer: Answer) -> Iterator[str]:
    """Lines that say why, and the command to look closer."""
    from converse.reporting.gate.answer import closer

    for one in closer(answer.grave):
        yield f"{'; '.join(one.findings)}: {one.reason}"
        if one.look:
            yield f"  look closer: {one.look}"


def print_answer(answer: Answer) -> None:
    """Print all of it.

    Args:
        answer: any.
    """
    from converse.cli.printing import print_table, say

    for columns, rows in tables(answer):
        print_table(columns, rows)
        say()
    for line in reasons(answer):
        say(line)
    if answer.grave:
        say()
    say(f"{numbers.verdict(answer.word)}: {answer.tally}, compared with {answer.baseline}")


def _table(sheet: Sheet) -> Table:
    columns = [sheet.stub, *(head.title for head in sheet.heads)]
    rows = [
        [row.title, *(numbers.verdict(cell.verdict) or cell.text or "" for cell in row.cells)] for row in sheet.rows
    ]
    return columns, rows
