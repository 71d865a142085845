"""What a notebook shows of a result: the table of means as HTML, or the answers of a comparison."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from converse.plain_text import visible

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = (
    *("entry", "source", "seeds", "dataset", "case", "metric"),
    *("measured", "deviation", "published", "difference", "verdict", "reason"),
)
"""Of a result row, what stands in the table; the others are the same in all rows, or for programs."""

NETWORKS: Final = (
    *("task", "name", "psnr", "deviation", "seeds", "parameters", "multiply_adds", "milliseconds", "mebibytes"),
    *("trainings", "reason"),
)
"""Of a row of networks, the same."""


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


def comparison_html(sentences: Sequence[str], networks: pd.DataFrame, page: Path) -> str:
    """What a notebook shows of a comparison: its sentences, the networks side by side, and where the page is.

    Args:
        sentences: the answers, and what must be known with them.
        networks: with :data:`converse.analysis.side_by_side.NETWORK_COLUMNS`.
        page: of the report.
    """
    said = "".join(f"<p>{html.escape(visible(one))}</p>" for one in sentences)
    shown = networks[list(NETWORKS)]
    table = shown.loc[:, shown.notna().any()].map(_text).to_html(index=False, escape=True, border=0)
    link = f'<a href="{html.escape(page.resolve().as_uri())}">{html.escape(visible(str(page)))}</a>'
    return f"{said}{table}<p>{link}</p>"
