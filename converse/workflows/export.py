"""Rows out of a store, for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from converse.errors import OptionError
from converse.experiments.store.files import replacing
from converse.experiments.store.requests import notes
from converse.plain_text import spreadsheet_cell

if TYPE_CHECKING:
    import pandas as pd

    from converse.experiments.store import Store

FORMATS: Final = ("csv", "json", "parquet")
"""What rows are exported to, by the file's suffix."""

LISTS: Final = ("turns_s",)
"""Columns that hold a list in each row."""


def counted_rows(store: Store, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows that count in the tables of a report, ``dataset`` being unique for what is in it.

    Args:
        store: whose notes say what was asked for.
        rows: of all its trials.

    Returns:
        The rows, and how many others there are.

    Raises:
        StoreError: a trial or a note cannot be read.
    """
    from converse.analysis.counted import Counted

    ids = set(rows["trial"])
    trials = {folder.id: folder.trial() for folder in store.folders() if folder.id in ids}
    counted = Counted(notes(store), trials, rows)
    return counted.rows, counted.left_out


def export(rows: pd.DataFrame, path: Path) -> None:
    """Write rows to a file, whole or not at all.

    Args:
        rows: of a store, of measurements or of speed.
        path: its suffix, ``.csv``, ``.json`` or ``.parquet``, says how.

    Raises:
        OptionError: another suffix.
        StoreError: the file cannot be written.
    """
    kind = path.suffix.lstrip(".").lower()
    if kind not in FORMATS:
        raise OptionError(f"{path} must end in .csv, .json or .parquet, got {path.suffix or 'no suffix'!r}")
    with replacing(path) as temporary:
        if kind == "parquet":
            rows.to_parquet(temporary, index=False)
        else:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                write(rows, file, "csv" if kind == "csv" else "json")


def write(rows: pd.DataFrame, stream: IO[str], kind: Literal["csv", "json"]) -> None:
    """Write rows as text.

    Args:
        rows: of a store, of measurements or of speed.
        stream: open for text.
        kind: ``csv`` with a header, where a list (the turns of a row of speed) is written as JSON has it and what a
            spreadsheet would run as a formula has an apostrophe before it; ``json``: one
            list of objects, where what was not measured is null and the PSNR of identical images the string ``inf``,
            as JSON has no infinity.
    """
    if kind == "csv":
        from pandas.api.types import is_numeric_dtype

        lists = [name for name in LISTS if name in rows]
        flat = rows.assign(**{name: rows[name].map(_as_json) for name in lists})
        for name in flat.columns[[not is_numeric_dtype(kind) for kind in flat.dtypes]]:
            # Few texts stand in many rows.
            flat[name] = flat[name].map({value: spreadsheet_cell(value) for value in flat[name].unique()})
        flat.to_csv(stream, index=False, lineterminator="\n")
        return
    names = [str(name) for name in rows.columns]
    json.dump([dict(zip(names, map(_plain, values), strict=True)) for values in _records(rows)], stream, indent=1)
    stream.write("\n")


def _as_json(values: Any) -> str | None:
    return None if values is None else json.dumps(_plain(values))


def _records(rows: pd.DataFrame) -> Sequence[tuple[Any, ...]]:
    return list(rows.astype(object).itertuples(index=False, name=None))


def _plain(value: Any) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if pd.isna(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value
