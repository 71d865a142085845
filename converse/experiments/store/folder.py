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
    outputs.jsonl  outputs/    what the network made of test images, where that is kept
    failure.txt                traceback of a failure
    digests.json               what these files are, to the bit
```
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.experiments.store import digests, files, locks, rows
from converse.experiments.store.digests import DIGESTS, GROWING, OUTPUTS, REPLACED, Digest, Digests
from converse.experiments.store.files import Damaged, Journal
from converse.experiments.store.locks import Hold, Owner
from converse.experiments.store.plain import open_to_append
from converse.experiments.store.rows import ROW_COLUMNS, Row
from converse.experiments.store.schema import PROVENANCE, check_shape, check_trial, curve_fault
from converse.experiments.store.state import State, Status, advance, now, parse
from converse.experiments.trials import Trial, id_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


_DIGESTED: Final = (*REPLACED, *GROWING)


class TrialFolder:
    """What is kept of one trial. Whoever writes holds its :meth:`lock`; anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mended: list[str] = []
        """What :meth:`lock` had to mend on the way in, in sentences."""
        self._hold: Hold | None = None
        self._described: dict[str, Any] | None = None
        self._known: Digests | None = None
        """As they were read or written under the lock, under which nobody else writes them."""

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
            Damaged: it is missing, torn, or another trial's; or something in the folder is no plain file or folder.
            StoreError: it has a newer schema or cannot be read.
        """
        if self._hold is not None and self._described is not None:
            return dict(self._described)
        files.check_plain(self.path)
        path = self.path / "trial.json"
        found = files.read_json(path)
        if found is None:
            raise Damaged(f"{path} is missing: the run that makes this trial writes it anew")
        check_trial(path, found)
        made = id_of(found)
        if not made == found.get("id") == self.id:
            raise Damaged(f"{path} is damaged: its ingredients make the trial {made}, its folder is {self.id}")
        if self._hold is None:
            return found
        self._described = found
        return dict(found)

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
        return self.known()[1]

    def known(self) -> tuple[dict[str, Any] | None, Status]:
        """What it is and how far it is, each file read once.

        Returns:
            As :meth:`description`, ``None`` where that is damaged; and as :meth:`status`.

        Raises:
            StoreError: the folder cannot be read, or is of a newer schema.
        """
        described: dict[str, Any] | None = None
        try:
            described = self.description()
            return described, self._borne_out(self.written_status())
        except Damaged as error:
            return described, Status("interrupted", str(error))

    def _borne_out(self, found: Status) -> Status:
        if found.state == "running" and self.owner() is None:
            return replace(found, state="interrupted", reason="its process ended without a word: killed, or power lost")
        sealed = self.path / "rows.parquet"
        if found.state == "done" and not rows.whole(sealed):
            return replace(found, state="interrupted", reason=f"{sealed} is missing or torn: the next run mends it")
        return found

    def set_status(self, state: State, reason: str = "", seconds: float | None = None) -> Status:
        """Say how far it is; times and the seconds of work are kept along with it.

        Args:
            state: ``running`` begins a stretch of work, ``done``, ``failed`` and ``interrupted`` end it. ``done``
                seals the rows first.
            reason: one sentence for the user, where it did not go well.
            seconds: of work in the stretch that ends, by the clock of who did it; ``None`` for those since it began.

        Returns:
            What is written.

        Raises:
            StoreError: it could not be written.
        """
        if state == "done":
            return self.finish(lambda rows: reason, seconds)
        after = self._advanced(state, reason, seconds)
        data = files.json_bytes(asdict(after))
        if state == "running":
            if self.digests() is None:
                self.log("its files had no digests, for an earlier version wrote them: digests are written now")
            # While it is worked on its journals have the checksums of their lines alone.
            growing = {"curve.jsonl": None, "rows.jsonl": None, OUTPUTS: None}
            self._replace({"status.json": data}, growing, whole=True)
        else:
            self._replace({"status.json": data}, whole=True)
        return after

    def finish(
        self,
        lacking: Callable[[list[Row]], str],
        seconds: float | None = None,
        *,
        fresh: Sequence[Mapping[str, Any]] = (),
        contents: Mapping[str, bytes] | None = None,
    ) -> Status:
        """Say that it is done, and write all that came of it: the rows sealed, each file once, the status last.

        Args:
            lacking: says of all rows which images have no value, and why; empty where all have one.
            seconds: as of :meth:`set_status`; where nothing says that work began, it began so long ago.
            fresh: rows beside those that are there, as :meth:`append_rows` takes them.
            contents: of other files, by name.

        Returns:
            The status that is written.

        Raises:
            StoreError: it could not be written; rows that were there before are there.
            ValueError: a key of a row is not a column.
        """
        journal, sealed = self.path / "rows.jsonl", self.path / "rows.parquet"
        coming, rows_left = dict(contents or {}), journal.exists()
        table = self._with(self._own(fresh))
        if fresh or rows_left or not rows.whole(sealed):
            coming[sealed.name] = rows.encoded(table)
        after = self._advanced("done", lacking(table.to_pylist()), seconds)
        status = files.json_bytes(asdict(after))
        if rows_left:  # which may go once the sealed ones are safe, and before it is done
            self._replace(coming, {"status.json": Digest.of(status), journal.name: None}, whole=True)
            self.remove(journal.name)
            files.write_bytes(self.path / "status.json", status, self._hold)
        else:
            self._replace({**coming, "status.json": status}, whole=True)
        return after

    def adopt_status(self, status: Status) -> None:
        """Write a status as it is: one that was earned in another store.

        Args:
            status: times and all.

        Raises:
            StoreError: it could not be written.
        """
        self._replace({"status.json": files.json_bytes(asdict(status))}, whole=status.state != "running")

    def _advanced(self, state: State, reason: str, seconds: float | None) -> Status:
        """The status that follows, whatever is wrong with the one that is written."""
        try:
            before = self.written_status()
        except Damaged:
            before = Status()
        if state == "done" and seconds is not None and before.state != "running":
            before = advance(before, "running", "", now(seconds))
        after = advance(before, state, reason)
        return after if seconds is None else replace(after, seconds=round(before.seconds + seconds, 3))

    def write_failure(self, reason: str, traceback: str, seconds: float | None = None) -> None:
        """Record a failure: the trial is ``failed``, its reason shown everywhere, the traceback in ``failure.txt``.

        Args:
            reason: one sentence: ``loss became NaN at step 120``.
            traceback: the full text.
            seconds: as of :meth:`set_status`.

        Raises:
            StoreError: it could not be written.
        """
        self.write_bytes("failure.txt", traceback.encode(errors="backslashreplace"))
        self.log(f"failed: {reason}")
        self.set_status("failed", reason, seconds)

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
        files.check_plain(self.path)
        with locks.held(self.path, wait=wait) as hold:
            self._hold, self.mended = hold, []
            self._described = self._known = None
            try:
                self._repair(hold)
                yield self
            finally:
                self._hold = self._described = self._known = None

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
        self.journal("rows.jsonl").append(self._own(records))

    def _own(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows with what the trial says of itself.

        Raises:
            ValueError: a key is not a column.
        """
        for record in records:
            if strange := record.keys() - set(ROW_COLUMNS):
                raise ValueError(f"a row has the columns {', '.join(ROW_COLUMNS)}, got also {', '.join(strange)}")
        known = self.description()
        own = {"trial": self.id, **{name: known[name] for name in ("task", "entry", "source", "budget", "seed")}}
        return [{**own, **record} for record in records]

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
        return self._with(())

    def _with(self, more: Sequence[Mapping[str, Any]]) -> pa.Table:
        """All rows, and some that are not there yet."""
        sealed = self._sealed_rows(self.digests())
        fresh = self.journal("rows.jsonl").read()
        for row in fresh:
            if (other := row.get("trial")) != self.id:
                raise Damaged(
                    f"{self.path / 'rows.jsonl'} is damaged: it has a row of the trial {other}; the next run sets it "
                    "aside"
                )
        if sealed is not None and not fresh and not more:
            return sealed
        return rows.table([*(sealed.to_pylist() if sealed is not None else []), *fresh, *more])

    def seal_rows(self) -> None:
        """Put all rows into ``rows.parquet`` and end the journal; killed in between, nothing is lost or doubled.

        Raises:
            StoreError: it could not be written; all rows are still in the journal.
        """
        if not (self.path / "rows.jsonl").exists() and rows.whole(self.path / "rows.parquet"):
            return
        data = rows.encoded(self.table())
        self._replace({"rows.parquet": data}, {"rows.jsonl": None})
        self.remove("rows.jsonl")

    # Files

    def journal(self, name: str) -> Journal:
        """The journal of that name: ``curve.jsonl`` is the training curve."""
        faults = {"rows.jsonl": rows.row_fault, "curve.jsonl": curve_fault}
        return Journal(self.path / name, fault=faults.get(name, lambda record: None), fence=self._hold)

    def curve(self) -> list[dict[str, Any]]:
        """The points of the training curve; none where there is no curve, or it is damaged."""
        try:
            return self.journal("curve.jsonl").read()
        except Damaged:
            return []

    def log(self, *lines: str) -> None:
        """Add lines, each with the time (UTC), to ``log.txt``.

        Args:
            lines: each may be several lines of text.

        Raises:
            StoreError: it could not be written.
        """
        self._check()
        path = self.path / "log.txt"
        with (
            files.explained(path, "append to"),
            os.fdopen(open_to_append(path), "a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            self._check()  # now that it is open: a new owner puts a copy in its place
            file.write("".join(f"{now()} {line.rstrip()}\n" for line in lines))

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Write ``provenance.json``; that of an earlier stretch of work is kept under ``earlier``, newest first.

        Args:
            provenance: what :func:`converse.experiments.provenance.provenance` says.

        Raises:
            StoreError: it could not be written.
        """
        before = self.provenance()
        earlier = [] if before is None else [before, *before.pop("earlier", [])]
        self.write_json("provenance.json", {**provenance, "earlier": earlier})

    def provenance(self) -> dict[str, Any] | None:
        """``provenance.json``: what made its numbers.

        Returns:
            A mapping; ``None`` before the trial was begun.

        Raises:
            Damaged: it is torn, or is no provenance.
            StoreError: it cannot be read.
        """
        found = self.read_json("provenance.json")
        if found is not None:
            check_shape(self.path / "provenance.json", found, PROVENANCE)
        return found

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace a JSON file of the folder, atomically.

        Args:
            name: file name.
            value: what JSON can hold.

        Raises:
            StoreError: it could not be written; the former file is untouched.
        """
        self.write_bytes(name, files.json_bytes(value))

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
        self._replace({name: data})

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
        said = f"{name} was damaged: moved to {aside.name}"
        self.log(said)
        self.mended.append(said)
        if name == DIGESTS:
            self._known = None
        if name in _DIGESTED:
            self._replace({}, {name: None})
        return aside

    def _check(self) -> None:
        if self._hold is not None:
            self._hold.check()

    # Digests

    def digests(self) -> Digests | None:
        """What its files are, to the bit; ``None`` where an earlier version wrote the trial.

        Raises:
            Damaged: they are torn or changed.
            StoreError: they cannot be read.
        """
        if self._hold is None:
            return digests.read(self.path)
        if self._known is None:
            self._known = digests.read(self.path)
        return self._known

    def fault(self, name: str) -> str | None:
        """What is wrong with a file, by its digest.

        Args:
            name: of a file of the folder.

        Returns:
            A sentence with its path; ``None`` when it is as it was written, or no digest of it is known.

        Raises:
            Damaged: the digests are.
            StoreError: it cannot be read.
        """
        known = self.digests()
        wrong = None if known is None else known.fault(name, files.content(self.path / name))
        return None if wrong is None else f"{self.path / name} {wrong}"

    def check_digests(self) -> None:
        """Hold every file against its digest.

        Raises:
            Damaged: one is not as it was written, or the digests are not.
            StoreError: one cannot be read.
        """
        known = self.digests() or Digests()
        for name in known.files:
            if (wrong := known.fault(name, files.content(self.path / name))) is not None:
                raise Damaged(f"{self.path / name} {wrong}")

    def unsound(self) -> str | None:
        """What of a finished trial is not there or not as it was written: its rows, and its weights if it was trained.

        No library is loaded for it. Of a trial without digests, which only its readers can judge, it says so.

        Returns:
            One sentence; ``None`` when it is whole.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            trained = self.description()["source"] == "trained"
            known = self.digests()
            for name in ("rows.parquet", *(["checkpoint.safetensors"] if trained else ())):
                data = files.content(self.path / name)
                if data is None:
                    return f"{self.path / name} is missing"
                if known is not None and (wrong := known.fault(name, data)) is not None:
                    return f"{self.path / name} {wrong}"
        except Damaged as error:
            return str(error)
        return f"{self.path / DIGESTS} is missing" if known is None else None

    def adopt(self) -> tuple[str, ...]:
        """Give digests to files that have none, as those of versions up to 0.1 have: from now on they are checked.

        Called by who holds the lock and has read the files.

        Returns:
            The names of the files.

        Raises:
            StoreError: they could not be written.
        """
        known = self.digests() or Digests()
        after = digests.sealed(known, self.path)
        fresh = tuple(sorted(after.files.keys() - known.files.keys()))
        if fresh:
            self._write({DIGESTS: digests.encoded(after)}, after)
        return fresh

    def forget(self, name: str) -> None:
        """Expect nothing of a file any more; called by who holds the lock, before the file is renewed or missed.

        Raises:
            StoreError: it could not be written.
        """
        self._replace({}, {name: None})

    def _replace(
        self, contents: Mapping[str, bytes], coming: Mapping[str, Digest | None] | None = None, *, whole: bool = False
    ) -> None:
        """Replace files, their digests first: in a folder, a rename is not lost without those after it.

        Args:
            contents: of the files, by name.
            coming: digests of others that are about to be written; ``None`` as of :func:`digests.announced`.
            whole: have digests of all other files too.
        """
        # While a trial is worked on, files that grow have the checksums of their lines alone.
        named = {name: data for name, data in contents.items() if name in _DIGESTED}
        made = {name: Digest.of(data) if whole or name in REPLACED else None for name, data in named.items()}
        coming = {**(coming or {}), **made}
        try:
            known = self.digests() or Digests()
        except Damaged:
            self.set_aside(DIGESTS)
            known = Digests()
        after = digests.announced(known, self.path, coming)
        if whole:
            rest = digests.sealed(after, self.path).files
            after = Digests({**rest, **{name: after.files[name] for name in coming if name in after.files}})
            after = Digests({name: known for name, known in after.files.items() if coming.get(name, known) is not None})
        self._write({**({DIGESTS: digests.encoded(after)} if after != known else {}), **contents}, after)

    def _write(self, contents: Mapping[str, bytes], known: Digests) -> None:
        self._known = None  # should it fail, nobody knows which are there
        files.write_files({self.path / name: data for name, data in contents.items()}, self._hold)
        self._known = known

    def _repair(self, hold: Hold) -> None:
        """Bring the folder back to a state from which work can go on. Called by who holds the lock."""
        files.sweep(self.path, f"{files.TEMPORARY}*", hold.workspace)
        if hold.overtook:
            files.renew(self.path, GROWING, hold)
        there = set(files.plain_names(self.path))
        try:
            known = self.digests()
        except Damaged:
            self.set_aside(DIGESTS)
            known = None
        with contextlib.suppress(Damaged):
            self.description()
            if self.fault("trial.json") is not None:
                # Its ingredients make its id; only names of entry and budget could be wrong, or it was written anew.
                said = "trial.json does not have the digest that it was written with, but makes this trial: it stays"
                self.log(said)
                self.mended.append(said)
                self._replace({}, {"trial.json": None}, whole=True)
                self.adopt()
        for name, read in (
            ("status.json", self.written_status),
            ("provenance.json", self.provenance),
            ("rows.parquet", lambda: self._sealed_rows(known)),
        ):
            if name not in there:
                continue
            try:
                read()
                if self.fault(name) is not None:
                    raise Damaged(name)
            except Damaged:
                if os.path.lexists(self.path / name):
                    self.set_aside(name)
        for name in sorted(name for name in there if name.endswith(".jsonl")):
            journal = self.own_journal(name)
            if journal.damaged():
                self._replace({}, {name: None})
                if done := journal.repair():
                    self.log(done)
                    self.mended.append(done)

    def own_journal(self, name: str) -> Journal:
        """A journal in which rows of other trials count as damaged."""
        journal = self.journal(name)
        if name != "rows.jsonl":
            return journal

        def fault(record: Mapping[str, Any]) -> str | None:
            other = record.get("trial")
            return rows.row_fault(record) if other == self.id else f"is a row of the trial {other}"

        return Journal(journal.path, fault=fault, fence=self._hold)

    def _sealed_rows(self, known: Digests | None) -> pa.Table | None:
        """The rows in ``rows.parquet``, which are those that were written and this trial's."""
        path = self.path / "rows.parquet"

        def check(data: bytes) -> None:
            if known is not None and (wrong := known.fault(path.name, data)) is not None:
                raise Damaged(f"{path} {wrong}: run the same suite or task again, which measures its rows anew")

        sealed = rows.read(path, check)
        if sealed is not None and (other := rows.foreign(sealed, self.id)) is not None:
            raise Damaged(
                f"{path} is damaged: it has rows of the trial {other}; run the same suite or task again, which "
                "measures its rows anew"
            )
        return sealed

    def written_status(self) -> Status:
        """The status that is written, whatever the other files say.

        Raises:
            Damaged: it is torn, or is no status.
            StoreError: it cannot be read.
        """
        return parse(self.read_json("status.json"), self.path / "status.json")
