"""Speed and memory as the gate measures them: rounds, each built anew, until they say enough or the time is over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import converse
from converse.analysis.gate.rounds import key_of
from converse.analysis.gate.speed_table import SpeedTable
from converse.analysis.gate.timing import LEAST_ROUNDS, MARGIN, ROUNDS, Held, against_file, against_other, speed_cases
from converse.errors import OptionError
from converse.experiments.running.other_machines import playable
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
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

    from converse.workflows.other_version import OtherVersion

SUITE: Final = "gate"
"""The suite of speed where a baseline has none."""

BUDGET: Final = "quick"

SECONDS: Final = 120.0
"""After so long no further round begins, once there are :data:`LEAST_ROUNDS`; most checks need a quarter of it."""

WRITTEN: Final = 12
"""Rounds from which a baseline is made."""

PLAYED: Final = 3
"""Rounds on each other machine that this one can play."""

Tell = Callable[[Progress], None]
Judge = Callable[["pd.DataFrame"], Sequence[Held]]


@dataclass(frozen=True)
class SpeedGate:
    """What a round measures.

    Attributes:
        suite: of speed, as the command line takes it.
        budget: its name.
        groups: cases, each with what takes turns in it.
        spent: the budget.
        device: resolved, not ``auto``.
        threads: CPU threads.
    """

    suite: str
    budget: str
    groups: tuple[Group, ...]
    spent: SpeedBudget
    device: str
    threads: int


@dataclass(frozen=True)
class SpeedCheck:
    """What rounds said.

    Attributes:
        held: findings, and whether more rounds might have said more.
        rounds: how many there were.
        seconds: that they took.
    """

    held: tuple[Held, ...]
    rounds: int
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
        ConverseError: the suite cannot be read, or has no such budget; nothing in it is beside the yardstick; there is
            no such operator, or it takes no such options.
    """
    read = load_speed_suite(suite)
    made = groups(read, budget)
    if operator is not None:
        chosen = named(operator)
        loaded(chosen.operator)
        if fault := option_fault(chosen):
            raise OptionError(f"--operator {chosen.short}: {fault}")
        made = with_operator(made, chosen)
    strange = [group.case.sweep for group in made if group.subjects[0].name != YARDSTICK or len(group.subjects) < 2]
    if strange:
        raise OptionError(
            f"suite {read.name!r}, sweep {strange[0]!r}: a gate holds subjects against the {YARDSTICK}, which must "
            'stand first: subjects = ["yardstick", …], or first = "yardstick"'
        )
    return SpeedGate(suite, budget, tuple(made), suite_budget(read, budget), device, threads)


def check_table(gate: SpeedGate, table: SpeedTable, store: Store, seconds: float, tell: Tell, look: str) -> SpeedCheck:
    """Hold this machine's rounds against the ratios of a baseline.

    Args:
        gate: what is measured.
        table: of the baseline.
        store: where rounds are kept.
        seconds: see :data:`SECONDS`.
        tell: told often.
        look: the command that shows more.

    Raises:
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    differing = table.differences(machine(gate))
    return _checked(gate, store, lambda rows: against_file(table, rows, differing, look), seconds, tell)


def check_other(
    gate: SpeedGate,
    other: OtherVersion,
    operator: str | None,
    store: Store,
    seconds: float,
    tell: Tell,
    look: str,
) -> SpeedCheck:
    """Let this version and another one take turns.

    Args:
        gate: what is measured.
        other: the other version.
        operator: the user's operator that stands in the place of reverse convolution; ``None`` for none.
        store: where rounds are kept.
        seconds: see :data:`SECONDS`.
        tell: told often.
        look: the command that shows more.

    Raises:
        OptionError: the other version has neither a ``converse`` nor the operator, or its networks do not fit what this
            version does with them.
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    paired, beside = _paired(gate, other, operator)

    def judge(rows: pd.DataFrame) -> list[Held]:
        theirs = rows[rows["subject"].isin(list(beside.values()))]
        if not (theirs["status"] == "ok").any():
            raise OptionError(
                f"--against {other.name}: its converse does not fit what this version measures: "
                f"{theirs['reason'].dropna().iloc[0]}"
            )
        return against_other(rows, beside, other.name, look)

    return _checked(paired, store, judge, seconds, tell)


def measured_table(gate: SpeedGate, store: Store, tell: Tell) -> SpeedTable:
    """What a baseline says of this machine.

    Args:
        gate: what is measured.
        store: where rounds are kept.
        tell: told often.

    Returns:
        Ratios from :data:`WRITTEN` rounds, and what they move by on other machines that this one can play.

    Raises:
        OptionError: something could not be measured.
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    here = machine(gate)
    kinds = playable(gate.threads, here["capability"]) if gate.device == "cpu" else []
    # Another number of threads is another measurement, and not another machine.
    played = {kind.name: tuple(kind.environment.items()) for kind in kinds if kind.threads == gate.threads}
    every = WRITTEN + PLAYED * len(played)
    rows = _rounds(gate, store, WRITTEN, _counted(tell, 0, every), ()).rows
    elsewhere = {
        name: _rounds(gate, store, PLAYED, _counted(tell, WRITTEN + PLAYED * number, every), environment).rows
        for number, (name, environment) in enumerate(played.items())
    }
    cases, lacking = speed_cases(rows, YARDSTICK, elsewhere)
    if lacking:
        raise OptionError(f"no baseline of what could not be measured: {lacking[0]}")
    moved = f"{MARGIN:g} times the largest change with {' and '.join(played)}" if played else "no other was played"
    found = f"floors: Student's t times the spread of {WRITTEN} rounds; elsewhere: {moved}"
    return SpeedTable.model_validate(
        {"suite": gate.suite, "budget": gate.budget, "rounds": WRITTEN, "found": found, "cases": cases, **here}
    )


def machine(gate: SpeedGate) -> dict[str, Any]:
    """Where rounds are measured, with the keys :data:`converse.analysis.gate.speed_table.MACHINE`."""
    described = runs.describe(gate.suite, gate.budget, gate.device, gate.threads)
    capability = described["provenance"]["cpu_capability"] if described["device"] == "cpu" else None
    known = {key: described[key] for key in ("device", "model", "threads", "torch", "driver")}
    return {**known, "driver": known["driver"] or "", "capability": capability or ""}


@dataclass(frozen=True)
class _Rounds:
    rows: pd.DataFrame
    held: tuple[Held, ...]
    count: int


def _checked(gate: SpeedGate, store: Store, judge: Judge, seconds: float, tell: Tell) -> SpeedCheck:
    began = time.monotonic()
    found = _rounds(gate, store, ROUNDS, _counted(tell, 0, ROUNDS), (), judge, seconds)
    return SpeedCheck(found.held, found.count, time.monotonic() - began)


def _rounds(
    gate: SpeedGate,
    store: Store,
    least: int,
    tell: Callable[[int, str, float], None],
    environment: tuple[tuple[str, str], ...],
    judge: Judge = lambda rows: (),
    seconds: float = math.inf,
) -> _Rounds:
    """Measure rounds: so many, and more of the cases of which more may be said.

    Args:
        gate: what is measured.
        store: where they are kept, each as a run of speed.
        least: how many, if there is time.
        tell: told of which round, from 0, which case is measured, and which share of the round is done.
        environment: of the processes.
        judge: what rounds say; asked after each.
        seconds: see :data:`SECONDS`.
    """
    began = time.monotonic()
    described = runs.describe(gate.suite, gate.budget, gate.device, gate.threads)
    identity = runs.run_identity(gate.groups, gate.spent, gate.device, gate.threads)
    last = max((int(run.rpartition("-")[2]) for run in store.speed.runs() if run.startswith(f"{identity}-")), default=0)
    todo: list[Group] = list(gate.groups)
    done: list[str] = []
    with runs.workers(gate.spent, gate.device, gate.threads, environment) as workers:
        while True:
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            folder = store.speed.folder(f"{identity}-{last + len(done) + 1}", {**described, "time": now})
            number = len(done)

            def report(case: int, share: float, number: int = number, todo: list[Group] = todo) -> None:
                tell(number, _name(todo[case]), (case + share) / len(todo))

            report(0, 0.0)
            with folder.lock():
                runs.carry_out(folder, todo, gate.spent, workers, gate.device, report)
            done.append(folder.id)
            rows = store.speed_rows(done)
            held = tuple(judge(rows))
            late = time.monotonic() - began > seconds
            if len(done) >= least or (late and len(done) >= LEAST_ROUNDS):
                open_ = {one.key for one in held if one.open}
                todo = [group for group in gate.groups if _keys(group) & open_]
                if late or not todo:
                    return _Rounds(rows, held, len(done))


def _counted(tell: Tell, before: int, every: int) -> Callable[[int, str, float], None]:
    """Progress of rounds, of which some come before, among all of them."""

    def told(number: int, name: str, share: float) -> None:
        first = before + number + 1
        tell(Progress(first, max(first, every), "speed", name, round(100 * share), 100))

    return told


def _paired(gate: SpeedGate, other: OtherVersion, operator: str | None) -> tuple[SpeedGate, Mapping[str, str]]:
    """The same subjects in both versions: cases of two each, and the name of each one's counterpart."""
    here = str(Path(converse.__file__).resolve().parents[1])
    own = None if operator is None else named(operator).operator
    theirs = None if own is None else other.operator(own)
    if other.library is None and theirs is None:
        what = "no converse" if operator is None else f"neither a converse nor {operator}"
        raise OptionError(f"--against {other.name}: it has {what}, so there is nothing to measure")
    beside: dict[str, str] = {}
    made = []
    for group in gate.groups:
        for subject in group.subjects[1:]:
            beside[subject.name] = f"{subject.name} of {other.name}"
            made_of = theirs if theirs is not None and subject.operator == own else subject.operator
            base = replace(subject, name=beside[subject.name], operator=made_of, library=str(other.library or here))
            made.append(Group(group.case, (base, replace(subject, library=here))))
    return replace(gate, groups=tuple(made)), beside


def _keys(group: Group) -> set[tuple[Any, ...]]:
    return {key_of({**group.case.columns(), "subject": subject.name}) for subject in group.subjects}


def _name(group: Group) -> str:
    return f"{group.case.sweep}, {group.case.pass_}, {case_label(group.case.columns())}"
