"""The store: one folder per trial, every file of which is whole or absent, whatever was killed or full.

runs/
  store.json                   schema version
  trials/<id>/
    trial.json                 the ingredients, written before all else
    status.json                planned, running, done, failed, interrupted
    provenance.json            commit, versions, machine, time
    log.txt  curve.jsonl       what happened; the training curve
    checkpoint.safetensors     weights
    resume/                    what training needs to go on
    rows.jsonl  rows.parquet   rows as they come; rows sealed
    failure.txt                traceback of a failure
"""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from converse.errors import StoreError
from converse.experiments import files, locks, rows
from converse.experiments.files import Damaged, Journal
from converse.experiments.locks import Busy, Owner
from converse.experiments.rows import ROW_COLUMNS, ROW_KEY
from converse.experiments.trials import ID_LENGTH, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ROW_COLUMNS", "ROW_KEY", "SCHEMA", "Busy", "State", "Status", "Store", "TrialFolder"]

SCHEMA: Final = 1
"""Version of the names and contents on disk, the ingredients of a trial among them. A reader refuses a newer one."""

State = Literal["planned", "running", "done", "failed", "interrupted"]

_ID: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_NEW: Final = ".new-"
_LEFTOVER_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Status:
    """How far a trial is.

    Attributes:
        state: ``running`` only while its process lives.
        reason: why it failed or was interrupted; empty otherwise.
        started: first start, UTC in ISO 8601; ``None`` before.
        resumed: start of the latest stretch of work.
        finished: end of the latest stretch; ``None`` while running.
        seconds: time spent working, over all stretches.
        attempts: how often work was begun.
    """

    state: State = "planned"
    reason: str = ""
    started: str | None = None
    resumed: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    attempts: int = 0


class Store:
    """A folder of trials. Several processes may work in it at once.

    Args:
        root: the folder.
        create: make it where it is missing; ``False`` reads only, also from a medium that cannot be written.

    Raises:
        StoreError: it is a file, cannot be made or read, or has a newer schema.
    """

    def __init__(self, root: Path | str, *, create: bool = True) -> None:
        self.root = Path(root)
        self._trials = self.root / "trials"
        file = self.root / "store.json"
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root} is a file: a store is a folder; name another with --store")
        if not create and not (file.exists() or self._trials.is_dir()):
            raise StoreError(
                f"no store at {self.root}: expected a folder with store.json in it; "
                "name the store with --store, or make one with converse quickstart, reproduce or run"
            )
        try:
            found = files.read_json(file)
            if found is not None:
                _check_schema(file, found)
        except Damaged:
            if not create:
                raise
            files.set_aside(file)
            found = None
        if found is None and create:
            with files.explained(self.root, "make a store at"):
                self._trials.mkdir(parents=True, exist_ok=True)
            files.write_json(file, {"schema": SCHEMA})

    def folder(self, trial: Trial) -> TrialFolder:
        """The trial's folder, made if need be, in one step.

        Args:
            trial: any trial.

        Returns:
            Its folder, with a whole ``trial.json``.

        Raises:
            StoreError: it cannot be written or has a newer schema.
        """
        folder = TrialFolder(self._trials / trial.id)
        description = {"schema": SCHEMA, "id": trial.id, **trial.ingredients()}
        if not folder.path.is_dir():
            self._make(folder.path, description)
        try:
            folder.description()
        except Damaged as error:
            folder.log(f"{error}; written anew")
            if (folder.path / "trial.json").exists():
                folder.set_aside("trial.json")
            folder.write_json("trial.json", description)
        return folder

    def find(self, prefix: str) -> TrialFolder:
        """The folder of the one trial whose id begins so.

        Args:
            prefix: the first digits of an id, as many as tell it apart.

        Returns:
            Its folder.

        Raises:
            StoreError: none or several begin so; the message lists them.
        """
        wanted = prefix.strip().lower()
        known = self.folders()
        found = [folder for folder in known if wanted and folder.id.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise StoreError(
                f"no trial in {self.root} has an id that begins with {prefix!r}: "
                f"it has {len(known)} trial(s), which converse status lists"
            )
        listing = ", ".join(folder.id for folder in found[:8]) + (" …" if len(found) > 8 else "")
        raise StoreError(f"{prefix!r} begins the ids of {len(found)} trials, give more digits: {listing}")

    def folders(self) -> list[TrialFolder]:
        """All trials' folders, damaged ones too, sorted by id.

        Returns:
            One :class:`TrialFolder` per folder that is named like an id.

        Raises:
            StoreError: the store cannot be read.
        """
        if not self._trials.is_dir():
            return []
        with files.explained(self._trials, "read"):
            return [TrialFolder(path) for path in sorted(self._trials.iterdir()) if _ID.fullmatch(path.name)]

    def rows(self, trial_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """The rows of many trials, one below the other.

        Args:
            trial_ids: whose; ``None`` for all.

        Returns:
            A frame with exactly :data:`ROW_COLUMNS`, in the order of the ids.

        Raises:
            StoreError: a file of rows is damaged.
        """
        chosen = self.folders() if trial_ids is None else [TrialFolder(self._trials / name) for name in trial_ids]
        return rows.frame([folder.table() for folder in chosen])

    def _make(self, path: Path, description: Mapping[str, Any]) -> None:
        for leftover in self._trials.glob(f"{_NEW}*"):
            if _is_leftover(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
        temporary = path.with_name(f"{_NEW}{path.name}-{secrets.token_hex(4)}")
        try:
            with files.explained(path, "make"):
                temporary.mkdir(parents=True)
                files.write_json(temporary / "trial.json", description)
                try:
                    temporary.rename(path)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise  # otherwise another process was faster
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class TrialFolder:
    """What is kept of one trial. Whoever writes holds its :meth:`lock`; anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"TrialFolder({str(self.path)!r})"

    @property
    def id(self) -> str:
        """The trial's id, which is the folder's name."""
        return self.path.name

    # What it is

    def description(self) -> dict[str, Any]:
        """``trial.json``: ``schema``, ``id`` and the ingredients by name.

        Returns:
            A flat mapping: ``description()["entry"]``.

        Raises:
            Damaged: it is missing, torn, or another trial's.
            StoreError: it has a newer schema or cannot be read.
        """
        path = self.path / "trial.json"
        found = files.read_json(path)
        if found is None:
            raise Damaged(f"{path} is missing: the run that makes this trial writes it anew")
        _check_schema(path, found)
        try:
            trial = Trial.from_ingredients(found)
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{path} is damaged: expected the ingredients of a trial, {error!r}") from error
        if not trial.id == found.get("id") == self.id:
            raise Damaged(f"{path} is damaged: its ingredients make the trial {trial.id}, its folder is {self.id}")
        return found

    def trial(self) -> Trial:
        """The trial.

        Returns:
            The trial whose id the folder has.

        Raises:
            StoreError: as :meth:`description`.
        """
        return Trial.from_ingredients(self.description())

    # How far it is

    def status(self) -> Status:
        """How far it is, as far as the files bear it out.

        What says ``running`` while no living process holds :meth:`lock` was interrupted; what says ``done`` without
        a whole ``rows.parquet`` is not done. The next run takes both up again.

        Returns:
            The status; a folder that has only been made is ``planned``.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            self.description()
            found = self._written_status()
        except Damaged as error:
            return Status("interrupted", str(error))
        if found.state == "running" and self.owner() is None:
            return replace(found, state="interrupted", reason="its process ended without a word: killed, or power lost")
        sealed = self.path / "rows.parquet"
        if found.state == "done" and not rows.whole(sealed):
            return replace(found, state="interrupted", reason=f"{sealed} is missing or torn: the next run mends it")
        return found

    def set_status(self, state: State, reason: str = "") -> Status:
        """Say how far it is; times and the seconds of work are kept along with it.

        Args:
            state: ``running`` begins a stretch of work, ``done``, ``failed`` and ``interrupted`` end it. ``done``
                seals the rows first.
            reason: one sentence for the user, where it did not go well.

        Returns:
            What is written.

        Raises:
            StoreError: it could not be written.
        """
        if state not in get_args(State):
            raise ValueError(f"state must be one of {', '.join(get_args(State))}, got {state!r}")
        if state == "done":
            self.seal_rows()
        try:
            before = self._written_status()
        except Damaged:
            before = Status()
        now = _now()
        if state == "running":
            after = replace(before, started=before.started or now, resumed=now, finished=None)
            after = replace(after, attempts=before.attempts + 1)
        else:
            worked = _seconds(before.resumed, now) if before.state == "running" else 0.0
            ended = now if state != "planned" else None
            after = replace(before, finished=ended, seconds=round(before.seconds + worked, 3))
        after = replace(after, state=state, reason=reason)
        self.adopt_status(after)
        return after

    def adopt_status(self, status: Status) -> None:
        """Write a status as it is: one that was earned in another store.

        Args:
            status: times and all.

        Raises:
            StoreError: it could not be written.
        """
        self.write_json("status.json", asdict(status))

    def write_failure(self, reason: str, traceback: str) -> None:
        """Record a failure: the trial is ``failed``, its reason shown everywhere, the traceback in ``failure.txt``.

        Args:
            reason: one sentence: ``loss became NaN at step 120``.
            traceback: the full text.

        Raises:
            StoreError: it could not be written.
        """
        files.write_text(self.path / "failure.txt", traceback)
        self.log(f"failed: {reason}")
        self.set_status("failed", reason)

    # Whose it is

    @contextlib.contextmanager
    def lock(self) -> Iterator[TrialFolder]:
        """Work on the trial alone; on the way in, repair what a killed process left.

        Look at :meth:`status` again inside: another process may have finished the trial a moment ago.

        Yields:
            This folder.

        Raises:
            Busy: a living process works on it.
            StoreError: the folder cannot be written.
        """
        with locks.held(self.path):
            self._repair()
            yield self

    def owner(self) -> Owner | None:
        """The living process that works on it; ``None`` when nobody does."""
        return locks.owner(self.path)

    # Rows

    def append_rows(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, so that they survive whatever comes next.

        Args:
            records: mappings with keys of :data:`ROW_COLUMNS`. Missing ``trial``, ``task``, ``entry``, ``source``,
                ``budget`` and ``seed`` are the trial's own.

        Raises:
            StoreError: they could not be written; what was there before is untouched.
            ValueError: a key is not a column.
        """
        for record in records:
            if strange := record.keys() - set(ROW_COLUMNS):
                raise ValueError(f"a row has the columns {', '.join(ROW_COLUMNS)}, got also {', '.join(strange)}")
        known = self.description()
        own = {"trial": self.id, **{name: known[name] for name in ("task", "entry", "source", "budget", "seed")}}
        self.journal("rows.jsonl").append([{**own, **record} for record in records])

    def rows(self) -> pd.DataFrame:
        """All rows, sealed or not; of two with the same :data:`ROW_KEY` the later one.

        Returns:
            A frame with exactly :data:`ROW_COLUMNS`.

        Raises:
            StoreError: the file of rows is damaged.
        """
        return rows.frame([self.table()])

    def table(self) -> Any:
        """As :meth:`rows`, as an Arrow table: what many trials are put together from."""
        sealed = rows.read(self.path / "rows.parquet")
        fresh = self.journal("rows.jsonl").read()
        if sealed is not None and not fresh:
            return sealed
        return rows.table([*(sealed.to_pylist() if sealed is not None else []), *fresh])

    def seal_rows(self) -> None:
        """Put all rows into ``rows.parquet`` and end the journal; killed in between, nothing is lost or doubled.

        Raises:
            StoreError: it could not be written; all rows are still in the journal.
        """
        if not (self.path / "rows.jsonl").exists() and rows.whole(self.path / "rows.parquet"):
            return
        rows.write(self.path / "rows.parquet", self.table())
        with files.explained(self.path, "write"):
            (self.path / "rows.jsonl").unlink(missing_ok=True)

    # Files

    def journal(self, name: str) -> Journal:
        """The journal of that name: ``curve.jsonl`` is the training curve."""
        return Journal(self.path / name)

    def log(self, line: str) -> None:
        """Add a line with the time (UTC) to ``log.txt``.

        Args:
            line: one or more lines of text.

        Raises:
            StoreError: it could not be written.
        """
        path = self.path / "log.txt"
        with files.explained(path, "append to"), path.open("a", encoding="utf-8") as file:
            file.write(f"{_now()} {line.rstrip()}\n")

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Write ``provenance.json``; that of an earlier stretch of work is kept under ``earlier``, newest first.

        Args:
            provenance: what :func:`converse.experiments.provenance.provenance` says.

        Raises:
            StoreError: it could not be written.
        """
        before = self.read_json("provenance.json")
        earlier = [] if before is None else [before, *before.pop("earlier", [])]
        self.write_json("provenance.json", {**provenance, "earlier": earlier})

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace a JSON file of the folder, atomically.

        Args:
            name: file name.
            value: what JSON can hold.

        Raises:
            StoreError: it could not be written; the former file is untouched.
        """
        files.write_json(self.path / name, value)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the folder.

        Args:
            name: file name.

        Returns:
            Its object; ``None`` when there is no such file.

        Raises:
            StoreError: it is damaged.
        """
        return files.read_json(self.path / name)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Replace a file of the folder, atomically: ``write_bytes("checkpoint.safetensors", save(tensors))``.

        Args:
            name: file name.
            data: all of it.

        Raises:
            StoreError: it could not be written; the former file is untouched.
        """
        files.write_bytes(self.path / name, data)

    def replacing(self, name: str) -> AbstractContextManager[Path]:
        """Write any file of the folder whole or not at all, where a library writes to a path.

        Args:
            name: file name.

        Returns:
            A context manager that yields the temporary path to write to.

        Raises:
            StoreError: it could not be written; the former file is untouched.
        """
        return files.replacing(self.path / name)

    def set_aside(self, name: str) -> Path:
        """Rename a damaged file to ``NAME.damaged-N`` and say so in the log.

        Args:
            name: an existing file of the folder.

        Returns:
            Its new path.

        Raises:
            StoreError: it could not be renamed.
        """
        aside = files.set_aside(self.path / name)
        self.log(f"{name} was damaged: moved to {aside.name}")
        return aside

    def _repair(self) -> None:
        """Bring the folder back to a state from which work can go on. Called by who holds the lock."""
        for leftover in self.path.glob(f"{files.TEMPORARY}*"):
            if _is_leftover(leftover):
                with contextlib.suppress(OSError):
                    leftover.unlink()
        for name in ("status.json", "provenance.json"):
            try:
                found = self.read_json(name)
                _status(found if name == "status.json" else None, self.path / name)
            except Damaged:
                self.set_aside(name)
        for path in sorted(self.path.glob("[!.]*.jsonl")):
            if done := Journal(path).repair():
                self.log(done)
        try:
            rows.read(self.path / "rows.parquet")
        except Damaged:
            self.set_aside("rows.parquet")

    def _written_status(self) -> Status:
        return _status(self.read_json("status.json"), self.path / "status.json")


def _check_schema(path: Path, found: Mapping[str, Any]) -> None:
    version = found.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Damaged(f'{path} is damaged: expected "schema": {SCHEMA}, got {version!r}')
    if version > SCHEMA:
        raise StoreError(
            f"{path} has schema {version}, this converse understands schemas up to {SCHEMA}: "
            "upgrade it (pip install --upgrade converse-bench), or name another store with --store"
        )


def _status(found: Mapping[str, Any] | None, path: Path) -> Status:
    if found is None:
        return Status()
    try:
        status = Status(**found)
        for moment in (status.started, status.resumed, status.finished):
            _seconds(moment, _now())
        status = replace(status, seconds=float(status.seconds), attempts=int(status.attempts))
    except (TypeError, ValueError) as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    if status.state not in get_args(State) or not isinstance(status.reason, str):
        raise Damaged(f"{path} is damaged: state must be one of {', '.join(get_args(State))}, got {status.state!r}")
    return status


def _is_leftover(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS
    except OSError:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(since: str | None, until: str) -> float:
    if since is None:
        return 0.0
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
