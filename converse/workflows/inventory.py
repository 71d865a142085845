"""What a store holds, per task and entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converse.experiments.store import Store
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
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
        journal of others; a damaged file of rows counts as none.

    Raises:
        StoreError: the store, or a trial in it, is of a newer schema or cannot be read.
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
        StoreError: a run has a newer schema or cannot be read.
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
    except Damaged:
        return 0


def _count(folder: TrialFolder) -> int:
    try:
        return int(folder.table().num_rows)
    except Damaged:
        return 0


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield path.stat().st_size
        except FileNotFoundError:
            continue  # another process replaced it
