r"""A report as LaTeX: tables to ``\input`` one by one, arranged as the paper's, and a document with all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from converse.content import content
from converse.counted import counted
from converse.reporting import numbers
from converse.reporting.latex_text import Latex, latex
from converse.reporting.report import Report
from converse.reporting.tables.decided import Shown, decided, notes
from converse.reporting.tables.sheet import INPUT, MULTIPLY_ADDS, Cell, Head, Row, Sheet

if TYPE_CHECKING:
    from jinja2 import Environment

_COLUMNS: Final = 8
_ROWS: Final = 36
"""A table with more columns or rows is set as several."""

_STUB: Final = 30
_TEXT: Final = 20
"""Letters of a row's title, and of words in a cell, from which they are set in several lines."""

_LINES: Final = "16em"
"""How wide those lines are in a cell: a word that is not broken, of 24 letters, has room."""

_ARROWS: Final = {"larger": Latex(r"\uparrow"), "smaller": Latex(r"\downarrow")}
_SYMBOLS: Final = {word: Latex(look.latex) for word, look in numbers.LOOKS.items()}


@dataclass(frozen=True)
class _Group:
    title: str
    first: int
    last: int


@dataclass(frozen=True)
class _Entry:
    """What stands in a cell: the number with its mark and verdict; below it what the paper has, and the interval."""

    main: Latex
    below: Latex


@dataclass(frozen=True)
class _Line:
    title: str
    marks: tuple[str, ...]
    entries: tuple[_Entry, ...]

    @property
    def second(self) -> bool:
        """Whether anything stands below the numbers."""
        return any(entry.below for entry in self.entries)


@dataclass(frozen=True)
class _Piece:
    """As much of a sheet as one tabular holds."""

    stub: str
    heads: tuple[Head, ...]
    groups: tuple[_Group, ...]
    bodies: tuple[tuple[str, tuple[_Line, ...]], ...]
    narrow: bool


def table(sheet: Sheet, *, published: bool = True) -> str:
    """One table, complete in itself.

    The best value of a column is bold, the second underlined, as :func:`converse.reporting.tables.decided.decided`
    has them; the verdict is a raised symbol, explained below the table.

    Args:
        sheet: any.
        published: write the paper's numbers below the measured ones.

    Returns:
        A ``table`` environment for each part of the sheet that fits a page; a comment says which packages it needs.
        Multiply-adds are left out where they would make a table too wide: the CSV has them.
    """
    sheet = _narrowed(sheet)
    shown = decided(sheet)
    entries = [
        tuple(_entry(cell, one, published) for cell, one in zip(row.cells, decisions, strict=True))
        for row, decisions in zip(sheet.rows, shown, strict=True)
    ]
    return (
        _environment()
        .get_template("table.tex")
        .render(
            sheet=sheet,
            pieces=list(_pieces(sheet, entries)),
            legend=_legend(sheet, shown, published),
            notes=notes(sheet),
        )
    )


def paper_table(sheet: Sheet) -> str:
    r"""A table as one has it in a paper: two decimals, without verdicts and the published numbers.

    Args:
        sheet: of the kind ``paper``.

    Returns:
        One ``table`` environment with columns of siunitx, so that numbers can be edited as they stand.
    """
    heads = tuple(replace(head, digits=min(head.digits, head.published_digits)) for head in sheet.heads)
    sheet = replace(sheet, heads=heads)
    shown = decided(sheet)
    bodies = [
        (group, [(_named(row), [_bare(one) for one in shown[line]]) for line, row in members])
        for group, members in groupby(enumerate(sheet.rows), key=lambda line: line[1].group)
    ]
    columns = [_column(sheet, shown, column) for column in range(len(heads))]
    return (
        _environment()
        .get_template("table_paper.tex")
        .render(
            sheet=sheet,
            bodies=bodies,
            columns=columns,
            groups=list(_groups(heads)),
            ranked=_ranked(shown),
            notes=notes(sheet),
        )
    )


def _named(row: Row) -> Row:
    """Without the mark that the name of the row says, too."""
    return replace(row, marks=tuple(mark for mark in row.marks if mark != INPUT))


def _column(sheet: Sheet, shown: Sequence[Sequence[Shown]], column: int) -> Latex:
    """How siunitx sets a column: as many digits as its longest number has."""
    values = [line[column].value for line in shown if _plain(line[column].value)]
    whole = max((len(value.partition(".")[0].replace(numbers.THIN, "")) for value in values), default=1)
    digits = sheet.heads[column].digits
    deviation = f"({digits or 1})" if any(line[column].deviation for line in shown) else ""
    return Latex(f"S[table-format={whole}.{digits}{deviation}]")


def _bare(shown: Shown) -> Latex:
    """A cell for siunitx; what is no number stands in braces."""
    value = shown.value.replace(numbers.THIN, "")
    if not _plain(shown.value) or shown.left_out:
        return Latex(f"{{{latex(shown.number) or '--'}}}")
    number = rf"{value} \pm {shown.deviation}" if shown.deviation else value
    if shown.place == 1:
        return Latex(rf"\bfseries {number}")
    if shown.place == 2:
        rest = rf" $\pm$ {shown.deviation}" if shown.deviation else ""
        return Latex(rf"{{\underline{{{value}}}{rest}}}")
    return Latex(number)


def _plain(value: str) -> bool:
    return value.replace(numbers.THIN, "").replace(".", "", 1).isdecimal()


def document(report: Report, *, published: bool = True) -> str:
    """The whole report as a document for pdfLaTeX.

    Args:
        report: all that it says. Its tables are read from ``tables/KEY.tex``, its figures from ``figures/NAME.pdf``.
        published: whether the tables have the paper's numbers, which the text then says.

    Returns:
        LaTeX.
    """
    figures = {figure.name for figure in report.figures if figure.pdf}
    return (
        _environment()
        .get_template("report.tex")
        .render(report=report, figures=figures, symbols=_SYMBOLS, published=published)
    )


def _narrowed(sheet: Sheet) -> Sheet:
    keys = [head.key for head in sheet.heads]
    if len(keys) <= _COLUMNS or MULTIPLY_ADDS not in keys:
        return sheet
    at = keys.index(MULTIPLY_ADDS)
    rows = (replace(row, cells=(*row.cells[:at], *row.cells[at + 1 :])) for row in sheet.rows)
    return replace(sheet, heads=(*sheet.heads[:at], *sheet.heads[at + 1 :]), rows=tuple(rows))


def _entry(cell: Cell, shown: Shown, published: bool) -> _Entry:
    main = latex(shown.number)
    if cell.text is not None and _width(cell.text) > _TEXT:
        main = Latex(rf"\parbox[t]{{{_LINES}}}{{\raggedright {main}\strut}}")
    if shown.place is not None:
        # As one would by hand: the number is marked, and not its deviation.
        number, plus_minus, deviation = shown.number.partition(" ± ")
        mark = "textbf" if shown.place == 1 else "underline"
        main = Latex(rf"\{mark}{{{latex(number)}}}{latex(plus_minus + deviation)}")
    if shown.against:
        main = Latex(rf"{main}$^{{{_ARROWS[shown.against]}}}$")
    below = [latex(text) for text in (shown.interval,) if text]
    if published and shown.published:
        below.append(Latex(rf"\emph{{{latex(shown.published)}}}"))
    if not main:
        main = Latex(r"\textendash{}") if below or cell.verdict else main
    if cell.verdict:
        main = Latex(rf"{main}\rlap{{$^{{{_SYMBOLS.get(cell.verdict, '?')}}}$}}")
    return _Entry(main, Latex("; ".join(below)))


def _ranked(shown: Sequence[Sequence[Shown]]) -> bool:
    """Whether anything is best or second."""
    return any(one.place for line in shown for one in line)


def _legend(sheet: Sheet, shown: Sequence[Sequence[Shown]], published: bool) -> Latex:
    """What the marks of this table mean."""
    words = dict.fromkeys(cell.verdict for _, _, cell in sheet.cells() if cell.verdict)
    said = [f"${_SYMBOLS.get(word, '?')}$ {latex(word)}" for word in words]
    if _ranked(shown):
        said.append(r"\textbf{best}, \underline{second}")
    if any(cell.deviation is not None for _, _, cell in sheet.cells()):
        said.append(r"$\pm$ deviation over seeds")
    if any(cell.low is not None for _, _, cell in sheet.cells()):
        said.append("in brackets the interval")
    if published and any(cell.published is not None for _, _, cell in sheet.cells()):
        said.append(r"\emph{published}")
    if published and any(cell.trust == "secondary" and cell.published is not None for _, _, cell in sheet.cells()):
        said.append(r"\textdagger{} quoted by a third party")
    return Latex("; ".join(said))


def _pieces(sheet: Sheet, entries: Sequence[tuple[_Entry, ...]]) -> Iterator[_Piece]:
    narrow = any(_width(row.title) > _STUB for row in sheet.rows)
    rows = list(zip(sheet.rows, entries, strict=True))
    for left in range(0, max(len(sheet.heads), 1), _COLUMNS):
        heads = tuple(_with_unit(head, sheet) for head in sheet.heads[left : left + _COLUMNS])
        for top in range(0, max(len(rows), 1), _ROWS):
            bodies = tuple(
                (group, tuple(_Line(row.title, row.marks, found[left : left + _COLUMNS]) for row, found in members))
                for group, members in groupby(rows[top : top + _ROWS], key=lambda line: line[0].group)
            )
            yield _Piece(sheet.stub, heads, tuple(_groups(heads)), bodies, narrow)


def _width(text: str) -> int:
    """Letters that the text takes, where each that a font may lack takes six."""
    return sum(1 if letter < "\u0180" else 6 for letter in text)


def _groups(heads: Sequence[Head]) -> Iterator[_Group]:
    at = 2  # the first column is the stub
    for title, members in groupby(heads, key=lambda head: head.group):
        count = len(list(members))
        yield _Group(title, at, at + count - 1)
        at += count


def _with_unit(head: Head, sheet: Sheet) -> Head:
    known = not head.unit or head.unit in sheet.caption or head.unit in head.title
    return head if known else replace(head, title=f"{head.title} ({head.unit})")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(content("reports") / "templates"),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        # LaTeX is not HTML: what is not marked as LaTeX goes through our own escape, here and nowhere else.
        autoescape=False,
        finalize=lambda value: value if isinstance(value, Latex | int) else latex(str(value)),
    )
    # What our own templates and keys say is LaTeX already.
    environment.globals |= {"raw": Latex, "counted": counted}
    return environment
