"""A training, in float64 unless another precision is asked for, that processes can begin by its name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from converse.data.batches import Batch
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training.learner import Learner, initialised
from converse.nn.models import create_model

STEPS = 200
BATCH = 4


def network() -> nn.Module:
    """A small network with reverse convolution."""
    return create_model("block-dncnn", "converse", features=4, blocks=1)


def batch(step: int, part: slice, dtype: torch.dtype) -> Batch:
    """Noise on noise, [n, 1, 12, 12]."""
    numbers = torch.Generator().manual_seed(step)
    clean, noise = torch.rand(2, BATCH, 1, 12, 12, generator=numbers, dtype=torch.float64)
    return Batch((clean + 0.1 * noise)[part].to(dtype), clean[part].to(dtype))


def make(
    device: str, share: tuple[int, int], dtype: torch.dtype = torch.float64
) -> tuple[Learner, Callable[[int], Batch]]:
    """As `converse.experiments.running.crew` asks for it."""
    settings = TrainingSettings(steps=STEPS, lr=1e-3, batch=BATCH, patch=12, clip=1.0, ema=0.9)
    learner = Learner(initialised(network, 0).to(dtype), settings, seed=0, device=device, shared=share[1] > 1)
    size = BATCH // share[1]
    return learner, lambda step: batch(step, slice(share[0] * size, (share[0] + 1) * size), dtype)
