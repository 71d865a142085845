"""What a network costs by counting, multiply-adds per pixel of its output; and the shape that its output has."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from converse.experiments.suites.plans import RunPlan
from converse.experiments.trials import Trial, canonical_json


def multiply_adds(plans: Iterable[RunPlan]) -> dict[str, float]:
    """Count the networks of plans; each is built and evaluated once on a small image.

    Args:
        plans: of one suite.

    Returns:
        Entry → multiply-adds per pixel of its output, for images of :data:`converse.nn.complexity.SIZE`. A network that
        cannot be built or evaluated there is left out.
    """
    counts = {plan.entry: plan_multiply_adds(plan.task, plan.model, plan.operator, plan.options) for plan in plans}
    return {entry: count for entry, count in counts.items() if count is not None}


def plan_multiply_adds(task: str, model: str, operator: str | None, options: Mapping[str, Any]) -> float | None:
    """Count one network.

    Args:
        task: ``denoising`` …, for the channels and the scale of its images.
        model: a name of :func:`converse.nn.models.list_models`.
        operator: the name of its operator, or ``None`` for a model that takes none.
        options: arguments of the model, by name.

    Returns:
        Multiply-adds per pixel of its output, or ``None`` for a network that cannot be built or evaluated here, such as
        one whose operator's file is gone.
    """
    return _counted(task, model, operator, canonical_json(options))


def output_shapes(plans: Iterable[RunPlan]) -> dict[str, tuple[int, ...]]:
    """The shapes of outputs for one image of zeros, that should have :data:`converse.nn.complexity.SIZE`.

    Args:
        plans: of one suite.

    Returns:
        Entry → [1, C, H, W] as it is; without sides for a network that cannot be built or evaluated there.
    """
    from converse.data.tasks import TASKS
    from converse.experiments.suites.user_operators import build_network
    from converse.nn.complexity import output_shape

    shapes: dict[str, tuple[int, ...]] = {}
    for plan in {plan.entry: plan for plan in plans}.values():
        task = TASKS[plan.task]
        shapes[plan.entry] = ()
        with contextlib.suppress(Exception):  # whatever a user's code raises; to have no shape is an answer
            network = build_network(plan.model, plan.operator, plan.options)
            shapes[plan.entry] = output_shape(network, channels=task.channels, scale=task.scale)
    return shapes


def trial_multiply_adds(trial: Trial) -> float | None:
    """Count the network of a finished trial from what a store knows of it.

    Args:
        trial: of any suite, at hand or not.

    Returns:
        As :func:`plan_multiply_adds`; ``None`` too where the operator is a user's, since a store may come from anybody
        and no code that it names is run, or the configuration is not one that this code builds networks from.
    """
    from converse.nn.operators import OPERATORS

    made = trial.configuration
    if trial.source != "trained" or not {"model", "operator", "options"} <= set(made):
        return None
    if made["operator"] is not None and made["operator"] not in OPERATORS:
        return None
    return _counted(trial.task, made["model"], made["operator"], canonical_json(made["options"]))


@lru_cache(maxsize=256)
def _counted(task: str, model: str, operator: str | None, options: str) -> float | None:
    from converse.data.tasks import TASKS
    from converse.experiments.suites.user_operators import build_network
    from converse.nn.complexity import complexity

    try:
        network = build_network(model, operator, json.loads(options))
        return complexity(network, channels=TASKS[task].channels, scale=TASKS[task].scale).per_pixel
    except Exception:  # whatever a user's code raises; a count is never worth the rest of the answer
        return None
