"""Train and evaluate every trial of a suite: plan, carry out what is not done, hold the rows together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from converse.data.noise_levels import level_of
from converse.errors import ConverseError, StoreError
from converse.experiments.running.apart import warm_up
from converse.experiments.running.request import full_sizes, standard, stored_request
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.index import opened
from converse.experiments.store.requests import RequestedSet, note, notes
from converse.experiments.store.state import now
from converse.experiments.suites.suite import Suite
from converse.workflows.cluster import cluster_of
from converse.workflows.result_cache import FOLDER as ANSWERED
from converse.workflows.result_cache import Answer, answer_of, recall, remember, request_key
from converse.workflows.threads import goes_on, on_threads, requested_threads
from converse.workflows.work import Failure, Measured, Progress, Work, carry_out
from converse.workflows.work import failures as failed

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.effects import Settings
    from converse.analysis.qualification import Grounds
    from converse.experiments.running.apart import Ended
    from converse.experiments.running.engines import Engine
    from converse.experiments.running.jobs import Job
    from converse.experiments.running.outcomes import Outcome
    from converse.experiments.running.torch_settings import TorchSettings
    from converse.experiments.suites.plans import RunPlan
    from converse.experiments.suites.tables import Contrast
    from converse.experiments.training.interruption import Stop
    from converse.workflows.gaps import Gap
    from converse.workflows.run_request import RunRequest


@dataclass(frozen=True)
class Run(Measured):
    """What came out.

    Attributes:
        trials: how many there are.
        fresh: how many of them were worked on meanwhile, by this process or another.
        suite: what was run.
        rows: per image and metric, under the suite's names; of the task's own noise level alone.
        gaps: what was asked for and not measured.
        entries: names of entries that were asked for, or ``None`` for all.
        multiply_adds: entry → multiply-adds per pixel of its output.
        floor: pairs of entries of the same class of functions.
        reasons: entry → why it may lack rows.
        failures: those that failed, now or before.
        notes: what else the user should know.
        grounds: what is known of the trainings; without them none may judge the paper.
    """

    trials: int
    fresh: int
    suite: Suite
    rows: pd.DataFrame
    gaps: tuple[Gap, ...] = ()
    entries: tuple[str, ...] | None = None
    multiply_adds: Mapping[str, float] = field(default_factory=dict)
    floor: Sequence[Contrast] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    grounds: Grounds | None = None

    def effects(self, settings: Settings | None = None) -> pd.DataFrame:
        """The differences that the suite is about, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.

        Raises:
            OptionError: a bootstrap of too few seeds or images.
        """
        from converse.analysis.published import published
        from converse.analysis.suite_effects import suite_effects

        return suite_effects(
            self.rows,
            self.suite,
            published=published(),
            only=self.entries,
            reasons=self.reasons,
            multiply_adds=self.multiply_adds,
            floor=self.floor,
            grounds=self.grounds,
            settings=settings,
        )

    def image_tests(self) -> pd.DataFrame:
        """Tests over images, seed by seed, with :data:`converse.analysis.effects.IMAGE_TEST_COLUMNS`."""
        from converse.analysis.suite_effects import suite_image_tests

        return suite_image_tests(self.rows, self.suite, only=self.entries)

    def power(self, settings: Settings | None = None) -> pd.DataFrame:
        """The seeds that the differences need, with :data:`converse.analysis.power_report.POWER_COLUMNS`."""
        from converse.analysis.power_report import power_report

        return power_report(self.effects(settings), settings)


def run(request: RunRequest, progress: Callable[[Progress], None] = lambda progress: None) -> Run:
    """Do what is not done, and return the results of all that was asked for.

    Args:
        request: what is asked for.
        progress: told often.

    Returns:
        Results, and which trials failed.

    Raises:
        ConverseError: a name is not known, data is missing or corrupt, the store cannot be written.
        KeyboardInterrupt: it was stopped; what was finished is kept, and the same request goes on there.
    """
    from converse.analysis.published import published
    from converse.analysis.tables import results

    suite = request.read(networks=False)
    plans = request.plans(suite)
    store = Store(request.store)
    key = _key(request, plans, request.cpu_threads)
    # Whether outputs are kept that are asked for is seen by planning.
    answer, told = (None, ()) if request.keeping.asked else _recall(request, store, plans, key)
    if answer is not None:
        for line in told:
            progress(Progress.noting(line))
        with contextlib.suppress(StoreError):  # the store may be read-only, and the answer is the same
            _note(
                request,
                store,
                suite,
                plans,
                answer.trials,
                answer.sets,
                answer.data_notes,
                full_size=answer.full_size,
            )
        chosen = answer.selection(store)
        grounds = _grounds(store, suite, answer)
        return Run(
            results(chosen.every, published=published(), whole=chosen.images, lacking=grounds.lacking),
            trials=len({trial for trial, _, _ in answer.trials}),
            fresh=0,
            suite=suite,
            rows=chosen.rows,
            entries=request.entries,
            multiply_adds=answer.multiply_adds,
            floor=answer.floor,
            reasons=suite.budget(request.budget_of(suite)).without,
            notes=(*request.not_trained(suite), *answer.data_notes, *map(str, chosen.left_out)),
            grounds=grounds,
        )
    begun = now()
    from converse.analysis.noise_floor import noise_floor
    from converse.workflows.gaps import expected_cells, find_gaps, with_reasons

    if any(":" in (plan.operator or "") for plan in plans):
        warm_up()
    work, outcomes, trials, threads = _carry_out(request, store, progress)
    failures = failed(work.jobs, trials, outcomes)
    floor = noise_floor({plan.entry: plan.configuration() for plan in plans})
    answer = answer_of(work, _costs(request, plans, work, failures), full_sizes(suite, plans), floor)
    chosen = answer.selection(store)
    gaps = find_gaps(request, work, outcomes, chosen.every)
    if not failures and not gaps and request.alone:
        if threads == request.cpu_threads:
            remember(store, key, answer)
        elif key == _key(request, plans, request.cpu_threads):  # data were not changed meanwhile
            remember(store, _key(request, plans, threads), answer)
    grounds = _grounds(store, suite, answer)
    found = results(
        chosen.every,
        published=published(),
        expected=expected_cells(gaps),
        whole=chosen.images,
        lacking=grounds.lacking,
    )
    with opened(store.root) as index:  # so that what lists a large store finds it up to date
        fresh = sum((index.known(trial.id).finished or "") >= begun for trial in trials)
    return Run(
        with_reasons(found, gaps),
        trials=len(trials),
        fresh=fresh,
        suite=suite,
        rows=chosen.rows,
        gaps=gaps,
        entries=request.entries,
        multiply_adds=answer.multiply_adds,
        floor=answer.floor,
        reasons={
            **suite.budget(request.budget_of(suite)).without,
            **{gap.entry: gap.reason for gap in reversed(gaps) if gap.failed and level_of(gap.case) is None},
        },
        failures=failures,
        notes=(*request.not_trained(suite), *work.notes, *map(str, chosen.left_out)),
        grounds=grounds,
    )


def rehearse(request: RunRequest, progress: Callable[[Progress], None] = lambda progress: None) -> None:
    """Find what a request needs, and try its networks with code of a user's; nothing is trained or written.

    Args:
        request: what will be asked for.
        progress: told often.

    Raises:
        ConverseError: a name is not known, data is missing or corrupt, or a network cannot work.
        KeyboardInterrupt: it was stopped.
    """
    from converse.data.resources import Resources
    from converse.experiments.running.torch_settings import torch_settings
    from converse.experiments.training.interruption import stoppable
    from converse.workflows.run_plan import make_work

    with torch_settings(request.device, request.cpu_threads) as here, stoppable() as stop:
        plans = request.plans(request.read())
        work = make_work(plans, Resources(request.data_dir), here.device, request.cpu_threads)
        _tried(request, Store(request.store), work, here, stop, progress)


def _grounds(store: Store, suite: Suite, answer: Answer) -> Grounds:
    """What is known of the trainings that answer."""
    from converse.analysis.curves import losses
    from converse.analysis.qualification import Grounds

    trials = {trial for trial, _, _ in answer.trials}
    return Grounds(
        standard(suite, answer.full_size), losses(folder for folder in store.folders() if folder.id in trials)
    )


def _key(request: RunRequest, plans: Sequence[RunPlan], threads: int) -> str:
    return request_key(plans, request.device, threads, request.data_dir)


def _recall(
    request: RunRequest, store: Store, plans: Sequence[RunPlan], key: str
) -> tuple[Answer | None, tuple[str, ...]]:
    """The answer that the store has, where the user names no number of threads with any; and what there is to know."""
    if not request.alone:
        return None, ()
    answer = recall(store, key)
    if answer is not None or request.threads is not None or not (store.root / ANSWERED).is_dir():
        return answer, ()
    for threads in requested_threads(notes(store), plans):
        answer = recall(store, _key(request, plans, threads))
        if answer is not None:
            many = len({trial for trial, _, _ in answer.trials})
            return answer, (goes_on({"done": many}, many, threads, request.cpu_threads, "train"),)
    return None, ()


def _help(request: RunRequest) -> None:
    """Do what nobody else is doing, without a word: what goes wrong here goes wrong in the process that is helped."""
    with contextlib.suppress(KeyboardInterrupt, ConverseError):
        _carry_out(request, Store(request.store), lambda progress: None, helper=True)


def _carry_out(
    request: RunRequest, store: Store, progress: Callable[[Progress], None], *, helper: bool = False
) -> tuple[Work, list[Outcome], list[TrialFolder], int]:
    from converse.data.resources import Resources
    from converse.experiments.running.engines import Here, Manner
    from converse.experiments.running.torch_settings import torch_settings
    from converse.experiments.training.interruption import stoppable
    from converse.workflows.run_plan import make_work

    with (
        cluster_of(request) as cluster,
        torch_settings(request.own_device, request.cpu_threads) as here,
        stoppable() as stop,
    ):
        engine: Engine = cluster or Here()
        suite = request.read()  # now with the checks for which torch is loaded
        plans = request.plans(suite)
        work = make_work(plans, Resources(request.data_dir), here.device, request.cpu_threads).keeping(request.keeping)
        work = work.on(engine.platform).trained_by(request.devices)
        if not helper:
            work, here, told = on_threads(request, work, here, store.folders())
            for line in told:
                progress(Progress.noting(line))
        while True:
            work, told = work.placed(engine, store, here.threads)
            for line in told:
                progress(Progress.noting(line))
            ended = {} if helper else _tried(request, store, work, here, stop, progress)
            folders = [store.folder(job.trial) for job in work.jobs]
            if not helper:
                missing = {cell.dataset: cell.reason for cell in work.expected if cell.dataset}
                _note(request, store, suite, plans, work.labels, work.sets, work.data_notes, missing)
            if cluster is None and here.device == "cpu":
                alike = replace(request, threads=here.threads, processes=1, retry_failed=False)
                engine = Here(min(_at_once(request, here.threads), len(folders)) - 1, partial(_help, alike))
            manner = Manner(here, stop, request.retry_failed, not helper, request.trial_timeout, ended)
            outcomes = carry_out(work.jobs, folders, manner, progress, engine)
            if not any(outcome.state == "left" for outcome in outcomes):
                return work, outcomes, folders, here.threads


def _at_once(request: RunRequest, threads: int) -> int:
    """How many trials at the same time: fewer than were meant where each goes on with more threads than were meant."""
    return max(1, min(request.processes, request.processes * request.cpu_threads // threads))


def _tried(
    request: RunRequest,
    store: Store,
    work: Work,
    here: TorchSettings,
    stop: Stop,
    progress: Callable[[Progress], None],
) -> dict[str, Ended]:
    """Try the networks with code of a user's that are about to be trained: trial → how the process ended, if it did.

    Raises:
        OptionError: one of them cannot work.
    """
    from converse.experiments.running.watched import brings_code, rehearsed

    own = {one.trial.id: one for one in work.jobs if brings_code(one)}
    states = {folder.id: folder.status().state for folder in store.folders() if folder.id in own}
    left_alone = {"done"} if request.retry_failed else {"done", "failed"}
    wanted = [one for trial, one in own.items() if states.get(trial) not in left_alone]

    def tell(job: Job) -> None:
        index = work.jobs.index(job)
        progress(Progress(index + 1, len(work.jobs), str(job), "tries the network"))

    return rehearsed(wanted, here, limit=request.trial_timeout, stop=stop, tell=tell)


def _costs(
    request: RunRequest, plans: Sequence[RunPlan], work: Work, failures: Sequence[Failure]
) -> Mapping[str, float]:
    """Entry → multiply-adds per pixel, of all entries that did not fail."""
    from converse.experiments.running.watched import counted

    gone = {failure.trial for failure in failures}
    kept = {entry for trial, entry, _ in work.labels if trial not in gone}
    return counted((plan for plan in plans if plan.entry in kept), request.cpu_threads, limit=request.trial_timeout)


def _note(
    request: RunRequest,
    store: Store,
    suite: Suite,
    plans: Sequence[RunPlan],
    labels: Sequence[tuple[str, str, str | None]],
    sets: Sequence[RequestedSet],
    data_notes: Sequence[str],
    missing: Mapping[str, str] | None = None,
    full_size: Mapping[str, bool] | None = None,
) -> None:
    """Leave word in the store of which trials answer to which names, for those who read it without the suite."""
    folders = {folder.id: folder for folder in store.folders()}
    described = {trial: folders[trial].description() for trial, _, _ in labels}
    trials = [(trial, entry, described[trial]["seed"]) for trial, entry, _ in labels]
    platform = next((one["platform"] for one in described.values()), {"device": request.device})
    line = request.line(plans[0].budget, platform)
    said = stored_request(
        suite,
        plans,
        trials,
        missing=missing or {},
        request=line,
        sets=sets,
        full_size=full_size,
        data_notes=(*request.not_trained(suite), *data_notes),
    )
    note(store, said)
