"""What is done, running, failed, interrupted or planned, how long it took, and how much a store holds of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypedDict, get_args

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.index import Index, opened
from converse.experiments.store.locks import owner
from converse.experiments.store.plain import walk
from converse.experiments.store.rows import count
from converse.experiments.store.speed_rows import SpeedFolder
from converse.experiments.store.state import State

INCOMPLETE: Final = "incomplete"
"""The state of a trial that is done, while some of its images have no value."""

UNREADABLE: Final = "unreadable"
"""The state of a trial that cannot be read at all: permissions, a newer schema, a disk that fails."""

STATES: Final[tuple[str, ...]] = (*get_args(State), INCOMPLETE, UNREADABLE)


class TrialStatus(NamedTuple):
    """One trial in one line; ``None`` where its description is damaged or does not apply.

    Attributes:
        trial: its id.
        task: ``denoising`` …
        entry: name in its suite.
        source: ``released`` or ``trained``.
        budget: ``quick`` …
        seed: seed ≥ 0.
        state: ``planned``, ``running``, ``done``, ``failed``, ``interrupted``, :data:`INCOMPLETE` or
            :data:`UNREADABLE`.
        started: first start, UTC in ISO 8601.
        finished: end of the latest stretch of work.
        seconds: time spent working, up to now where it is running.
        attempts: how often work was begun.
        reason: why it is not done, or not wholly; who works on it.
    """

    trial: str
    task: str | None
    entry: str | None
    source: str | None
    budget: str | None
    seed: int | None
    state: str
    started: str | None
    finished: str | None
    seconds: float
    attempts: int
    reason: str


def statuses(store: Store, track: Callable[[list[str]], Iterable[str]] = iter) -> list[TrialStatus]:
    """The status of every trial, sorted by task, budget, seed and entry.

    Args:
        store: any store; nothing but its index is written.
        track: goes through the ids of trials, and may show how far it is.

    Returns:
        One line per trial; one that cannot be read is one like any, with the reason.

    Raises:
        StoreError: the store cannot be read.
    """
    with opened(store.root) as index:
        lines = [_line(store, trial, index) for trial in track(store.ids())]
    return sorted(
        lines,
        key=lambda line: (
            line.task or "~",
            line.budget or "",
            -1 if line.seed is None else line.seed,
            line.entry or "",
            line.trial,
        ),
    )


def summary(lines: Sequence[TrialStatus]) -> str:
    """All in one sentence: ``3 done, 1 failed; 12 min of work``.

    Args:
        lines: what :func:`statuses` gave.

    Returns:
        Counts per state, those that occur, and the time spent working.
    """
    counts = Counter(line.state for line in lines)
    parts = [
        f"{counts[state]} {state}"
        for state in ("done", INCOMPLETE, "running", "failed", "interrupted", "planned", UNREADABLE)
        if counts[state]
    ]
    return f"{', '.join(parts) or 'no trials'}; {duration(sum(line.seconds for line in lines))} of work"


def duration(seconds: float) -> str:
    """A time for people.

    Args:
        seconds: ≥ 0.

    Returns:
        ``8.3 s``, ``12 min``, ``3 h 05 min`` or ``2 d 04 h``.
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"


def _line(store: Store, trial: str, index: Index) -> TrialStatus:
    try:
        known = index.known(trial)
    except StoreError as error:
        return TrialStatus(trial, None, None, None, None, None, UNREADABLE, None, None, 0.0, 0, str(error))
    state = INCOMPLETE if known.state == "done" and known.reason else known.state
    seconds, reason = known.seconds, known.reason
    if state == "running" and known.resumed is not None:
        seconds += max(0.0, (datetime.now(UTC) - datetime.fromisoformat(known.resumed)).total_seconds())
        reason = str(owner(store.root / "trials" / trial) or "")
    what = (known.task, known.entry, known.source, known.budget, known.seed)
    when = (known.started, known.finished, round(seconds, 3), known.attempts)
    return TrialStatus(trial, *what, state, *when, reason)


class InventoryLine(TypedDict):
    """How much a store has of one entry from one source under one budget."""

    task: str | None
    entry: str | None
    source: str | None
    budget: str | None
    trials: int
    done: int
    rows: int
    bytes: int


INVENTORY_COLUMNS: Final = tuple(InventoryLine.__annotations__)


def inventory(store: Store) -> list[InventoryLine]:
    """Count trials, finished trials, rows and bytes per task, entry, source and budget.

    Args:
        store: any store; nothing but its index is written.

    Returns:
        Lines sorted by their first four columns. Rows are those of finished trials and those sealed or in
        the journal of others, as the files say; a torn file of rows, or one that cannot be read, counts as none.
        Nothing is checked against its digest: :func:`converse.workflows.verify.verify` does that.

    Raises:
        StoreError: the store cannot be read.
    """
    folders = {folder.id: folder for folder in store.folders()}
    groups: dict[tuple[str | None, ...], InventoryLine] = {}
    for line in statuses(store):
        folder = folders[line.trial]
        key = (line.task, line.entry, line.source, line.budget)
        none = InventoryLine(
            task=line.task, entry=line.entry, source=line.source, budget=line.budget, trials=0, done=0, rows=0, bytes=0
        )
        group = groups.setdefault(key, none)
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
    folders = [SpeedFolder(store.speed.root / run) for run in store.speed.runs()]
    return SpeedInventory(
        len(folders),
        sum(_rows_of_speed(folder) for folder in folders),
        sum(size for folder in folders for size in _sizes(folder.path)),
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
