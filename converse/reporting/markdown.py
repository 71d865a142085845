"""A sheet as a table of GitHub's Markdown."""

from __future__ import annotations

import re
from typing import Final

from converse.plain_text import visible
from converse.reporting import numbers
from converse.reporting.tables.decided import Shown, decided, notes
from converse.reporting.tables.sheet import Head, Sheet

_SPACE: Final = re.compile(r"[^\S\u202f\u00a0]+")  # but for those that hold a number together
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>|~#$!&@])")


def table(sheet: Sheet, *, titled: bool = True) -> str:
    """The sheet with its title, caption and notes.

    The best value of a column is bold, the second in italics, as :func:`converse.reporting.tables.decided.decided` has
    them.

    Args:
        sheet: any.
        titled: with a heading; without one where the title stands somewhere else.

    Returns:
        Markdown; words of a user are text, whatever they are.
    """
    shown = decided(sheet)
    grouped = any(row.group for row in sheet.rows)
    first = ["", sheet.stub] if grouped else [sheet.stub]
    heads = [*(plain(name) for name in first), *(_head(head) for head in sheet.heads)]
    rules = [*(":--" for _ in first), *(":--" if head.words else "--:" for head in sheet.heads)]
    caption = [plain(sheet.caption), ""] if sheet.caption else []
    title = [f"### {plain(sheet.title)}", ""] if titled else []
    lines = [*title, *caption, _line(heads), _line(rules)]
    for index, row in enumerate(sheet.rows):
        name = plain(row.title) + "".join(f" ({plain(mark)})" for mark in row.marks)
        cells = [_cell(one, sheet.whose) for one in shown[index]]
        lines.append(_line([*([plain(row.group)] if grouped else []), name, *cells]))
    if below := notes(sheet):
        lines += ["", *(f"{plain(note)}  " for note in below)]
    return "\n".join(lines).rstrip() + "\n"


def plain(text: str) -> str:
    """Text with all that Markdown or HTML would read escaped, on one line."""
    return _MARKUP.sub(r"\\\1", visible(_SPACE.sub(" ", text).strip()))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(head: Head) -> str:
    title = f"{head.group}: {head.title}" if head.group else head.title
    return plain(f"{title} ({head.unit})" if head.unit else title)


def _cell(shown: Shown, whose: str) -> str:
    main = plain(shown.number)
    if shown.place is not None and main:
        main = f"**{main}**" if shown.place == 1 else f"*{main}*"
    published = f"{whose} {plain(shown.published)}" if shown.published else ""
    parts = [f"{main}{shown.arrow}", plain(shown.interval), published]
    return ", ".join(part for part in (*parts, plain(numbers.verdict(shown.verdict or None))) if part)
