"""A sheet as comma-separated values: one line per cell, every number with more digits than a page shows."""

from __future__ import annotations

from typing import Any, Final

from converse.plain_text import spreadsheet_cell
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet

COLUMNS: Final = (
    *("group", "row", "marks", "column", "unit", "measured", "deviation", "low", "high", "published", "trust"),
    *("difference", "verdict", "text", "reason", "metric", "signature", "seeds", "images", "infinite"),
    *("trials", "command"),
)
"""``seeds`` and ``trials`` are lists with spaces between; ``images`` is how many; ``infinite`` how many of them have an
infinite value and are not in ``measured``, which is ``inf`` where there are no others."""

_FURTHER: Final = 3  # digits beyond those of a page, and not those in which two machines' means differ


def table(sheet: Sheet) -> str:
    """The cells of a sheet, row by row; empty ones are left out.

    Args:
        sheet: any.

    Returns:
        UTF-8 text with lines that end in a line feed, the first with :data:`COLUMNS`.
    """
    import pandas as pd

    lines = [_line(row, head, cell) for row, head, cell in sheet.cells() if not cell.empty]
    return str(pd.DataFrame(lines, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n"))


def _line(row: Row, head: Head, cell: Cell) -> dict[str, Any]:
    evidence = cell.evidence
    numbers = ("measured", "deviation", "low", "high", "difference")
    values = {
        "group": row.group,
        "row": row.title,
        "marks": "; ".join(row.marks),
        "column": head.key,
        "unit": head.unit,
        **{name: _digits(getattr(cell, name), head) for name in numbers},
        "published": None if cell.published is None else f"{cell.published:.{head.published_digits}f}",
        "trust": cell.trust if cell.published is not None else None,
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
    return {name: value if name in numbers else spreadsheet_cell(value) for name, value in values.items()}


def _digits(value: float | None, head: Head) -> str | None:
    if value is None:
        return None
    return f"{value:.{head.digits + _FURTHER if head.digits else 0}f}"
