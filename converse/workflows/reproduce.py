"""Released weights → the published rows: choose, measure what is missing, compare with the paper."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from converse.analysis.image_checks import image_checks
from converse.analysis.published import published
from converse.analysis.selection import Selection
from converse.analysis.tables import Expected, results
from converse.data.resources import Resources
from converse.errors import StoreError
from converse.experiments.devices import device_at_a_glance
from converse.experiments.running.engines import Engine, Here, Manner
from converse.experiments.running.jobs import Job
from converse.experiments.running.outcomes import Outcome, earlier
from converse.experiments.running.request import stored_released_request
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy
from converse.experiments.store.requests import note
from converse.experiments.store.rows import ROW_COLUMNS, Row
from converse.experiments.training.interruption import stoppable
from converse.experiments.trials import default_threads
from converse.metrics import PARAMETERS
from converse.workflows.cluster import cluster_of
from converse.workflows.gaps import Gap, find_gaps, with_reasons
from converse.workflows.reproduce_plan import ReproduceRequest, make_work
from converse.workflows.result_cache import answer_of
from converse.workflows.threads import on_threads
from converse.workflows.work import Failure, Measured, Progress, Work, carry_out, failures

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reproduction(Measured):
    """What came out.

    Attributes:
        rows: per image and metric; of the task's own noise level alone.
        images: single images beside the authors' logs, with
            :data:`converse.analysis.image_checks.IMAGE_CHECK_COLUMNS`.
        work: what there was to do.
        fresh: how many images were measured by this call.
        failures: networks that failed, now or before.
        notes: what else the user should know.
        gaps: what was asked for and not measured.
    """

    rows: pd.DataFrame
    images: pd.DataFrame
    work: Work
    fresh: int
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def differing(self) -> int:
        """How many verdicts, on single images too, are ``differs`` without a known explanation."""
        differs = self.results[self.results["verdict"] == "differs"]
        unexplained = ~((differs["metric"] == PARAMETERS) & differs["reason"].notna())
        return int(unexplained.sum() + (self.images["verdict"] == "differs").sum())


def reproduce(request: ReproduceRequest, progress: Callable[[Progress], None] = lambda progress: None) -> Reproduction:
    """Measure what the store does not have yet, and hold all that was asked for against the paper.

    Each image's rows are written as soon as they are measured, so a run that is stopped at any moment goes on there.
    A network that fails is recorded with its reason, and the others go on; one that another process works on is left
    to it.

    Args:
        request: what to measure.
        progress: told before each image, with counts over all networks, and when a network is finished.

    Returns:
        Result rows, among them those that could not be measured, with their reasons.

    Raises:
        ConverseError: a name is not known, a folder or file is missing or corrupt, the store cannot be written.
        KeyboardInterrupt: passed on; finished rows are kept.
    """
    planned = _planned(request)
    if planned is not None and (settled := _settled(request, planned)) is not None:
        return settled
    from converse.experiments.running.torch_settings import torch_settings

    measured = 0
    with cluster_of(request) as cluster, torch_settings(request.own_device, _threads(request)) as here:
        engine: Engine = cluster or Here()
        work = planned.with_threads(here.threads) if planned is not None else _work(request, here.device, here.threads)
        work = work.on(engine.platform)
        if not work.jobs:  # no store is made
            return _reproduction(request, work, [], Selection(_no_rows()))
        store = Store(request.store)
        work, here, told = on_threads(request, work, here, store.folders())
        for line in told:
            progress(Progress.noting(line))
        while True:
            work, told = work.placed(engine, store, here.threads)
            for line in told:
                progress(Progress.noting(line))
            folders = [store.folder(job.trial) for job in work.jobs]
            _note(request, store, work)
            count = _Count(work.jobs, folders, progress)
            with stoppable() as stop:
                manner = Manner(here, stop, request.retry_failed, wait=False)
                outcomes = carry_out(work.jobs, folders, manner, count, engine)
            measured += count.measured(outcomes)
            if not any(outcome.state == "left" for outcome in outcomes):
                break
    failed = failures(work.jobs, folders, outcomes)
    return _reproduction(request, work, outcomes, _selection(work, store), measured, failed)


def _work(request: ReproduceRequest, device: str, threads: int) -> Work:
    return make_work(request, Resources(request.data_dir), device, threads).keeping(request.keeping)


def _planned(request: ReproduceRequest) -> Work | None:
    """What there is to do, where that is known without torch."""
    device = None if request.ray else device_at_a_glance(request.device)
    return None if device is None else _work(request, device, _threads(request))


def _settled(request: ReproduceRequest, work: Work) -> Reproduction | None:
    """The answer where nothing is left to do; ``None`` where something is, or another process works on it."""
    if not work.jobs:  # no store is made
        return _reproduction(request, work, [], Selection(_no_rows()))
    if not request.store.is_dir():
        return None
    store, outcomes = Store(request.store), []
    if not {job.trial.id for job in work.jobs} <= {folder.id for folder in store.folders()}:
        return None
    folders = [store.folder(job.trial) for job in work.jobs]
    for job, folder in zip(work.jobs, folders, strict=True):
        try:
            with folder.lock(wait=False):
                outcome = earlier(job, folder, retry_failed=request.retry_failed)
        except Busy:
            return None
        if outcome is None:
            return None
        outcomes.append(outcome)
    _note(request, store, work)
    failed = failures(work.jobs, folders, outcomes)
    return _reproduction(request, work, outcomes, _selection(work, store), failed=failed)


def _threads(request: ReproduceRequest) -> int:
    torch = sys.modules.get("torch")
    return request.threads or (torch.get_num_threads() if torch else default_threads())


def _note(request: ReproduceRequest, store: Store, work: Work) -> None:
    """Leave word in the store of what was asked for: one note for each task."""
    for task, members in _by_task(work.jobs).items():
        trials = [(one.trial.id, one.plan.entry, None) for one in members]
        plans = [one.plan for one in members]
        sets, line = Work(tuple(members)).sets, request.line(task, members[0].trial.platform)
        note(store, stored_released_request(task, plans, trials, request=line, sets=sets))


class _Count:
    """Counts images over all networks, one image in one case of one network each, on behalf of who is told."""

    def __init__(
        self,
        jobs: Sequence[Job],
        folders: Sequence[TrialFolder],
        tell: Callable[[Progress], None],
    ) -> None:
        self._tell = tell
        self._trials = list(zip(jobs, folders, strict=True))
        self._began_with = [_left(*pair) for pair in self._trials]
        self._done = [0] * len(folders)
        self._whole = list(self._began_with)

    def measured(self, outcomes: Sequence[Outcome]) -> int:
        """Images measured by this call, those of a trial that is begun anew elsewhere among them."""
        return sum(
            done for done, outcome in zip(self._done, outcomes, strict=True) if outcome.fresh or outcome.state == "left"
        )

    def __call__(self, step: Progress) -> None:
        if step.note:
            self._tell(step)
            return
        at = step.trial - 1
        if step.finished:
            # By what is stored: of a trial on another machine not every image was told of.
            self._done[at] = max(0, self._began_with[at] - _left(*self._trials[at]))
            self._whole[at] = self._done[at]  # it failed, or another process was at it in the meantime
        else:
            self._done[at] = step.done
            if not step.upcoming:
                return  # another set follows, or it is finished
        self._tell(replace(step, done=sum(self._done), total=sum(self._whole)))


def _left(job: Job, folder: TrialFolder) -> int:
    """How many images are left; of a damaged file of rows, which the lock will set aside, all."""
    rows: list[Row] = []
    with contextlib.suppress(StoreError):
        rows = folder.table().to_pylist()
    return sum(len(todo) for _, todo in job.left(rows))


def _reproduction(
    request: ReproduceRequest,
    work: Work,
    outcomes: Sequence[Outcome],
    chosen: Selection,
    fresh: int = 0,
    failed: tuple[Failure, ...] = (),
) -> Reproduction:
    gaps = find_gaps(request, work, outcomes, chosen.every, metrics=request.metrics)
    because: dict[tuple[str | None, ...], str] = {(*gap.place, gap.metric): gap.reason for gap in gaps}
    because |= {
        (one.plan.task, one.plan.entry, None, None, PARAMETERS): outcome.reason
        for one, outcome in zip(work.jobs, outcomes, strict=True)
    }
    expected = [_because(cell, because) for cell in work.expected]
    found = results(
        chosen.every,
        published=published(),
        thresholds=request.thresholds,
        expected=expected,
        whole=chosen.images,
    )
    images = image_checks(chosen.rows, published=published(), expected=expected, thresholds=request.thresholds)
    notes = (*work.notes, *map(str, chosen.left_out))
    return Reproduction(with_reasons(found, gaps), chosen.rows, images, work, fresh, failed, notes, gaps)


def _because(cell: Expected, because: Mapping[tuple[str | None, ...], str]) -> Expected:
    """The cell with the reason that only the run itself could tell."""
    reason = because.get((cell.task, cell.entry, cell.dataset, cell.case, cell.metric))
    return replace(cell, reason=reason) if reason and cell.reason == "not run" else cell


def _selection(work: Work, store: Store) -> Selection:
    """The rows that answer, task by task: a set that one task is measured on is not asked of another."""
    import pandas as pd

    found = []
    for members in _by_task(work.jobs).values():
        labels = tuple((one.trial.id, one.plan.entry, None) for one in members)
        found.append(answer_of(Work(tuple(members), labels), {}, {}).selection(store))
    return Selection(
        pd.concat([one.every for one in found], ignore_index=True),
        {name: count for one in found for name, count in one.images.items()},
        tuple(dict.fromkeys(left_out for one in found for left_out in one.left_out)),
    )


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(ROW_COLUMNS))


def _by_task(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    return {task: list(members) for task, members in groupby(jobs, lambda one: one.plan.task)}
