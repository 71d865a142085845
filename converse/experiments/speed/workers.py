"""Processes that hold one subject each, measure it when told, and may die of it without taking the others along."""

from __future__ import annotations

import contextlib
import gc
import math
import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

from converse.experiments.processes import GRACE, clean_context, end, how_it_ended
from converse.experiments.speed import libraries
from converse.experiments.store.speed_rows import Trouble

if TYPE_CHECKING:
    from converse.experiments.devices import Peak
    from converse.experiments.speed.cases import Case, Subject
    from converse.experiments.speed.subjects import Work

MOST_CALLS: Final = 10_000
"""In one turn."""

_TRIES: Final = 20
"""Calls at most by which a call's time is guessed."""

_BUILDS: Final = 3
"""So often a subject is built and called where memory has to be exact."""

LOADED: Final = ("converse.experiments.speed.subjects", "converse.experiments.devices", "torch._dynamo")
"""What processes have loaded when they begin; the last when multiply-adds are counted or a step is made."""


@dataclass(frozen=True)
class Settings:
    """How workers measure.

    Attributes:
        device: resolved, not ``auto``.
        threads: CPU threads.
        turn_seconds: a turn makes as many calls as this takes.
        memory_limit: bytes that a subject may take on a CPU; ``None`` for no limit.
        steady: whether memory and time of a subject should be the same in every process: its memory is the least of
            some builds, and calls that are timed find the pages of earlier ones (:mod:`.allocator`).
        environment: variables that decide which instructions libraries use, with which workers begin.
    """

    device: str
    threads: int
    turn_seconds: float
    memory_limit: int | None
    steady: bool = False
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Ready:
    """A subject that can take turns.

    Attributes:
        seconds: what one call took.
        calls: how many a turn should make.
        peak_bytes: memory of one call above what was allocated before; ``None`` where it can't be known.
        reserved_bytes: what a GPU's allocator had taken.
        parameters: learnt numbers.
    """

    seconds: float
    calls: int
    peak_bytes: int | None
    reserved_bytes: int | None
    parameters: int


@dataclass(frozen=True)
class Failure:
    """A subject that can't go on.

    Attributes:
        status: as in a row.
        reason: in a sentence.
    """

    status: Trouble
    reason: str


class Asked(ABC):
    """What a worker can be told."""

    def prepare(self, subject: Subject, case: Case) -> Ready | Failure:
        """Build the subject in the place of the former one, call it, and measure its memory."""
        answer: Ready | Failure = self._ask("prepare", subject, case)
        return answer

    def turn(self, calls: int) -> float | Failure:
        """Seconds of one call, the mean of so many."""
        answer: float | Failure = self._ask("turn", calls)
        return answer

    def multiply_adds(self) -> float | Failure:
        """Multiply-adds of one call in evaluation; the subject takes turns afterwards even where this fails."""
        answer: float | Failure = self._ask("count")
        return answer

    def drop(self) -> None:
        """Let the subject go, with its memory."""
        self._ask("drop")

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it can be told anything."""

    @abstractmethod
    def close(self, *, at_once: bool = False) -> None:
        """End the process, whatever it is doing if ``at_once``."""

    @abstractmethod
    def _ask(self, *message: object) -> Any: ...


class Worker(Asked):
    """A process that measures one subject at a time.

    Args:
        settings: for as long as it lives.
        library: the folder in which the package ``converse`` lies whose networks it measures; ``None`` for this one.
        context: where the process comes from; ``None`` for a clean one that has loaded this version's networks.
        open_here: connections of this process that a fork of it would keep open.
    """

    def __init__(
        self,
        settings: Settings,
        library: str | None = None,
        context: BaseContext | None = None,
        open_here: Sequence[Connection] = (),
    ) -> None:
        self._settings = settings
        self.pipe, theirs = multiprocessing.Pipe()
        where: Any = context or clean_context(LOADED)
        inherited = (*open_here, self.pipe) if where.get_start_method() == "fork" else ()
        begun: BaseProcess = where.Process(target=_serve, args=(theirs, settings, library, inherited), daemon=True)
        self._process = begun
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it can be told anything."""
        return self._process.is_alive()

    def close(self, *, at_once: bool = False) -> None:
        """End the process, whatever it is doing if ``at_once``."""
        self.pipe.close()
        end(self._process, patiently=not at_once)

    def ask(self, *message: object) -> Any:
        """Tell it anything, as whoever hands on what it is told."""
        return self._ask(*message)

    def _ask(self, *message: object) -> Any:
        try:
            self.pipe.send(message)
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(GRACE)
            return self._died()

    def _died(self) -> Failure:
        code, reason = self._process.exitcode or 0, f"its process {how_it_ended(self._process)}"
        if -code == signal.SIGKILL:
            return Failure("out of memory", reason)
        limit = self._settings.memory_limit
        beside = "" if limit is None or code >= 0 else f" under a memory limit of {limit / 2**30:.1f} GiB"
        return Failure("failed", reason + beside)


def _serve(pipe: Connection, settings: Settings, library: str | None, inherited: Sequence[Connection]) -> None:
    """What a worker does: answer until nobody asks any more."""
    for one in inherited:  # or nobody would notice when the process that it was forked from ends
        one.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if library is not None:
        libraries.use(library)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # standard output is for the one document of who asked, whatever a subject prints
    import torch

    from converse.experiments import devices

    gc.freeze()  # what was loaded stays, and need not be looked through each time that a subject's memory is freed
    torch.set_num_threads(settings.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    if settings.device.startswith("cuda"):
        torch.cuda.set_device(settings.device)
    server = _Server(settings)
    limit = settings.memory_limit if settings.device == "cpu" else None
    while True:
        try:
            task, *arguments = pipe.recv()
        except (EOFError, OSError):
            return
        answer: object
        try:
            with devices.limited(limit):
                answer = getattr(server, task)(*arguments)
        except Exception as error:  # whatever a subject raises is its result
            if task != "count":  # what can't be counted can still be timed
                server.drop()
            answer = _failure(error, settings, devices.is_out_of_memory(error))
        with contextlib.suppress(OSError):  # nobody listens any more
            pipe.send(answer)


def _failure(error: Exception, settings: Settings, out_of_memory: bool) -> Failure:
    line = next(iter(str(error).strip().splitlines()), "")
    if not out_of_memory:
        return Failure("failed", f"{type(error).__name__}: {line}"[:300])
    if settings.device == "cpu" and settings.memory_limit is not None:
        return Failure("out of memory", f"more than {settings.memory_limit / 2**30:.1f} GiB were asked for")
    return Failure("out of memory", line[:300] or type(error).__name__)


class _Server:
    """The subject of a worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work: Work | None = None
        self._warm: set[tuple[str, str, bool]] = set()
        self._counted: dict[object, float] = {}
        self._geometry: object = None

    def prepare(self, subject: Subject, case: Case) -> Ready:
        from converse.experiments.speed import allocator

        self.drop()
        self._load(subject, case)
        if self._settings.steady:
            allocator.give_back_at_once()
        apart = self._settings.steady and self._settings.device == "cpu"
        work, taken = (self._built_apart if apart else self._built)(subject, case)
        if self._settings.steady:
            allocator.keep()
        self._geometry = (subject, case.channels, case.kernel_size, case.scale, case.batch, case.height, case.width)
        seconds = self._least_seconds(work)
        calls = min(max(1, math.ceil(self._settings.turn_seconds / max(seconds, 1e-9))), MOST_CALLS)
        return Ready(seconds, calls, taken.allocated, taken.reserved, work.parameters)

    def _built_apart(self, subject: Subject, case: Case) -> tuple[Work, Peak]:
        """The same in a thread of its own.

        GNU's allocator gives it a heap of its own, which is empty. That of this thread has holes, from all that was
        loaded. What is put into a hole is not the system's again when it is freed, and where the holes lie differs from
        process to process: peaks of one and the same call lay a fifth apart.
        """
        import torch

        threads = self._settings.threads
        with ThreadPoolExecutor(1, "converse-memory", torch.set_num_threads, (threads,)) as apart:
            return apart.submit(self._built, subject, case).result()

    def _built(self, subject: Subject, case: Case) -> tuple[Work, Peak]:
        """The subject, and the memory of its first call; of several builds the least, since the first loads things."""
        from converse.experiments.devices import peak_memory
        from converse.experiments.speed.subjects import prepare

        peaks = []
        for _ in range(_BUILDS if self._settings.steady else 1):
            self.drop()
            self._work = prepare(subject, case, self._settings.device)
            peaks.append(peak_memory(self._work.call, self._settings.device))
        assert self._work is not None
        return self._work, min(peaks, key=lambda peak: peak.allocated or 0)

    def turn(self, calls: int) -> float:
        assert self._work is not None
        seconds = self._seconds(self._work, calls)
        if self._settings.device.startswith("cuda"):
            self._release()  # what is kept for the next turn is not to be had by those in between
        return seconds

    def count(self) -> float:
        assert self._work is not None
        key = repr(self._geometry)
        if key not in self._counted:
            self._counted[key] = self._work.count()
        return self._counted[key]

    def drop(self) -> None:
        self._work = None
        self._release()

    def _seconds(self, work: Work, calls: int) -> float:
        from converse.experiments.speed.timing import seconds_per_call

        return seconds_per_call(work.call, calls, device=self._settings.device, threads=self._settings.threads)

    def _least_seconds(self, work: Work) -> float:
        """Of a few calls, the shortest: a stall of the machine must not decide how many calls make a turn."""
        least, spent = math.inf, 0.0
        while spent <= self._settings.turn_seconds and least * _TRIES > spent:
            seconds = self._seconds(work, 1)
            least, spent = min(least, seconds), spent + seconds
        return least

    def _load(self, subject: Subject, case: Case) -> None:
        """A first small call in each pass, so that what it loads is not taken for the subject's memory."""
        from converse.experiments.speed.subjects import prepare

        key = (subject.name, case.pass_, case.compiled)
        if key in self._warm or case.compiled:
            return
        small = replace(case, batch=1, height=min(case.height, 32), width=min(case.width, 32))
        prepare(subject, small, self._settings.device).call()
        self._warm.add(key)
        self._release()

    @staticmethod
    def _release() -> None:
        from converse.experiments.devices import release_memory

        release_memory()
