"""Oracle: torch's own schedulers, and the numbers that the definition gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training.schedule import learning_rate


def rates(**settings: Any) -> list[float]:
    chosen = TrainingSettings.model_validate({"lr": 0.1, **settings})
    return [learning_rate(chosen, step) for step in range(chosen.steps)]


def torchs(scheduler: Any, steps: int, **options: Any) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    made = scheduler(optimiser, **options)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        made.step()
    return found


def test_cosine_is_torchs() -> None:
    found = rates(steps=20, schedule="cosine", final_lr=0.01)
    expected = torchs(torch.optim.lr_scheduler.CosineAnnealingLR, 20, T_max=19, eta_min=0.01)
    assert found == pytest.approx(expected, rel=1e-9)
    assert (found[0], found[-1]) == pytest.approx((0.1, 0.01))


def test_steps_are_torchs() -> None:
    found = rates(steps=20, schedule="step", milestones=[5, 12], gamma=0.3)
    expected = torchs(torch.optim.lr_scheduler.MultiStepLR, 20, milestones=[5, 12], gamma=0.3)
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_warm_up_rises_to_the_rate() -> None:
    found = rates(steps=10, schedule="constant", warmup=4)
    assert found == pytest.approx([0.025, 0.05, 0.075, 0.1, *[0.1] * 6])
    assert rates(steps=10, warmup=4)[4] == pytest.approx(0.1)


@given(
    st.integers(1, 50), st.integers(0, 50), st.sampled_from(["constant", "cosine"]), st.floats(1e-6, 1), st.floats(0, 1)
)
def test_rates_stay_between_their_ends(steps: int, warmup: int, schedule: str, lr: float, part: float) -> None:
    final = {"final_lr": lr * part} if schedule == "cosine" else {}
    settings = TrainingSettings.model_validate(
        {"steps": steps, "warmup": min(warmup, steps), "schedule": schedule, "lr": lr, **final}
    )
    found = [learning_rate(settings, step) for step in range(steps)]
    assert all(0 <= rate <= lr * (1 + 1e-12) for rate in found)
    top = found[settings.warmup :]
    assert top == sorted(top, reverse=True)
