"""What a store holds, per task and entry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.plain import walk
from converse.experiments.store.rows import count
from converse.experiments.store.speed_rows import SpeedFolder
from converse.workflows.status import statuses

COLUMNS: Final = ("task", "entry", "source", "budget", "trials", "done", "rows", "bytes")
"""What :func:`inventory` says of each group of trials."""


def inventory(store: Store) -> list[dict[str, Any]]:
    """Count trials, finished trials, rows and bytes per task, entry, source and budget.

    Args:
        store: any store; it is only read.

    Returns:
        Records with :data:`COLUMNS`, sorted by them. Rows are those of finished trials and those sealed or in the
        journal of others, as the files say; a torn file of rows, or one that cannot be read, counts as none. Nothing
        is checked against its digest: :func:`converse.workflows.verify.verify` does that.

    Raises:
        StoreError: the store cannot be read.
    """
    folders = {folder.id: folder for folder in store.folders()}
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in statuses(folders.values()):
        folder = folders[line.trial]
        key = (line.task, line.entry, line.source, line.budget)
        zero = {**dict(zip(COLUMNS, key, strict=False)), "trials": 0, "done": 0, "rows": 0, "bytes": 0}
        group = groups.setdefault(key, zero)
        group["trials"] += 1
        group["done"] += line.state == "done"
        group["rows"] += _count(folder)
        group["bytes"] += sum(_sizes(folder.path))
    return [groups[key] for key in sorted(groups, key=lambda key: tuple(part or "" for part in key))]


@dataclass(frozen=True)
class SpeedInventory:
    """Runs of ``converse speed`` in a store: how many, with how many rows, in how many bytes."""

    runs: int
    rows: int
    bytes: int


def speed_inventory(store: Store) -> SpeedInventory:
    """Count runs of ``converse speed``, their rows and bytes.

    Args:
        store: any store; it is only read.

    Raises:
        StoreError: the folder of runs cannot be read.
    """
    found = [SpeedFolder(store.speed.root / run) for run in store.speed.runs()]
    return SpeedInventory(
        len(found),
        sum(_rows_of_speed(folder) for folder in found),
        sum(size for one in found for size in _sizes(one.path)),
    )


def _rows_of_speed(folder: SpeedFolder) -> int:
    try:
        return len(folder.rows())
    except StoreError:
        return 0


def _count(folder: TrialFolder) -> int:
    try:
        if (folder.path / "rows.jsonl").is_file():
            return int(folder.table().num_rows)
        return count(folder.path / "rows.parquet")
    except StoreError:
        return 0


def _sizes(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for entry in walk(folder):
            with contextlib.suppress(FileNotFoundError):  # another process replaced it
                yield entry.stat(follow_symlinks=False).st_size
