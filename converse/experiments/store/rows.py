"""Rows of numbers: one per image and metric, with fixed columns and types, in a table and in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.experiments.store.files import Damaged, Fence, explained, replacing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROW_COLUMNS: Final = (
    "trial",
    "task",
    "entry",
    "source",
    "budget",
    "seed",
    "dataset",
    "case",
    "image",
    "image_sha256",
    "metric",
    "signature",
    "value",
    "reason",
    "device",
    "seconds",
)
"""A row says which trial measured which metric on which image, what came of it, and how long the image took."""

ROW_KEY: Final = ("dataset", "case", "image_sha256", "image", "metric", "signature")
"""Within a trial, two rows with the same key are the same measurement: the later one counts."""

_INTEGERS: Final = ("seed",)
_FLOATS: Final = ("value", "seconds")


def schema() -> pa.Schema:
    """The columns with their types: strings, ``seed`` int64, ``value`` and ``seconds`` float64."""
    import pyarrow as pa

    types = dict.fromkeys(ROW_COLUMNS, pa.string())
    types |= dict.fromkeys(_INTEGERS, pa.int64()) | dict.fromkeys(_FLOATS, pa.float64())
    return pa.schema(list(types.items()))


def table(records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table, the last one winning where keys are equal.

    Args:
        records: mappings with the keys of :data:`ROW_COLUMNS`; a missing key is null, a null ``value`` NaN.

    Returns:
        A table with :func:`schema`, in the order of first appearance.
    """
    import pyarrow as pa

    last = {tuple(record.get(name) for name in ROW_KEY): record for record in records}
    columns = {
        name: [_float(record.get(name)) if name in _FLOATS else record.get(name) for record in last.values()]
        for name in ROW_COLUMNS
    }
    return pa.table(columns, schema=schema())


def frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Tables one below the other, for analysis.

    Args:
        tables: each with :func:`schema`.

    Returns:
        A frame with exactly :data:`ROW_COLUMNS`; ``seed`` is nullable ``Int64``, ``value`` and ``seconds`` are
        ``float64``, the others pandas's own string type. The types do not depend on the content.
    """
    import pandas as pd
    import pyarrow as pa

    whole = pa.concat_tables(tables) if tables else schema().empty_table()
    found: pd.DataFrame = whole.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return found


def write(path: Path, rows: pa.Table, fence: Fence | None = None) -> None:
    """Write a table to a Parquet file, atomically.

    Args:
        path: the file.
        rows: with :func:`schema`.
        fence: the lock under which it is written.

    Raises:
        StoreError: it could not be written; the former file is untouched.
    """
    import pyarrow.parquet as pq

    with replacing(path, fence) as temporary:
        pq.write_table(rows, temporary)


def read(path: Path) -> pa.Table | None:
    """The table in a Parquet file.

    Args:
        path: the file.

    Returns:
        A table with :func:`schema`; ``None`` when there is no such file.

    Raises:
        Damaged: the file is torn, or is not a table of rows.
        StoreError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return None
    try:
        with explained(path, "read"), path.open("rb") as file:
            data = file.read()
        return pq.ParquetFile(pa.BufferReader(data)).read().select(list(ROW_COLUMNS)).cast(schema())
    except (pa.ArrowException, KeyError, OSError) as error:
        raise Damaged(
            f"{path} is damaged or is no table of rows ({str(error).splitlines()[0]}): "
            "move it away and run the same suite or task again, which measures its rows anew"
        ) from error


def whole(path: Path) -> bool:
    """Whether a Parquet file is there from its first to its last bytes: a cheap look, without its libraries."""
    if not path.exists():
        return False
    with explained(path, "read"), path.open("rb") as file:
        data = file.read(4)
        size = file.seek(0, 2)
        if size < 12:
            return False
        file.seek(-4, 2)
        return data == b"PAR1" and file.read(4) == b"PAR1"


def _float(value: Any) -> float | None:
    return float("nan") if value is None else float(value)
