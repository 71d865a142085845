"""One case: its subjects are built, each in a process of its own, and take turns until they have been timed enough."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from converse.experiments.speed.cases import Case, Subject
from converse.experiments.speed.origins import Origin
from converse.experiments.speed.workers import Asked, Failure, Ready, Settings, Worker
from converse.experiments.store.speed_rows import MeasuredColumns, SpeedRow

LEAST_TURNS: Final = 3
"""Of a case that takes long; from fewer than 8 no difference is claimed."""

MOST_LOOKS: Final = 5
"""So often at most it is asked whether a case is settled: twice as many turns each time. Each look is a chance to be
wrong, and with these there are few."""

Settled = Callable[[Sequence[Sequence[float]]], bool]
"""Told the turns so far, of the first subject, its twin, and the others: whether they are enough."""

Report = Callable[[float], None]
"""Told which share of the case is done."""


@dataclass(frozen=True)
class Spending:
    """How much is spent on a case.

    Attributes:
        turns: so many, unless the time is up; and twice as many again, up to 2⁴ times, as long as they settle nothing.
        case_seconds: no further turn begins after so long, once there are :data:`LEAST_TURNS`; a subject of which one
            call takes longer is skipped.
    """

    turns: int
    case_seconds: float


@dataclass
class _Entry:
    """One subject of the case, or the first one's twin."""

    subject: Subject
    twin: bool
    ready: Ready | None = None
    trouble: MeasuredColumns | None = None
    multiply_adds: float | None = None
    turns: list[float] | None = None


Name = tuple[str, bool]
"""A subject's name, and whether it is the twin."""


class Workers:
    """The processes, one per subject; kept from case to case as long as their subject is in it.

    Where they are to be steady each case has new ones: what a process freed before is there for the next case.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers: dict[Name, Asked] = {}
        self._origins: dict[str | None, Origin] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for worker in self._workers.values():
            worker.close(at_once=kind is not None)
        for origin in self._origins.values():
            origin.close(at_once=kind is not None)
        self._workers.clear()
        self._origins.clear()

    def keep(self, wanted: Mapping[Name, str | None]) -> None:
        """End the processes of all subjects but these, and start theirs.

        Args:
            wanted: subject and whether it is the twin → the library that it is of, or ``None``.
        """
        kept = set() if self._settings.steady else set(wanted)
        for name in self._workers.keys() - kept:
            self._workers.pop(name).close()
        for library in set(wanted.values()) - self._origins.keys():
            if library is not None or self._settings.environment:
                self._origins[library] = Origin(self._settings, library)  # all of them load at once
        for name, library in wanted.items():
            if name not in self._workers or not self._workers[name].alive:
                origin = self._origins.get(library)
                self._workers[name] = origin.worker() if origin else Worker(self._settings)

    def __getitem__(self, name: Name) -> Asked:
        return self._workers[name]


def measure(
    case: Case,
    subjects: Sequence[Subject],
    workers: Workers,
    spending: Spending,
    report: Report = lambda share: None,
    settled: Settled = lambda turns: True,
) -> list[SpeedRow]:
    """Measure the subjects of one case.

    The first subject is there twice: the difference of the two copies is the noise of the machine.

    Args:
        case: what they share.
        subjects: at least one.
        workers: where they live.
        spending: how long.
        report: told of progress.
        settled: asked after the turns of ``spending`` whether there should be more.

    Returns:
        One row per subject and one of the twin, without the columns that all rows of a run share. What went wrong with
        a subject is in its row.
    """
    start = time.monotonic()
    entries = [_Entry(subjects[0], False), _Entry(subjects[0], True)]
    entries += [_Entry(subject, False) for subject in subjects[1:]]
    workers.keep({(entry.subject.name, entry.twin): entry.subject.library for entry in entries})
    for number, entry in enumerate(entries):
        _prepare(entry, case, workers[entry.subject.name, entry.twin], spending)
        report(0.3 * (number + 1) / len(entries))
    first, twin = entries[:2]
    if first.ready and twin.ready:
        twin.ready = replace(twin.ready, calls=first.ready.calls)
    began = time.monotonic()
    order = random.Random(0)
    looks = [spending.turns * 2**look for look in range(MOST_LOOKS)]
    for number in range(looks[-1]):
        taking_part = [entry for entry in entries if entry.ready]
        if not taking_part or (number >= LEAST_TURNS and time.monotonic() - start > spending.case_seconds):
            break
        so_far = [entry.turns or [] for entry in taking_part]
        if number in looks and (not (first.ready and twin.ready) or settled(so_far)):
            break
        # In a new order each time: whoever follows a heavy subject finds a hotter and emptier cache.
        for entry in order.sample(taking_part, len(taking_part)):
            _take_turn(entry, workers[entry.subject.name, entry.twin])
        spent = (time.monotonic() - began) / max(1e-9, spending.case_seconds - (began - start))
        report(0.3 + 0.7 * min(1.0, max((number + 1) / looks[-1], spent)))
    report(1.0)
    for entry in entries:
        if entry.ready:
            workers[entry.subject.name, entry.twin].drop()
    return [_row(entry, case) for entry in entries]


def _prepare(entry: _Entry, case: Case, worker: Asked, spending: Spending) -> None:
    prepared = worker.prepare(entry.subject, case)
    if isinstance(prepared, Failure):
        entry.trouble = _failed(prepared)
        return
    entry.ready = prepared
    if prepared.seconds > spending.case_seconds:
        reason = f"one call takes {prepared.seconds:.0f} s, and the budget has {spending.case_seconds:.0f} s for a case"
        entry.trouble = {"status": "skipped", "reason": reason, **_memory(prepared)}
        entry.ready = None
        worker.drop()
        return
    if not entry.twin:
        counted = worker.multiply_adds()
        entry.multiply_adds = counted if isinstance(counted, float) else None
        if isinstance(counted, Failure) and not worker.alive:
            entry.trouble, entry.ready = _failed(counted), None


def _take_turn(entry: _Entry, worker: Asked) -> None:
    assert entry.ready is not None
    seconds = worker.turn(entry.ready.calls)
    if isinstance(seconds, Failure):
        entry.trouble = {**_failed(seconds), **_memory(entry.ready)}
        entry.ready = None
        return
    entry.turns = [*(entry.turns or []), seconds]


def _failed(failure: Failure) -> MeasuredColumns:
    return {"status": failure.status, "reason": failure.reason}


def _memory(ready: Ready) -> MeasuredColumns:
    return {
        "peak_bytes": ready.peak_bytes,
        "reserved_bytes": ready.reserved_bytes,
        "parameters": ready.parameters,
    }


def _row(entry: _Entry, case: Case) -> SpeedRow:
    subject: SpeedRow = {"subject": entry.subject.name, "kind": entry.subject.kind, "twin": entry.twin}
    row = cast(SpeedRow, {**subject, **case.columns(), "multiply_adds": entry.multiply_adds})
    if entry.trouble is not None or entry.ready is None or not entry.turns:
        trouble: MeasuredColumns = entry.trouble or {"status": "failed", "reason": "it was not measured"}
        return {**row, **trouble}
    quarters = statistics.quantiles(entry.turns, n=4, method="inclusive") if len(entry.turns) > 1 else entry.turns * 3
    low, middle, high = quarters
    timed: MeasuredColumns = {
        "median_s": middle,
        "q25_s": low,
        "q75_s": high,
        "repeats": len(entry.turns),
        "turns_s": entry.turns,
    }
    return {**row, **timed, "calls": entry.ready.calls, **_memory(entry.ready), "status": "ok", "reason": None}
