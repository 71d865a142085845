"""The trials that answer a request, and how they are carried out: one way for every command that measures networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy, Lost
from converse.experiments.store.requests import RequestedSet
from converse.experiments.store.state import now

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.tables import Expected
    from converse.experiments.evaluation.keeping import Keeping
    from converse.experiments.running.apart import Ended
    from converse.experiments.running.execute import Outcome
    from converse.experiments.running.jobs import Job
    from converse.experiments.running.torch_settings import TorchSettings
    from converse.experiments.training.interruption import Stop
    from converse.experiments.trials import Trial


@dataclass(frozen=True)
class Work:
    """What there is to do, and what cannot be done and why.

    Attributes:
        jobs: in the order in which they are done; plans that ask for the same training share one.
        labels: trial id, entry and budget of each plan.
        expected: cells that were asked for; where nothing gets measured they show their reason.
        notes: what else is missing.
        fetch: names for ``converse data fetch`` that would make more of it possible.
    """

    jobs: tuple[Job, ...]
    labels: tuple[tuple[str, str, str | None], ...] = ()
    expected: tuple[Expected, ...] = ()
    notes: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()

    @property
    def sets(self) -> tuple[RequestedSet, ...]:
        """The test sets, with what is in them."""
        return tuple(dict.fromkeys(RequestedSet.of(images) for one in self.jobs for images in one.test))

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What there is to say of images that are trained on and tested on."""
        return tuple(dict.fromkeys(line for one in self.jobs for line in one.data_notes))

    def keeping(self, keeping: Keeping) -> Work:
        """The same work, of whose outputs so much is kept."""
        return replace(self, jobs=tuple(replace(one, keeping=keeping) for one in self.jobs))

    def with_threads(self, threads: int) -> Work:
        """The same work with another number of CPU threads, where the trials depend on it."""
        moved = {one.trial.id: replace(one, trial=_with_threads(one.trial, threads)) for one in self.jobs}
        labels = tuple((moved[trial].trial.id, entry, budget) for trial, entry, budget in self.labels)
        return replace(self, jobs=tuple(moved.values()), labels=labels)


def _with_threads(trial: Trial, threads: int) -> Trial:
    if "threads" not in trial.platform:
        return trial
    return replace(trial, platform={**trial.platform, "threads": threads})


@dataclass(frozen=True)
class Measured:
    """What a request measured, which a notebook shows as a table.

    Attributes:
        results: means, with :data:`converse.analysis.tables.RESULT_COLUMNS`.
    """

    results: pd.DataFrame

    @property
    def measured(self) -> bool:
        """Whether any image has a value; how many parameters a network has is no measurement."""
        return bool(self.results.loc[self.results["dataset"].notna(), "measured"].notna().any())

    def _repr_html_(self) -> str:
        from converse.reporting.notebook import results_html

        return results_html(self.results)


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        trial: which one of the trials, from 1.
        trials: how many there are.
        name: of the trial.
        what: what is being done.
        done: how much of that is done.
        total: how much of that there is.
        upcoming: what of it comes next, where its parts have names: ``Set12 04.png``.
        finished: what became of the trial, once it is finished: ``done in 12 s``; empty before.
        note: what the user should know before it goes on; then the rest says nothing.
    """

    trial: int
    trials: int
    name: str
    what: str = ""
    done: int = 0
    total: int = 0
    upcoming: str = ""
    finished: str = ""
    note: str = ""

    @classmethod
    def noting(cls, note: str) -> Progress:
        """Nothing but a note."""
        return cls(0, 0, "", note=note)


@dataclass(frozen=True)
class Failure:
    """A trial that failed.

    Attributes:
        folder: of the trial; ``failure.txt`` in it has the traceback.
        name: entry and seed.
        reason: why.
        fresh: whether it failed now, or in an earlier run and was not tried again.
    """

    folder: Path
    name: str
    reason: str
    fresh: bool

    @property
    def trial(self) -> str:
        """The trial's id."""
        return self.folder.name


def carry_out(
    jobs: Sequence[Job],
    folders: Sequence[TrialFolder],
    here: TorchSettings,
    stop: Stop,
    progress: Callable[[Progress], None],
    *,
    retry_failed: bool = False,
    wait: bool = True,
    limit: float | None = None,
    ended: Mapping[str, Ended] | None = None,
) -> list[Outcome]:
    """Carry out trials, one after another; a failure is recorded, and the others go on.

    Those with code of a user's, and all if there is a limit, run in a process of their own; the others in this one.

    Args:
        jobs: in the order in which they are done.
        folders: of each.
        here: how torch is set.
        stop: asked after each step, image and trial.
        progress: told often, and when a trial is finished.
        retry_failed: run failed trials again.
        wait: for trials that another process works on; otherwise they are left to it.
        limit: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        ended: trial → how the process ended in which it was tried before (:mod:`.watched`): it has failed.

    Returns:
        What became of each.

    Raises:
        ConverseError: what the user has to mend; what was finished is kept.
        KeyboardInterrupt: it was stopped; what was finished is kept.
    """
    from converse.experiments.running.engines import run_here
    from converse.experiments.running.execute import Outcome, execute
    from converse.experiments.running.watched import brings_code, execute_watched, record

    begun, whole, ended = now(), len(folders), ended or {}

    def do(index: int) -> Outcome:
        def report(what: str, done: int, total: int, upcoming: str) -> None:
            progress(Progress(index + 1, whole, str(jobs[index]), what, done, total, upcoming))

        job, folder = jobs[index], folders[index]
        carry = execute
        if limit is not None or brings_code(job):
            carry = partial(execute_watched, limit=limit)
        try:
            if job.trial.id in ended:
                return record(ended[job.trial.id], folder)
            return carry(job, folder, here, retry_failed=retry_failed, stop=stop, report=report)
        except Busy as busy:
            if isinstance(busy, Lost):  # as busy as any other that another process works on, but not without a word
                progress(Progress(index + 1, whole, str(jobs[index]), finished=f"lost: {busy}"))
            # Whether an owner on another machine lives is seen by looking again.
            if wait or busy.silent is not None:
                raise
            return Outcome("busy", False, str(busy))

    def waiting(index: int, busy: Busy) -> None:
        stop.check()
        progress(Progress(index + 1, whole, str(jobs[index]), f"waits: {busy.owner or 'busy'}"))

    outcomes: dict[int, Outcome] = {}
    for index, outcome in run_here(range(whole), do, waiting):
        outcomes[index] = outcome
        said = _said(outcome, folders[index], begun)
        progress(Progress(index + 1, whole, str(jobs[index]), finished=said))
        stop.check()
    return [outcomes[index] for index in range(whole)]


def failures(jobs: Sequence[Job], folders: Sequence[TrialFolder], outcomes: Sequence[Outcome]) -> tuple[Failure, ...]:
    """The trials of which failed became."""
    return tuple(
        Failure(folder.path, str(job), outcome.reason, outcome.fresh)
        for job, folder, outcome in zip(jobs, folders, outcomes, strict=True)
        if outcome.state == "failed"
    )


def _said(outcome: Outcome, folder: TrialFolder, begun: str) -> str:
    if outcome.state != "done":
        return f"{outcome.state}: {outcome.reason}"
    status = folder.status()  # another process may have done it meanwhile
    if status.reason:
        return f"incomplete: {status.reason}"
    return f"done in {status.seconds:.0f} s" if (status.finished or "") >= begun else "done already"
