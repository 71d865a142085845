"""A sheet as JSON: its head, and one object per cell with the same numbers as in the comma-separated values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from converse.plain_text import json_safe, visible
from converse.reporting.csv import lines_of
from converse.reporting.tables.decided import notes
from converse.reporting.tables.sheet import Sheet

_NUMBERS: Final = ("measured", "deviation", "low", "high", "published", "difference", "place", "images", "infinite")
_COMMA: Final = ",\n"
_LISTS: Final = ("seeds", "trials")


def table(sheet: Sheet) -> str:
    """The sheet with title, caption, notes, columns and cells; what does not apply to a cell is not among its keys.

    Args:
        sheet: any.

    Returns:
        JSON. Numbers are numbers; an infinite one, which JSON does not have, is the text ``inf``.
    """
    columns = [{"key": head.key, "title": head.title, "group": head.group, "unit": head.unit} for head in sheet.heads]
    cells = (
        {name: _value(name, value) for name, value in line.items() if value not in (None, "")}
        for line in lines_of(sheet)
    )
    whole = {"title": sheet.title, "caption": sheet.caption, "source": sheet.source, "notes": list(notes(sheet))}
    lists = (f'"{name}": [\n{_lines(items)}\n]' for name, items in (("columns", columns), ("cells", cells)))
    return json_safe(f"{_json(whole)[:-1]},\n{_COMMA.join(lists)}}}\n")


def _lines(items: Iterable[object]) -> str:
    """A line for each, so that two versions can be compared line by line."""
    return ",\n".join(map(_json, items))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _value(name: str, text: str | None) -> Any:
    if text is None:
        return None
    if name in _LISTS:
        return text.split()
    if name not in _NUMBERS:
        return visible(text, keep="\n")
    number = float(text)
    if math.isinf(number):
        return text
    return int(number) if number.is_integer() and "." not in text else number
