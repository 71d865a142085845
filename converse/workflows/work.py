"""The trials that answer a request, and how they are carried out: one way for every command that measures networks."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converse.errors import ConverseWarning, StoreError
from converse.experiments.store import Store
from converse.experiments.store.address import Away, away_of
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import RequestedSet
from converse.experiments.store.state import now
from converse.experiments.trials import DEVICES

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.tables import Expected
    from converse.experiments.evaluation.keeping import Keeping
    from converse.experiments.running.engines import Engine, Manner
    from converse.experiments.running.jobs import Job
    from converse.experiments.running.outcomes import Outcome


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
        """The same work, of whose outputs so much is kept; of what networks are given nothing: it can be made anew."""
        return replace(self, jobs=tuple(one if one.of_input else replace(one, keeping=keeping) for one in self.jobs))

    def with_threads(self, threads: int) -> Work:
        """The same work with another number of CPU threads, where the trials depend on it."""
        return self._moved({one.trial.id: {"threads": threads} for one in self.jobs if "threads" in one.trial.platform})

    def on(self, machine: Mapping[str, Any]) -> Work:
        """The same work on another machine.

        Args:
            machine: what of the platform class is that machine's; empty for this one.
        """
        return self._moved({one.trial.id: machine for one in self.jobs})

    def trained_by(self, devices: int) -> Work:
        """The same work, each training by so many processes together: another trial, where it is more than one."""
        trained = [one.trial.id for one in self.jobs if one.trial.source == "trained"]
        return self if devices == 1 else self._moved({trial: {DEVICES: devices} for trial in trained})

    def placed(self, engine: Engine, store: Store, threads: int) -> tuple[Work, tuple[str, ...]]:
        """The same work, each trial of the platform class of the machine that it will run on.

        Args:
            engine: what carries it out.
            store: what is finished on some machine stays there.
            threads: CPU threads of each trial.

        Returns:
            The work, and what the user should know before it is begun.

        Raises:
            OptionError: the engine has no place for it.
        """
        from converse.experiments.running.machines import Stored
        from converse.experiments.running.outcomes import whole

        kept = {folder.id: folder for folder in store.folders()}
        jobs = {one.trial.id: one for one in self.jobs}
        placement = engine.place(
            [one.trial for one in self.jobs],
            Stored(
                lambda trial: kept[trial].status().state if trial in kept else "planned",
                lambda asked, there: whole(jobs[asked], kept[there], kept[there].table().to_pylist()),
            ),
            threads,
        )
        return self._moved(placement.platforms), placement.notes

    def _moved(self, platforms: Mapping[str, Mapping[str, Any]]) -> Work:
        """The same work, some trials with another platform class."""
        moved = {
            one.trial.id: replace(one, trial=one.trial.moved(platforms.get(one.trial.id, {}))) for one in self.jobs
        }
        labels = tuple((moved[trial].trial.id, entry, budget) for trial, entry, budget in self.labels)
        return replace(self, jobs=tuple(moved.values()), labels=labels)


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
    manner: Manner,
    progress: Callable[[Progress], None],
    engine: Engine,
) -> list[Outcome]:
    """Carry out trials; a failure is recorded, and the others go on.

    Args:
        jobs: in the order in which they are begun.
        folders: of each.
        manner: how.
        progress: told often, and when a trial is finished.
        engine: where.

    Returns:
        What became of each.

    Raises:
        ConverseError: what the user has to mend; what was finished is kept.
        KeyboardInterrupt: it was stopped; what was finished is kept.
    """
    begun, listener = now(), _Listener(jobs, progress)
    away = away_of(folders[0].path.parents[1]) if folders else None
    outcomes: dict[int, Outcome] = {}
    with contextlib.closing(engine.outcomes(jobs, folders, manner, listener)) as finished:
        for index, outcome in finished:
            outcomes[index] = outcome
            listener.finished(index, _said(outcome, folders[index], begun))
            if away is not None:
                _send(away, folders[index])
            manner.stop.check()
    return [outcomes[index] for index in range(len(jobs))]


def _send(away: Away, folder: TrialFolder) -> None:
    """Send a trial to the store's address; what could not be sent now is sent at the end."""
    try:
        away.send(folder)
    except StoreError as error:
        warnings.warn(ConverseWarning(str(error)), stacklevel=2)


class _Listener:
    """Turns what an engine tells into progress."""

    def __init__(self, jobs: Sequence[Job], progress: Callable[[Progress], None]) -> None:
        self._jobs, self._progress = jobs, progress

    def report(self, index: int, what: str, done: int = 0, total: int = 0, upcoming: str = "") -> None:
        self._progress(Progress(index + 1, len(self._jobs), str(self._jobs[index]), what, done, total, upcoming))

    def lost(self, index: int, why: str) -> None:
        self.finished(index, f"lost: {why}")

    def note(self, text: str) -> None:
        self._progress(Progress.noting(text))

    def finished(self, index: int, said: str) -> None:
        self._progress(Progress(index + 1, len(self._jobs), str(self._jobs[index]), finished=said))


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
