"""Where workers come from that compute with another version's networks, or with other instructions of the CPU.

Both are decided while a process loads its modules, which takes seconds. So each kind of worker has a process that loads
them once, computes nothing, and is forked for every worker; what a worker is told goes through it.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, Final

from converse.experiments.processes import GRACE, end, how_it_ended
from converse.experiments.speed import libraries
from converse.experiments.speed.workers import LOADED, Asked, Failure, Settings, Worker

_CONTEXT: Final = "fork" if sys.platform == "linux" else "spawn"


class Origin:
    """A process from which workers come.

    Args:
        settings: of the workers; their environment is that of the process.
        library: the folder in which the package ``converse`` lies whose networks are measured; ``None`` for this one.
    """

    def __init__(self, settings: Settings, library: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon, since those may have no processes of their own.
        self._process = context.Process(target=_serve, args=(theirs, settings, library), daemon=False)
        self._process.start()
        theirs.close()
        self._begun = 0

    def worker(self) -> Forked:
        """A worker, in a process of its own."""
        self._begun += 1
        self.ask(self._begun, "begin")
        return Forked(self, self._begun)

    def ask(self, worker: int, *message: object) -> Any:
        """Tell a worker something.

        Args:
            worker: its number.
            message: what to do, and with what.

        Returns:
            What it answers, or a :class:`Failure`.
        """
        try:
            self._pipe.send((worker, *message))
            return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(GRACE)
            return Failure("failed", f"its process {how_it_ended(self._process)}")

    def close(self, *, at_once: bool = False) -> None:
        """End the process and its workers, whatever they are doing if ``at_once``."""
        self._pipe.close()
        if at_once:
            self._process.terminate()
        end(self._process, patiently=True)


class Forked(Asked):
    """A worker that comes from an origin.

    Args:
        origin: of it.
        number: by which its origin knows it.
    """

    def __init__(self, origin: Origin, number: int) -> None:
        self._origin, self._number = origin, number

    @property
    def alive(self) -> bool:
        """Whether it can be told anything."""
        return self._origin.ask(self._number, "alive") is True

    def close(self, *, at_once: bool = False) -> None:
        """End the process; ``at_once`` that is left to its origin, which may be waiting for it."""
        if not at_once:
            self._origin.ask(self._number, "close")

    def _ask(self, *message: object) -> Any:
        return self._origin.ask(self._number, *message)


def _serve(pipe: Connection, settings: Settings, library: str | None) -> None:
    """What an origin does: begin workers and hand on what they are told, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os.environ.update(settings.environment)
    workers: dict[int, Worker] = {}
    try:
        _hand_on(pipe, settings, library, workers)
    finally:
        for worker in workers.values():
            worker.close(at_once=True)
        os._exit(0)  # nothing is left to be done, and to take down all that torch has loaded takes seconds


def _hand_on(pipe: Connection, settings: Settings, library: str | None, workers: dict[int, Worker]) -> None:
    trouble = _loaded(library)
    while True:
        try:
            number, task, *arguments = pipe.recv()
        except (EOFError, OSError):
            return
        answer: object = trouble
        if task == "begin":
            open_here = [pipe, *(worker.pipe for worker in workers.values())]
            workers[number] = Worker(settings, library, multiprocessing.get_context(_CONTEXT), open_here)
        elif task == "close":
            workers.pop(number).close()
        elif task == "alive":
            answer = workers[number].alive
        elif trouble is None:
            answer = workers[number].ask(task, *arguments)
        with contextlib.suppress(OSError):  # nobody listens any more
            pipe.send(answer)


def _loaded(library: str | None) -> Failure | None:
    """Load what workers need; what is wrong with it, if anything."""
    try:
        if library is not None:
            libraries.use(library)
        for name in LOADED:
            importlib.import_module(name)
    except Exception as error:  # whatever the other version's modules raise
        return Failure("failed", f"{type(error).__name__}: {error}")
    return None
