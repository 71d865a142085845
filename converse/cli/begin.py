"""``--from-reference``: the rows that come with this benchmark, before anything is computed."""

from __future__ import annotations

from pathlib import Path

from converse.cli.printing import say
from converse.progress_bar import progress_bar


def begin_from_reference(store: Path) -> None:
    """Bring them into a store, with a bar, and say on standard error what became of them.

    Raises:
        StoreError: the installation is without them, or the store cannot be written.
    """
    from converse.workflows.reference import begin_from_reference as bring

    with progress_bar("bar", "count", "text", "time left", text="trials and runs of the reference") as (bar, task):
        begun = bring(store, lambda done, total: bar.update(task, completed=done, total=total))
    say(f"note: {begun}", err=True)
    for line in begun.skipped:
        say(f"note: {line}", err=True)
