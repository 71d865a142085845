"""An answer as Markdown: for the summary of a workflow's step, for a comment, for a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from converse.analysis.gate.findings import OUTCOMES, Finding
from converse.counted import counted
from converse.plain_text import visible
from converse.reporting import markdown, numbers
from converse.reporting.gate.answer import Answer, closer
from converse.reporting.gate.sheets import gate_sheets
from converse.reporting.tables.sheet import Sheet

_MOST: Final = 100
"""Findings of one table: a step's summary on GitHub has room for one mebibyte."""


def summary(answer: Answer) -> str:
    """The answer, what to look at and how, then the rest behind a line that opens.

    Args:
        answer: any.

    Returns:
        GitHub's Markdown; names and words of others are text, whatever they are.
    """
    return "\n".join(_lines(answer)).rstrip() + "\n"


def _lines(answer: Answer) -> Iterator[str]:
    look = numbers.LOOKS[answer.word]
    yield f"## {look.symbol} converse check: {answer.word}"
    yield ""
    yield f"{markdown.plain(answer.tally)}, compared with {markdown.plain(answer.baseline)}."
    yield ""
    tables = {sheet.key: sheet for sheet in gate_sheets(answer)}
    if "attention" in tables:
        yield from _table(tables["attention"])
        yield from _closer(answer.grave)
    if "fine" in tables:
        said = f"{tables['fine'].title}: {counted(len(answer.fine), 'finding')}"
        yield from ("<details>", f"<summary>{markdown.plain(said)}</summary>", "")
        yield from _table(tables["fine"], titled=False)
        yield from ("</details>", "")
    yield from (f"- {markdown.plain(note)}" for note in answer.notes)
    if answer.facts:
        yield ""
        yield " · ".join(f"{markdown.plain(name)}: {markdown.plain(text)}" for name, text in answer.facts)
    if answer.command:
        yield from ("", "The same again:", "", *_code(answer.command))


def _table(sheet: Sheet, *, titled: bool = True) -> Iterator[str]:
    more = len(sheet.rows) - _MOST
    text = markdown.table(replace(sheet, rows=sheet.rows[:_MOST]), titled=titled)
    for word in OUTCOMES:  # a narrow column would break the line between the two
        symbol = numbers.LOOKS[word].symbol
        text = text.replace(f"| {symbol} {word} |", f"| {symbol}\u00a0{word} |")
    yield text
    if more > 0:
        yield f"and {more} more: the answer as JSON (`--format json`) has them all"
        yield ""


def _closer(findings: tuple[Finding, ...]) -> Iterator[str]:
    yield from ("#### Why, and how to look closer", "")
    for one in closer(findings[:_MOST]):
        yield f"- **{'; '.join(map(markdown.plain, one.findings))}**: {markdown.plain(one.reason)}"
        if one.look:
            yield ""
            yield from (f"  {line}" for line in _code(one.look))
        yield ""


def _code(command: str) -> Iterator[str]:
    """A block of code that nothing inside of it can end."""
    text = visible(command)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield from (f"{fence}sh", text, fence)
