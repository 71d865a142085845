"""Rounds of speed and memory for the gate, each built anew, until they say enough or the time is over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from converse.analysis.gate.rounds import key_of
from converse.analysis.gate.timing import LEAST_ROUNDS, Held
from converse.errors import OptionError
from converse.experiments.running.watched import loaded
from converse.experiments.speed import runs
from converse.experiments.speed.cases import YARDSTICK
from converse.experiments.speed.suite import (
    Group,
    SpeedBudget,
    groups,
    load_speed_suite,
    option_fault,
    suite_budget,
    with_operator,
)
from converse.experiments.store import Store
from converse.experiments.store.speed_rows import case_label
from converse.experiments.suites.operator_names import named
from converse.nn.core_cache import VARIABLE, core_cache
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[int, str, float], None]
"""Told which round it is, from 0, which case is measured, and which share of the round is done."""

Judge = Callable[["pd.DataFrame"], Sequence[Held]]
"""What the rows of some rounds say."""

Environment = tuple[tuple[str, str], ...]
"""Names of variables and their values."""


@dataclass(frozen=True)
class SpeedGate:
    """What a round measures.

    Attributes:
        suite: the name of the suite of speed.
        budget: its name.
        groups: cases, each with what takes turns in it.
        spent: the budget.
        device: resolved, not ``auto``.
        threads: CPU threads.
        core_cache: KiB, for which reverse convolution makes its groups of channels; ``None`` for the machine's own.
    """

    suite: str
    budget: str
    groups: tuple[Group, ...]
    spent: SpeedBudget
    device: str
    threads: int
    core_cache: int | None = None

    def described(self) -> dict[str, Any]:
        """What all rows of its rounds share: :func:`converse.experiments.speed.runs.describe`."""
        said = runs.describe(self.suite, self.budget, self.device, self.threads)
        if self.core_cache is not None:
            said["provenance"] |= {"core_cache": self.core_cache}
        return said

    @property
    def environment(self) -> Environment:
        """Variables of the processes that measure it."""
        own = self.core_cache in (None, core_cache() // 1024)
        return () if own else ((VARIABLE, str(self.core_cache)),)


@dataclass(frozen=True)
class Rounds:
    """What was measured.

    Attributes:
        rows: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`; each round is a run of its own.
        held: what they say.
        count: how many rounds there were.
        seconds: that they took.
    """

    rows: pd.DataFrame
    held: tuple[Held, ...]
    count: int
    seconds: float


def speed_gate(suite: str, budget: str, device: str, threads: int = 1, operator: str | None = None) -> SpeedGate:
    """What a round of a suite of speed measures.

    Args:
        suite: the name of a suite of speed, or a TOML file.
        budget: one that it has.
        device: resolved, not ``auto``.
        threads: CPU threads.
        operator: stands in the place of reverse convolution; ``None`` for nothing.

    Raises:
        ConverseError: the suite cannot be read, or has no such budget; something in it is not beside the yardstick;
            there is no such operator, or it takes no such options.
    """
    read = load_speed_suite(suite)
    made = groups(read, budget)
    strange = [group.case.sweep for group in made if group.subjects[0].name != YARDSTICK or len(group.subjects) < 2]
    if strange:
        raise OptionError(
            f"suite {read.name!r}, sweep {strange[0]!r}: a gate holds subjects against the {YARDSTICK}, which must "
            'stand first: subjects = ["yardstick", …], or first = "yardstick"'
        )
    if operator is not None:
        chosen = named(operator)
        loaded(chosen.operator)
        if fault := option_fault(chosen):
            raise OptionError(f"--operator {chosen.short}: {fault}")
        made = with_operator(made, chosen)
    return SpeedGate(read.name, budget, tuple(made), suite_budget(read, budget), device, threads)


def measure_rounds(
    gate: SpeedGate,
    store: Store,
    least: int,
    *,
    judge: Judge = lambda rows: (),
    seconds: float = math.inf,
    environment: Environment = (),
    tell: Tell = lambda number, name, share: None,
) -> Rounds:
    """Measure rounds: so many, and then more of those cases of which more may be said.

    Args:
        gate: what is measured.
        store: where they are kept, each as a run of speed.
        least: how many, if there is time.
        judge: asked after each round.
        seconds: no further round begins after so long, once there are
            :data:`converse.analysis.gate.timing.LEAST_ROUNDS`.
        environment: variables of the processes, beside the gate's.
        tell: told often.

    Raises:
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped; finished rounds are kept.
    """
    began = time.monotonic()
    described = gate.described()
    identity = runs.run_identity(gate.groups, gate.spent, gate.device, gate.threads)
    last = max((int(run.rpartition("-")[2]) for run in store.speed.runs() if run.startswith(f"{identity}-")), default=0)
    todo: list[Group] = list(gate.groups)
    done: list[str] = []
    with runs.workers(gate.spent, gate.device, gate.threads, (*gate.environment, *environment)) as workers:
        while True:
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            folder = store.speed.folder(f"{identity}-{last + len(done) + 1}", {**described, "time": now})

            def report(case: int, share: float, number: int = len(done), todo: list[Group] = todo) -> None:
                tell(number, _name(todo[case]), (case + share) / len(todo))

            report(0, 0.0)
            with folder.lock():
                runs.carry_out(folder, todo, gate.spent, workers, gate.device, report)
            done.append(folder.id)
            rows = store.speed_rows(done)
            held = tuple(judge(rows))
            late = time.monotonic() - began > seconds
            if len(done) >= least or (late and len(done) >= LEAST_ROUNDS):
                unsettled = {one.key for one in held if one.open}
                todo = [group for group in gate.groups if _keys(group) & unsettled]
                if late or not todo:
                    return Rounds(rows, held, len(done), time.monotonic() - began)


def kept_rounds(gate: SpeedGate, store: Store) -> tuple[pd.DataFrame, Mapping[str, Any]] | None:
    """Rounds that a store has of the same suite and budget, made by the newest code of those in it.

    Args:
        gate: what would be measured.
        store: any.

    Returns:
        Their rows, and how the newest of them is described; ``None`` where there are none.

    Raises:
        StoreError: the store cannot be read.
    """
    found = [
        (folder.id, described)
        for folder in store.speed.folders()
        if ((described := folder.description())["suite"], described["budget"]) == (gate.suite, gate.budget)
    ]
    if not found:
        return None
    newest = found[-1][1]
    same = ("code", "model", "device", "threads", "torch", "driver")
    mine = [run for run, described in found if all(described[name] == newest[name] for name in same)]
    return store.speed_rows(mine), newest


def machine_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """Where rounds were measured, with the keys :data:`converse.analysis.gate.speed_table.MACHINE`.

    Args:
        described: what their rows share, with their ``provenance``.
    """
    known = {key: described[key] for key in ("device", "model", "threads", "torch", "driver")}
    # Rounds of older versions do not say for which cache they were made.
    on_cpu = described["provenance"] if described["device"] == "cpu" else {}
    of_cpu = {"capability": on_cpu.get("cpu_capability") or "", "core_cache": on_cpu.get("core_cache")}
    return {**known, **of_cpu, "driver": known["driver"] or ""}


def told(progress: Callable[[Progress], None], before: int, every: int) -> Tell:
    """Progress of rounds among all of them.

    Args:
        progress: told.
        before: how many rounds come before these.
        every: how many there are in all.
    """

    def tell(number: int, name: str, share: float) -> None:
        first = before + number + 1
        progress(Progress(first, max(first, every), "speed", name, round(100 * share), 100))

    return tell


def _keys(group: Group) -> set[tuple[Any, ...]]:
    return {key_of({**group.case.columns(), "subject": subject.name}) for subject in group.subjects}


def _name(group: Group) -> str:
    return f"{group.case.sweep}, {group.case.pass_}, {case_label(group.case.columns())}"
