"""What each trial of a large store is and how far, in one file: a copy that is believed where a folder has not changed.

``index.json`` beside ``store.json`` has a line's worth of each trial, with the times and sizes of the files that it was
read from. Where these are others by now, the trial is read anew; a damaged or missing index is made again. Nothing
depends on it but the time that a list takes, so it may be removed at any moment. Small stores have none.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from converse.errors import StoreError
from converse.experiments.store import files
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.state import Status

INDEX: Final = "index.json"

FORMAT: Final = 1

WORTH: Final = 32
"""So many trials are read anew before it is worth an index."""

NAMED: Final = ("task", "entry", "source", "budget", "seed")
"""What of a trial's ingredients it has."""

_FILES: Final = ("trial.json", "status.json", "rows.parquet")
_TICK: Final = 3.0  # seconds in which two changes may get the same time, on the coarsest file systems
_TEXT, _MAYBE, _COUNT = (str,), (str, type(None)), (int, type(None))
_KINDS: Final = (_TEXT, _TEXT, _TEXT, _MAYBE, _COUNT, _TEXT, _TEXT, _MAYBE, _MAYBE, _MAYBE, (float, int), (int,))
_SETTLED: Final = ("planned", "done", "failed", "interrupted")

Known = tuple[dict[str, Any] | None, Status]


class Index:
    """The index of a store; :func:`opened` gives one.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / INDEX
        self._entries = _read(self._path)
        self._missed = 0
        self._fresh = False
        self._clock: float | None = None

    def known(self, folder: TrialFolder) -> Known:
        """As :meth:`converse.experiments.store.folder.TrialFolder.known`, of the ingredients only :data:`NAMED`.

        Args:
            folder: of a trial of the store.

        Raises:
            StoreError: its folder cannot be read, or is of a newer schema.
        """
        stamp, newest = _stamp(folder.path)
        entry = self._entries.get(folder.id)
        if entry is not None and entry[0] == stamp:
            said = entry[1]
            return dict(zip(NAMED, said, strict=False)), Status(*said[len(NAMED) :])
        described, status = folder.known()
        self._missed += 1
        if self._missed == WORTH:
            self._clock = _clock(self._path.parent)
        if described is not None:
            described = {name: described[name] for name in NAMED}
            if self._lasts(newest, status) and (stamp, newest) == _stamp(folder.path):
                self._entries[folder.id] = (stamp, [*described.values(), *vars(status).values()])
                self._fresh = True
        return described, status

    def _lasts(self, newest: int, status: Status) -> bool:
        """Whether what was read holds until the stamp changes: nobody lives by it, and the tick is over."""
        alive = status.state == "running" or (status.state == "interrupted" and status.finished is None)
        return self._clock is not None and not alive and newest / 1e9 + _TICK < time.monotonic() + self._clock

    def keep(self) -> None:
        """Write what was read anew, where there is enough of it; a store that cannot be written stays as it is."""
        if not self._fresh:
            return
        with contextlib.suppress(StoreError):
            there = set(files.plain_names(self._path.parent / "trials"))
            trials = [[name, *entry] for name, entry in self._entries.items() if name in there]
            files.write_bytes(self._path, files.sealed_line({"format": FORMAT, "trials": trials}))


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Index]:
    """The index of a store, which is kept at the end.

    Args:
        root: the store's folder; one that cannot be written is read all the same.
    """
    collects = gc.isenabled()
    gc.disable()  # of thousands of records none is garbage, and to look through them again and again takes as long
    try:
        index = Index(root)
        yield index
    finally:
        if collects:
            gc.enable()
    index.keep()


def _read(path: Path) -> dict[str, tuple[str, list[Any]]]:
    """Trial → stamp, and values of :data:`NAMED` and of its status; nothing where the file is not as it was written."""
    try:
        found = files.read_sealed(path)
    except StoreError:
        return {}
    if found is None or found.get("format") != FORMAT or not isinstance(found.get("trials"), list):
        return {}
    entries = {}
    for one in found["trials"]:
        if isinstance(one, list) and len(one) == 3 and isinstance(one[0], str) and _whole(one[2]):
            entries[one[0]] = (one[1], one[2])
    return entries


def _whole(said: Any) -> bool:
    if not isinstance(said, list) or len(said) != len(_KINDS):
        return False
    kinds = all(type(value) in kind for value, kind in zip(said, _KINDS, strict=True))
    return kinds and said[5] in _SETTLED and 0 <= said[10] <= 1e12


def _stamp(folder: Path) -> tuple[str, int]:
    """Times and sizes of a trial's folder and of the files that say how far it is, and the newest time, nanoseconds."""
    place = os.fspath(folder)
    stamp, newest = "", 0
    for path in (place, *(f"{place}/{name}" for name in _FILES)):
        try:
            found = os.lstat(path)
        except OSError:
            stamp += " -"
        else:
            newest = max(newest, found.st_mtime_ns)
            stamp += f" {found.st_mtime_ns} {0 if path is place else found.st_size}"
    return stamp, newest


def _clock(root: Path) -> float | None:
    """What to add to this process's monotonic clock for the file system's; ``None`` where nothing can be written."""
    try:
        with tempfile.TemporaryFile(prefix=files.TEMPORARY, dir=root) as fresh:
            return os.fstat(fresh.fileno()).st_mtime_ns / 1e9 - time.monotonic()
    except OSError:
        return None
