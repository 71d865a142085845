"""``converse run --dry-run``: what there is to do, how long it will take, and how much disk it needs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final, TypedDict

from converse.data.resources import Resources
from converse.errors import StoreError
from converse.experiments.running.estimates import Estimate, disk, from_trials
from converse.experiments.running.jobs import Job
from converse.experiments.running.torch_settings import TorchSettings, torch_settings
from converse.experiments.running.watched import brings_code, estimated
from converse.experiments.store import Store
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.rows import Row
from converse.workflows.run_plan import make_work
from converse.workflows.run_request import RunRequest
from converse.workflows.threads import choose


class RunPlanLine(TypedDict):
    """What there is to do for one trial: of one that is done, nothing is left and nothing is needed."""

    trial: str
    entry: str
    seed: int | None
    budget: str
    state: str
    steps: int
    images: int
    seconds: float | None
    estimated_from: str | None
    bytes: int
    bytes_while_training: int


COLUMNS: Final = tuple(RunPlanLine.__annotations__)


@dataclass(frozen=True)
class Preview:
    """The plan.

    Attributes:
        lines: one per trial.
        notes: what is missing, and what is there under other threads or versions.
    """

    lines: tuple[RunPlanLine, ...]
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """Of all that is left, one after another; ``None`` where some of it is not known."""
        times = [line["seconds"] for line in self.lines if line["seconds"] is not None]
        return None if len(times) < len(self.lines) else float(sum(times))

    @property
    def bytes(self) -> int:
        """Free space that is needed: all that stays, and the largest training states."""
        kept = sum(line["bytes"] for line in self.lines)
        return int(kept + max((line["bytes_while_training"] for line in self.lines), default=0))


def preview(request: RunRequest) -> Preview:
    """What :func:`converse.workflows.run.run` would do, with nothing downloaded or written.

    Args:
        request: what is asked for.

    Returns:
        The plan. Time comes from finished trials that differ in the seed alone; where there are none, from a few steps
        that are timed now (those are without the evaluation).

    Raises:
        ConverseError: a name is not known, or data is missing or corrupt.
    """
    plans = request.plans(request.read())
    with torch_settings(request.device, request.cpu_threads) as here:
        work = make_work(plans, Resources(request.data_dir, fetch=False), here.device, request.cpu_threads)
        folders: dict[str, TrialFolder] = {}
        with contextlib.suppress(StoreError):
            folders = {folder.id: folder for folder in Store(request.store, create=False).folders()}
        planned = [job.trial for job in work.jobs]
        chosen = choose(planned, folders.values(), here.threads, given=request.threads is not None)
        work, here = work.with_threads(chosen.threads), here.with_threads(chosen.threads)
        measured: dict[str, Estimate] = {}
        lines = [_line(job, folders, here, request, measured) for job in work.jobs]
    notes = (*chosen.notes, *work.notes, *(cell.reason for cell in work.expected))
    return Preview(tuple(lines), tuple(dict.fromkeys(notes)))


def _line(
    job: Job,
    folders: dict[str, TrialFolder],
    here: TorchSettings,
    request: RunRequest,
    measured: dict[str, Estimate],
) -> RunPlanLine:
    folder = folders.get(job.trial.id)
    state = folder.status().state if folder else "new"
    rows: list[Row] = []
    if folder is not None:
        with contextlib.suppress(Damaged):
            rows = folder.table().to_pylist()
    images = sum(len(todo) for _, todo in job.left(rows))
    left_alone = state == "failed" and not request.retry_failed
    trains = state != "done" and not left_alone and job.steps > 0
    needs = _estimate(job, folders, here, measured) if trains else (0.0, None, (0, 0))
    seconds, source, (kept, while_training) = needs
    return {
        "trial": job.trial.id,
        "entry": job.plan.entry,
        "seed": job.plan.seed,
        "budget": job.plan.budget,
        "state": state,
        "steps": job.steps if trains else 0,
        "images": 0 if left_alone else images,
        "seconds": seconds,
        "estimated_from": source,
        "bytes": kept,
        "bytes_while_training": while_training,
    }


def _estimate(
    job: Job, folders: dict[str, TrialFolder], here: TorchSettings, measured: dict[str, Estimate]
) -> tuple[float | None, str | None, tuple[int, int]]:
    """Seconds, what they were found from, and bytes; each entry is built, and its steps are timed, once."""
    entry = job.plan.entry
    known = from_trials(job, folders.values())
    if known is not None and not brings_code(job):
        return known, "trials", disk(job)
    if entry not in measured:
        measured[entry] = estimated(job, here)
    seconds, size = measured[entry]
    if known is not None:
        return known, "trials", size
    return seconds, None if seconds is None else "steps", size
