"""What a user asks ``converse check`` for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from converse.analysis.gate.baseline import Baseline
from converse.errors import OptionError
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.operator_names import named
from converse.experiments.suites.substitutes import with_operator
from converse.experiments.suites.suite import Suite, suites
from converse.experiments.trials import BudgetName, default_threads
from converse.workflows.run_request import RunRequest

if TYPE_CHECKING:
    from converse.experiments.evaluation.keeping import Which
    from converse.workflows.reproduce_plan import ReproduceRequest

    Trials: TypeAlias = "GateRun | ReproduceRequest"

Part = Literal["quality", "speed"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

SECONDS: Final = 120.0
"""After so long no further round of speed begins. A check is done before where every case is settled."""

MOST_PROCESSES: Final = 4
"""At most so many trials at once: each takes about 1 GB of memory."""


@dataclass(frozen=True)
class CheckRequest:
    """What the user asks for.

    Attributes:
        baseline: the file.
        taken_from: a store whose trials are judged; ``None`` to measure.
        against: another version of converse that is measured in the place of the baseline's numbers; ``None`` for none.
        entries: names of entries; ``None`` for all of the baseline.
        operator: stands in the place of reverse convolution; ``None`` for what the baseline says.
        parts: what is checked; ``None`` for all that the baseline has.
        store: an empty folder in which trials are kept; ``None`` for a temporary one.
        data_dir: a local folder with images and weights.
        device: ``auto`` for the baseline's kind.
        threads: CPU threads; ``None`` for the baseline's number.
        trial_timeout: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        seconds: after which no further round of speed begins.
    """

    baseline: Path
    taken_from: Path | None = None
    against: str | None = None
    entries: tuple[str, ...] | None = None
    operator: str | None = None
    parts: tuple[Part, ...] | None = None
    store: Path | None = None
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    trial_timeout: float | None = None
    seconds: float = SECONDS

    def line(self) -> CommandLine:
        """The command line that asks for the same, wherever its trials are kept."""
        return CommandLine("check", str(self.baseline)).changed(
            against=self.against,
            only=self.entries or None,
            operator=self.operator,
            part=self.parts or None,
            device=None if self.device == "auto" else self.device,
            threads=self.threads,
            seconds=None if self.seconds == SECONDS else f"{self.seconds:g}",
        )

    def device_for(self, baseline: Baseline) -> str:
        """Where to compute: the baseline's kind of device.

        Raises:
            OptionError: another kind is asked for.
        """
        kind = baseline.platform.device
        if self.device == "auto":
            return kind
        if self.device.partition(":")[0] != kind:
            raise OptionError(
                f"{self.baseline} was measured on {kind} ({baseline.platform.model}), and --device {self.device} is "
                f"asked for: --device {kind}, or a baseline of its own: converse check OTHER.toml --write --suite "
                f"{baseline.suite or 'SUITE'} --device {self.device}"
            )
        return self.device


@dataclass(frozen=True)
class GateRun(RunRequest):
    """The trials of a suite that a baseline is about.

    Attributes:
        operator: stands in the place of reverse convolution; ``None`` for nothing.
        check: the command line of the whole check.
    """

    operator: str | None = None
    check: CommandLine | None = None
    usual_keeping: Which = field(default="none", kw_only=True)

    def read(self, *, networks: bool = True) -> Suite:
        """The suite, with the operator in its place.

        Raises:
            SuiteError: the suite cannot be read, or says what it may not say.
            OptionError: the operator cannot stand there.
        """
        suite = super().read(networks=networks)
        if self.operator is None:
            return suite
        return with_operator(suite, cast(BudgetName, self.budget_of(suite)), self.operator, networks=networks)

    def line(self, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for the same: of the check, where no other command can."""
        if self.operator is not None and self.check is not None:
            return self.check
        return super().line(budget, platform)


def gate_run(request: CheckRequest, baseline: Baseline, store: Path) -> GateRun:
    """The trials that a check of a suite needs.

    Args:
        request: what the user asks for.
        baseline: of a suite.
        store: where they are kept.

    Raises:
        OptionError: another kind of device is asked for.
    """
    device = request.device_for(baseline)
    threads = request.threads or baseline.platform.threads or default_threads()
    return GateRun(
        suite=suite_of(baseline, request.baseline),
        budget=baseline.budget,
        seeds=baseline.seeds or None,
        images=baseline.images,
        datasets=test_sets_of(baseline, request.baseline),
        store=store,
        data_dir=request.data_dir,
        device=device,
        threads=threads,
        processes=max(1, min(default_threads() // threads, MOST_PROCESSES)) if device == "cpu" else 1,
        trial_timeout=request.trial_timeout,
        operator=request.operator or operator_of(baseline, request.baseline),
        check=request.line(),
    )


def released_run(request: CheckRequest, baseline: Baseline, store: Path) -> ReproduceRequest:
    """The released networks that a check of a task needs.

    Args:
        request: what the user asks for.
        baseline: of a task.
        store: where their rows are kept.

    Raises:
        OptionError: another kind of device is asked for, or an operator, for which released weights have no place.
    """
    from converse.workflows.reproduce_plan import ReproduceRequest

    if request.operator is not None:
        raise OptionError(f"--operator: {request.baseline} is of released weights, which were trained with their own")
    return ReproduceRequest(
        task=baseline.task,
        datasets=test_sets_of(baseline, request.baseline),
        images=baseline.images,
        metrics=baseline.metrics,
        usual_keeping="none",
        store=store,
        data_dir=request.data_dir,
        device=request.device_for(baseline),
        threads=request.threads or baseline.platform.threads or default_threads(),
    )


def trials_for(request: CheckRequest, baseline: Baseline, store: Path) -> Trials:
    """:func:`gate_run` or :func:`released_run`, by what the baseline is of."""
    made = gate_run if baseline.suite is not None else released_run
    return made(request, baseline, store)


def test_sets_of(baseline: Baseline, file: Path) -> tuple[str, ...] | None:
    """The test sets of a baseline as the command line takes them; ``None`` for those of the suite or the task."""
    return tuple(from_file(file, name) for name in baseline.test) or None


def suite_of(baseline: Baseline, file: Path) -> str:
    """The suite of a baseline as the command line takes it: a name, or a path from the working directory."""
    name = baseline.suite or ""
    return name if name in suites() else from_file(file, name)


def operator_of(baseline: Baseline, file: Path) -> str | None:
    """The operator of a baseline as the command line takes it."""
    if baseline.operator is None:
        return None
    return str(named(baseline.operator, file.parent))


def from_file(file: Path, name: str) -> str:
    """A path from the working directory, where a baseline names one from its own folder; other names as they are.

    Args:
        file: the baseline.
        name: that it has.
    """
    path = file.parent / name
    return str(path) if path.exists() else name
