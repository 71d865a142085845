"""One run on a Ray cluster: what is on its way, what came back, and what is begun again when something was lost.

The store is written here alone. A trial's lock is held from when it is sent until its answer is written; a task that
was lost is begun again from what the store has by then, which is the last training state that came back.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from converse.counted import counted
from converse.errors import ConverseWarning
from converse.experiments.running import engines
from converse.experiments.running.apart import unpacked_error
from converse.experiments.running.engines import Listener, Manner, waited_for
from converse.experiments.running.jobs import Job
from converse.experiments.running.outcomes import Outcome, earlier
from converse.experiments.running.parcels import Answer, Pace, Parcel, concluded, taken
from converse.experiments.running.watched import record
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy, Lost
from converse.experiments.training.interruption import STOPPED, Stopped

LOSSES: Final = 3
"""So often in a row a trial's process may be lost without any training state in between; then the trial has failed."""

_LOOK: Final = 0.25  # seconds between two looks at what came back
_GROWTH: Final = 10.0  # seconds between two looks at which machines there are
_AHEAD: Final = 8  # trials that wait in Ray's queue beside as many as run, so that no machine waits for this process


class Cluster(Protocol):
    """What a run asks of the cluster."""

    @property
    def slots(self) -> int:
        """How many trials of one device each would run at the same time."""

    @property
    def alike(self) -> bool:
        """Whether all machines are of one platform class, so that a trial may run on any."""

    def pack(self, job: Job, folder: TrialFolder, manner: Manner) -> Parcel:
        """A trial for one of the machines; its folder's lock is held."""

    def send(self, parcel: Parcel, attempt: int, content: Mapping[str, Any], machines: Sequence[str]) -> Any:
        """Give Ray a task, and get its reference to the answer; it may run on any machine if none are named."""

    def letters(self) -> list[tuple[int, str, Any]]:
        """What tasks have left in the mailbox: attempt, kind, content."""

    def machines_for(self, parcel: Parcel) -> tuple[str, ...]:
        """The machines of a trial's platform class that are there now and have what it takes."""

    def alive(self) -> frozenset[str]:
        """The machines that are there now."""

    def look(self, threads: int) -> None:
        """See which machines there are."""


@dataclass
class _Flight:
    """A trial on its way.

    Attributes:
        index: of the trial.
        parcel: what was sent.
        folder: in the store.
        lock: on the folder.
        attempt: the number under which its letters come.
        machines: on which it may run; none where it may on any.
        begun: whether the store says that it is running.
        lost: how its folder was lost to another process, if it was.
    """

    index: int
    parcel: Parcel
    folder: TrialFolder
    lock: ExitStack
    attempt: int = 0
    machines: Sequence[str] = ()
    begun: bool = False
    lost: Lost | None = None

    def begin(self) -> None:
        """Say in the store that it is running, once."""
        if not self.begun:
            self.folder.set_status("running")
            self.begun = True


@dataclass
class Run:
    """One call of :meth:`converse.experiments.running.ray_cluster.RayCluster.outcomes`.

    Attributes:
        ray: the module.
        cluster: where tasks are sent.
        jobs: in the order in which they are begun.
        folders: of each.
        manner: how.
        listener: told often.
    """

    ray: Any
    cluster: Cluster
    jobs: Sequence[Job]
    folders: Sequence[TrialFolder]
    manner: Manner
    listener: Listener
    _flights: dict[Any, _Flight] = field(default_factory=dict)
    _waiting: deque[int] = field(default_factory=deque)
    _busy: dict[int, Busy] = field(default_factory=dict)
    _losses: dict[int, int] = field(default_factory=dict)
    _content: dict[str, Any] = field(default_factory=dict)
    _attempts: int = 0
    _there: frozenset[str] = frozenset()

    def outcomes(self) -> Generator[tuple[int, Outcome]]:
        """Carry out the trials; each is given when it is finished."""
        self._waiting.extend(range(len(self.jobs)))
        post, again, growth = Pace(_LOOK), Pace(engines.POLL), Pace(_GROWTH)
        at_once = False
        try:
            while self._waiting or self._flights or self._busy:
                self.manner.stop.check()
                if growth.due():
                    self.cluster.look(self.manner.here.threads)
                    self._notice()
                room = 2 * self.cluster.slots + _AHEAD - sum(one.parcel.devices for one in self._flights.values())
                while self._waiting and room > 0:
                    index, before = self._waiting.popleft(), len(self._flights)
                    if (outcome := self._begin(index)) is not None:
                        yield index, outcome
                    if len(self._flights) > before:
                        room -= next(reversed(self._flights.values())).parcel.devices
                if not self._flights and self._busy:
                    index, busy = next(iter(self._busy.items()))
                    self.listener.report(index, f"waits: {busy.owner or 'busy'}")
                    time.sleep(engines.POLL)
                if self._busy and again.due():
                    self._waiting.extend(self._busy)
                    self._busy.clear()
                for ref in self._landed():
                    flight = self._flights.pop(ref)
                    if (outcome := self._receive(flight, ref)) is not None:
                        yield flight.index, outcome
                if post.due():
                    self._read_letters()
        except BaseException as error:
            at_once = isinstance(error, KeyboardInterrupt) and not isinstance(error, Stopped)
            raise
        finally:
            self._end(at_once)

    # Out

    def _begin(self, index: int) -> Outcome | None:
        """Send a trial on its way, or say what became of it before."""
        job, folder = self.jobs[index], self.folders[index]
        try:
            if job.trial.id in self.manner.ended:
                return record(self.manner.ended[job.trial.id], folder)
            with ExitStack() as lock:
                lock.enter_context(folder.lock(wait=False))
                if before := earlier(job, folder, retry_failed=self.manner.retry_failed):
                    return before
                parcel = self.cluster.pack(job, folder, self.manner)
                # Where there is no machine at all it waits in Ray's queue for the first that comes.
                if not self._machines_for(parcel) and self.cluster.slots:
                    return Outcome("left", False, "no machine of its platform class is left in the cluster")
                self._send(_Flight(index, parcel, folder, lock.pop_all()))
        except Busy as busy:
            if not waited_for(busy, self.manner):
                return Outcome("busy", False, str(busy))
            self._busy[index] = busy
        return None

    def _send(self, flight: _Flight) -> None:
        self._attempts += 1
        flight.attempt = self._attempts
        content = {sha256: self._content[sha256] for sha256 in flight.parcel.files if sha256 in self._content}
        flight.machines = () if self.cluster.alike else self.cluster.machines_for(flight.parcel)
        self._flights[self.cluster.send(flight.parcel, flight.attempt, content, flight.machines)] = flight

    def _machines_for(self, parcel: Parcel) -> tuple[str, ...]:
        if not (found := self.cluster.machines_for(parcel)):
            self.cluster.look(parcel.threads)  # one may have joined since
            found = self.cluster.machines_for(parcel)
        return found

    def _notice(self) -> None:
        """See to what waits for machines that are gone: Ray says only of what ran there that it is lost."""
        before, self._there = self._there, self.cluster.alive()
        if self._there == before:
            return
        room = self.cluster.slots
        if not room:
            many = counted(len(self._flights) + len(self._waiting), "trial")
            self.listener.note(f"no machine is left in the cluster that could run a trial: {many} wait for one")
        for ref, flight in list(self._flights.items()):
            gone = flight.machines and self._there.isdisjoint(flight.machines)
            if not flight.begun and (gone or (room and not self.cluster.machines_for(flight.parcel))):
                del self._flights[ref]
                self.ray.cancel(ref)
                flight.lock.close()
                self._waiting.append(flight.index)

    # Back

    def _landed(self) -> list[Any]:
        """References of tasks that are finished or lost; waits a moment for the first."""
        if not self._flights:
            return []
        flying = list(self._flights)
        ready, _ = self.ray.wait(flying, num_returns=1, timeout=_LOOK, fetch_local=False)
        if ready:
            ready, _ = self.ray.wait(flying, num_returns=len(flying), timeout=0, fetch_local=False)
        return list(ready)

    def _receive(self, flight: _Flight, ref: Any) -> Outcome | None:
        """Write what a task came to; ``None`` where the trial is on its way again, or waits to be."""
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        try:
            answer: Answer = self.ray.get(ref)
        except TaskCancelledError:
            answer = Answer("interrupted", "the cluster", STOPPED)
        except RayTaskError:  # an error of this program
            flight.lock.close()
            raise
        except RayError as error:
            return self._lose(flight, error)
        for text in answer.warnings:
            warnings.warn(ConverseWarning(text), stacklevel=2)
        if answer.state == "lacking":
            for sha256 in answer.lacking:
                if sha256 not in self._content:
                    self._content[sha256] = self.ray.put(flight.parcel.files[sha256].read_bytes())
            self._send(flight)
            return None
        with flight.lock:
            try:
                if (outcome := self._write(flight, answer)) is not None:
                    return outcome
            except Busy as busy:
                self.listener.lost(flight.index, str(busy))
        if answer.state == "elsewhere":  # a machine that has joined since
            self.cluster.look(flight.parcel.threads)
        self._waiting.appendleft(flight.index)
        return None

    def _write(self, flight: _Flight, answer: Answer) -> Outcome | None:
        """Write an answer into the store; ``None`` where the trial has to be begun again."""
        if answer.state == "failed" or (answer.news and answer.state != "done"):
            flight.begin()
        if flight.begun or answer.state == "done":
            concluded(answer, flight.folder)
        if answer.state == "raised":
            raise unpacked_error(answer.raised)
        if answer.state in ("done", "failed"):
            return Outcome("failed" if answer.state == "failed" else "done", True, answer.reason)
        return None

    def _lose(self, flight: _Flight, error: Exception) -> Outcome | None:
        """A process or a machine is gone: the trial goes on from what came back, but not for ever."""
        lost = self._losses[flight.index] = self._losses.get(flight.index, 0) + 1
        first = (str(error).strip().splitlines() or [""])[0]
        reason = f"{type(error).__name__}: {first}"
        with flight.lock:
            try:
                flight.begin()
                if lost >= LOSSES:
                    reason = f"its process was lost {counted(LOSSES, 'time')} in a row: {reason}"
                    flight.folder.write_failure(reason, str(error))
                    return Outcome("failed", True, reason)
                flight.folder.log(f"lost: {reason}")
                flight.folder.set_status("interrupted", "its process or machine was lost")
            except Busy as busy:
                reason = str(busy)
        self.listener.lost(flight.index, reason)
        self._waiting.appendleft(flight.index)
        return None

    def _read_letters(self) -> None:
        """Take what tasks have told on their way."""
        by_attempt = {flight.attempt: flight for flight in self._flights.values()}
        for attempt, kind, content in self.cluster.letters():
            flight = by_attempt.get(attempt)
            if flight is None or flight.lost is not None:
                continue
            try:
                flight.begin()
                if kind == "at":
                    self.listener.report(flight.index, *content)
                elif kind == "news":
                    self._losses[flight.index] = 0
                    taken(content, flight.folder, "its machine")
            except Lost as lost:
                flight.lost = lost

    # The end

    def _end(self, at_once: bool) -> None:
        """Stop what is on its way: each trial after its step or image, and what it came to is written."""
        cancelled: set[Any] = set()
        try:
            while self._flights:
                for ref in self._flights.keys() - cancelled:
                    self.ray.cancel(ref, force=at_once)
                    cancelled.add(ref)
                if at_once:
                    return
                for ref in self._landed():
                    with contextlib.suppress(Exception):  # one is being raised already, or it was stopped
                        self._receive(self._flights.pop(ref), ref)
        finally:
            for flight in self._flights.values():
                flight.lock.close()
