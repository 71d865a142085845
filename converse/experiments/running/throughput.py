"""How many multiply-adds a second a network gets through: as it was timed, by a step that is timed now, or by a table.

A number of one machine says little of another. What carries over is a network's efficiency: its multiply-adds a second
in a step of training, over those of the yardstick, one convolution with its gradients, on the same machine in the same
minute. ``benchmarks/speed/training_efficiency.py`` measures it, and ``benchmarks/throughput/throughput.toml`` keeps it,
beside what vendors say of devices that are not here.
"""

from __future__ import annotations

import math
import statistics
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch.nn.grad import conv2d_input, conv2d_weight

from converse.content import content
from converse.data.tasks import TASKS
from converse.errors import OptionError, unknown
from converse.experiments.devices import synchronise
from converse.experiments.running.estimates import TRAINING
from converse.experiments.suites.plans import RunPlan

YARDSTICK_SECONDS: Final = 0.2
"""For how long the yardstick is timed."""

_CHANNELS, _SIDE, _KERNEL = 64, 64, 3

Source = Literal["trials", "rows", "speed", "yardstick", "table"]
"""Where a time comes from: finished trials of the same training under other seeds; rows of the same network; ``converse
speed`` on this machine; the yardstick, timed now, and the table of efficiencies; the table alone."""

_Range = Annotated[tuple[float, float], Field(strict=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Device(_Strict):
    """A device that is not here.

    Attributes:
        name: as people call it.
        tflops: 10¹² float32 operations per second at most, without tensor cores; a multiply-add is two.
        memory_gb: 10⁹ bytes of memory.
        source: of both numbers.
    """

    name: str
    tflops: float
    memory_gb: float
    source: str


class _Table(_Strict):
    """``benchmarks/throughput/throughput.toml``, which says what each key means."""

    schema_: Literal[1] = Field(alias="schema")
    efficiency: Mapping[str, Annotated[tuple[_Range, ...], Field(strict=False, min_length=1)]]
    spread: _Range
    elsewhere: _Range
    utilisation: _Range
    devices: Annotated[tuple[Device, ...], Field(strict=False)]


@dataclass(frozen=True)
class Rate:
    """Multiply-adds per second.

    Attributes:
        slow: at least so many.
        fast: at most so many.
        source: where they come from.
    """

    slow: float
    fast: float
    source: Source

    def seconds(self, multiply_adds: float) -> tuple[float, float]:
        """At least and at most."""
        return multiply_adds / self.fast, multiply_adds / self.slow

    def times(self, factor: tuple[float, float]) -> Rate:
        """The rate, with a factor that is itself known as a range."""
        return Rate(self.slow * factor[0], self.fast * factor[1], self.source)


Rates = Callable[[RunPlan, float], Rate]
"""A plan, and multiply-adds of its network per pixel of the output → how fast it is."""


def rates_here(device: str, rows: Iterable[Mapping[str, Any]]) -> Rates:
    """Rates on this machine: of rows of speed where there are some of the network, otherwise by the yardstick.

    Args:
        device: resolved, not ``auto``; torch is set as it will be (:mod:`.torch_settings`).
        rows: of runs of ``converse speed`` on this machine with as many threads.
    """
    timed = [row for row in rows if row.get("kind") == "network" and row.get("median_s") and row.get("multiply_adds")]
    measured = cache(lambda: _timed_yardstick(device))

    def rate(plan: RunPlan, per_pixel: float) -> Rate:
        found = [_of_row(row) for row in timed if _is_of(row, plan, per_pixel)]
        if found:
            return Rate(min(found), max(found), "speed")
        return Rate(measured(), measured(), "yardstick").times(_efficiency(plan, per_pixel, device))

    return rate


def rates_of(device: Device) -> Rates:
    """Rates on a device that is not here, by what its vendor says and by guesses of what a network makes of that."""
    most = device.tflops * 1e12 / 2
    return lambda plan, per_pixel: (
        Rate(most, most, "table").times(_table().utilisation).times(_efficiency(plan, per_pixel, "cuda"))
    )


def devices() -> dict[str, Device]:
    """The devices of the table, by name."""
    return {device.name: device for device in _table().devices}


def device_of(name: str) -> Device:
    """A device of the table, in any case.

    Raises:
        OptionError: there is none of that name.
    """
    known = {one.casefold(): device for one, device in devices().items()}
    if name.casefold() not in known:
        raise OptionError(unknown("device", name, devices()))
    return known[name.casefold()]


def yardstick(device: str) -> tuple[Callable[[], None], int]:
    """One step to hold others against: a convolution of 64 → 64 channels, 3×3, on 64×64 samples, and its gradients.

    Args:
        device: ``cpu``, ``cuda`` …; a GPU gets 16 images, for one would not fill it.

    Returns:
        The step, which waits until it is done, and its multiply-adds.
    """
    images = 1 if device == "cpu" else 16
    x = torch.rand(images, _CHANNELS, _SIDE, _SIDE, device=device)
    weight = torch.rand(_CHANNELS, _CHANNELS, _KERNEL, _KERNEL, device=device)
    gradient, padding = torch.rand_like(x), _KERNEL // 2

    def step() -> None:
        # What autograd calls; to be asked itself, it would load what it compares symbolic shapes with.
        F.conv2d(x, weight, padding=padding)
        conv2d_input(x.shape, weight, gradient, padding=padding)
        conv2d_weight(x, weight.shape, gradient, padding=padding)
        synchronise(device)

    return step, TRAINING * images * _SIDE**2 * _CHANNELS**2 * _KERNEL**2


def kind(plan: RunPlan) -> str:
    """What the table of efficiencies calls a network: its model, and its operator if it has one."""
    return f"{plan.model} {plan.operator}" if plan.operator else plan.model


def _timed_yardstick(device: str) -> float:
    """Multiply-adds per second of the yardstick: the median over steps, for what slows it slows training too."""
    step, multiply_adds = yardstick(device)
    step()
    times: list[float] = []
    while sum(times) < YARDSTICK_SECONDS:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return multiply_adds / statistics.median(times)


def _efficiency(plan: RunPlan, per_pixel: float, device: str) -> tuple[float, float]:
    """Least and largest efficiency of such a network: between those measured of its kind, by its cost per pixel."""
    table = _table()
    known = table.efficiency.get(kind(plan))
    kinds = [known] if known else list(table.efficiency.values())  # of an operator that is not known, any
    found = [_between(points, per_pixel) for points in kinds]
    low, high = min(found) * table.spread[0], max(found) * table.spread[1]
    return (low, high) if device == "cpu" else (low * table.elsewhere[0], high * table.elsewhere[1])


def _between(points: Sequence[tuple[float, float]], per_pixel: float) -> float:
    costs, efficiencies = np.log(sorted(points)).T
    return float(np.exp(np.interp(math.log(per_pixel), costs, efficiencies)))


def _of_row(row: Mapping[str, Any]) -> float:
    return float(row["multiply_adds"]) * (TRAINING if row["pass"] == "step" else 1) / float(row["median_s"])


def _is_of(row: Mapping[str, Any], plan: RunPlan, per_pixel: float) -> bool:
    """Whether a row timed this network in float32: the same name, and the same cost up to that of transforms."""
    if row["subject"] != plan.entry or row["dtype"] != "float32" or row["compiled"] or row["scale"] not in (None, 1):
        return False
    pixels = row["batch"] * row["height"] * row["width"] * TASKS[plan.task].scale ** 2
    return bool(abs(row["multiply_adds"] / pixels / per_pixel - 1) < 0.2)


@cache
def _table() -> _Table:
    path = content("benchmarks") / "throughput" / "throughput.toml"
    return _Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
