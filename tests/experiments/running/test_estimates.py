"""What a trial takes, counted: oracles are counts by hand, and the peak that Linux counts of a real step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from converse.data.tasks import TASKS
from converse.experiments.devices import peak_memory
from converse.experiments.running.estimates import apart_from_seed, estimate, random_batch, seconds_of_trainings
from converse.experiments.store.state import Status
from converse.experiments.suites.plans import RunPlan, TrainingSettings
from converse.experiments.suites.suite import load_suite
from converse.experiments.suites.user_operators import build_network
from converse.experiments.training.learner import Learner


def plan_of(suite: str, entry: str, budget: str = "quick", **training: int) -> RunPlan:
    (plan,) = load_suite(suite).resolve(budget, seeds=(0,), only=(entry,))
    settings = TrainingSettings.model_validate({**plan.training.model_dump(), **training})
    return replace(plan, training=settings)


def test_a_trial_is_steps_times_batch_times_pixels_times_three_forward_passes() -> None:
    plan = replace(plan_of("denoising", "DnCNN", steps=700, patch=40, batch=3), options={"features": 8, "layers": 3})
    per_pixel = 9 * 8 + 9 * 8 * 8 + 9 * 8
    parameters = 4 * (per_pixel + 8 + 8 + 1)
    found = estimate(plan)
    assert found.per_pixel == per_pixel
    assert found.training == 700 * 3 * 40 * 40 * 3 * per_pixel
    assert found.disk - parameters == pytest.approx(100_000, abs=1000)
    assert estimate(replace(plan, released="DnCNN")).training == 0


def test_pixels_are_those_of_the_output() -> None:
    found = estimate(plan_of("super_resolution", "SRResNet", "paper"))
    # on a sixteenth of the pixels 3 → 64, 16 blocks of two convolutions, 64 → 256; on a quarter again; then 64 → 64 → 3
    convolutions = (3 + 32 * 64 + 256) + 4 * 256 + 16 * (64 + 3)
    assert found.per_pixel == 9 * 64 * convolutions / 16


def test_the_memory_is_about_what_a_step_takes() -> None:
    plan = plan_of("denoising", "Conv-DnCNN", "paper", patch=48, batch=2)
    settings = plan.training
    learner = Learner(build_network(plan.model, plan.operator, plan.options), settings, seed=0, device="cpu")
    batch = random_batch(TASKS[plan.task], "cpu", settings.batch, settings.patch)
    small = random_batch(TASKS[plan.task], "cpu", 1, 16)
    learner.step(0, small)  # libraries take what they take
    peak = peak_memory(lambda: learner.step(1, batch), "cpu").allocated
    if peak is None:
        pytest.skip("this system doesn't tell the peak of a process")
    memory = estimate(plan).memory
    assert memory is not None
    assert 0.5 < peak / memory < 1.5


def test_a_network_that_fails_on_a_patch_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> torch.Tensor:
        raise RuntimeError("not today")

    monkeypatch.setattr("converse.nn.dncnn.DnCNN.forward", refuse)
    plan = replace(plan_of("denoising", "DnCNN"), options={"features": 5, "layers": 3})
    found = estimate(plan)
    assert (found.per_pixel, found.training, found.memory) == (None, None, None)
    assert found.disk > 100_000


def test_the_seconds_of_a_training_are_those_of_its_other_seeds_and_each_folder_is_read_once() -> None:
    read: list[int] = []

    def folder(lr: float | None, seed: int, state: Any, seconds: float) -> Any:
        described = None if lr is None else {"id": str(seed), "schema": 1, "seed": seed, "configuration": {"lr": lr}}

        def known() -> tuple[dict[str, Any] | None, Status]:
            read.append(seed)
            return described, Status(state, seconds=seconds)

        return SimpleNamespace(known=known)

    folders = [folder(0.1, 0, "done", 5.0), folder(0.1, 1, "done", 3.0), folder(0.1, 2, "failed", 1.0)]
    folders += [folder(0.2, 3, "done", 9.0), folder(None, 4, "interrupted", 0.0)]
    found = seconds_of_trainings(folders)
    assert found == {
        apart_from_seed({"seed": 7, "configuration": {"lr": 0.1}}): (3.0, 5.0),
        apart_from_seed({"configuration": {"lr": 0.2}}): (9.0, 9.0),
    }
    assert read == [0, 1, 2, 3, 4]
