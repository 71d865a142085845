"""What a request would do: one line for each trial, with what it takes, and one for what cannot be measured and why."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

import torch

from converse.data.images import ImageFile
from converse.data.opening import opened
from converse.data.resources import Resources
from converse.errors import ConverseError
from converse.experiments.running.estimates import Estimate, apart_from_seed, seconds_of_trainings
from converse.experiments.running.jobs import Job
from converse.experiments.running.throughput import Rates, Source, rates_here
from converse.experiments.running.torch_settings import TorchSettings, torch_settings
from converse.experiments.running.watched import estimated, trained_alike
from converse.experiments.store import Store
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.rows import Row
from converse.experiments.trials import platform_class
from converse.workflows import reproduce_plan, run_plan
from converse.workflows.reproduce_plan import ReproduceRequest
from converse.workflows.request import Request
from converse.workflows.run_request import RunRequest
from converse.workflows.threads import on_threads
from converse.workflows.work import Work

if TYPE_CHECKING:
    from converse.analysis.tables import Expected


class PreviewLine(TypedDict):
    """What there is to do for one trial: of one that is done, nothing is left and nothing is needed.

    ``images`` are those that are left, each blur kernel counted. ``multiply_adds`` and the seconds are of training and
    evaluation, null where they are not known. What cannot be measured has no trial, and a ``reason``.
    """

    task: str
    entry: str
    seed: int | None
    budget: str | None
    trial: str | None
    state: str
    datasets: list[str]
    steps: int
    images: int
    multiply_adds: float | None
    least_seconds: float | None
    most_seconds: float | None
    estimated_from: Source | None
    memory_bytes: int | None
    bytes: int
    bytes_while_training: int
    reason: str | None


_NOTHING: Final[PreviewLine] = {
    "task": "",
    "entry": "",
    "seed": None,
    "budget": None,
    "trial": None,
    "state": "",
    "datasets": [],
    "steps": 0,
    "images": 0,
    "multiply_adds": 0.0,
    "least_seconds": 0.0,
    "most_seconds": 0.0,
    "estimated_from": None,
    "memory_bytes": None,
    "bytes": 0,
    "bytes_while_training": 0,
    "reason": None,
}

COLUMNS: Final = tuple(PreviewLine.__annotations__)

MISSING: Final = "missing"
"""The state of what cannot be measured."""


@dataclass(frozen=True)
class Preview:
    """What there is to do.

    Attributes:
        lines: one per trial, and after them one per entry and reason for which something cannot be measured.
        notes: what is there under other threads or versions, and what else is to be known.
    """

    lines: tuple[PreviewLine, ...]
    notes: tuple[str, ...]

    @property
    def seconds(self) -> tuple[float, float] | None:
        """At least and at most, of all trials one after another; ``None`` where some of it is not known."""
        times = [(line["least_seconds"], line["most_seconds"]) for line in self.lines if line["state"] != MISSING]
        known = [(least, most) for least, most in times if least is not None and most is not None]
        if len(known) < len(times):
            return None
        return sum(least for least, _ in known), sum(most for _, most in known)

    @property
    def bytes(self) -> int:
        """Free space that is needed: all that stays, and the largest training states."""
        kept = sum(line["bytes"] for line in self.lines)
        return kept + max((line["bytes_while_training"] for line in self.lines), default=0)


def preview_run(request: RunRequest, *, anew: bool = False) -> Preview:
    """What :func:`converse.workflows.run.run` would do, with nothing downloaded, written or trained.

    Args:
        request: what is asked for.
        anew: as if nothing of it were done yet.

    Raises:
        ConverseError: a name is not known, or data is missing or corrupt.
    """
    suite = request.read()
    plans = request.plans(suite)
    with torch_settings(request.device, request.cpu_threads, deterministic=False) as here:
        work = run_plan.make_work(plans, Resources(request.data_dir, fetch=False), here.device, here.threads)
        work = work.trained_by(request.devices)
        found = _preview(request, work, here, anew=anew)
    return replace(found, notes=(*request.not_trained(suite), *found.notes))


def preview_reproduction(request: ReproduceRequest) -> Preview:
    """What :func:`converse.workflows.reproduce.reproduce` would do, with nothing measured, downloaded or written.

    Args:
        request: what is asked for.

    Raises:
        ConverseError: a name is not known, or a file is corrupt.
    """
    with torch_settings(request.device, request.threads or torch.get_num_threads(), deterministic=False) as here:
        resources = Resources(request.data_dir, fetch=False)
        return _preview(request, reproduce_plan.make_work(request, resources, here.device, here.threads), here)


def _preview(request: Request, work: Work, here: TorchSettings, *, anew: bool = False) -> Preview:
    store = existing_store(request.store)
    folders = {folder.id: folder for folder in store.folders()} if store else {}
    work, here, notes = on_threads(request, work.keeping(request.keeping), here, list(folders.values()))
    rates = rates_here(here.device, speed_rows(store, here))
    costs: dict[str, Estimate] = {}  # of each training, counted once and not for each seed or learning rate

    def cost(job: Job) -> Estimate:
        training = job.trial.id if job.of_input else trained_alike(job.plan)
        if training not in costs:
            costs[training] = estimated(job.plan, here.threads)
        return costs[training]

    trained = cache(lambda: seconds_of_trainings(folders.values()))  # only where something is to be trained
    there = {} if anew else folders
    lines = [_line(job, there, trained, rates, cost, retry_failed=request.retry_failed) for job in work.jobs]
    return Preview((*lines, *_missing(work)), tuple(dict.fromkeys((*notes, *work.notes))))


def existing_store(root: Path) -> Store | None:
    """The store in a folder; ``None`` where there is none, and none is made.

    Raises:
        StoreError: it cannot be read.
    """
    return Store(root, create=False) if (root / "store.json").exists() else None


def speed_rows(store: Store | None, here: TorchSettings) -> list[dict[str, Any]]:
    """Rows of speed that were measured on such a machine with as many threads."""
    kind = here.device.partition(":")[0]
    same = {
        "device": kind,
        "model": platform_class(here.device, threads=here.threads)["model"],
        "threads": here.threads,
    }
    rows = [row for folder in store.speed.folders([]) for row in folder.rows()] if store else []
    return [row for row in rows if all(row.get(key) == value for key, value in same.items())]


def _line(
    job: Job,
    folders: Mapping[str, TrialFolder],
    trained: Callable[[], Mapping[str, tuple[float, float]]],
    rates: Rates,
    cost: Callable[[Job], Estimate],
    *,
    retry_failed: bool,
) -> PreviewLine:
    folder = folders.get(job.trial.id)
    state = folder.status().state if folder else "new"
    rows: list[Row] = []
    if folder is not None:
        with contextlib.suppress(Damaged):
            rows = folder.table().to_pylist()
    left = job.left(rows)
    left_alone = state == "failed" and not retry_failed
    trains = state != "done" and not left_alone and job.steps > 0
    todo = [] if left_alone else [image for _, images in left for image in images]
    if folder is not None and state == "done":
        left_anyway = {(one.case, one.image) for one in todo}
        with contextlib.suppress(Damaged):
            todo += [one for one in job.unkept(folder, rows) if (one.case, one.image) not in left_anyway]
    line: PreviewLine = {
        **_NOTHING,
        "task": job.plan.task,
        "entry": job.plan.entry,
        "seed": job.plan.seed,
        "budget": job.plan.budget or None,
        "trial": job.trial.id,
        "state": state,
        "datasets": [images.title for images in job.test],
        "steps": job.steps if trains else 0,
        "images": len(todo),
    }
    if not trains and not todo:
        return line
    needs = cost(job)
    line["multiply_adds"] = _sum(
        needs.training if trains else 0.0, needs.per_pixel, sum(image_pixels(one.image) for one in todo)
    )
    seconds, source = _seconds(job, trains, trained, rows, len(todo), line["multiply_adds"], needs, rates)
    line["least_seconds"], line["most_seconds"] = seconds or (None, None)
    line["estimated_from"] = source
    if trains:
        line["memory_bytes"], line["bytes"] = needs.memory, needs.disk
        line["bytes_while_training"] = needs.disk_while_training
    return line


def _sum(training: float | None, per_pixel: float | None, pixels: int) -> float | None:
    return None if training is None or per_pixel is None else training + per_pixel * pixels


def _seconds(
    job: Job,
    trains: bool,
    trained: Callable[[], Mapping[str, tuple[float, float]]],
    rows: Sequence[Row],
    images: int,
    multiply_adds: float | None,
    needs: Estimate,
    rates: Rates,
) -> tuple[tuple[float, float] | None, Source | None]:
    """Least and most seconds of what is left of a trial, and where they come from."""
    if trains and (known := trained().get(apart_from_seed(job.trial.ingredients()))):
        return known, "trials"
    times = [row["seconds"] for row in rows if row["seconds"] is not None and row["seconds"] == row["seconds"]]
    if not trains and times:
        mean = sum(times) / len(times)
        return (mean * images, mean * images), "rows"
    if multiply_adds is None or needs.per_pixel is None:
        return None, None
    if job.of_input:
        return (0.0, 0.0), None  # seconds in all, whatever the machine
    rate = rates(job.plan, needs.per_pixel)
    return rate.seconds(multiply_adds), rate.source


@lru_cache(maxsize=10_000)
def image_pixels(file: ImageFile) -> int:
    """Of an image, from its header, read once for all trials; none of one that cannot be opened: the run will tell."""
    with contextlib.suppress(ConverseError), opened(file.path) as image:
        return int(image.width * image.height)
    return 0


def _missing(work: Work) -> Iterator[PreviewLine]:
    """A line for each entry and reason, with the test sets for which it holds."""
    found = {(job.plan.task, job.plan.entry, images.title) for job in work.jobs for images in job.test}
    absent = [
        cell
        for cell in work.expected
        if cell.dataset is not None and (cell.task, cell.entry, cell.dataset) not in found
    ]

    def place(cell: Expected) -> tuple[str, str, str]:
        return cell.task, cell.entry, cell.reason

    for (task, entry, reason), cells in groupby(sorted(absent, key=place), key=place):
        yield {
            **_NOTHING,
            "task": task,
            "entry": entry,
            "state": MISSING,
            "datasets": list(dict.fromkeys(cell.dataset for cell in cells if cell.dataset)),
            "multiply_adds": None,
            "least_seconds": None,
            "most_seconds": None,
            "reason": reason,
        }
