"""Bring trials and runs of speed of several stores into one: nothing is lost, nothing done is replaced by less."""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from converse.errors import StoreError
from converse.experiments.store import Store, files, locks
from converse.experiments.store.asked import merge_notes
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy
from converse.experiments.store.rows import ROW_KEY
from converse.experiments.store.speed_rows import RUN_COLUMNS, SpeedFolder, case_key, speed_key

Kind = Literal["trial", "speed"]
Action = Literal["copied", "completed", "rows added", "unchanged", "skipped"]

_PROGRESS: Final = {"planned": 0, "failed": 1, "interrupted": 1, "running": 1, "done": 2}
_OWN: Final = shutil.ignore_patterns(*locks.OWN_FILES, f"{files.TEMPORARY}*")
_WHOLE_FILES: Final = ("provenance.json", "checkpoint.safetensors", "curve.jsonl", "failure.txt")


@dataclass(frozen=True)
class Merged:
    """What became of one trial of another store, or of one run of ``converse speed``.

    Attributes:
        kind: which of the two.
        id: its id.
        store: where it came from.
        action: ``copied`` (it was not here), ``completed`` (the other was further), ``rows added``, ``unchanged`` or
            ``skipped``.
        rows: how many rows were added.
        conflicts: rows that both have with different values; those that were here stay.
        reason: why it was skipped.
    """

    kind: Kind
    id: str
    store: Path
    action: Action
    rows: int = 0
    conflicts: int = 0
    reason: str = ""


def merge(into: Store, others: Iterable[Store]) -> Iterator[Merged]:
    """Merge other stores into one, trial by trial and run by run; stopped anywhere, the same call goes on.

    A trial that is not here is copied. Of a trial in both, the rows are united (the ones here win), and if the other
    is further (planned, then failed or interrupted, then done), its state and files are taken. Notes of what was asked
    for are united. Of a run of speed in both, the cases that are not here are taken whole: subjects are compared turn
    by turn with those of their own case alone. The other stores are only read.

    Args:
        into: the store to add to.
        others: stores, in the order in which they are merged.

    Yields:
        What became of each trial, then of each run of speed.

    Raises:
        StoreError: a store is merged into itself, or ``into`` cannot be written.
    """
    for other in others:
        if other.root.resolve() == into.root.resolve():
            raise StoreError(f"{other.root} cannot be merged into itself: name another store with --store")
        for folder in other.folders():
            yield _merge_one(into, folder, other.root)
        for run in other.speed.runs():
            yield _merge_run(into, SpeedFolder(other.speed.root / run), other.root)
        merge_notes(into, other)


def _merge_one(into: Store, theirs: TrialFolder, source: Path) -> Merged:
    try:
        state = theirs.status().state
        if state == "running":
            reason = f"it is being worked on by {theirs.owner()}: merge again when it has ended"
            return Merged("trial", theirs.id, source, "skipped", reason=reason)
        trial = theirs.trial()
        found = theirs.table().to_pylist()
    except Damaged as error:
        return Merged("trial", theirs.id, source, "skipped", reason=str(error))
    here = into.root / "trials" / theirs.id
    if not here.exists() and _copy(theirs.path, here):
        return Merged("trial", theirs.id, source, "copied", rows=len(found))
    mine = into.folder(trial)
    try:
        with mine.lock():
            return _unite(mine, theirs, found, source)
    except Busy as error:
        return Merged("trial", theirs.id, source, "skipped", reason=str(error))


def _merge_run(into: Store, theirs: SpeedFolder, source: Path) -> Merged:
    try:
        found = theirs.rows()
    except Damaged as error:
        return Merged("speed", theirs.id, source, "skipped", reason=str(error))
    here = into.speed.root / theirs.id
    if not here.exists() and _copy(theirs.path, here):
        return Merged("speed", theirs.id, source, "copied", rows=len(found))
    mine = SpeedFolder(here)
    try:
        with mine.lock():
            known = {speed_key(row): row.get("median_s") for row in mine.rows()}
            cases = {case_key(row) for row in mine.rows()}
            fresh = [row for row in found if case_key(row) not in cases]
            conflicts = sum(speed_key(row) in known and known[speed_key(row)] != row.get("median_s") for row in found)
            mine.add([{name: row[name] for name in row if name not in RUN_COLUMNS} for row in fresh])
    except (Busy, Damaged) as error:
        return Merged("speed", theirs.id, source, "skipped", reason=str(error))
    action: Action = "rows added" if fresh else "unchanged"
    return Merged("speed", theirs.id, source, action, rows=len(fresh), conflicts=conflicts)


def _copy(theirs: Path, here: Path) -> bool:
    """Copy a whole folder in one step; ``False`` when another process was faster."""
    temporary = here.with_name(f".new-{here.name}-{secrets.token_hex(4)}")
    try:
        with files.explained(here, "write"):
            here.parent.mkdir(exist_ok=True)
            shutil.copytree(theirs, temporary, ignore=_OWN, copy_function=_copy_file)
            try:
                temporary.rename(here)
            except OSError:
                if here.is_dir():
                    return False
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _copy_file(theirs: str, here: str) -> None:
    with files.explained(Path(here), "write"):  # copytree would collect an OSError and go on to the next file
        shutil.copy2(theirs, here)


def _unite(mine: TrialFolder, theirs: TrialFolder, found: list[dict[str, Any]], source: Path) -> Merged:
    known = {_key(row): row["value"] for row in mine.table().to_pylist()}
    fresh = [row for row in found if _key(row) not in known]
    conflicts = sum(_differ(known[_key(row)], row["value"]) for row in found if _key(row) in known)
    mine.append_rows(fresh)
    before, after = mine.status(), theirs.status()
    further = _PROGRESS[after.state] > _PROGRESS[before.state]
    if further:
        for name in _WHOLE_FILES:
            if (theirs.path / name).exists():
                with mine.replacing(name) as temporary:
                    shutil.copyfile(theirs.path / name, temporary)
        if after.state != "done" and (theirs.path / "resume").is_dir() and not (mine.path / "resume").exists():
            _copy(theirs.path / "resume", mine.path / "resume")
    if further or (fresh and before.state == "done"):
        mine.seal_rows()
    if further:
        mine.log(f"taken from {theirs.path}, where it was {after.state}")
        # Last, so that a merge that was stopped is done again.
        mine.adopt_status(after)
    if fresh:
        mine.log(f"added {len(fresh)} rows from {theirs.path}")
    action: Action = "completed" if further else "rows added" if fresh else "unchanged"
    return Merged("trial", mine.id, source, action, rows=len(fresh), conflicts=conflicts)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ROW_KEY)


def _differ(one: float, other: float) -> bool:
    return one != other and not (math.isnan(one) and math.isnan(other))
