"""``converse list``: the words that suites and other commands take."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli.options import Format, OutputFormat
from converse.cli.printing import print_document, print_json, print_table, say

if TYPE_CHECKING:
    from converse.workflows.listing import Kind


class What(StrEnum):
    """What ``converse list`` can show."""

    suites = "suites"
    entries = "entries"
    operators = "operators"
    models = "models"
    datasets = "datasets"


def listing(
    what: Annotated[What | None, typer.Argument(help="All five, if left out.", show_default=False)] = None,
    output: Format = OutputFormat.table,
) -> int:
    """Show the suites, their entries, and the operators, models and datasets that a suite may name.

    `converse data list` says more of datasets: where they are found on this machine, and their licences.
    """
    from converse.errors import OptionError
    from converse.workflows.listing import COLUMNS, listing

    kinds: list[Kind] = [what.value] if what else list(COLUMNS)
    if output is OutputFormat.csv and len(kinds) > 1:
        raise OptionError("csv holds one table: name one of suites, entries, operators, models, datasets")
    if output is OutputFormat.json and len(kinds) > 1:
        print_json({kind: listing(kind) for kind in kinds})
        return 0
    for position, kind in enumerate(kinds):
        rows = listing(kind)
        if output is OutputFormat.table:
            if position:
                say()
            print_table(COLUMNS[kind], [tuple(_cell(row[column]) for column in COLUMNS[kind]) for row in rows])
        elif output is OutputFormat.json:
            print_document(COLUMNS[kind], rows, output)
        else:
            print_document(COLUMNS[kind], [{key: _cell(value) for key, value in row.items()} for row in rows], output)
    return 0


def _cell(value: Any) -> str:
    """A value as people write it: lists with commas, tables as ``key=value``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={item if isinstance(item, str) else json.dumps(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
