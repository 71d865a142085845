"""What a trial will take, before it is run: multiply-adds, memory and disk, counted without a step of training."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch

from converse.data.batches import Batch
from converse.data.tasks import TASKS, Task
from converse.experiments.store.folder import TrialFolder
from converse.experiments.suites.plans import INPUT, RunPlan
from converse.experiments.suites.user_operators import build_network
from converse.experiments.training.checkpoints import KEPT
from converse.experiments.trials import canonical_json
from converse.nn.complexity import ForwardPass, forward_pass
from converse.nn.without_values import without_values

TRAINING: Final = 3
"""Multiply-adds of a step of training, in those of its forward pass: the gradients of what a layer is given and of its
weights cost as much as its output, each."""

_BESIDE: Final = 100_000  # bytes of rows, curve, provenance and log


@dataclass(frozen=True)
class Estimate:
    """What a trial takes; ``None`` where its network fails on a patch.

    Attributes:
        per_pixel: multiply-adds of a forward pass, per pixel of the output.
        training: multiply-adds of all its steps: steps · batch · patch² · 3 · ``per_pixel``.
        memory: bytes that training takes on the device: weights, their gradients, the optimiser's means, and what is
            kept for the backward pass. Libraries, workspaces and what the allocator cannot use are not in it.
        disk: bytes that stay.
        disk_while_training: bytes of training states that go once it is done.
    """

    per_pixel: float | None
    training: float | None
    memory: int | None
    disk: int
    disk_while_training: int


def estimate(plan: RunPlan) -> Estimate:
    """Count what a trial takes; nothing is computed, unless an operator is a user's.

    Args:
        plan: of a suite, or of released weights.

    Raises:
        ConverseError: the network cannot be built.
    """
    if plan.model == INPUT:
        return Estimate(0.0, 0.0, 0, _BESIDE, 0)
    settings = plan.training
    network = _counted(
        plan.task, plan.model, plan.operator, canonical_json(plan.options), settings.batch, settings.patch
    )
    once = network.forward
    per_pixel = None if once is None else once.multiply_adds / (network.samples * settings.patch**2)
    if plan.released:
        return Estimate(per_pixel, 0.0, 0, _BESIDE, 0)
    patches = settings.batch / network.samples
    means = 2 + bool(settings.ema)
    return Estimate(
        per_pixel=per_pixel,
        training=None if once is None else TRAINING * settings.steps * patches * once.multiply_adds,
        memory=None if once is None else (2 + means) * network.weights + round(patches * once.kept_bytes),
        disk=network.weights + _BESIDE,
        disk_while_training=KEPT * (1 + means) * network.weights,
    )


@dataclass(frozen=True)
class _Network:
    """Bytes of its weights, and a forward pass of so many samples; ``None`` where that fails: the run will say why."""

    weights: int
    samples: int
    forward: ForwardPass | None


@lru_cache(maxsize=256)
def _counted(task: str, model: str, operator: str | None, options: str, batch: int, patch: int) -> _Network:
    # The code of a user's operator may need real tensors.
    device, samples = ("cpu", 1) if ":" in (operator or "") else ("meta", batch)
    with without_values() if device == "meta" else contextlib.nullcontext():
        network = build_network(model, operator, json.loads(options)).train()
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    given = random_batch(TASKS[task], device, samples, patch)
    try:
        inputs = [getattr(given, name) for name in network.inputs]  # type: ignore[union-attr]
        return _Network(weights, samples, forward_pass(network, *inputs))
    except Exception:  # whatever a user's code raises
        return _Network(weights, samples, None)


def random_batch(task: Task, device: str, samples: int, patch: int) -> Batch:
    """Random numbers in the form of a batch: so many patches of that side, in pixels of the target."""
    small = patch // task.scale
    return Batch(
        input=torch.rand(samples, task.channels, small, small, device=device),
        target=torch.rand(samples, task.channels, patch, patch, device=device),
        kernel=torch.full((samples, 1, 7, 7), 1 / 49, device=device) if task.cases else None,
        noise_level=torch.full((samples, 1, 1, 1), task.noise_level / 255, device=device),
    )


def seconds_of_trainings(folders: Iterable[TrialFolder]) -> dict[str, tuple[float, float]]:
    """Least and most seconds of finished trials, by :func:`apart_from_seed`; each folder is read once.

    Args:
        folders: of a store, which may have thousands.
    """
    times: dict[str, list[float]] = {}
    for folder in folders:
        described, status = folder.known()
        if described is not None and status.state == "done":
            times.setdefault(apart_from_seed(described), []).append(status.seconds)
    return {training: (min(seconds), max(seconds)) for training, seconds in times.items()}


def apart_from_seed(ingredients: Mapping[str, object]) -> str:
    """What trials have in common that differ in the seed alone.

    Args:
        ingredients: of a trial, or what its folder says of it.
    """
    return canonical_json({name: value for name, value in ingredients.items() if name not in ("seed", "id", "schema")})
