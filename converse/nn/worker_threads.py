"""Pieces of work shared among threads, each of which computes by itself and takes the next piece when it is done.

PyTorch divides each single operation among its threads, and every operation ends when the slowest of them has ended.
Where many short ones follow each other on one part of the data, it is better to divide the data: a thread carries one
part through all of its operations, nobody waits before the end, and a thread that the system has taken away, since
another process wants its core, delays the piece that it has, and no other.

The caller's thread takes pieces too. Others are started when they are first wanted, and wait for work; a forked process
starts its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

import torch
from torch import Tensor

from converse.nn.autocast import autocast_dtype
from converse.nn.derivatives import has_values, observed

P = TypeVar("P")
R = TypeVar("R")

LEAST_USE: Final = 0.8
"""So much of the threads' time must be used: five pieces keep two threads busy for 5/6 of the time."""

LEAST_SHARE: Final = 2**23
"""In bytes, for each thread: with less, threads that are woken for each call cost more than PyTorch's own, which divide
every single operation."""


def each(work: Callable[[P], R], pieces: Sequence[P], like: Tensor) -> list[R]:
    """``[work(piece) for piece in pieces]``, by as many threads as PyTorch has for the caller.

    Args:
        work: what is done with a piece; pieces must not depend on each other. It records no gradients where threads
            share it, so it must be free of them.
        pieces: what there is to do.
        like: a tensor of those that ``work`` computes with.

    Returns:
        The results in the order of the pieces. The caller alone does the work, by PyTorch's own threads, on other
        devices than a CPU, where operations are traced, counted or profiled, and where there are too few pieces.

    Raises:
        BaseException: what ``work`` raised; pieces that nobody had begun are left out.
    """
    if torch.compiler.is_compiling():
        return [work(piece) for piece in pieces]  # what follows is nothing for a tracer
    threads = min(thread_count(like), len(pieces))
    if threads <= 1 or len(pieces) < LEAST_USE * threads * -(-len(pieces) // threads):
        return [work(piece) for piece in pieces]
    return _Job(work, pieces).done_by(threads)


def thread_count(like: Tensor) -> int:
    """How many threads may share work on a tensor; 1 in a thread that has a share already, and where that is little."""
    if torch.compiler.is_compiling() or like.device.type != "cpu" or not has_values(like) or observed():
        return 1
    return max(1, min(torch.get_num_threads(), like.numel() * like.element_size() // LEAST_SHARE))


class _Job(Generic[P, R]):
    """What there is to do, and who is at it."""

    def __init__(self, work: Callable[[P], R], pieces: Sequence[P]) -> None:
        self._work: Callable[[P], R] | None = work
        self._left = deque(enumerate(pieces))
        self._results: dict[int, R] = {}
        self._error: BaseException | None = None
        # Modes belong to a thread: helpers take over those of the caller.
        self._inference = torch.is_inference_mode_enabled()
        self._autocast = autocast_dtype(torch.device("cpu"))
        self._lock = threading.Lock()  # around what follows
        self._helping = 0
        self._closed = False
        self._all_left = threading.Semaphore(0)

    def done_by(self, threads: int) -> list[R]:
        with _one_thread_each():
            _HELPERS.ask(self.help, threads - 1)
            try:
                self._take()
            finally:
                with self._lock:
                    # Who comes from now on is too late, and nobody waits for him.
                    self._closed, self._work = True, None
                    self._left.clear()
                    wait = self._helping > 0
                if wait:
                    self._all_left.acquire()
        if self._error is not None:
            raise self._error
        results, self._results = self._results, {}
        return [results[index] for index in range(len(results))]

    def help(self) -> None:
        """Take part, in a thread of :class:`_Helpers`."""
        with self._lock:
            if self._closed:
                return
            self._helping += 1
        try:
            # Not inference_mode(False), which would enable gradients.
            with torch.inference_mode() if self._inference else torch.no_grad(), self._casting():
                self._take()
        finally:
            with self._lock:
                self._leave()

    def _leave(self) -> None:
        """One less is at it; whoever waits for the last one is told. Called under the lock."""
        self._helping -= 1
        if self._closed and not self._helping:
            self._all_left.release()

    def _casting(self) -> contextlib.AbstractContextManager[object]:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast("cpu", dtype=self._autocast)

    def _take(self) -> None:
        work = self._work
        while work is not None and self._error is None:
            try:
                index, piece = self._left.popleft()
            except IndexError:
                return
            try:
                self._results[index] = work(piece)
            except BaseException as error:
                self._error = error


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Operations of the calling thread are not divided. PyTorch keeps this number for each thread by itself."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        # Also what threads begin with that are started later: the number of the thread that set it last.
        torch.set_num_threads(threads)


class _Helpers:
    """Threads that wait for work, and never end: as many as were wanted at once."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._number = 0
        self._lock = threading.Lock()

    def ask(self, task: Callable[[], None], number: int) -> None:
        """Have so many threads call ``task`` as soon as they can; it must not raise."""
        if self._number < number:
            # Where the system refuses another thread, those that there are do the work.
            with self._lock, contextlib.suppress(RuntimeError, MemoryError):
                while self._number < number:
                    self._start()
        for _ in range(number):
            self._asked.put(task)

    def _start(self) -> None:
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), name="converse-helper", daemon=True).start()
        ready.wait()  # until it has set its number of threads, which the caller sets back
        self._number += 1

    def _serve(self, ready: threading.Event) -> None:
        torch.set_num_threads(1)
        ready.set()
        while True:
            self._asked.get()()


_HELPERS = _Helpers()


def _begin_anew() -> None:
    """Threads do not survive a fork."""
    global _HELPERS
    _HELPERS = _Helpers()


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(after_in_child=_begin_anew)
