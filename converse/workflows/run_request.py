"""What the user asks ``converse run`` for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import Suite
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
    """

    suite: str
    budget: str | None = None
    seeds: tuple[int, ...] | None = None
    processes: int = 1
    usual_threads: int | None = None
    trial_timeout: float | None = None

    def plans(self, suite: Suite) -> list[RunPlan]:
        """The plans of the suite that are asked for.

        Raises:
            OptionError: the suite has no such budget, entry, seed or number of images.
            DataError: there is no such test set.
        """
        budget = self.budget or (DEFAULT_BUDGET if DEFAULT_BUDGET in suite.budgets else next(iter(suite.budgets)))
        return suite.resolve(budget, seeds=self.seeds, only=self.entries, datasets=self.datasets, images=self.images)

    def line(self, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for the same; where data lies is left to who calls it.

        Args:
            budget: the one that was resolved.
            platform: of the trials that answer.
        """
        return self._line("run", self.suite, platform, budget=budget, seeds=self.seeds or None)

    @property
    def cpu_threads(self) -> int:
        """How many CPU threads are computed with, unless the store has trials to go on with."""
        return self.threads or self.usual_threads or default_threads()
