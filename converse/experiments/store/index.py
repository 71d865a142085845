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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from converse.errors import StoreError
from converse.experiments.store import files
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.state import State

INDEX: Final = "index.json"

FORMAT: Final = 2

WORTH: Final = 32
"""So many trials are read anew before it is worth an index."""

_FILES: Final = ("trial.json", "status.json", "rows.parquet")
_TICK: Final = 3.0  # seconds in which two changes may get the same time, on the coarsest file systems
_TEXT: Final = frozenset({str})
_MAYBE: Final = frozenset({str, type(None)})
_COLUMNS: Final = {
    "task": _TEXT,
    "entry": _TEXT,
    "source": _TEXT,
    "budget": _MAYBE,
    "seed": frozenset({int, type(None)}),
    "state": _TEXT,
    "reason": _TEXT,
    "started": _MAYBE,
    "resumed": _MAYBE,
    "finished": _MAYBE,
    "seconds": frozenset({float, int}),
    "attempts": frozenset({int}),
}
"""What the file has of each trial beside its id and stamp; one list of each, which is read faster than records are."""
_SETTLED: Final = frozenset({"planned", "done", "failed", "interrupted"})


class Known(NamedTuple):
    """What a trial is, and how far.

    Attributes:
        task: of its ingredients; ``None``, as the other four, where its description is damaged.
        entry: name in its suite.
        source: ``released`` or ``trained``.
        budget: ``None`` where none applies.
        seed: ``None`` where none applies.
        state: this and what follows as in :class:`converse.experiments.store.state.Status`.
    """

    task: str | None
    entry: str | None
    source: str | None
    budget: str | None
    seed: int | None
    state: State
    reason: str
    started: str | None
    resumed: str | None
    finished: str | None
    seconds: float
    attempts: int


_INGREDIENTS: Final = Known._fields[:5]


class Index:
    """The index of a store; :func:`opened` gives one.

    Args:
        root: the store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / INDEX
        self._trials = os.fspath(root / "trials")
        self._entries = _read(self._path)
        self._missed = 0
        self._fresh = False
        self._clock: float | None = None

    def known(self, trial: str) -> Known:
        """What :meth:`converse.experiments.store.folder.TrialFolder.known` says, most often without reading the folder.

        Args:
            trial: the id of a trial of the store.

        Raises:
            StoreError: its folder cannot be read, or is of a newer schema.
        """
        place = f"{self._trials}/{trial}"
        seen = _seen(place)
        stamp = _stamp(seen)
        entry = self._entries.get(trial)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        described, status = TrialFolder(Path(place)).known()
        own = described or dict.fromkeys(_INGREDIENTS)
        known = Known._make([*(own[name] for name in _INGREDIENTS), *vars(status).values()])
        self._missed += 1
        if self._missed == WORTH:
            self._clock = _clock(self._path.parent)
        if described is not None and self._lasts(seen, known) and stamp == _stamp(_seen(place)):
            self._entries[trial] = (stamp, known)
            self._fresh = True
        return known

    def _lasts(self, seen: Sequence[os.stat_result | None], known: Known) -> bool:
        """Whether what was read holds until the stamp changes: nobody lives by it, and the tick is over."""
        alive = known.state == "running" or (known.state == "interrupted" and known.finished is None)
        newest = max((found.st_mtime_ns for found in seen if found is not None), default=0)
        return self._clock is not None and not alive and newest / 1e9 + _TICK < time.monotonic() + self._clock

    def keep(self) -> None:
        """Write what was read anew, where there is enough of it; a store that cannot be written stays as it is."""
        if not self._fresh:
            return
        with contextlib.suppress(StoreError):
            there = set(files.plain_names(self._path.parent / "trials"))
            trials = {name: entry for name, entry in self._entries.items() if name in there}
            stamps = [stamp for stamp, _ in trials.values()]
            columns = {name: [known[at] for _, known in trials.values()] for at, name in enumerate(Known._fields)}
            written = {"format": FORMAT, "trial": list(trials), "stamp": stamps, **columns}
            files.write_bytes(self._path, files.sealed_line(written))


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


def _read(path: Path) -> dict[str, tuple[str, Known]]:
    """Trial → stamp, and what is known of it; nothing where the file is not as it was written."""
    try:
        found = files.read_sealed(path)
    except StoreError:
        return {}
    if found is None or found.get("format") != FORMAT:
        return {}
    columns: list[Any] = [found.get(name) for name in ("trial", "stamp", *_COLUMNS)]
    trials, stamps, *values = columns
    if not all(isinstance(column, list) and len(column) == len(trials) for column in columns):
        return {}
    kinds = (_TEXT, _TEXT, *_COLUMNS.values())
    if not all(allowed.issuperset(map(type, column)) for allowed, column in zip(kinds, columns, strict=True)):
        return {}
    if not _SETTLED.issuperset(found["state"]) or not all(0 <= seconds <= 1e12 for seconds in found["seconds"]):
        return {}
    known = map(Known._make, zip(*values, strict=True))
    return dict(zip(trials, zip(stamps, known, strict=True), strict=True))


def _seen(place: str) -> tuple[os.stat_result | None, ...]:
    """What the file system says of a trial's folder and of :data:`_FILES` in it; ``None`` of what is not there."""
    return (_about(place), *[_about(f"{place}/{name}") for name in _FILES])


def _about(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _stamp(seen: Sequence[os.stat_result | None]) -> str:
    """Their times, and the sizes of the files, in hexadecimal digits; that of a folder is its file system's affair."""
    folder, *inner = seen
    stamp = "-" if folder is None else f"{folder.st_mtime_ns:x}"
    for found in inner:
        stamp += " -" if found is None else f" {found.st_mtime_ns:x} {found.st_size:x}"
    return stamp


def _clock(root: Path) -> float | None:
    """What to add to this process's monotonic clock for the file system's; ``None`` where nothing can be written."""
    try:
        with tempfile.TemporaryFile(prefix=files.TEMPORARY, dir=root) as fresh:
            return os.fstat(fresh.fileno()).st_mtime_ns / 1e9 - time.monotonic()
    except OSError:
        return None
