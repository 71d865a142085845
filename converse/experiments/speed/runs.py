"""One run of a suite of speed: which it is, and its cases, measured one after the other into the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psutil

from converse.data.catalogue import sha256_of
from converse.experiments.provenance import code_hash, output_of, provenance
from converse.experiments.speed.cases import LITERAL
from converse.experiments.speed.suite import Group, SpeedBudget, as_mapping
from converse.experiments.speed.turns import Settled, Spending, Workers, measure
from converse.experiments.speed.workers import Settings
from converse.experiments.store.speed_rows import SpeedFolder, SpeedShelf, speed_key
from converse.experiments.suites.user_operators import operator_file
from converse.experiments.trials import canonical_json, platform_class

_ID_LENGTH: Final = 12


def run_identity(groups: Sequence[Group], budget: SpeedBudget, device: str, threads: int) -> str:
    """What a run is: a hash of what it measures, by which code, on which machine.

    Args:
        groups: the cases.
        budget: how much is spent on them.
        device: resolved, not ``auto``.
        threads: CPU threads.

    Returns:
        12 hex digits.

    Raises:
        DataError: the file of a user's operator cannot be read.
    """
    names = {subject.operator for group in groups for subject in group.subjects if subject.operator}
    files = {name: operator_file(name) for name in sorted(names)}
    identity = {
        "groups": as_mapping(groups),
        "spending": [budget.turns, budget.turn_seconds, budget.case_seconds, budget.memory_gib, budget.steady],
        "operator_files": {name: sha256_of(file) for name, file in files.items() if file is not None},
        "platform": {**platform_class(device, threads=threads), "threads": threads, "device": device},
        "code": code_hash(),
    }
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:_ID_LENGTH]


def run_folder(shelf: SpeedShelf, identity: str, groups: Sequence[Group], again: bool) -> str:
    """The id of the run to go on with: the last one of this identity, or the next.

    Args:
        shelf: the store's.
        identity: what :func:`run_identity` gave.
        groups: the cases.
        again: measure anew what is finished.

    Returns:
        The identity with a number, ``3f0c…-1``.
    """
    number = 1
    while (shelf.root / f"{identity}-{number + 1}").is_dir():
        number += 1
    last = shelf.root / f"{identity}-{number}"
    if again and last.is_dir() and not left(SpeedFolder(last), groups):
        number += 1
    return f"{identity}-{number}"


def left(folder: SpeedFolder, groups: Sequence[Group]) -> list[Group]:
    """The cases that a run has not measured yet."""
    done = {speed_key(row) for row in folder.rows()}
    return [
        group
        for group in groups
        if any(
            speed_key({"subject": subject.name, "kind": subject.kind, "twin": False, **group.case.columns()})
            not in done
            for subject in group.subjects
        )
    ]


def model_of(device: str) -> str:
    """The name of the CPU or GPU."""
    return str(platform_class(device, threads=1)["model"])


def describe(suite: str, budget: str, device: str, threads: int) -> dict[str, Any]:
    """What all rows of a run share, and where they come from."""
    origin = provenance(device)
    return {
        "suite": suite,
        "budget": budget,
        "device": device.partition(":")[0],
        "model": model_of(device),
        "driver": origin["driver"],
        "threads": threads,
        "torch": origin["versions"].get("torch"),
        "commit": origin["commit"],
        "code": origin["code"],
        "time": origin["time"],
        "provenance": origin,
    }


def workers(budget: SpeedBudget, device: str, threads: int, environment: tuple[tuple[str, str], ...] = ()) -> Workers:
    """The processes that measure, to be closed by whoever asks for them.

    Args:
        budget: how much is spent.
        device: resolved, not ``auto``.
        threads: CPU threads.
        environment: variables with which they begin.
    """
    limit = _memory_limit(budget, device)
    return Workers(Settings(device, threads, budget.turn_seconds, limit, budget.steady, environment))


def carry_out(
    folder: SpeedFolder,
    groups: Sequence[Group],
    budget: SpeedBudget,
    processes: Workers,
    device: str,
    report: Callable[[int, float], None] = lambda number, share: None,
    settled: Settled = lambda turns: True,
) -> None:
    """Measure cases; the rows of each are kept as soon as it is done.

    Args:
        folder: of the run; the caller holds its lock.
        groups: what is left to do.
        budget: how much is spent.
        processes: from :func:`workers`.
        device: theirs.
        report: told the number of the case, from 0, and which share of it is done.
        settled: asked of each case whether its turns are enough.

    Raises:
        StoreError: rows could not be written.
        KeyboardInterrupt: it was stopped; the rows of finished cases are kept.
    """
    spending = Spending(budget.turns, budget.case_seconds)
    for number, group in enumerate(groups):

        def told(share: float, number: int = number) -> None:
            report(number, share)

        rows = measure(group.case, group.subjects, processes, spending, told, settled)
        clock = clock_mhz(device)
        folder.add([{**row, "clock_mhz": clock} for row in rows])


def clock_mhz(device: str) -> float | None:
    """The clock of the processor or GPU as its system tells it now, in MHz; ``None`` where it doesn't."""
    if device.startswith("cuda"):
        index = device.partition(":")[2] or "0"
        said = output_of("nvidia-smi", f"--id={index}", "--query-gpu=clocks.sm", "--format=csv,noheader,nounits")
        try:
            return float((said or "").split()[0])
        except (ValueError, IndexError):
            return None
    try:
        frequency = psutil.cpu_freq()
    except (OSError, RuntimeError, NotImplementedError):
        return None
    return float(frequency.current) if frequency and frequency.current else None


def expected_seconds(group: Group, budget: SpeedBudget, seconds: Mapping[tuple[Any, ...], float]) -> float:
    """About how long a case takes: by what it took before on such a machine, otherwise by a rule of thumb.

    Args:
        group: the case.
        budget: how much is spent.
        seconds: median of one call by :func:`converse.experiments.store.speed_rows.speed_key`.
    """
    whole = 0.0
    for index, subject in enumerate(group.subjects):
        key = speed_key({"subject": subject.name, "kind": subject.kind, "twin": False, **group.case.columns()})
        call = seconds.get(key) or _rule_of_thumb(group, subject.kind, LITERAL in (subject.formula, subject.operator))
        turn = max(budget.turn_seconds, call) + call
        whole += (8 * call + budget.turns * turn) * (1 if index else 2)
    return min(whole, budget.case_seconds) + 0.2 * len(group.subjects)


def _rule_of_thumb(group: Group, kind: str, literal: bool) -> float:
    """Seconds of one call on two CPU cores, within a factor of some three."""
    case = group.case
    pixels = case.batch * case.height * case.width * case.scale**2
    per_pixel = 1e-5 if kind == "network" else 1e-8 * case.channels
    return pixels * per_pixel * (8 if literal else 1) * (4 if case.pass_ in ("forward+backward", "step") else 1)


def _memory_limit(budget: SpeedBudget, device: str) -> int | None:
    if device != "cpu":
        return None
    if budget.memory_gib is not None:
        return int(budget.memory_gib * 2**30)
    from converse.experiments.devices import most_of_memory  # loads torch

    return most_of_memory(device)
