"""What the user asks ``converse compare`` for, and the requests of `tune` and `run` that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from converse.analysis.statistics import EQUIVALENCE_BOUND
from converse.data.tasks import TASKS
from converse.errors import OptionError, unknown
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.compared import ComparedSuite, Contender, compared_suite, reverse_entry
from converse.experiments.suites.suite import load_suite
from converse.experiments.suites.tuned import WITHOUT
from converse.plain_text import slug
from converse.workflows.request import Request
from converse.workflows.run_request import RunRequest
from converse.workflows.tune import TuneRequest

if TYPE_CHECKING:
    from converse.experiments.evaluation.keeping import Which

DEFAULT_TASK: Final = "denoising"
ALL: Final = "all"
"""In place of a task: all three."""

FOLDER: Final = "compare"
"""In the store: a folder for each comparison, with its page, its winners and its widths."""

Match = Literal["parameters", "multiply-adds", "time"]
"""What a width can be chosen for: that the network costs as much of it as that with reverse convolution."""


@dataclass(frozen=True, kw_only=True)
class CompareRequest(Request):
    """What the user asks for.

    Attributes:
        operator: as a suite takes it, with its options.
        task: one of the three, or ``all``; ``None`` for that of the suite, or denoising.
        suite: in place of the task's: a name, or a TOML file.
        budget: ``None`` for ``quick``, or for the suite's first where it has no such budget.
        seeds: in place of the suite's.
        other_seeds: of the operators that it is compared with, in place of its own.
        match: what the networks' widths are chosen for; ``None`` leaves them as they are.
        tuned: whether each entry gets the settings that suit it, of as many that are tried.
        bound: of practical equivalence, in dB, > 0.
        trial_timeout: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        output: folder of the page; ``None`` for one in the store.
    """

    operator: str
    task: str | None = None
    suite: str | None = None
    budget: str | None = None
    seeds: tuple[int, ...] | None = None
    other_seeds: tuple[int, ...] | None = None
    match: Match | None = None
    tuned: bool = True
    bound: float = EQUIVALENCE_BOUND
    trial_timeout: float | None = None
    output: Path | None = None

    def suites(self) -> dict[str, str]:
        """Task → the suite that is asked for, by its name or path; of ``all`` those whose base the budget trains.

        Raises:
            OptionError: there is no such task, or the suite is of another one.
            SuiteError: the suite cannot be read.
        """
        if self.suite is None and self.task == ALL:
            return {name: name for name in TASKS if not self._not_trained(name)}
        if self.suite is None:
            name = self.task or DEFAULT_TASK
            if name not in TASKS:
                raise OptionError(f"--task: {unknown('task', name, [*TASKS, ALL])}")
            return {name: name}
        task = load_suite(self.suite, networks=False).task
        if self.task not in (None, task):
            raise OptionError(
                f"--task {self.task}: the suite {self.suite} is of the task {task}; leave out one of them"
            )
        return {task: self.suite}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why tasks are not compared, though all are asked for."""
        if self.suite is not None or self.task != ALL:
            return ()
        return tuple(f"{name} is not compared: {why}" for name in TASKS if (why := self._not_trained(name)))

    def _not_trained(self, suite: str) -> str:
        """Why the budget does not train the network that operators are compared in; empty where it does."""
        base = load_suite(suite, networks=False)
        budget, entry = RunRequest(suite, self.budget).budget_of(base), reverse_entry(base, suite).name
        why = base.budget(budget).without.get(entry)
        return f"budget {budget} is without {entry}: {why}" if why else ""

    def folder(self, contender: Contender) -> Path:
        """Where the page, the winners and the widths of this comparison are kept, unless another folder is named."""
        suite = next(iter(self.suites().values()))
        about = Path(self.suite).stem if self.suite else self.task or DEFAULT_TASK
        budget = RunRequest(suite, self.budget).budget_of(load_suite(suite, networks=False))
        how = (f"equal-{self.match}" if self.match else "", "" if self.tuned else "equal-settings")
        return self.store / FOLDER / slug(contender.label, about, budget, *filter(None, how))

    def winners(self, contender: Contender, task: str) -> Path:
        """The file with the settings that the tuning of a task chose."""
        return self.folder(contender) / f"{task}.tuned.toml"

    @property
    def pairs(self) -> dict[int, int]:
        """Seed of a rival → that of the own entry with which it makes a pair; empty where they have the same seeds."""
        return dict(zip(self.other_seeds or (), self.seeds or (), strict=True)) if self.other_seeds else {}

    def line(self, task: str, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for one task of the same; where data lies is left to who calls it.

        Args:
            task: of which.
            budget: the one that was resolved.
            platform: of the trials that answer.
        """
        return self._line(
            "compare",
            self.operator,
            platform,
            suite=self.suite,
            task=None if self.suite else task,
            budget=budget,
            seeds=self.seeds or None,
            against_seeds=self.other_seeds or None,
            match=self.match,
            equal_settings=None if self.tuned else True,
            equivalence=None if self.bound == EQUIVALENCE_BOUND else f"{self.bound:g}",
        )

    def runs(self, suite: str, task: str, contender: Contender, tuned: Path | None) -> ComparedRun:
        """The request for the trainings that are compared.

        Args:
            suite: of the task.
            task: the task.
            contender: the operator, as it was looked at.
            tuned: the file of winners; ``None`` for the suite's settings.
        """
        return ComparedRun(
            suite=suite,
            budget=self.budget,
            seeds=self.seeds,
            tuned=WITHOUT if tuned is None else str(tuned),
            trial_timeout=self.trial_timeout,
            datasets=self.datasets,
            images=self.images,
            **self._place(),
            asked=self,
            contender=contender,
            task=task,
        )

    def tunes(self, suite: str, task: str, contender: Contender, output: Path) -> ComparedTuning:
        """The request for the trainings that tune it.

        Args:
            suite: of the task.
            task: the task.
            contender: the operator, as it was looked at.
            output: the file of winners.
        """
        return ComparedTuning(
            suite=suite,
            budget=self.budget,
            trial_timeout=self.trial_timeout,
            output=output,
            **self._place(),
            asked=self,
            contender=contender,
            task=task,
        )

    def _place(self) -> dict[str, Any]:
        names = ("store", "data_dir", "device", "threads", "devices", "ray", "retry_failed")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class _Compared(RunRequest):
    """A request whose suite is made from another one.

    Attributes:
        asked: the comparison that it is part of.
        contender: its operator.
        task: its task.
    """

    asked: CompareRequest
    contender: Contender
    task: str

    def written(self, *, networks: bool = True) -> ComparedSuite:
        """The suite in which the operator stands beside the others.

        Raises:
            ConverseError: the suite it is made from cannot be read, its budget does not train the network that
                operators are compared in, or there is no such operator.
        """
        base = load_suite(self.suite, networks=networks)
        base.chosen_under(self.budget_of(base), [reverse_entry(base, self.suite).name])
        return compared_suite(base, self.contender, shown_as=self.suite, networks=networks)

    def line(self, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for the whole comparison of this task."""
        return self.asked.line(self.task, budget, platform)


@dataclass(frozen=True, kw_only=True)
class ComparedRun(_Compared):
    """The trainings that are compared."""


@dataclass(frozen=True, kw_only=True)
class ComparedTuning(_Compared, TuneRequest):
    """The trainings that tune them."""

    usual_keeping: Which = "none"
