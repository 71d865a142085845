"""Tables read back from HTML, LaTeX, Markdown, CSV and JSON, so that what they show can be held against each other."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, Final

from converse.metrics import PARAMETERS
from converse.reporting import latex, markdown, sheet_json
from converse.reporting.csv import table as csv_table
from converse.reporting.latex_text import latex as as_latex
from converse.reporting.numbers import LOOKS
from converse.reporting.tables.sheet import Cell, Head, Sheet

_SYMBOLS: Final = {look.latex: look.symbol for look in LOOKS.values()}
_LATEX: Final = re.compile(
    r"(?P<open>\\textbf\{|\\underline\{)?(?P<main>.*?)(?(open)\})(?P<rest>(?: \$\\pm\$ [^$\\]*)?)"
    r"(?:\$\^\{\\(?P<arrow>up|down)arrow\}\$)?"
    r"(?:\\rlap\{\$\^\{(?P<symbol>[^}]*)\}\$\})?"
)
_BOX: Final = re.compile(r"\\parbox\[t\]\{16em\}\{\\raggedright (.*)\\strut\}(.*)")
_BELOW: Final = re.compile(r"\{\\scriptsize (?P<interval>\{\[\}.*?\])?(?:; )?(?:\\emph\{(?P<published>.*)\})?\}")
_BESIDE: Final = re.compile(r"[\w ]+ (?P<published>[+−]?[\d\u202f.]+†?)(?: · (?P<difference>\S+))?")
_LEFT_OUT: Final = re.compile(r"(?:∞|\$\\infty\$) in (\d+ of \d+); others ")
_MARKDOWN: Final = re.compile(
    r"(?P<mark>\*{0,2})(?P<main>[^*\[\],]*?)(?P=mark)(?P<arrow>[↑↓]?)"
    r"(?:(?:^|, )(?P<interval>\\\[.*?\\\]))?(?:(?:^|, )[\w ]+ (?P<published>[+−]?[\d\u202f.]+†?))?"
    rf"(?:(?:^|, )(?P<symbol>[{re.escape(''.join(look.symbol for look in LOOKS.values()))}]) (?P<verdict>[a-z ]+))?"
)
_CELLS: Final = re.compile(r"(?<!\\)\|")
_ARROWS: Final = {"larger": "↑", "smaller": "↓", "up": "↑", "down": "↓"}


@dataclass(frozen=True)
class Read:
    """What a reader sees of a cell: its digits with sign and deviation, its marks, and what stands beside them.

    Attributes:
        number: in the letters of its format.
        place: ``best``, ``second`` or nothing.
        arrow: how it stands to the base.
        symbol: of the verdict.
        verdict: its word.
        words: in the place of a number.
        interval: in brackets.
        published: the published number, with the dagger of one that is quoted.
        difference: to it.
        left_out: images of infinite value that the mean leaves out: ``2 of 3``.
    """

    number: str = ""
    place: str = ""
    arrow: str = ""
    symbol: str = ""
    verdict: str = ""
    words: str = ""
    interval: str = ""
    published: str = ""
    difference: str = ""
    left_out: str = ""


class _Page(HTMLParser):
    """Rows of every table of a page, by the table's id: the name with its marks as words, and the cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[Read]]] = {}
        self.names: dict[str, list[str]] = {}
        self._key = ""
        self._rows: list[list[Read]] = []
        self._path: list[tuple[str, str]] = []
        self._beside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._key = known["id"].removeprefix("table-")
            self._rows = self.tables.setdefault(self._key, [])
            self.names.setdefault(self._key, [])
        elif tag == "tr" and "data-words" in known:
            self._rows.append([])
        elif tag == "th" and known.get("scope") == "row":
            self.names[self._key].append("")
        elif tag == "td" and self._rows:
            self._rows[-1].append(Read(place=known.get("class", "").removeprefix("word")))
        if tag not in ("input", "br", "meta", "link"):
            self._path.append((tag, known.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._path:
            one, kind = self._path.pop()
            if kind == "beside" and self._rows:
                self._rows[-1][-1] = _with(self._rows[-1][-1], self._beside)
                self._beside = ""
            if one == tag:
                return

    def handle_data(self, data: str) -> None:
        if self._path and self._path[-1] in (("bdi", ""), ("span", "mark")) and ("th", "") in self._path:
            self.names[self._key][-1] += data if self._path[-1][0] == "bdi" else f" ({data})"
        if not data.strip() or "td" not in (tag for tag, _ in self._path) or not self._rows:
            return
        (outer, around), (tag, kind) = self._path[-2], self._path[-1]
        cell = self._rows[-1][-1]
        if "beside" in (around, kind):
            self._beside += data
        elif (tag, kind) == ("td", "word"):
            cell = replace(cell, words=_flat(data))
        elif tag == "b" or (tag == "small" and data.startswith("±")):
            cell = replace(cell, number=f"{cell.number} {data}".strip())
        elif tag == "small":
            cell = replace(cell, interval=data)
        elif tag == "sup":
            cell = replace(cell, arrow=data)
        elif tag == "span" and outer == "span" and around.startswith("verdict"):
            cell = replace(cell, symbol=data)
        elif kind.startswith("verdict"):
            cell = replace(cell, verdict=data.strip())
        self._rows[-1][-1] = cell


def _with(cell: Read, beside: str) -> Read:
    """The cell with what stands beside its number; words there are what a verdict says in other formats."""
    if found := re.fullmatch(r"∞ in (\d+ of \d+) images?", beside):
        return replace(cell, left_out=found[1])
    if found := _BESIDE.fullmatch(beside):
        return replace(cell, published=found["published"], difference=found["difference"] or "")
    return cell


def html_cells(page: str) -> dict[str, list[list[Read]]]:
    """Key of each table → its rows."""
    reader = _Page()
    reader.feed(page)
    return reader.tables


def html_names(page: str) -> dict[str, list[str]]:
    """Key of each table → the names of its rows, with their marks in brackets."""
    reader = _Page()
    reader.feed(page)
    return reader.names


def unlike_names(sheet: Sheet, names: list[str]) -> Iterator[str]:
    """Where the five do not have the same names and marks of rows, of a sheet that LaTeX sets as one table.

    Args:
        sheet: any.
        names: of its rows in HTML, with marks in brackets.
    """
    stub = 2 if any(row.group for row in sheet.rows) else 1
    lines = [line for line in markdown.table(sheet).splitlines() if line.startswith("|")][2:]
    others: dict[str, list[str]] = {"markdown": [_unescaped(_CELLS.split(line)[stub].strip()) for line in lines]}
    body = latex.table(sheet).partition("\\midrule")[2].partition("\\bottomrule")[0]
    lines = [line.partition(" & ")[0] for line in body.splitlines() if " & " in line and not line.startswith(" &")]
    others["latex"] = [re.sub(r" \{\\scriptsize \((.*?)\)\}", r" (\1)", line) for line in lines]
    for name, read in (("csv", csv_lines(sheet)), ("json", json_lines(sheet))):
        of_rows = {
            (line.get("group", ""), line["row"]): [line["row"], *filter(None, line.get("marks", "").split("; "))]
            for line in read
        }
        others[name] = [" ".join([row, *(f"({mark})" for mark in marks)]) for row, *marks in of_rows.values()]
    # Of rows of one name in one group, lines of cells do not say which is which; of a row without any there are none.
    told = dict.fromkeys(
        (row.group, one)
        for row, one in zip(sheet.rows, names, strict=True)
        if not all(cell.empty for cell in row.cells)
    )
    wanted = {"markdown": names, "latex": [str(as_latex(one)) for one in names]}
    for name, found in others.items():
        if found != wanted.get(name, [one for _, one in told]):
            yield f"{name} in {sheet.key}: {found}, html {names}"


def markdown_cells(sheet: Sheet) -> Iterator[list[Read]]:
    """Row by row."""
    stubs = 2 if any(row.group for row in sheet.rows) else 1
    lines = [line for line in markdown.table(sheet).splitlines() if line.startswith("|")][2:]
    for row, line in zip(sheet.rows, lines, strict=True):
        cells = _CELLS.split(line)[1 + stubs : -1]
        yield [_markdown(text.strip(), cell) for text, cell in zip(cells, row.cells, strict=True)]


def _markdown(text: str, cell: Cell) -> Read:
    if cell.text is not None:
        return Read(words=_unescaped(text))
    found = _MARKDOWN.fullmatch(text)
    assert found is not None, text
    number, left_out = _parted(_unescaped(found["main"]))
    return Read(
        number,
        {"**": "best", "*": "second"}.get(found["mark"], ""),
        found["arrow"],
        found["symbol"] or "",
        found["verdict"] or "",
        interval=_unescaped(found["interval"] or ""),
        published=found["published"] or "",
        left_out=left_out,
    )


def latex_cells(sheet: Sheet) -> Iterator[list[Read]]:
    """Row by row, of a sheet that is one table in LaTeX; numbers, words, intervals and published numbers are LaTeX."""
    body = latex.table(sheet).partition("\\midrule")[2].partition("\\bottomrule")[0]
    lines = [line for line in body.splitlines() if " & " in line]
    for row in sheet.rows:
        cells = [_latex(text, cell) for text, cell in zip(_split(lines.pop(0)), row.cells, strict=True)]
        if lines and lines[0].startswith(" &"):
            cells = [_below(cell, text) for cell, text in zip(cells, _split(lines.pop(0)), strict=True)]
        yield cells
    assert not lines


def _split(line: str) -> list[str]:
    return re.sub(r" \\\\(\[.*\])?$", "", line).split(" & ")[1:]


def _latex(text: str, cell: Cell) -> Read:
    if box := _BOX.fullmatch(text):
        text = box[1] + box[2]
    found = _LATEX.fullmatch(text)
    assert found is not None, text
    main = found["main"] + found["rest"]
    if cell.text is not None:
        return Read(words=main)
    number, left_out = _parted(main)
    return Read(
        "" if number == r"\textendash{}" else number,
        {"\\textbf{": "best", "\\underline{": "second"}.get(found["open"] or "", ""),
        _ARROWS.get(found["arrow"] or "", ""),
        _SYMBOLS.get(found["symbol"] or "", ""),
        left_out=left_out,
    )


def _below(cell: Read, text: str) -> Read:
    if not text:
        return cell
    found = _BELOW.fullmatch(text)
    assert found is not None, text
    return replace(cell, interval=found["interval"] or "", published=found["published"] or "")


def _parted(number: str) -> tuple[str, str]:
    """The mean and its deviation, and the images that it leaves out."""
    found = _LEFT_OUT.match(number)
    return (number[found.end() :], found[1]) if found else (number, "")


def csv_lines(sheet: Sheet) -> Iterator[dict[str, str]]:
    """The cells that are not empty, row by row: column → text, empty for nothing."""
    yield from csv.DictReader(io.StringIO(csv_table(sheet)))


def json_lines(sheet: Sheet) -> Iterator[dict[str, Any]]:
    """The cells that are not empty, row by row: key → value."""
    yield from json.loads(sheet_json.table(sheet))["cells"]


def disagreements(sheet: Sheet, page: list[list[Read]]) -> Iterator[str]:
    """Where the five do not show the same of a sheet that LaTeX sets as one table.

    Args:
        sheet: any.
        page: its rows in HTML.
    """
    data = {"csv": csv_lines(sheet), "json": json_lines(sheet)}
    lines = zip(sheet.rows, page, markdown_cells(sheet), latex_cells(sheet), strict=True)
    for row, in_html, in_markdown, in_latex in lines:
        for head, cell, html, markdown_, latex_ in zip(
            sheet.heads, row.cells, in_html, in_markdown, in_latex, strict=True
        ):
            where = f"{sheet.key}, {row.group} {row.title}, {head.key}"
            html = _whole(html, sheet, cell)
            for name, other in (("markdown", markdown_), ("latex", latex_)):
                if other != _as_in(name, html):
                    yield f"{name} in {where}: {other}, html {html}"
            for name, lines_ in data.items():
                line = {} if cell.empty else {key: str(value) for key, value in next(lines_).items()}
                if wrong := list(_other_values(html, line, head)):
                    yield f"{name} in {where}: {wrong}, html {html}"
    for name, lines_ in data.items():
        if next(lines_, None) is not None:
            yield f"{name} in {sheet.key}: further cells"


def _whole(html: Read, sheet: Sheet, cell: Cell) -> Read:
    """A cell of HTML with what it says in another way than all others, said in theirs."""
    if sheet.kind == "audit" and cell.measured is None and cell.text is None:
        html = replace(html, number="", published=html.number)  # published numbers stand alone there
    if html.symbol == "" and cell.verdict and (cell.part or cell.verdict == "not measured"):
        html = replace(html, symbol=LOOKS[cell.verdict].symbol, verdict=cell.verdict)  # in words in its place
    return html


def _as_in(name: str, html: Read) -> Read:
    """What a format has to show where HTML shows this: neither has the difference; LaTeX has symbols for verdicts."""
    html = replace(html, difference="")
    if name == "markdown":
        return html
    said = {key: str(as_latex(getattr(html, key))) for key in ("number", "words", "interval", "published")}
    return replace(html, verdict="", **said)


def _other_values(html: Read, line: Mapping[str, str], head: Head) -> Iterator[str]:
    """What a line of data does not have as HTML shows it."""
    shown, left_out = _parted(line.get("shown", ""))
    text = line.get("text", "")
    verdict = line.get("verdict", "")
    read = Read(
        shown,
        {"1": "best", "2": "second"}.get(line.get("place", ""), ""),
        _ARROWS.get(line.get("against", ""), ""),
        LOOKS[verdict].symbol if verdict else "",
        verdict,
        _flat(text.removeprefix("'") if text[1:2] in ("=", "@", "+", "-") else text),
        left_out=left_out,
    )
    if read != replace(html, interval="", published="", difference=""):
        yield str(read)
    if ("†" in html.published) != (line.get("trust") == "secondary"):
        yield f"trust {line.get('trust')}"
    measured, _, deviation = html.number.partition(" ± ")
    low, _, high = html.interval.strip("[]").partition(", ")
    numbers = {"measured": measured, "low": low, "high": high, "published": html.published.rstrip("†")}
    numbers |= {"difference": html.difference, "deviation": deviation}
    for name, seen in numbers.items():
        exact = line.get(name, "")
        if not _rounds_to(exact, seen) and not (name == "difference" and head.key == PARAMETERS):
            yield f"{name} {exact}"


def _rounds_to(exact: str, seen: str) -> bool:
    """Whether a reader of the exact number would write this, with as many digits."""
    if not exact or not seen:
        return exact == seen
    number = Decimal(seen.replace("−", "-").replace("\u202f", "").replace("∞", "Infinity"))
    if not number.is_finite():
        return Decimal(exact) == number
    units = [Decimal(1).scaleb(int(one.as_tuple().exponent)) for one in (number, Decimal(exact))]
    return abs(number - Decimal(exact)) <= (units[0] + (units[1] if units[1] < units[0] else 0)) / 2


def _flat(text: str) -> str:
    """Words as a browser sets them, on one line."""
    return re.sub(r"[^\S\u202f\u00a0]+", " ", text).strip()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
