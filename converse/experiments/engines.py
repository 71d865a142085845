"""Where trials run: here, one after another. What another process works on comes last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from converse.experiments.store import Busy

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
