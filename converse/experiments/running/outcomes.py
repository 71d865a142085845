"""What became of a trial, now or before; to find it settled loads no torch where weights were released."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from converse.experiments.evaluation.unmeasured import unmeasured
from converse.experiments.running.jobs import Job
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.rows import Row
from converse.metrics import PARAMETERS


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        state: ``done`` or ``failed``; ``busy`` where another process works on it and nobody waited; ``left`` where no
            machine of its platform class is left, so that it has to be begun on another.
        fresh: whether anything was done now.
        reason: why it failed, who works on it, or what is gone.
    """

    state: Literal["done", "failed", "busy", "left"]
    fresh: bool
    reason: str = ""


def earlier(job: Job, folder: TrialFolder, *, retry_failed: bool) -> Outcome | None:
    """What became of a trial before, where that is all; ``None`` where there is something to do.

    Called by who holds the lock: damaged weights are set aside, digests are given to files that have
    none, and what could not be measured is said in the status.

    Args:
        job: the trial.
        folder: its folder.
        retry_failed: a failed trial is something to do.
    """
    status = folder.status()
    if status.state == "failed" and not retry_failed:
        return Outcome("failed", False, status.reason)
    if status.state != "done":
        return None
    rows = folder.table().to_pylist()
    if not whole(job, folder, rows):
        return None
    folder.adopt()
    if status.reason != (lacking := unmeasured(rows)):
        folder.adopt_status(replace(status, reason=lacking))
    return Outcome("done", False)


def whole(job: Job, folder: TrialFolder, rows: Sequence[Row]) -> bool:
    """Whether a trial that is done has all that a job asks of it.

    Args:
        job: what is asked, on any platform class.
        folder: of the trial.
        rows: its rows.

    Raises:
        StoreError: what is kept cannot be read.
    """
    if not counted(rows) or job.left(rows) or (job.plan.released is None and not _has_weights(folder)):
        return False
    return not job.unkept(folder, rows)


def counted(rows: Iterable[Mapping[str, object]]) -> bool:
    """Whether rows of a trial say how many numbers its network learns."""
    return any(row["metric"] == PARAMETERS for row in rows)


def _has_weights(folder: TrialFolder) -> bool:
    from converse.experiments.training.checkpoints import Checkpoints

    return Checkpoints(folder).weights() is not None
