"""Rows of numbers: one per image and metric, with fixed columns and types, in a table and in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from converse.errors import StoreError
from converse.experiments.store.files import Damaged, content, explained
from converse.experiments.store.plain import NotPlain, open_plain
from converse.experiments.store.shapes import MEASURED, TEXT, WHOLE, Kind, fault, optional

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Row(TypedDict, total=False):
    """Which trial measured which metric on which image, what came of it, and how long the image took.

    A key that is missing is null, and so is what does not apply: ``case`` where nothing is blurred, ``reason`` where
    there is a value, dataset and image of the number of parameters. Where there is no ``value`` it is NaN.
    """

    trial: str
    task: str
    entry: str
    source: str
    budget: str | None
    seed: int | None
    dataset: str | None
    case: str | None
    image: str | None
    image_sha256: str | None
    metric: str
    signature: str
    value: float
    reason: str | None
    device: str | None
    seconds: float | None


ROW_COLUMNS: Final = tuple(Row.__annotations__)
"""The columns of a table of rows, in their order."""

ROW_KEY: Final = ("dataset", "case", "image_sha256", "image", "metric", "signature")
"""Within a trial, two rows with the same key are the same measurement: the later one counts."""

_INTEGERS: Final = ("seed",)
_FLOATS: Final = ("value", "seconds")
_SHAPE: Final[dict[str, Kind]] = (
    dict.fromkeys(ROW_COLUMNS, optional(TEXT))
    | dict.fromkeys(_INTEGERS, optional(WHOLE))
    | dict.fromkeys(_FLOATS, MEASURED)
)


def row_key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a row the same measurement as another of its trial: :data:`ROW_KEY`."""
    return tuple(record.get(name) for name in ROW_KEY)


def row_fault(record: Mapping[str, Any]) -> str | None:
    """What is wrong with a row as a journal has it; ``None`` if nothing is."""
    return fault(record, _SHAPE)


@lru_cache(maxsize=1)
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

    last = {row_key(record): record for record in records}
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
    made: pd.DataFrame = whole.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return made


def encoded(rows: pa.Table) -> bytes:
    """A table as the content of a Parquet file.

    Args:
        rows: with :func:`schema`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pa.BufferOutputStream()
    pq.write_table(rows, file)
    return bytes(file.getvalue())


def read(path: Path, check: Callable[[bytes], None] = lambda data: None) -> pa.Table | None:
    """The table in a Parquet file.

    Args:
        path: the file.
        check: raises ``Damaged`` for bytes that are not those that were written.

    Returns:
        A table with :func:`schema`; ``None`` when there is no such file.

    Raises:
        Damaged: the file is torn, is not what was written, or is not a table of rows.
        StoreError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = content(path)
    if data is None:
        return None
    try:
        check(data)
        return pq.ParquetFile(pa.BufferReader(data)).read().select(list(ROW_COLUMNS)).cast(schema())
    except (pa.ArrowException, KeyError, OSError, UnicodeDecodeError) as error:
        raise Damaged(
            f"{path} is damaged or is no table of rows ({str(error).splitlines()[0]}): "
            "move it away and run the same suite or task again, which measures its rows anew"
        ) from error


def foreign(table: pa.Table, trial: str) -> str | None:
    """An id in the column ``trial`` that is not this trial's."""
    return next((str(owner) for owner in table["trial"].unique().to_pylist() if owner != trial), None)


def whole(path: Path) -> bool:
    """Whether a Parquet file is there from its first to its last bytes: a cheap look, without its libraries."""
    try:
        with explained(path, "read"), os.fdopen(open_plain(path), "rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size < 12:
                return False
            file.seek(-4, os.SEEK_END)
            last = file.read(4)
            file.seek(0)
            return file.read(4) == last == b"PAR1"
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotPlain):
            return False
        raise


def count(path: Path) -> int:
    """How many rows a Parquet file has by its own account: a cheap look, which reads none of them.

    Args:
        path: the file.

    Returns:
        0 where there is no such file, or it is torn.

    Raises:
        StoreError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not whole(path):
        return 0
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return 0


def _float(value: Any) -> float | None:
    return float("nan") if value is None else float(value)
