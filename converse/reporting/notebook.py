"""What a notebook shows of a result: the table of means as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from converse.plain_text import visible

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = (
    *("entry", "source", "seeds", "dataset", "case", "metric"),
    *("measured", "deviation", "published", "difference", "verdict", "reason"),
)
"""Of a result row, what stands in the table; the others are the same in all rows, or for programs."""


def results_html(results: pd.DataFrame) -> str:
    """Result rows as an HTML table: text escaped, empty where nothing applies.

    Args:
        results: with :data:`converse.analysis.tables.RESULT_COLUMNS`.

    Returns:
        A ``<table>``.
    """
    shown = results[list(COLUMNS)]
    shown = shown.loc[:, shown.notna().any()]
    return str(shown.map(_text).to_html(index=False, escape=True, border=0))


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else visible(str(value))
