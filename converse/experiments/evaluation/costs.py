"""What a network costs by counting: multiply-adds per pixel of its output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from converse.errors import ConverseError
from converse.experiments.suites.plans import RunPlan
from converse.experiments.trials import canonical_json


def multiply_adds(plans: Iterable[RunPlan]) -> dict[str, float]:
    """Count the networks of plans; each is built and evaluated once on a small image.

    Args:
        plans: of one suite.

    Returns:
        Entry → multiply-adds per pixel of its output, for images of :data:`converse.nn.complexity.SIZE`. A network that
        cannot be built or evaluated there is left out.
    """
    found = {plan.entry: plan_multiply_adds(plan.task, plan.model, plan.operator, plan.options) for plan in plans}
    return {entry: count for entry, count in found.items() if count is not None}


def plan_multiply_adds(task: str, model: str, operator: str | None, options: Mapping[str, Any]) -> float | None:
    """Count one network.

    Args:
        task: ``denoising`` …, for the channels and the scale of its images.
        model: for `build_model`.
        operator: likewise.
        options: likewise.

    Returns:
        Multiply-adds per pixel of its output, or ``None`` for a network that cannot be built or evaluated here, such as
        one whose operator's file is gone.
    """
    return _counted(task, model, operator, canonical_json(options))


@lru_cache(maxsize=256)
def _counted(task: str, model: str, operator: str | None, options: str) -> float | None:
    from converse.data.degradations import TASKS
    from converse.nn.complexity import complexity
    from converse.nn.models import build_model

    try:
        network = build_model(model, operator, **json.loads(options))
        return complexity(network, channels=TASKS[task].channels, scale=TASKS[task].scale).per_pixel
    except (ConverseError, RuntimeError, ValueError, TypeError):
        return None
