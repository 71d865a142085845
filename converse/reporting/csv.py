"""A sheet as comma-separated values: one line per cell, every number with more digits than a page shows."""

from __future__ import annotations

from typing import Final

from converse.analysis.places import digits
from converse.plain_text import spreadsheet_cell
from converse.reporting.tables.decided import Shown, decided
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet

COLUMNS: Final = (
    *("group", "row", "marks", "column", "unit", "measured", "deviation", "low", "high", "published", "trust"),
    *(
        "difference",
        "shown",
        "place",
        "against",
        "verdict",
        "text",
        "reason",
        "metric",
        "signature",
        "seeds",
        "images",
        "infinite",
    ),
    *("trials", "command"),
)
"""``seeds`` and ``trials`` are lists with spaces between; ``images`` is how many; ``infinite`` how many of them have an
infinite value and are not in ``measured``, which is ``inf`` where there are no others. ``shown`` is the number as pages
have it, ``place`` 1 for the best of its column and 2 for the second, ``against`` how it stands to the base entry's."""

_NUMBERS: Final = ("measured", "deviation", "low", "high", "difference")
_FURTHER: Final = 3  # digits beyond those of a page, and not those in which two machines' means differ


def table(sheet: Sheet) -> str:
    """The cells of a sheet, row by row; empty ones are left out.

    Args:
        sheet: any.

    Returns:
        UTF-8 text with lines that end in a line feed, the first with :data:`COLUMNS`.
    """
    import pandas as pd

    lines = [
        {name: value if name in _NUMBERS else spreadsheet_cell(value) for name, value in line.items()}
        for line in lines_of(sheet)
    ]
    return str(pd.DataFrame(lines, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n"))


def lines_of(sheet: Sheet) -> list[dict[str, str | None]]:
    """The cells of a sheet that are not empty, row by row: each of :data:`COLUMNS` as text, ``None`` for nothing."""
    shown = (one for line in decided(sheet) for one in line)
    cells = zip(sheet.cells(), shown, strict=True)
    return [_line(row, head, cell, one) for (row, head, cell), one in cells if not cell.empty]


def _line(row: Row, head: Head, cell: Cell, shown: Shown) -> dict[str, str | None]:
    evidence = cell.evidence
    return {
        "group": row.group,
        "row": row.title,
        "marks": "; ".join(row.marks),
        "column": head.key,
        "unit": head.unit,
        **{name: _digits(getattr(cell, name), head) for name in _NUMBERS},
        "published": None if cell.published is None else f"{cell.published:.{head.published_digits}f}",
        "trust": cell.trust if cell.published is not None else None,
        "shown": shown.number if cell.text is None else None,
        "place": None if shown.place is None else str(shown.place),
        "against": cell.against,
        "verdict": cell.verdict,
        "text": cell.text,
        "reason": cell.reason,
        "metric": evidence.metric if evidence else None,
        "signature": evidence.signature if evidence else None,
        "seeds": " ".join(map(str, evidence.seeds)) if evidence else None,
        "images": str(len(evidence.images)) if evidence and evidence.images else None,
        "infinite": str(cell.infinite.images) if cell.infinite else None,
        "trials": " ".join(evidence.trials) if evidence else None,
        "command": cell.command,
    }


def _digits(value: float | None, head: Head) -> str | None:
    if value is None:
        return None
    return f"{value:.{digits(value, head.digits, head.significant) + _FURTHER if head.digits else 0}f}"
