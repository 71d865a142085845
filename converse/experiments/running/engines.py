"""Where trials run: what every engine does, and the engine of this machine; `ray_cluster` has that of many machines.

An engine takes trials and gives back what became of each. Whichever it is, the same rows lie in the store afterwards.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from converse.experiments.store.locks import Busy, Lost

if TYPE_CHECKING:
    from converse.experiments.running.apart import Ended
    from converse.experiments.running.jobs import Job
    from converse.experiments.running.machines import Stored
    from converse.experiments.running.outcomes import Outcome
    from converse.experiments.running.torch_settings import TorchSettings
    from converse.experiments.store.folder import TrialFolder
    from converse.experiments.training.interruption import Stop
    from converse.experiments.trials import Trial

Work = TypeVar("Work")
Result = TypeVar("Result")

POLL: Final = 1.0
"""Seconds between two looks at what other processes work on."""


@dataclass(frozen=True)
class Manner:
    """How trials are carried out, wherever that is.

    Attributes:
        here: how torch is set in this process; the number of threads holds everywhere.
        stop: asked after each step, image and trial.
        retry_failed: run failed trials again.
        wait: for trials that another process works on; otherwise they are left to it.
        limit: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        ended: trial → how the process ended in which it was tried before (:mod:`.watched`): it has failed.
    """

    here: TorchSettings
    stop: Stop
    retry_failed: bool = False
    wait: bool = True
    limit: float | None = None
    ended: Mapping[str, Ended] = field(default_factory=dict)


class Listener(Protocol):
    """Who is told how far trials are; each is named by its index."""

    def report(self, index: int, what: str, done: int = 0, total: int = 0, upcoming: str = "") -> None:
        """Told what is being done with a trial, and how much of it is done."""

    def lost(self, index: int, why: str) -> None:
        """Told that a trial's process or folder was lost; it is taken up again."""

    def note(self, text: str) -> None:
        """Told what the user should know of all trials."""


class Engine(Protocol):
    """Where trials run."""

    @property
    def platform(self) -> Mapping[str, Any]:
        """What of the platform class of trials is not that of this process's machine: names and values."""

    def place(self, trials: Sequence[Trial], stored: Stored, threads: int) -> Placement:
        """Decide on which kind of machine each trial runs, before anything is begun.

        Args:
            trials: those that are asked for, of this engine's main platform class.
            stored: what the store has of them.
            threads: CPU threads of each.

        Raises:
            OptionError: there is no place for them.
        """

    def outcomes(
        self, jobs: Sequence[Job], folders: Sequence[TrialFolder], manner: Manner, listener: Listener
    ) -> Generator[tuple[int, Outcome]]:
        """Carry out trials; a failure is recorded, and the others go on.

        Args:
            jobs: in the order in which they are begun.
            folders: of each, in the store.
            manner: how.
            listener: told often.

        Yields:
            Index and what became of it, once for each trial, as they are finished.

        Raises:
            ConverseError: what the user has to mend; what was finished is kept.
            KeyboardInterrupt: it was stopped; what was finished is kept.
        """


@dataclass(frozen=True)
class Placement:
    """On which kind of machine trials run.

    Attributes:
        platforms: trial → its platform class, where that is not the one that it has.
        notes: what the user should know before anything is begun.
    """

    platforms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Here:
    """This machine: one trial after another in this process, and in helpers beside it.

    Trials with code of a user's, and all if there is a limit, run in a process of their own.

    Args:
        helpers: how many processes do the same work at the same time; the store's locks divide it.
        help_out: what each of them does, see :func:`helped`.
    """

    def __init__(self, helpers: int = 0, help_out: Callable[[], object] | None = None) -> None:
        self._helpers, self._help_out = helpers, help_out

    @property
    def platform(self) -> Mapping[str, Any]:
        """Nothing: what this machine is, trials have already."""
        return {}

    def place(self, trials: Sequence[Trial], stored: Stored, threads: int) -> Placement:
        """Each trial runs here."""
        return Placement()

    def outcomes(
        self, jobs: Sequence[Job], folders: Sequence[TrialFolder], manner: Manner, listener: Listener
    ) -> Generator[tuple[int, Outcome]]:
        """As :meth:`Engine.outcomes`, in the order of the jobs, but for those that others work on."""
        from converse.experiments.running.execute import execute
        from converse.experiments.running.outcomes import Outcome
        from converse.experiments.running.watched import brings_code, execute_watched, record

        def do(index: int) -> Outcome:
            job, folder = jobs[index], folders[index]
            carry = execute
            if manner.limit is not None or brings_code(job):
                carry = partial(execute_watched, limit=manner.limit)
            try:
                if job.trial.id in manner.ended:
                    return record(manner.ended[job.trial.id], folder)
                return carry(
                    job,
                    folder,
                    manner.here,
                    retry_failed=manner.retry_failed,
                    stop=manner.stop,
                    report=partial(listener.report, index),
                )
            except Busy as busy:
                if isinstance(busy, Lost):  # as busy as any that another process works on, but not without a word
                    listener.lost(index, str(busy))
                if waited_for(busy, manner):
                    raise
                return Outcome("busy", False, str(busy))

        def waiting(index: int, busy: Busy) -> None:
            manner.stop.check()
            listener.report(index, f"waits: {busy.owner or 'busy'}")

        with helped(self._helpers, self._help_out or _nothing):
            yield from run_here(range(len(jobs)), do, waiting)


def waited_for(busy: Busy, manner: Manner) -> bool:
    """Whether a trial that another process works on is asked for again.

    Whether an owner on another machine lives is seen by looking again, so that is done in any case.
    """
    return manner.wait or busy.silent is not None


def run_here(
    works: Iterable[Work],
    do: Callable[[Work], Result],
    waiting: Callable[[Work, Busy], None] = lambda work, busy: None,
) -> Iterator[tuple[Work, Result]]:
    """Do everything once, in this process.

    Args:
        works: in the order in which they are done.
        do: raises :class:`Busy` for what another process works on; it is asked again after all others, until that
            process has finished it or is gone.
        waiting: told what is waited for, when nothing else is left; may raise to give up.

    Yields:
        Each work with its result.
    """
    left = list(works)
    while left:
        busy = []
        for work in left:
            try:
                result = do(work)
            except Busy as error:
                busy.append((work, error))
                continue
            yield work, result
        if busy and len(busy) == len(left):
            waiting(*busy[0])
            time.sleep(POLL)
        left = [work for work, _ in busy]


@contextlib.contextmanager
def helped(count: int, help_out: Callable[[], object]) -> Iterator[None]:
    """Let other processes of this machine do the same work at the same time.

    Args:
        count: how many.
        help_out: what each does, to the end or until it is asked to stop (SIGTERM); whatever becomes of it, all that it
            leaves undone is left to this process. It must be picklable.

    Yields:
        Nothing. On leaving, helpers that still work are asked to stop, and waited for.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process that has computed in threads may hang
    helpers = [context.Process(target=help_out, name=f"converse-helper-{index}") for index in range(count)]
    try:
        for helper in helpers:
            helper.start()
        yield
    finally:
        for helper in helpers:
            if helper.is_alive():
                helper.terminate()
        for helper in helpers:
            if helper.pid is not None:
                helper.join()


def _nothing() -> None:
    """What no helper does."""
