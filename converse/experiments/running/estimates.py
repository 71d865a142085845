"""How long a trial will take and how much disk it will need, before it is run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Final

import torch

from converse.data.batches import Batch
from converse.errors import ConverseError
from converse.experiments.running.jobs import Job
from converse.experiments.running.torch_settings import TorchSettings
from converse.experiments.store.folder import TrialFolder
from converse.experiments.training.checkpoints import KEPT
from converse.experiments.training.learner import Learner

PATIENCE: Final = 2.0
"""Seconds after which no further step is timed."""

_BESIDE: Final = 100_000  # bytes of rows, curve, provenance and log


def from_trials(job: Job, folders: Iterable[TrialFolder]) -> float | None:
    """Mean seconds of finished trials that differ from this one in the seed alone; ``None`` where there are none."""
    wanted = _apart_from_seed(job.trial.ingredients())
    times = [
        folder.status().seconds
        for folder in folders
        if folder.status().state == "done" and _apart_from_seed(folder.description()) == wanted
    ]
    return sum(times) / len(times) if times else None


Estimate = tuple[float | None, tuple[int, int]]
"""Seconds of training, ``None`` where the network cannot take a step, and the bytes that :func:`disk` gives."""


def estimate(job: Job, here: TorchSettings) -> Estimate:
    """What a trial needs, as :func:`from_steps` and :func:`disk` say.

    Raises:
        ConverseError: the network cannot be built.
    """
    size = disk(job)
    try:
        return from_steps(job, here), size
    except ConverseError:
        raise
    except Exception:  # what cannot run a step has no time; the run itself will say why
        return None, size


def from_steps(job: Job, here: TorchSettings) -> float:
    """Seconds of training, from a few steps on random numbers; evaluation is not in it.

    Args:
        job: to be trained.
        here: how torch is set.

    Returns:
        The least time of a step, the first left out unless it alone took longer than :data:`PATIENCE`, times all steps.
    """
    settings = job.plan.training
    learner = Learner(job.build(), settings, seed=0, device=here.device)
    batch = random_batch(job, here.device, settings.batch)
    times: list[float] = []
    while len(times) < settings.steps and sum(times) < PATIENCE:
        start = time.perf_counter()
        learner.step(len(times), batch).item()  # which waits for the device
        times.append(time.perf_counter() - start)
    return min(times[1:] or times) * settings.steps


def random_batch(job: Job, device: str, samples: int) -> Batch:
    """Random numbers in the form of a batch of the trial: so many patches of its size."""
    task, patch = job.task, job.plan.training.patch
    small = patch // task.scale
    return Batch(
        input=torch.rand(samples, task.channels, small, small, device=device),
        target=torch.rand(samples, task.channels, patch, patch, device=device),
        kernel=torch.full((samples, 1, 7, 7), 1 / 49, device=device) if task.cases else None,
        noise_level=torch.full((samples, 1, 1, 1), task.noise_level / 255, device=device),
    )


def disk(job: Job) -> tuple[int, int]:
    """Bytes of a trial that stay, and bytes of training states that go once it is done."""
    if job.plan.released:
        return _BESIDE, 0
    # The code of a user's operator may need real tensors.
    with contextlib.nullcontext() if job.trial.operator_file else torch.device("meta"):
        weights = sum(value.numel() * value.element_size() for value in job.build().state_dict().values())
    moments = 2 + bool(job.plan.training.ema)
    return weights + _BESIDE, KEPT * (1 + moments) * weights


def _apart_from_seed(ingredients: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in ingredients.items() if name not in ("seed", "id", "schema")}
