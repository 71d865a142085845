"""A table in so many columns of a terminal, folded between words."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, chop_cells

_GAP: Final = 2
"""Spaces between columns."""

_BREAK: Final = re.compile(r"(?<=[^\W_][-_/=,:;.|])(?=[^\W\d_])")
"""Where a word that is too long may be broken: after these and before a letter, so that numbers and dates stay whole.
Elsewhere only where there is no other way."""

_MOST: Final = 24
"""A piece of a word is not broken up to this length, which takes in a trial's id."""


_SHORT: Final = 10
"""Columns up to this width are folded last: a time, a count."""


@dataclass(frozen=True)
class Line:
    """One line of output; the header is bold."""

    text: str
    bold: bool = False


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[Line]:
    """Lay out a table.

    Where the terminal is too narrow for a table of folded columns, columns without content go, then what all rows have
    in common is said once above; and where that does not help, each row is a list of its cells.

    Args:
        columns: the header.
        rows: one cell per column; cells may have several lines.
        width: columns of the terminal; ``None`` folds nothing.

    Yields:
        Lines, none of them wider than the terminal unless a piece of a word is.
    """
    if width is None:
        yield from _table(columns, rows, [_natural(column) for column in _down(columns, rows)])
        return
    kept = list(range(len(columns)))
    widths = _widths(_down(columns, rows), width)
    common: list[int] = []
    if widths is None and rows:
        kept = [at for at in kept if any(row[at].strip() for row in rows)]
        widths = _widths(_down(*_only(kept, columns, rows)), width)
    if widths is None and len(rows) > 1:
        common = [at for at in kept if len({row[at] for row in rows}) == 1 and columns[at]]
        kept = [at for at in kept if at not in common]
        widths = _widths(_down(*_only(kept, columns, rows)), width)
    if widths is None:
        yield from _lists(columns, rows, width)
        return
    if common:
        said = "; ".join(f"{columns[at]}: {rows[0][at]}" for at in common)
        yield from (Line(line) for line in _folded(f"in all rows: {said}", width))
    yield from _table(*_only(kept, columns, rows), widths)


def _only(
    kept: Sequence[int], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    return [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _down(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[head, *(row[at] for row in rows)] for at, head in enumerate(columns)]


def _natural(cells: Sequence[str]) -> int:
    if _plain("".join(cells)):
        return max(map(len, cells))
    return max(_width(line) for cell in cells for line in cell.split("\n"))


def _least(cells: Sequence[str], *, whole: bool) -> int:
    """The longest word, or piece of one, that is not broken."""
    words = {word for cell in cells for word in cell.split()}
    pieces = words if whole else {piece for word in words for piece in _BREAK.split(word)}
    return max((min(_width(piece), _MOST) for piece in pieces), default=1)


def _widths(cells: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Widths of columns that fit: the widest ones are narrowed first, and none below its longest piece."""
    natural = [_natural(column) for column in cells]
    room = width - _GAP * (len(cells) - 1)
    if sum(natural) <= room:
        return natural
    least = [_least(column, whole=True) for column in cells]
    least = [large if large <= _SHORT else small for small, large in zip(least, natural, strict=True)]
    if sum(least) > room:
        least = [_least(column, whole=False) for column in cells]
    if sum(least) > room:
        return None

    def capped(cap: int) -> list[int]:
        return [max(small, min(large, cap)) for small, large in zip(least, natural, strict=True)]

    cap = next(cap for cap in range(max(natural), -1, -1) if sum(capped(cap)) <= room)
    widths = capped(cap)
    for at, large in enumerate(natural):  # what the last step left over
        if widths[at] < large and sum(widths) < room:
            widths[at] += 1
    return widths


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[Line]:
    for number, row in enumerate([columns, *rows]):
        if _plain("".join(row)) and all(map(operator.le, map(len, row), widths)):  # as most rows
            yield Line((" " * _GAP).join(map(str.ljust, row, widths)).rstrip(), bold=number == 0)
            continue
        cells = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
        for at in range(max(map(len, cells), default=0)):
            parts = (
                _padded(cell[at] if at < len(cell) else "", width) for cell, width in zip(cells, widths, strict=True)
            )
            yield Line((" " * _GAP).join(parts).rstrip(), bold=number == 0)


def _lists(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[Line]:
    """Each row as lines of ``column  cell``, without empty cells; an empty line between rows."""
    label = max(map(_width, columns), default=0)
    for number, row in enumerate(rows):
        if number:
            yield Line("")
        for head, cell in zip(columns, row, strict=True):
            for at, line in enumerate(_folded(cell, max(width - label - _GAP, 1)) if cell.strip() else ()):
                yield Line(f"{_padded('' if at else head, label)}{' ' * _GAP}{line}")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _folded(cell: str, width: int) -> list[str]:
    """The lines of a cell; words stay whole where they fit into a line."""
    return [line for own in cell.split("\n") for line in _fold(own, width)]


def _fold(text: str, width: int) -> list[str]:
    if _width(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split():
        for at, piece in enumerate([word] if _width(word) <= width else _broken(word, width)):
            joined = f"{line}{'' if at or not line else ' '}{piece}"
            if line and _width(joined) > width:
                lines.append(line)
                line = piece
            else:
                line = joined
    return [*lines, line]


def _broken(word: str, width: int) -> list[str]:
    return [part for piece in _BREAK.split(word) for part in chop_cells(piece, width)]


def _plain(text: str) -> bool:
    """Whether it is one line that has a column for each character."""
    return text.isascii() and "\n" not in text


def _width(text: str) -> int:
    """Columns that a line takes; of ASCII, which has a column for each, it is quickly said."""
    return len(text) if text.isascii() else cell_len(text)
