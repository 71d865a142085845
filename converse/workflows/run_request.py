"""What the user asks ``converse run`` for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import Suite
from converse.experiments.trials import default_threads

DEFAULT_BUDGET = "quick"


@dataclass(frozen=True)
class RunRequest:
    """What the user asks for.

    Attributes:
        suite: a name, or a TOML file.
        budget: ``None`` for ``quick``, or for the suite's first where it has no such budget.
        seeds: in place of the suite's.
        entries: names of entries, or ``None`` for all.
        datasets: test sets in place of the suite's.
        images: only the first N of each test set.
        store: the folder of the store.
        data_dir: a local folder with images and weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all cores that this process may use.
        retry_failed: run failed trials again.
        processes: how many trials are run at the same time on a CPU, each with so many threads.
    """

    suite: str
    budget: str | None = None
    seeds: tuple[int, ...] | None = None
    entries: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    images: int | None = None
    store: Path = Path("runs")
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    retry_failed: bool = False
    processes: int = 1

    def plans(self, suite: Suite) -> list[RunPlan]:
        """The plans of the suite that are asked for.

        Raises:
            OptionError: the suite has no such budget, entry, seed or number of images.
            DataError: there is no such test set.
        """
        budget = self.budget or (DEFAULT_BUDGET if DEFAULT_BUDGET in suite.budgets else next(iter(suite.budgets)))
        return suite.resolve(budget, seeds=self.seeds, only=self.entries, datasets=self.datasets, images=self.images)

    @property
    def command(self) -> str:
        """The command line that asks for the same; where data lies and what computes are left to who calls it."""
        words = ["converse", "run", self.suite]
        if self.budget:
            words += ["--budget", self.budget]
        if self.seeds:
            words += ["--seeds", ",".join(map(str, self.seeds))]
        for option, names in (("--only", self.entries), ("--datasets", self.datasets)):
            if names:
                words += [option, ",".join(names)]
        if self.images:
            words += ["--images", str(self.images)]
        return shlex.join(words)

    @property
    def cpu_threads(self) -> int:
        """How many CPU threads are computed with."""
        return self.threads or default_threads()
