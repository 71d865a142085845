"""Tables read back from HTML, LaTeX, Markdown and CSV, so that what they show can be held against each other."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Final

from converse.reporting import latex, markdown
from converse.reporting.csv import table as csv_table
from converse.reporting.latex_text import latex as as_latex
from converse.reporting.numbers import LOOKS
from converse.reporting.tables.sheet import Sheet

_SYMBOLS: Final = {look.latex: look.symbol for look in LOOKS.values()}
_LATEX: Final = re.compile(
    r"(?P<open>\\textbf\{|\\underline\{)?(?P<main>.*?)(?(open)\})(?P<rest>(?: \$\\pm\$ [^$\\]*)?)"
    r"(?:\$\^\{\\(?P<arrow>up|down)arrow\}\$)?"
    r"(?:\\rlap\{\$\^\{(?P<symbol>[^}]*)\}\$\})?"
)


@dataclass(frozen=True)
class Read:
    """What a reader sees of a number: its digits with sign and deviation, and its marks.

    Attributes:
        number: in the letters of its format.
        place: ``best``, ``second`` or nothing.
        arrow: how it stands to the base.
        symbol: of the verdict.
    """

    number: str = ""
    place: str = ""
    arrow: str = ""
    symbol: str = ""


class _Page(HTMLParser):
    """Numbers of every table of a page, by the table's id."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[Read]]] = {}
        self._rows: list[list[Read]] = []
        self._path: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._rows = self.tables.setdefault(known["id"].removeprefix("table-"), [])
        elif tag == "tr" and "data-words" in known:
            self._rows.append([])
        elif tag == "td" and self._rows:
            self._rows[-1].append(Read(place=known.get("class", "").removeprefix("word")))
        if tag not in ("input", "br", "meta", "link"):
            self._path.append((tag, known.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._path and self._path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not data.strip() or "td" not in (tag for tag, _ in self._path) or not self._rows:
            return
        (outer, kind), (tag, _) = self._path[-2], self._path[-1]
        cell = self._rows[-1][-1]
        if tag == "b" or (tag == "small" and data.startswith("±")):
            cell = replace(cell, number=f"{cell.number} {data}".strip())
        elif tag == "sup":
            cell = replace(cell, arrow=data)
        elif tag == "span" and outer == "span" and kind.startswith("verdict"):
            cell = replace(cell, symbol=data)
        self._rows[-1][-1] = cell


def html_cells(page: str) -> dict[str, list[list[Read]]]:
    """Key of each table → its rows."""
    reader = _Page()
    reader.feed(page)
    return reader.tables


def markdown_cells(sheet: Sheet) -> Iterator[list[Read]]:
    """Row by row."""
    stubs = 2 if any(row.group for row in sheet.rows) else 1
    for line in [line for line in markdown.table(sheet).splitlines() if line.startswith("|")][2:]:
        yield [_markdown(cell.strip(), sheet.whose) for cell in re.split(r"(?<!\\)\|", line)[1 + stubs : -1]]


def _markdown(text: str, whose: str) -> Read:
    parts = text.split(", ")
    symbol = next((look.symbol for word, look in LOOKS.items() if parts[-1] == f"{look.symbol} {word}"), "")
    main = "" if (symbol and len(parts) == 1) or parts[0].startswith(f"{whose} ") else parts[0]
    arrow = main[-1:] if main[-1:] in ("↑", "↓") else ""
    main = main.removesuffix(arrow)
    place = "best" if main.startswith("**") else "second" if main.startswith("*") else ""
    return Read(re.sub(r"\\(.)", r"\1", main.strip("*")), place, arrow, symbol)


def latex_cells(sheet: Sheet) -> Iterator[list[Read]]:
    """Row by row, of a sheet that is one table in LaTeX; numbers are LaTeX."""
    body = latex.table(sheet).partition("\\midrule")[2].partition("\\bottomrule")[0]
    for line in body.splitlines():
        if line.startswith(" &") or " & " not in line:
            continue
        yield [_latex(cell) for cell in re.sub(r" \\\\(\[.*\])?$", "", line).split(" & ")[1:]]


def _latex(text: str) -> Read:
    found = _LATEX.fullmatch(text)
    assert found is not None, text
    place = {"\\textbf{": "best", "\\underline{": "second"}.get(found["open"] or "", "")
    arrow = {"up": "↑", "down": "↓"}.get(found["arrow"] or "", "")
    main = (found["main"] + found["rest"]).replace(r"\textendash{}", "")
    return Read(main, place, arrow, _SYMBOLS.get(found["symbol"] or "", ""))


def csv_cells(sheet: Sheet) -> Iterator[Read]:
    """The cells that are not empty, row by row."""
    for line in csv.DictReader(io.StringIO(csv_table(sheet))):
        place = {"1": "best", "2": "second"}.get(line["place"], "")
        arrow = {"larger": "↑", "smaller": "↓"}.get(line["against"], "")
        symbol = LOOKS[line["verdict"]].symbol if line["verdict"] else ""
        yield Read(line["shown"], place, arrow, symbol)


def disagreements(sheet: Sheet, page: list[list[Read]]) -> Iterator[str]:
    """Where the four do not show the same of a sheet that LaTeX sets as one table.

    Args:
        sheet: any.
        page: its rows in HTML.
    """
    of_csv = csv_cells(sheet)
    lines = zip(sheet.rows, page, markdown_cells(sheet), latex_cells(sheet), strict=True)
    for row, in_html, in_markdown, in_latex in lines:
        for head, cell, html, markdown_, latex_ in zip(
            sheet.heads, row.cells, in_html, in_markdown, in_latex, strict=True
        ):
            where = f"{sheet.key}, {row.group} {row.title}, {head.key}"
            in_csv = Read() if cell.empty else next(of_csv)
            if cell.text is not None or cell.infinite:  # words; and what each format says in its own room
                continue
            others = {"markdown": markdown_, "csv": in_csv}
            if sheet.kind == "audit" and cell.measured is None:
                html = replace(html, number="")  # published numbers stand alone there
            if html.symbol == "" and cell.verdict and (cell.part or cell.verdict == "not measured"):
                html = replace(html, symbol=LOOKS[cell.verdict].symbol)  # said in words in its place
            for name, other in others.items():
                if other != html:
                    yield f"{where}: html {html}, {name} {other}"
            if latex_ != replace(html, number=str(as_latex(html.number))):
                yield f"{where}: html {html}, latex {latex_}"
