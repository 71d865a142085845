"""The numbers of a figure to be taken away, as comma-separated values and as JSON."""

from __future__ import annotations

import json
import math

from converse.plain_text import json_safe, spreadsheet_cell, visible
from converse.reporting.figure import Figure, Value


def values_exports(figure: Figure) -> dict[str, str]:
    """Ending of the file → its text.

    Args:
        figure: any.

    Returns:
        ``csv``: a line for each row of :attr:`Figure.values`, the first with the columns. ``json``: title, caption,
        columns and rows; numbers are numbers, and an infinite one, which JSON does not have, is the text ``inf``.
        Nothing for a figure without values.
    """
    if not figure.values.rows:
        return {}
    return {"csv": _csv(figure), "json": _json(figure)}


def _csv(figure: Figure) -> str:
    import pandas as pd

    rows = [[spreadsheet_cell(value) for value in row] for row in figure.values.rows]
    frame = pd.DataFrame(rows, columns=list(figure.values.columns), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _json(figure: Figure) -> str:
    head = {"title": visible(figure.title), "caption": visible(figure.caption), "columns": figure.values.columns}
    lines = ",\n".join(_text([_plain(value) for value in row]) for row in figure.values.rows)
    return json_safe(f'{_text(head)[:-1]},\n"rows": [\n{lines}\n]}}\n')


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return visible(value, keep="\n")
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
