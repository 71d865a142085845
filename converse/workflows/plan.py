"""``converse plan``: what a suite's table takes on a device, before anything is downloaded or trained.

Rows of released weights and rows that are trained are kept apart: ``converse reproduce`` makes the ones, ``converse
run`` the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, Literal, TypedDict

import psutil
import torch

from converse.data.catalogue import Dataset, datasets
from converse.data.images import image_set
from converse.data.resources import Resources
from converse.data.tasks import TASKS
from converse.errors import OptionError
from converse.experiments.running.estimates import Estimate
from converse.experiments.running.throughput import Rates, Source, device_of, rates_here, rates_of
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.running.watched import estimated
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import load_suite
from converse.experiments.trials import platform_class
from converse.workflows.plan_commands import missing, released_plans, reproducing
from converse.workflows.preview import existing_store, image_pixels, speed_rows
from converse.workflows.run_request import RunRequest

DEFAULT_BUDGET: Final = "paper"

_BYTES_PER_PIXEL: Final = {"grey": 0.65, "colour": 1.6}
"""Of photographs as PNG, within a third: for test sets of the catalogue, which need not be at hand."""

Origin = Literal["released weights", "trained"]


class PlanRow(TypedDict):
    """What one entry's row takes: null where its network fails on a patch.

    ``multiply_adds_per_pixel`` are of a forward pass, ``training_multiply_adds`` of one trial's training (steps · batch
    · patch² · 3 · those per pixel), ``multiply_adds`` of all its trials with their evaluation. The seconds are of all
    trials one after another, the memory that of training.
    """

    entry: str
    origin: Origin
    trials: int
    multiply_adds_per_pixel: float | None
    training_multiply_adds: float | None
    multiply_adds: float | None
    least_seconds: float | None
    most_seconds: float | None
    estimated_from: Source | None
    memory_bytes: int | None
    disk_bytes: int


class PlanStep(TypedDict):
    """One command, in order: seconds at least and at most, null where they are not known or depend on the network."""

    command: str
    what: str
    multiply_adds: float | None
    least_seconds: float | None
    most_seconds: float | None
    memory_bytes: int | None
    download_bytes: int
    disk_bytes: int


ROW_COLUMNS: Final = tuple(PlanRow.__annotations__)


@dataclass(frozen=True)
class Plan:
    """What a table takes.

    Attributes:
        title: of the suite.
        budget: the one that is planned.
        device: where it would run.
        rows: one per entry, those of released weights first.
        steps: commands, in order.
        notes: what to know before.
    """

    title: str
    budget: str
    device: str
    rows: tuple[PlanRow, ...]
    steps: tuple[PlanStep, ...]
    notes: tuple[str, ...]


def plan(request: RunRequest, on: str | None = None) -> Plan:
    """Count what a suite takes; nothing is trained, downloaded or written, and data need not be at hand.

    Args:
        request: what would be asked of ``converse run``; without a budget, ``paper``, or the suite's last.
        on: a device of ``benchmarks/throughput/throughput.toml``; ``None`` for this machine's.

    Raises:
        OptionError: two devices are named: one that is not here, and one of this machine.
        ConverseError: a name is not known, or a network cannot be built.
    """
    if on is not None and request.device != "auto":
        raise OptionError(
            f"--on {on} plans for a device that is not here, and --device {request.device} for one of this machine: "
            "leave out one of the two"
        )
    budgets = load_suite(request.suite, networks=False).budgets
    default = DEFAULT_BUDGET if DEFAULT_BUDGET in budgets else list(budgets)[-1]
    request = replace(request, budget=request.budget or default)
    suite = request.read()
    plans = request.plans(suite)
    released = released_plans(plans)
    with torch_settings("cpu" if on else request.device, request.cpu_threads, deterministic=False) as here:
        if on is None:
            rates, memory = (
                rates_here(here.device, speed_rows(existing_store(request.store), here)),
                _memory(here.device),
            )
            name = str(platform_class(here.device, threads=here.threads)["model"])
        else:
            device = device_of(on)
            rates, memory, name = rates_of(device), int(device.memory_gb * 1e9), device.name
        by_entry = [list(members) for _, members in groupby(sorted(plans, key=_entry), key=_entry)]
        by_entry.sort(key=lambda members: plans.index(members[0]))
        rows = [_row(members, rates, here.threads) for members in (*([one] for one in released), *by_entry)]
    steps = _steps(request, plans, released, rows)
    return Plan(
        suite.title,
        str(request.budget),
        name,
        tuple(rows),
        tuple(steps),
        (*request.not_trained(suite), *_notes(rows, memory, name)),
    )


def _entry(one: RunPlan) -> str:
    return one.entry


def _row(plans: Sequence[RunPlan], rates: Rates, threads: int) -> PlanRow:
    """One entry, under all its seeds."""
    one, trials = plans[0], len(plans)
    needs = estimated(one, threads)
    whole, seconds, source = _whole(one, needs), None, None
    if whole is not None and needs.per_pixel is not None:
        rate = rates(one, needs.per_pixel)
        seconds, source = rate.seconds(trials * whole), rate.source
    return {
        "entry": one.entry,
        "origin": "released weights" if one.released else "trained",
        "trials": trials,
        "multiply_adds_per_pixel": needs.per_pixel,
        "training_multiply_adds": needs.training,
        "multiply_adds": None if whole is None else trials * whole,
        "least_seconds": seconds and seconds[0],
        "most_seconds": seconds and seconds[1],
        "estimated_from": source,
        "memory_bytes": needs.memory,
        "disk_bytes": trials * needs.disk + needs.disk_while_training,
    }


def _whole(one: RunPlan, needs: Estimate) -> float | None:
    """Multiply-adds of a trial: training, and each test image in each case."""
    if needs.training is None or needs.per_pixel is None:
        return None
    cases = max(1, len(one.kernels or TASKS[one.task].cases)) + len(one.noise_levels)
    return needs.training + needs.per_pixel * cases * sum(_set_pixels(name, one.images) for name in one.test)


def _set_pixels(name: str, images: int | None) -> float:
    """About how many pixels a test set has, or its first images."""
    known = datasets().get(name.lower())
    if known is None:
        return sum(image_pixels(image) for image in image_set(name).images[:images])
    return sum(file.bytes for file in known.files[:images]) / _BYTES_PER_PIXEL[known.colour or "colour"]


def _steps(
    request: RunRequest,
    plans: Sequence[RunPlan],
    released: Sequence[RunPlan],
    rows: Sequence[PlanRow],
) -> Iterator[PlanStep]:
    resources = Resources(request.data_dir, fetch=False)
    first = missing(released, resources)
    yield from _fetching(first, "test images and weights")
    if released:
        yield _measuring(str(reproducing(request, released)), "rows of released weights", rows[: len(released)])
    yield from _fetching([one for one in missing(plans, resources) if one not in first], "images to train on")
    line = CommandLine("run", request.suite).changed(
        budget=request.budget,
        seeds=request.seeds,
        only=request.entries,
        datasets=request.datasets,
        images=request.images,
        tuned=request.tuned,
        **request.place(),
    )
    yield _measuring(str(line), "rows that are trained", rows[len(released) :])
    elsewhere = request.place().get("store")
    report = "converse report" if elsewhere is None else str(CommandLine("report", str(elsewhere)))
    yield _step(report, "the page with the table")


def _fetching(absent: Sequence[Dataset], what: str) -> Iterator[PlanStep]:
    if absent:
        size = sum(one.bytes for one in absent)
        line = CommandLine("data", "fetch").words() + [one.name for one in absent]
        yield {**_step(" ".join(line), what), "download_bytes": size, "disk_bytes": size}


def _step(command: str, what: str) -> PlanStep:
    return {
        "command": command,
        "what": what,
        "multiply_adds": None,
        "least_seconds": None,
        "most_seconds": None,
        "memory_bytes": None,
        "download_bytes": 0,
        "disk_bytes": 0,
    }


def _measuring(command: str, what: str, rows: Sequence[PlanRow]) -> PlanStep:
    return {
        **_step(command, what),
        "multiply_adds": _total(row["multiply_adds"] for row in rows),
        "least_seconds": _total(row["least_seconds"] for row in rows),
        "most_seconds": _total(row["most_seconds"] for row in rows),
        "memory_bytes": max((row["memory_bytes"] or 0 for row in rows), default=0) or None,
        "disk_bytes": sum(row["disk_bytes"] for row in rows),
    }


def _total(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None


def _notes(rows: Sequence[PlanRow], memory: int, device: str) -> Iterator[str]:
    """Which networks do not fit."""
    large = [row for row in rows if (row["memory_bytes"] or 0) > memory]
    if large:
        said = ", ".join(f"{row['entry']} ({(row['memory_bytes'] or 0) / 1e9:.0f} GB)" for row in large)
        yield (
            f"training takes more memory than {device} has ({memory / 1e9:.0f} GB): {said}; "
            "a smaller batch or patch in the suite is another training"
        )


def _memory(device: str) -> int:
    """Bytes that the device has."""
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)
