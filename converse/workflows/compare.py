"""An operator against reverse convolution: tune all alike, train, time, answer, and write the page."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from converse.analysis.answers import Compared, answers
from converse.analysis.effects import EFFECT_COLUMNS, Settings
from converse.analysis.qualification import Grounds
from converse.analysis.side_by_side import side_by_side
from converse.counted import counted
from converse.errors import ConverseWarning
from converse.experiments.store import files
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.speed_rows import SPEED_COLUMNS
from converse.experiments.suites.compared import WIDTH, ComparedSuite, Contender
from converse.experiments.suites.tuned import read_tuned
from converse.experiments.suites.tuning import label
from converse.reporting.chapters.compared import Asked
from converse.workflows.compare_kept import Kept
from converse.workflows.compare_page import Page, write_page
from converse.workflows.compare_request import CompareRequest
from converse.workflows.compare_times import network_times
from converse.workflows.contender import examined, fingerprint, with_widths
from converse.workflows.run import Run, rehearse, run
from converse.workflows.speed import SpeedRun
from converse.workflows.tune import Tune, tune
from converse.workflows.work import Failure, Progress

if TYPE_CHECKING:
    from converse.workflows.gaps import Gap

_ENTRY: Final = re.compile(r"entry '.*?': (?=operator )")
"""How a sentence about an operator begins: with the name of the entry that it was tried in."""

Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class TaskRun:
    """What was done for one task.

    Attributes:
        suite: in which the operator stands beside its rivals, as it was written before the tuning.
        budget: that was spent.
        run: of the trainings that are compared; ``None`` where no entry has settings to be trained with.
        tuning: of the trainings that tuned it; ``None`` where nothing was tuned.
        times: of its networks.
        settings: entry → what the tuning chose, in words.
        reasons: entry → why it may have no values.
    """

    suite: ComparedSuite
    budget: str
    run: Run | None
    tuning: Tune | None
    times: SpeedRun | None
    settings: Mapping[str, str]
    reasons: Mapping[str, str]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All trainings."""
        return tuple(one for one in (self.run, self.tuning and self.tuning.run) if one)


@dataclass(frozen=True)
class Comparison:
    """What came out.

    Attributes:
        answers: a row for each task and rival, with :data:`converse.analysis.answers.ANSWER_COLUMNS`.
        networks: a row for each task and network, with :data:`converse.analysis.side_by_side.NETWORK_COLUMNS`.
        effects: the differences test set by test set, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.
        sentences: the answer to each task, and what must be known with it.
        page: of the report.
        tasks: task → what was done.
        notes: what else the user should know.
    """

    answers: pd.DataFrame
    networks: pd.DataFrame
    effects: pd.DataFrame
    sentences: tuple[str, ...]
    page: Path
    tasks: Mapping[str, TaskRun]
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Trials that failed: of the comparison itself, and of the tuning where an entry was left without settings."""
        found: list[Failure] = []
        for one in self.tasks.values():
            found += one.run.failures if one.run else ()
            if one.tuning is not None and one.tuning.lacking:
                lost = tuple(f"{name}: " for name in one.tuning.lacking)
                found += [failure for failure in one.tuning.run.failures if failure.name.startswith(lost)]
        return tuple(found)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was asked for and not measured."""
        return tuple(gap for one in self.tasks.values() if one.run for gap in one.run.gaps)

    @property
    def measured(self) -> bool:
        """Whether any image has a value."""
        return any(one.run.measured for one in self.tasks.values() if one.run)

    def _repr_html_(self) -> str:
        from converse.reporting.notebook import comparison_html

        return comparison_html(self.sentences, self.networks, self.page)


def compare(request: CompareRequest, progress: Tell = lambda progress: None) -> Comparison:
    """Do what is not done, and answer.

    Args:
        request: what is asked for.
        progress: told often.

    Returns:
        Answers, networks side by side, and where the page is.

    Raises:
        ConverseError: a name is not known, the operator cannot work, data is missing, the store cannot be written.
        KeyboardInterrupt: it was stopped; what was finished is kept, and the same request goes on there.
    """
    suites, operator = request.suites(), examined(request)
    kept, about = Kept(request.folder(operator)), fingerprint(operator)
    with _heard(lambda sentence: kept.keep_sentence(about, sentence), progress):
        # Before anything is trained, what cannot work in any of several tasks is found; each tries its own again.
        for task, suite in suites.items() if len(suites) > 1 else ():
            _try(request, operator, task, suite, progress)
        done = {task: _task(request, operator, task, suite, progress) for task, suite in suites.items()}
    settings = Settings(bound=request.bound)
    compared = {task: _compared(request, one) for task, one in done.items()}
    told = answers(compared.values(), settings)
    networks = pd.concat([_side_by_side(done[task], compared[task]) for task in done], ignore_index=True)
    effects = [_aligned(request, one.run, one.suite).effects(settings) for one in done.values() if one.run]
    progress(Progress(0, 0, "the page", "is written"))
    said = kept.sentences(about)
    page = _page(request, operator, done, told, networks, said)
    return Comparison(
        answers=told,
        networks=networks,
        effects=pd.concat(effects, ignore_index=True) if effects else pd.DataFrame(columns=list(EFFECT_COLUMNS)),
        sentences=page.sentences,
        page=page.page.resolve(),
        tasks=done,
        notes=tuple(dict.fromkeys((*request.left_out, *_notes(done)))),
    )


@contextlib.contextmanager
def _heard(keep: Callable[[str], None], progress: Tell) -> Iterator[None]:
    """Say what the operator does that is seldom meant once, not for each setting that it is tried with, and keep it."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", ConverseWarning)
        show = warnings.showwarning

        def hear(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> None:
            sentence, about_operator = _ENTRY.subn("", str(message), count=1)
            if not about_operator:
                show(message, category, *place, **line)
            elif sentence not in said:
                said.add(sentence)
                keep(sentence)
                progress(Progress.noting(sentence))

        warnings.showwarning = hear
        yield


def _try(request: CompareRequest, operator: Contender, task: str, suite: str, progress: Tell) -> None:
    """Try the operator in the network of one task, with the images that it will need."""
    asked = request.runs(suite, task, replace(operator, other_seeds=None), None)
    made = asked.written(networks=False)
    rehearse(replace(asked, entries=(made.own,), seeds=made.seeds[:1]), progress)


def _task(request: CompareRequest, operator: Contender, task: str, suite: str, progress: Tell) -> TaskRun:
    """Tune, train and time the networks of one task."""
    contender = with_widths(request, operator, task, suite)
    winners, tuning, entries = None, None, None
    if request.tuned:
        winners, tuning = _tune(request, contender, task, suite, progress)
        entries = tuple(_with_winners(tuning))
    asked = replace(request.runs(suite, task, contender, winners), entries=entries)
    made = asked.written(networks=False)
    done = run(asked, progress) if entries is None or entries else None
    times = None
    if done is not None:
        failed = {failure.name.rpartition(" seed ")[0] for failure in done.failures}
        plans = {plan.entry: plan for plan in asked.plans(asked.read()) if plan.entry not in failed}
        times = network_times(asked, made, list(plans.values()), progress) if plans else None
    settings = {} if winners is None else {one.name: label(one.settings) for one in read_tuned(winners).entries}
    return TaskRun(made, asked.budget_of(made), done, tuning, times, settings, _reasons(done, tuning))


def _tune(
    request: CompareRequest, contender: Contender, task: str, suite: str, progress: Tell
) -> tuple[Path | None, Tune]:
    """The file of winners, of those entries that have some; and the tuning."""
    winners = request.winners(contender, task)
    with files.explained(winners.parent, "make"):
        winners.parent.mkdir(parents=True, exist_ok=True)
    asked = request.tunes(suite, task, contender, winners)
    tuning = tune(asked, progress)
    if not tuning.lacking:
        return winners, tuning
    left = tuple(_with_winners(tuning))
    if left:  # the results of the others stand
        tune(replace(asked, entries=left, retry_failed=False), progress)
    return (winners if left else None), tuning


def _with_winners(tuning: Tune) -> Iterator[str]:
    yield from dict.fromkeys(row["entry"] for row in tuning.scores if row["chosen"])


def _reasons(done: Run | None, tuning: Tune | None) -> dict[str, str]:
    """Entry → why it may have no values."""
    reasons = dict(done.reasons) if done else {}
    if tuning is None:
        return reasons
    for entry in tuning.lacking:
        failed = (one.reason for one in tuning.run.failures if one.name.startswith(f"{entry}: "))
        why = "; ".join(dict.fromkeys(failed)) or "they are not done"
        reasons[entry] = f"no settings of the tuning could be trained under every seed: {why}"
    return reasons


def _compared(request: CompareRequest, one: TaskRun) -> Compared:
    """What was measured, with the names and seeds of the comparison."""
    return Compared(
        task=one.suite.task,
        budget=one.budget,
        rows=one.run.rows if one.run else pd.DataFrame(columns=list(ROW_COLUMNS)),
        own=one.suite.own,
        rivals=one.suite.rivals,
        names=one.suite.names,
        seeds=request.pairs,
        reasons=one.reasons,
    )


def _side_by_side(one: TaskRun, compared: Compared) -> pd.DataFrame:
    spent = one.suite.budget(one.budget)
    widths = {entry.name: one.suite.options_for(entry, spent).get(WIDTH) for entry in one.suite.entries}
    return side_by_side(
        compared,
        multiply_adds=one.run.multiply_adds if one.run else {},
        times=one.times.rows if one.times else pd.DataFrame(columns=list(SPEED_COLUMNS)),
        grounds=(one.run.grounds if one.run else None) or Grounds(),
        widths={entry: width for entry, width in widths.items() if isinstance(width, int)},
        settings=one.settings,
    )


def _aligned(request: CompareRequest, done: Run, suite: ComparedSuite) -> Run:
    """The same with the seeds of the rivals named as those of the own entry that they make pairs with."""
    if not request.pairs:
        return done
    seeds, rivals = done.rows["seed"], done.rows["entry"].isin(suite.rivals)
    return replace(done, rows=done.rows.assign(seed=seeds.mask(rivals, seeds.replace(dict(request.pairs)))))


def _page(
    request: CompareRequest,
    operator: Contender,
    done: Mapping[str, TaskRun],
    told: pd.DataFrame,
    networks: pd.DataFrame,
    said: tuple[str, ...],
) -> Page:
    runs = [one for each in done.values() for one in each.runs]
    tried = (Counter(row["entry"] for row in one.tuning.scores) for one in done.values() if one.tuning)
    first = next(iter(done.values()))
    asked = Asked(
        own=operator.label,
        bound=request.bound,
        tried=max((max(counts.values()) for counts in tried), default=0),
        match=request.match or "",
        apart=bool(request.other_seeds),
        command=str(request.line(request.task or first.suite.task, first.budget, {"device": request.device})),
        notes=said,
    )
    return write_page(
        request.store,
        request.output or request.folder(operator),
        told,
        networks,
        asked,
        suites={one.suite.name for one in runs},
        trials={str(trial) for one in runs for trial in one.rows["trial"].unique()}
        | {failure.trial for one in runs for failure in one.failures},
        runs={one.times.run for one in done.values() if one.times},
        data_dir=request.data_dir,
    )


def _notes(done: Mapping[str, TaskRun]) -> Iterator[str]:
    """What else there is to know of trainings and times."""
    for one in done.values():
        yield from one.run.notes if one.run else ()
        yield from one.times.notes if one.times else ()
        if one.tuning is not None and (failed := one.tuning.run.failures):
            many = counted(len(failed), "training", of=one.tuning.run.trials)
            yield f"{one.suite.task}: {many} of the tuning failed; settings of which a seed failed have lost"
