"""Where trials run: here, one after another, and in processes beside this one; the store's locks divide the work."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from converse.experiments.store.locks import Busy

Work = TypeVar("Work")
Result = TypeVar("Result")

POLL: Final = 1.0
"""Seconds between two looks at what other processes work on."""


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
