"""``converse status``: what is done, running, failed, interrupted or planned."""

from __future__ import annotations

from typing import Annotated

import typer

from converse.cli.options import STORE, Format, Only, OutputFormat, StoreDir, names
from converse.cli.printing import print_document, print_table, say


def status(
    store: StoreDir = STORE,
    only: Only = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only trials in this state: done, incomplete, running, failed, interrupted, planned, unreadable; "
            "repeat it or use commas.",
        ),
    ] = None,
    output: Format = OutputFormat.table,
) -> int:
    """Show every trial of the store with its state, its times, and why it is not done.

    A trial says running only while its process lives: one that was killed is interrupted, and the next run continues
    it. One that is incomplete is done, but some of its images have no value, and the line says why. `converse explain
    TRIAL` tells more about one.
    """
    from converse.errors import OptionError, unknown
    from converse.experiments.store import Store
    from converse.progress_bar import progress_bar
    from converse.workflows.status import STATES, TrialStatus, duration, statuses, summary

    states, entries = names(state), names(only)
    found = Store(store, create=False)
    with progress_bar("text", "bar", "count", text="reading trials") as (bar, task):
        lines = statuses(found, lambda trials: bar.track(trials, total=len(trials), task_id=task))
    for wrong in set(states or ()) - set(STATES):
        raise OptionError(unknown("state", wrong, STATES))
    known = {line.entry for line in lines if line.entry is not None}
    for wrong in set(entries or ()) - known:
        raise OptionError(unknown("entry", wrong, known))
    lines = [line for line in lines if (not states or line.state in states) and (not entries or line.entry in entries)]
    if output is not OutputFormat.table:
        print_document(TrialStatus._fields, [line._asdict() for line in lines], output)
        return 0
    print_table(
        ("trial", "state", "task", "entry", "seed", "budget", "time", "last", "reason"),
        [
            (
                line.trial,
                line.state,
                line.task or "?",
                line.entry or "?",
                "" if line.seed is None else str(line.seed),
                line.budget or line.source or "",
                duration(line.seconds) if line.attempts else "",
                (line.finished or line.started or "")[:16].replace("T", " "),
                line.reason,
            )
            for line in lines
        ],
    )
    say(summary(lines))
    return 0
