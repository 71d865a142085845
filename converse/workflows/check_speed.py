"""The gate's speed: this version taking turns with another one, or beside a baseline's ratios."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from converse.analysis.gate.baseline import Baseline
from converse.analysis.gate.findings import Finding
from converse.analysis.gate.speed_table import SpeedTable
from converse.analysis.gate.timing import (
    BOUNDS,
    LEVEL,
    MARGIN,
    ROUNDS,
    Held,
    against_file,
    speed_cases,
)
from converse.errors import OptionError
from converse.experiments.devices import resolve_device
from converse.experiments.running.other_machines import playable
from converse.experiments.speed.cases import YARDSTICK
from converse.experiments.speed.neighbour import neighbours
from converse.experiments.speed.suite import speed_suites
from converse.experiments.store import Store
from converse.workflows.check_request import CheckRequest, from_file, operator_of
from converse.workflows.check_turns import beside_commit, check_other, not_measured
from converse.workflows.speed_rounds import (
    Rounds,
    SpeedGate,
    kept_rounds,
    machine_of,
    measure_rounds,
    speed_gate,
    told,
)
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

    from converse.workflows.other_version import OtherVersion

SPEED_SUITE: Final = "gate"
"""The suite of speed where none is named."""

SPEED_BUDGET: Final = "quick"

WRITTEN: Final = 12
"""Rounds from which a baseline is made, and as many beside a process that computes."""

PLAYED: Final = 3
"""Rounds on each other machine that this one can play."""


def speed(
    request: CheckRequest,
    baseline: Baseline,
    other: OtherVersion | None,
    store: Path,
    progress: Callable[[Progress], None],
) -> tuple[list[Finding], list[str]]:
    """The part ``speed`` of a check.

    Args:
        request: what the user asks for.
        baseline: the file.
        other: the version that is measured in the place of the baseline's ratios; ``None`` for these.
        store: the folder in which rounds are kept, or with ``--from`` are found.
        progress: told often.

    Returns:
        Findings, and what else the user should know.

    Raises:
        ConverseError: the suite of speed cannot be read, the operator cannot stand there, the other version does not
            fit, or rounds cannot be kept.
        KeyboardInterrupt: it was stopped.
    """
    table = baseline.speed
    if table is None and other is None:
        reason = (
            f"{request.baseline} has no [speed]: converse check {request.baseline} --write --part speed adds it, and "
            "--against another version needs none"
        )
        return not_measured(reason)
    suite, budget, threads = SPEED_SUITE, SPEED_BUDGET, 1
    if table is not None:
        suite, budget, threads = speed_suite_of(table, request.baseline), table.budget, table.threads
    operator = request.operator or operator_of(baseline, request.baseline)
    gate = speed_gate(suite, budget, resolve_device(request.device_for(baseline)), threads, operator)
    longer = str(request.line().changed(part=("speed",), seconds=f"{5 * request.seconds:g}"))
    if other is not None:
        found = check_other(gate, other, operator, Store(store), request.seconds, progress, longer)
        note = f"time and memory are compared with those of {other.name}, which took turns here"
        return [one.finding for one in found.held], [note]
    assert table is not None
    if table.against is not None:
        return beside_commit(request, gate, table.against, operator, Store(store), progress, longer)
    if request.taken_from is not None:
        kept = kept_rounds(gate, Store(store, create=False))
        if kept is None:
            reason = f"{store} has no run of the suite of speed {gate.suite!r}, {gate.budget}"
            return not_measured(reason)
        rows, described = kept
        held = against_file(table, rows, table.differences(machine_of(described)), longer)
        return [one.finding for one in held], []
    found = check_table(gate, table, Store(store), request.seconds, progress, longer)
    return [one.finding for one in found.held], []


def speed_suite_of(table: SpeedTable, file: Path) -> str:
    """The suite of speed of a baseline as the command line takes it: a name, or a path from the working directory."""
    return table.suite if table.suite in speed_suites() else from_file(file, table.suite)


def check_table(
    gate: SpeedGate,
    table: SpeedTable,
    store: Store,
    seconds: float,
    progress: Callable[[Progress], None],
    look: str,
) -> Rounds:
    """Hold rounds of this machine against the ratios of a baseline.

    Args:
        gate: what is measured, for the cache of the baseline's machine where it says it.
        table: of the baseline.
        store: where rounds are kept.
        seconds: after which no further round begins, once there are some.
        progress: told often.
        look: the command that shows more.

    Raises:
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    gate = replace(gate, core_cache=table.core_cache)
    differing = table.differences(machine_of(gate.described()))

    def judge(rows: pd.DataFrame) -> list[Held]:
        return against_file(table, rows, differing, look)

    return measure_rounds(gate, store, ROUNDS, judge=judge, seconds=seconds, tell=told(progress, 0, ROUNDS))


def measured_table(gate: SpeedGate, suite: str, store: Store, progress: Callable[[Progress], None]) -> SpeedTable:
    """What a baseline says of this machine.

    Args:
        gate: what is measured.
        suite: as the baseline names it.
        store: where rounds are kept.
        progress: told often.

    Returns:
        Ratios from :data:`WRITTEN` rounds, and what they move by on other machines that this one can play.

    Raises:
        OptionError: something could not be measured, or not well enough to pass anything.
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    here = machine_of(gate.described())
    kinds = playable(gate.threads, here["capability"]) if gate.device == "cpu" else []
    # Another number of threads is another measurement, and not another machine.
    played = {kind.name: tuple(kind.environment.items()) for kind in kinds if kind.threads == gate.threads}
    # A round of a busy machine is another one where cores share what they compute with, and a runner is often busy.
    shared = gate.device == "cpu" and (os.cpu_count() or 1) > gate.threads
    alone = WRITTEN * (2 if shared else 1)
    every = alone + PLAYED * len(played)
    rows = measure_rounds(gate, store, WRITTEN, tell=told(progress, 0, every)).rows
    beside = None
    if shared:
        with neighbours():
            beside = measure_rounds(gate, store, WRITTEN, tell=told(progress, WRITTEN, every)).rows
    elsewhere = {
        name: measure_rounds(
            gate, store, PLAYED, environment=environment, tell=told(progress, alone + PLAYED * number, every)
        ).rows
        for number, (name, environment) in enumerate(played.items())
    }
    cases, lacking = speed_cases(rows, YARDSTICK, elsewhere, beside)
    if lacking:
        raise OptionError(f"no baseline of what could not be measured: {lacking[0]}")
    for case in cases:
        if case.floor >= BOUNDS["time"].unseen:
            raise OptionError(
                f"no baseline of speed on so busy a machine: the ratio of {case.subject}, {case.pass_}, is uncertain "
                f"by {case.floor:.0%}, and {BOUNDS['time'].unseen:.0%} must not pass unseen; try again when it has "
                "less to do, or leave speed out with --part quality"
            )
    moved = (
        f"{MARGIN:g} times the largest change of any case with {' and '.join(played)}"
        if played
        else "no other was played"
    )
    of = f"over {WRITTEN} rounds" + (f", and over {WRITTEN} beside a process that computes" if shared else "")
    found = f"floors: the {LEVEL:.0%} interval {of}, and at least 5 %; elsewhere: {moved}"
    return SpeedTable.model_validate(
        {"suite": suite, "budget": gate.budget, "rounds": WRITTEN, "found": found, "cases": cases, **here}
    )
