"""What the user asks ``converse run`` for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converse.errors import OptionError
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import Suite, load_suite
from converse.experiments.suites.tuned import WITHOUT, read_tuned, tuned_suite
from converse.experiments.trials import default_threads
from converse.workflows.request import Request

DEFAULT_BUDGET = "quick"


@dataclass(frozen=True)
class RunRequest(Request):
    """What the user asks for.

    Attributes:
        suite: a name, or a TOML file.
        budget: ``None`` for ``quick``, or for the suite's first where it has no such budget.
        seeds: in place of the suite's.
        processes: how many trials are run at the same time on a CPU, each with so many threads; fewer where
            trials of the store are gone on with that take more threads.
        usual_threads: CPU threads where ``threads`` is ``None`` and the store has nothing to go on with.
        trial_timeout: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        tuned: a file of `converse tune`, whose settings the entries get; ``none`` for those of the suite; ``None`` for
            the file that the budget names, if it names one.
    """

    suite: str
    budget: str | None = None
    seeds: tuple[int, ...] | None = None
    processes: int = 1
    usual_threads: int | None = None
    trial_timeout: float | None = None
    tuned: str | None = None

    def written(self, *, networks: bool = True) -> Suite:
        """The suite that is asked for, as its file has it.

        Args:
            networks: check operators, options and released weights too, for which torch is imported.

        Raises:
            SuiteError: it cannot be read, or says what it may not say.
        """
        return load_suite(self.suite, networks=networks)

    def read(self, *, networks: bool = True) -> Suite:
        """The suite that is asked for, its entries with the settings of a file of winners where one is named.

        Args:
            networks: check operators, options and released weights too, for which torch is imported.

        Raises:
            SuiteError: the suite or the file cannot be read, or says what it may not say.
            OptionError: the suite has no such budget or entry, or the file is of another budget.
        """
        suite = self.written(networks=networks)
        named = self.tuned or suite.budget(self.budget_of(suite)).tuned
        if named in (None, WITHOUT):
            return suite
        file = Path(named)
        tuned = read_tuned(file)
        if self.budget not in (None, tuned.budget):
            raise OptionError(
                f"{file} has settings for the budget {tuned.budget}, and {self.budget} is asked for: "
                f"--budget {tuned.budget}, or converse tune {self.suite} --budget {self.budget}"
            )
        return tuned_suite(suite, tuned, file=file, only=self.entries, seeds=self.seeds, networks=networks)

    def budget_of(self, suite: Suite) -> str:
        """The budget that is asked for."""
        return self.budget or (DEFAULT_BUDGET if DEFAULT_BUDGET in suite.budgets else next(iter(suite.budgets)))

    def plans(self, suite: Suite) -> list[RunPlan]:
        """The plans of the suite that are asked for.

        Raises:
            OptionError: the suite has no such budget, entry, seed or number of images.
            DataError: there is no such test set.
        """
        budget = self.budget_of(suite)
        return suite.resolve(budget, seeds=self.seeds, only=self.entries, datasets=self.datasets, images=self.images)

    def not_trained(self, suite: Suite) -> tuple[str, ...]:
        """What there is to say of entries that the budget leaves out; nothing where entries are named."""
        return () if self.entries is not None else suite.not_trained(self.budget_of(suite))

    def line(self, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for the same; where data lies is left to who calls it.

        Args:
            budget: the one that was resolved.
            platform: of the trials that answer.
        """
        return self._line("run", self.suite, platform, budget=budget, seeds=self.seeds or None, tuned=self.tuned)

    @property
    def cpu_threads(self) -> int:
        """How many CPU threads are computed with, unless the store has trials to go on with."""
        return self.threads or self.usual_threads or default_threads()
