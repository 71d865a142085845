"""The learning rate as a pure function of the step: a schedule has no state to save."""

from __future__ import annotations

import bisect
import math

from converse.experiments.suites.plans import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The learning rate of one step.

    During the warm-up it rises linearly and reaches `lr` with its last step. Then it is constant; or times `gamma` from
    each milestone on; or it falls by half a cosine, from `lr` to `final_lr` at the last step.

    Args:
        settings: of the trial.
        step: from 0 to `steps` - 1.

    Returns:
        A rate > 0, or `final_lr`.
    """
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "step":
        return settings.lr * settings.gamma ** bisect.bisect_right(settings.milestones, step)
    if settings.schedule == "cosine":
        whole = max(settings.steps - 1 - settings.warmup, 1)
        falling = (1 + math.cos(math.pi * (step - settings.warmup) / whole)) / 2
        return settings.final_lr + (settings.lr - settings.final_lr) * falling
    return settings.lr
