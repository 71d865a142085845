"""The exit status of commands that measure, and what they say on standard error about what is not measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from converse.cli.printing import say

if TYPE_CHECKING:
    from converse.workflows.gaps import Gap
    from converse.workflows.work import Failure

DONE, FAILED, NOT_MEASURED = 0, 1, 3


def exit_status(failures: Sequence[Failure], gaps: Sequence[Gap], measured: bool) -> int:
    """How it went.

    Args:
        failures: trials that failed.
        gaps: what was asked for and not measured.
        measured: whether any image has a value.

    Returns:
        1 where something failed, be it one image; 3 where nothing was measured, or not all that was named, for lack of
        what it needs; otherwise 0.
    """
    if failures or any(gap.failed for gap in gaps):
        return FAILED
    if not measured or any(gap.named for gap in gaps):
        return NOT_MEASURED
    return DONE


@contextmanager
def kept_in(store: Path, what: str = "what was finished is") -> Iterator[None]:
    """End with status 130 when the user interrupts, and say what is kept where."""
    try:
        yield
    except KeyboardInterrupt:
        from converse.experiments.store.store import named

        say(f"interrupted: {what} kept in {named(store)}; the same command continues there", err=True)
        raise typer.Exit(130) from None


def report_failures(failures: Sequence[Failure], gaps: Sequence[Gap] = (), notes: Sequence[str] = ()) -> None:
    """Say on standard error what failed, what has no value, and what else there is to know."""
    for note in notes:
        say(f"note: {note}", err=True)
    for failure in failures:
        when = "failed" if failure.fresh else "failed before"
        say(f"{when}: {failure.name} (trial {failure.trial}): {failure.reason}", err=True)
    if failures:
        say(f"tracebacks: {failures[0].folder.parent}/TRIAL/failure.txt", err=True)
    if any(not failure.fresh for failure in failures):
        say("--retry-failed runs failed trials again", err=True)
    told = {failure.reason for failure in failures}
    not_done = (gap for gap in gaps if gap.failed and gap.reason not in told)
    for place, reason in dict.fromkeys((f"{gap.entry} on {gap.dataset}", gap.reason) for gap in not_done):
        say(f"not done: {place}: {reason}", err=True)
