"""One trial's folder, every file of which is whole or absent, whatever was killed or full.

```text
trials/<id>/
    trial.json                 the ingredients, written before all else
    status.json                planned, running, done, failed, interrupted
    provenance.json            commit, versions, machine, time
    log.txt  curve.jsonl       what happened; the training curve
    checkpoint.safetensors     weights
    resume/                    what training needs to go on
    rows.jsonl  rows.parquet   rows as they come; rows sealed
    failure.txt                traceback of a failure
```
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converse.experiments.store import files, locks, rows
from converse.experiments.store.files import Damaged, Journal
from converse.experiments.store.locks import Hold, Owner
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.schema import check_schema
from converse.experiments.store.state import State, Status, advance, now, parse
from converse.experiments.trials import Trial

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class TrialFolder:
    """What is kept of one trial. Whoever writes holds its :meth:`lock`; anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hold: Hold | None = None

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
        check_schema(path, found)
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
        if state == "done":
            self.seal_rows()
        try:
            before = self._written_status()
        except Damaged:
            before = Status()
        after = advance(before, state, reason)
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
        files.write_text(self.path / "failure.txt", traceback, self._hold)
        self.log(f"failed: {reason}")
        self.set_status("failed", reason)

    # Whose it is

    @contextlib.contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[TrialFolder]:
        """Work on the trial alone; on the way in, repair what a killed process left.

        Look at :meth:`status` again inside: another process may have finished the trial a moment ago. Should this
        process be stopped for so long that another takes the trial over, nothing more of it is written: what is tried
        raises ``Lost``.

        Args:
            wait: watch an owner on another machine, for up to a minute, to see whether it lives; ``False``: for who
                asks again anyway.

        Yields:
            This folder.

        Raises:
            Busy: a living process works on it.
            StoreError: the folder cannot be written.
        """
        with locks.held(self.path, wait=wait) as hold:
            self._hold = hold
            try:
                self._repair(hold)
                yield self
            finally:
                self._hold = None

    @property
    def lost(self) -> bool:
        """Whether the lock was held here, and another process has taken it over: there is no use in going on."""
        return self._hold is not None and self._hold.lost

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

    def table(self) -> pa.Table:
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
        rows.write(self.path / "rows.parquet", self.table(), self._hold)
        self.remove("rows.jsonl")

    # Files

    def journal(self, name: str) -> Journal:
        """The journal of that name: ``curve.jsonl`` is the training curve."""
        return Journal(self.path / name, self._hold)

    def log(self, line: str) -> None:
        """Add a line with the time (UTC) to ``log.txt``.

        Args:
            line: one or more lines of text.

        Raises:
            StoreError: it could not be written.
        """
        self._check()
        path = self.path / "log.txt"
        with files.explained(path, "append to"), path.open("a", encoding="utf-8") as file:
            file.write(f"{now()} {line.rstrip()}\n")

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
        files.write_json(self.path / name, value, self._hold)

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
        files.write_bytes(self.path / name, data, self._hold)

    def replacing(self, name: str) -> AbstractContextManager[Path]:
        """Write any file of the folder whole or not at all, where a library writes to a path.

        Args:
            name: file name.

        Returns:
            A context manager that yields the temporary path to write to.

        Raises:
            StoreError: it could not be written; the former file is untouched.
        """
        return files.replacing(self.path / name, self._hold)

    def make_folder(self, name: str) -> None:
        """Make a folder in the folder; one that is there stays.

        Args:
            name: of the folder.

        Raises:
            StoreError: it could not be made.
        """
        self._check()
        with files.explained(self.path / name, "make"):
            files.make_folder(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it is there.

        Args:
            name: file name.

        Raises:
            StoreError: it could not be removed.
        """
        self._check()
        with files.explained(self.path / name, "remove"):
            (self.path / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> Path:
        """Rename a damaged file to ``NAME.damaged-N`` and say so in the log.

        Args:
            name: an existing file of the folder.

        Returns:
            Its new path.

        Raises:
            StoreError: it could not be renamed.
        """
        self._check()
        aside = files.set_aside(self.path / name)
        self.log(f"{name} was damaged: moved to {aside.name}")
        return aside

    def _check(self) -> None:
        if self._hold is not None:
            self._hold.check()

    def _repair(self, hold: Hold) -> None:
        """Bring the folder back to a state from which work can go on. Called by who holds the lock."""
        files.sweep(self.path, f"{files.TEMPORARY}*", hold.workspace)
        for name in ("status.json", "provenance.json"):
            try:
                found = self.read_json(name)
                parse(found if name == "status.json" else None, self.path / name)
            except Damaged:
                self.set_aside(name)
        for path in sorted(self.path.glob("[!.]*.jsonl")):
            if done := self.journal(path.name).repair():
                self.log(done)
        try:
            rows.read(self.path / "rows.parquet")
        except Damaged:
            self.set_aside("rows.parquet")

    def _written_status(self) -> Status:
        return parse(self.read_json("status.json"), self.path / "status.json")
