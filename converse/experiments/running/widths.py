"""The width at which a network costs as much as another one: as many parameters, multiply-adds, or as much time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import nn

from converse.data.tasks import TASKS
from converse.errors import OptionError
from converse.experiments.devices import synchronise
from converse.experiments.running.estimates import random_batch
from converse.experiments.suites.compared import WIDTH
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.user_operators import build_network
from converse.nn.complexity import SIZE, complexity
from converse.nn.models import parameter_count

Cost = Literal["parameters", "multiply-adds", "time"]
"""What can be made equal: learnt numbers; multiply-adds per pixel of the output; seconds of an evaluation."""

WIDEST: Final = 4096
"""Beyond it no width is looked for."""

_CALLS: Final = 15
"""Of which the shortest is a network's time: other work on the machine only makes calls longer."""


@dataclass(frozen=True)
class Width:
    """What was found.

    Attributes:
        width: the number of features.
        cost: of the network at this width.
        target: what it should cost.
    """

    width: int
    cost: float
    target: float

    @property
    def difference(self) -> float:
        """Relative difference that is left, for a width is a whole number."""
        return self.cost / self.target - 1


def nearest_width(cost: Callable[[int], float], target: float, start: int) -> Width:
    """The width whose cost is nearest to a target; of two that are as near, the smaller.

    Args:
        cost: of a network of some width, which grows with it.
        target: > 0, in the unit of the cost.
        start: a width to begin at, ≥ 1.

    Returns:
        The width, from 1 to :data:`WIDEST`.
    """
    known: dict[int, float] = {}

    def of(width: int) -> float:
        if width not in known:
            known[width] = cost(width)
        return known[width]

    low = high = start
    while low > 1 and of(low) > target:
        low = max(1, low // 2)
    while high < WIDEST and of(high) < target:
        high = min(WIDEST, high * 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if of(middle) < target else (low, middle)
    best = min((low, high), key=lambda width: (abs(of(width) - target), width))
    return Width(best, of(best), target)


def matched_width(plan: RunPlan, base: RunPlan, what: Cost, device: str) -> Width:
    """The width at which the network of one plan costs as much as that of another.

    Args:
        plan: whose width is looked for; it begins at its own.
        base: the other.
        what: which cost.
        device: where time is taken.

    Raises:
        OptionError: a network cannot be built or evaluated, or has no width.
    """
    start = {**_defaults(plan.model), **plan.options}.get(WIDTH)
    if not isinstance(start, int):
        raise OptionError(f"{plan.model} has no option {WIDTH!r} that could be matched: leave out --match")
    target = _cost(base, base.options, what, device)
    return nearest_width(lambda width: _cost(plan, {**plan.options, WIDTH: width}, what, device), target, start)


def _defaults(model: str) -> Mapping[str, Any]:
    from converse.experiments.suites.vocabulary import models

    return models()[model].defaults


def _cost(plan: RunPlan, options: Mapping[str, Any], what: Cost, device: str) -> float:
    network = build_network(plan.model, plan.operator, options)
    if what == "parameters":
        return float(parameter_count(network))
    task = TASKS[plan.task]
    if what == "multiply-adds":
        return complexity(network, channels=task.channels, scale=task.scale).per_pixel
    return _seconds(network.to(device).eval(), plan.task, device)


def _seconds(network: nn.Module, task: str, device: str) -> float:
    """Of evaluating one image of :data:`converse.nn.complexity.SIZE`, the least of some calls."""
    given = random_batch(TASKS[task], device, 1, SIZE[0])
    inputs = [getattr(given, name) for name in network.inputs]  # type: ignore[union-attr]
    least = float("inf")
    with torch.inference_mode():
        network(*inputs)
        for _ in range(_CALLS):
            synchronise(device)
            begun = time.perf_counter()
            network(*inputs)
            synchronise(device)
            least = min(least, time.perf_counter() - begun)
    return least
