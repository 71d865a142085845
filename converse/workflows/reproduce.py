"""Released weights → the published rows: choose, measure what is not measured yet, hold it against the paper."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from converse.analysis.published import published
from converse.analysis.tables import Expected, results
from converse.errors import OptionError, StoreError
from converse.experiments.evaluation.images import PARAMETERS, evaluate, parameter_row, settled
from converse.experiments.provenance import provenance
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy
from converse.experiments.store.rows import ROW_COLUMNS
from converse.nn.released import load_released
from converse.workflows.at_hand import Absent, Supplies
from converse.workflows.reproduce_plan import Plan, Request, Stage, make_plan

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Step:
    """How far a run is: ``done`` of ``total`` images, one image in one case of one network each; what comes next."""

    done: int
    total: int
    text: str


@dataclass(frozen=True)
class Reproduction:
    """What came out.

    Attributes:
        results: with :data:`converse.analysis.tables.RESULT_COLUMNS`.
        plan: what there was to do.
        fresh: how many images were measured by this call.
    """

    results: pd.DataFrame
    plan: Plan
    fresh: int

    @cached_property
    def measured(self) -> bool:
        """Whether any image has a number."""
        images = self.results[self.results["metric"] != PARAMETERS]
        return bool(images["measured"].notna().any())

    @cached_property
    def differing(self) -> int:
        """How many verdicts are ``differs`` without a known explanation."""
        differs = self.results[self.results["verdict"] == "differs"]
        return int((~((differs["metric"] == PARAMETERS) & differs["reason"].notna())).sum())


def reproduce(request: Request, progress: Callable[[Step], None] = lambda step: None) -> Reproduction:
    """Measure what the store does not have yet, and hold all that was asked for against the paper.

    Each image's rows are written as soon as they are measured, so a run that is stopped at any moment goes on there.

    Args:
        request: what to measure.
        progress: told before the first image and after each.

    Returns:
        Result rows, among them those that could not be measured, with their reasons.

    Raises:
        ConverseError: a name is not known, a folder or file is missing or corrupt, the store cannot be written.
        KeyboardInterrupt: passed on; finished rows are kept.
    """
    with _computing(request) as device:
        supplies = Supplies(request.data_dir)
        plan = make_plan(request, supplies, device)
        # Where there is nothing to measure no store is made.
        folders = {stage.trial.id: Store(request.store).folder(stage.trial) for stage in plan.stages}
        left = {stage.trial.id: _count(stage, folders[stage.trial.id]) for stage in plan.stages}
        total, done = sum(left.values()), 0
        busy: dict[str, str] = {}
        for stage in plan.stages:
            entry, folder = stage.released.entry, folders[stage.trial.id]
            before = done
            try:
                for text in _measure(stage, folder, supplies, device):
                    progress(Step(done, total, f"{entry} {text}"))
                    done += 1
            except Busy as error:
                busy[entry] = str(error)
            total += done - before - left[stage.trial.id]  # another process was at it in the meantime
            progress(Step(done, total, entry))
        rows = _rows(plan, folders)
    expected = [_because(cell, busy.get(cell.entry)) for cell in plan.expected]
    table = results(rows, published=published(), thresholds=request.thresholds, expected=expected)
    return Reproduction(table, plan, done)


def dry_run(request: Request) -> list[dict[str, Any]]:
    """What :func:`reproduce` would do, with nothing measured, written or downloaded.

    Args:
        request: what to measure.

    Returns:
        One mapping per network and image set: ``task, entry, dataset, images, done, left, seconds, reason``; ``images``
        counts each blur kernel, ``seconds`` is an estimate from rows of the same network, or ``None``.
    """
    with _computing(request) as device:
        plan = make_plan(request, Supplies(request.data_dir, fetch=False), device)
    with contextlib.suppress(StoreError):
        store = Store(request.store, create=False)
        known = {folder.id: folder for folder in store.folders()}
        return _listing(plan, known)
    return _listing(plan, {})


@contextlib.contextmanager
def _computing(request: Request) -> Iterator[str]:
    """The device, with the settings of torch that the numbers depend on; put back afterwards."""
    device = request.device
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise OptionError(f"device must be auto, cpu, mps, cuda or cuda:N, got {device!r}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    try:
        # TF32 has ten bits: enough to move the third decimal of a PSNR.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield device
    finally:
        torch.set_num_threads(threads)


def _because(cell: Expected, busy: str | None) -> Expected:
    """The cell with the reason that only the run itself could tell."""
    if busy is None or cell.reason != "not run":
        return cell
    return replace(cell, reason=busy)


def _count(stage: Stage, folder: TrialFolder) -> int:
    """How many images are left; of a damaged file of rows, which the lock will set aside, all."""
    rows = []
    with contextlib.suppress(StoreError):
        rows = folder.table().to_pylist()
    return sum(len(left) for _, left in stage.left(rows))


def _measure(stage: Stage, folder: TrialFolder, supplies: Supplies, device: str) -> Iterator[str]:
    """Measure what is left of a stage; says what comes next, before each image."""
    with folder.lock():
        rows = folder.table().to_pylist()
        counted = any(row["metric"] == PARAMETERS for row in rows)
        left = [(images, todo) for images, todo in stage.left(rows) if todo]
        if counted and not left:
            if folder.status().state != "done":  # a run was killed after its last row
                folder.set_status("done")
            return
        folder.set_status("running")
        try:
            folder.write_provenance(provenance(device))
            model = load_released(stage.released.entry, stage.weights)
            if not counted:
                folder.append_rows([parameter_row(model)])
            kernels = supplies.kernels() if stage.task.cases else None
            done = settled(rows, stage.metrics)
            for images, todo in left:
                measured = evaluate(
                    model,
                    stage.task,
                    images,
                    stage.metrics,
                    kernels=None if isinstance(kernels, Absent) else kernels,
                    device=device,
                    done=done,
                )
                for job in todo:
                    yield " ".join(filter(None, (images.title, job.case, job.image.name)))
                    folder.append_rows(next(measured))
            folder.seal_rows()
            folder.set_status("done")
        except BaseException as error:
            with contextlib.suppress(StoreError):
                folder.set_status("interrupted", str(error) or "stopped; the same command continues")
            raise


def _rows(plan: Plan, folders: Mapping[str, TrialFolder]) -> pd.DataFrame:
    """The rows that answer the plan: of its images and metrics, whatever else the store has."""
    import pandas as pd

    frames = []
    for stage in plan.stages:
        wanted = {(images.name, image.name, image.sha256) for images in stage.sets for image in images.images}
        signatures = {metric.signature for metric in stage.metrics}
        rows = folders[stage.trial.id].rows()
        keys = pd.MultiIndex.from_frame(rows[["dataset", "image", "image_sha256"]])
        chosen = keys.isin(list(wanted)) & rows["signature"].isin(signatures)
        frames.append(rows[chosen | (rows["metric"] == PARAMETERS)])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(ROW_COLUMNS))


def _listing(plan: Plan, folders: Mapping[str, TrialFolder]) -> list[dict[str, Any]]:
    found = []
    for stage in plan.stages:
        folder = folders.get(stage.trial.id)
        rows = folder.table().to_pylist() if folder else []
        times = [row["seconds"] for row in rows if row["seconds"] is not None and row["seconds"] == row["seconds"]]
        mean = sum(times) / len(times) if times else None
        for images, todo in stage.left(rows):
            whole = len(images) * max(1, len(stage.task.cases))
            found.append(
                {
                    "task": stage.task.name,
                    "entry": stage.released.entry,
                    "dataset": images.title,
                    "images": whole,
                    "done": whole - len(todo),
                    "left": len(todo),
                    "seconds": None if mean is None else mean * len(todo),
                    "reason": None,
                }
            )
    here = {(line["task"], line["entry"], line["dataset"]) for line in found}
    for cell in plan.expected:
        place = (cell.task, cell.entry, cell.dataset)
        if cell.dataset is not None and place not in here:
            here.add(place)
            none = dict.fromkeys(("images", "done", "left", "seconds"))
            found.append(
                {"task": cell.task, "entry": cell.entry, "dataset": cell.dataset, **none, "reason": cell.reason}
            )
    return found
