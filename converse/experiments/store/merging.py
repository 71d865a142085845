"""Bring trials and runs of speed of several stores into one: nothing is lost, nothing done is replaced by less."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, Literal

from converse.counted import counted
from converse.errors import StoreError
from converse.experiments.store import Store, files, locks
from converse.experiments.store.checking import RESUME
from converse.experiments.store.digests import Digest
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.requests import merge_notes
from converse.experiments.store.rows import Row, row_key
from converse.experiments.store.speed_rows import RUN_COLUMNS, SpeedFolder, case_key, speed_key
from converse.experiments.store.state import PROGRESS

Kind = Literal["trial", "speed"]
Action = Literal["copied", "completed", "rows added", "outputs added", "unchanged", "skipped"]

_OWN: Final = (*locks.OWN_FILES, f"{files.TEMPORARY}*")
_WEIGHTS: Final = "checkpoint.safetensors"
_WHOLE_FILES: Final = ("provenance.json", _WEIGHTS, "curve.jsonl", "failure.txt")


@dataclass(frozen=True)
class Conflict:
    """Two stores have different values where equal ids promise equal bits: one of them is wrong.

    Attributes:
        what: the row, ``set12 01.png psnr``; or ``weights``.
        here: the value in the store that is added to, which stays; of weights their SHA-256.
        there: the value in the other.
    """

    what: str
    here: str
    there: str


@dataclass(frozen=True)
class Merged:
    """What became of one trial of another store, or of one run of ``converse speed``.

    Attributes:
        kind: which of the two.
        id: its id.
        store: where it came from.
        action: ``copied`` (it was not here), ``completed`` (the other was further), ``rows added``, ``outputs added``,
            ``unchanged`` or ``skipped``.
        rows: how many rows were added.
        conflicts: rows that both have with different values, and different weights; those that were here stay.
        reason: why it was skipped.
        differences: the conflicts of a trial. A run of speed has none: its times promise nothing.
    """

    kind: Kind
    id: str
    store: Path
    action: Action
    rows: int = 0
    conflicts: int = 0
    reason: str = ""
    differences: tuple[Conflict, ...] = ()


def merge(
    into: Store, others: Iterable[Store], progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Merged]:
    """Merge other stores into one, trial by trial and run by run; stopped anywhere, the same call goes on.

    A trial that is not here is copied. Of a trial in both, the rows are united (the ones here win), and if the other
    is further (planned, then failed or interrupted, then done), its state and files are taken. Notes of what was asked
    for are united. Of a run of speed in both, the cases that are not here are taken whole: subjects are compared turn
    by turn with those of their own case alone. The other stores are only read; links, pipes and devices in them are not
    followed: what has them is skipped, and so is what is not as it was written.

    Args:
        into: the store to add to.
        others: stores, in the order in which they are merged.
        progress: told how many trials and runs of how many are done.

    Yields:
        What became of each trial, then of each run of speed.

    Raises:
        StoreError: a store is merged into itself, or ``into`` cannot be written.
    """
    listed = list(others)
    for other in listed:
        if other.root.resolve() == into.root.resolve():
            raise StoreError(f"{other.root} cannot be merged into itself: name another store with --store")
    done, total = 0, sum(len(other.folders()) + len(other.speed.runs()) for other in listed)
    for other in listed:
        for folder in other.folders():
            progress(done, total)
            done += 1
            yield _merge_one(into, folder, other.root)
        for run in other.speed.runs():
            progress(done, total)
            done += 1
            yield _merge_run(into, SpeedFolder(other.speed.root / run), other.root)
        merge_notes(into, other)
    progress(done, total)


def _merge_one(into: Store, theirs: TrialFolder, source: Path) -> Merged:
    try:
        state = theirs.status().state
        if state == "running":
            reason = f"it is being worked on by {theirs.owner()}: merge again when it has ended"
            return Merged("trial", theirs.id, source, "skipped", reason=reason)
        trial = theirs.trial()
        theirs.check_digests()
        rows = theirs.table().to_pylist()
        here = into.root / "trials" / theirs.id
        if not os.path.lexists(here) and _copy(theirs.path, here):
            return Merged("trial", theirs.id, source, "copied", rows=len(rows))
    except Damaged as error:
        return Merged("trial", theirs.id, source, "skipped", reason=str(error))
    mine = into.folder(trial)
    try:
        with mine.lock():
            return _unite(mine, theirs, rows, source)
    except Busy as error:
        return Merged("trial", theirs.id, source, "skipped", reason=str(error))


def _merge_run(into: Store, theirs: SpeedFolder, source: Path) -> Merged:
    try:
        rows = theirs.rows()
        here = into.speed.root / theirs.id
        if not os.path.lexists(here) and _copy(theirs.path, here):
            return Merged("speed", theirs.id, source, "copied", rows=len(rows))
    except Damaged as error:
        return Merged("speed", theirs.id, source, "skipped", reason=str(error))
    mine = SpeedFolder(here)
    try:
        with mine.lock():
            medians = {speed_key(row): row.get("median_s") for row in mine.rows()}
            cases = {case_key(row) for row in mine.rows()}
            fresh = [row for row in rows if case_key(row) not in cases]
            conflicts = sum(
                speed_key(row) in medians and medians[speed_key(row)] != row.get("median_s") for row in rows
            )
            mine.add([{name: row[name] for name in row if name not in RUN_COLUMNS} for row in fresh])
    except (Busy, Damaged) as error:
        return Merged("speed", theirs.id, source, "skipped", reason=str(error))
    action: Action = "rows added" if fresh else "unchanged"
    return Merged("speed", theirs.id, source, action, rows=len(fresh), conflicts=conflicts)


def _copy(theirs: Path, here: Path) -> bool:
    """Copy a whole folder in one step; ``False`` when another process was faster.

    Raises:
        Damaged: there is a link, pipe or device in it.
        StoreError: it cannot be read, or the copy cannot be written.
    """
    temporary = here.with_name(f".new-{here.name}-{secrets.token_hex(4)}")
    try:
        with files.explained(here, "write"):
            files.make_folder(here.parent)
            _copy_files(theirs, temporary)
            return files.move_folder(temporary, here)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # its name is this process's own


def _copy_files(theirs: Path, here: Path) -> None:
    files.check_plain(theirs)
    here.mkdir()
    contents: dict[Path, bytes] = {}
    for path in sorted(theirs.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in _OWN):
            continue
        if stat.S_ISDIR(path.lstat().st_mode):
            _copy_files(path, here / path.name)
        elif (data := files.content(path)) is not None:
            contents[here / path.name] = data
    files.write_files(contents)


def _unite(mine: TrialFolder, theirs: TrialFolder, rows: list[Row], source: Path) -> Merged:
    mine_already = {row_key(row): row["value"] for row in mine.table().to_pylist()}
    fresh = [row for row in rows if row_key(row) not in mine_already]
    differences = [
        Conflict(_named(row), repr(mine_already[row_key(row)]), repr(row["value"]))
        for row in rows
        if row_key(row) in mine_already and _differ(mine_already[row_key(row)], row["value"])
    ]
    before, after = mine.status(), theirs.status()
    further = PROGRESS[after.state] > PROGRESS[before.state]
    if before.state == after.state == "done":
        differences += _different_weights(mine, theirs)
    mine.append_rows(fresh)
    if further:
        for name in _WHOLE_FILES:
            if (data := files.content(theirs.path / name)) is not None:
                mine.write_bytes(name, data)
        if after.state != "done" and (theirs.path / RESUME).is_dir() and not (mine.path / RESUME).exists():
            files.check_plain(theirs.path / RESUME)
            mine.make_folder(RESUME)
            for path in sorted((theirs.path / RESUME).iterdir()):
                if (data := files.content(path)) is not None:
                    mine.write_bytes(f"{RESUME}/{path.name}", data)
    if further or (fresh and before.state == "done"):
        mine.seal_rows()
    kept = Outputs(mine).take(Outputs(theirs))
    for conflict in differences:
        mine.log(f"conflict with {theirs.path}: {conflict.what} is {conflict.here} here and {conflict.there} there")
    if fresh:
        mine.log(f"added {counted(len(fresh), 'row')} from {theirs.path}")
    if kept:
        mine.log(f"added {counted(kept, 'output')} from {theirs.path}")
    if further:
        mine.log(f"taken from {theirs.path}, where it was {after.state}")
        # Last, so that a merge that was stopped is done again.
        mine.adopt_status(after)
    action: Action = "completed" if further else "rows added" if fresh else "outputs added" if kept else "unchanged"
    return Merged(
        *("trial", mine.id, source, action),
        rows=len(fresh),
        conflicts=len(differences),
        differences=tuple(differences),
    )


def _different_weights(mine: TrialFolder, theirs: TrialFolder) -> list[Conflict]:
    here, there = files.content(mine.path / _WEIGHTS), files.content(theirs.path / _WEIGHTS)
    if here is None or there is None or here == there:
        return []
    return [Conflict("weights", Digest.of(here).sha256, Digest.of(there).sha256)]


def _named(row: Row) -> str:
    return " ".join(str(row[name]) for name in ("dataset", "case", "image", "metric") if row[name] is not None)


def _differ(one: float, other: float) -> bool:
    return one != other and not (math.isnan(one) and math.isnan(other))
