"""Oracle: the same training by a single process."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from converse.data.images import image_set
from converse.errors import OptionError
from converse.experiments.running.crew import together
from converse.experiments.running.execute import execute
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.torch_settings import TorchSettings, torch_settings
from converse.experiments.store import Store
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.checkpoints import Checkpoints
from converse.experiments.training.interruption import Stop, Stopped
from converse.experiments.training.together import device_of, with_common_norms
from converse.metrics import metrics_for
from tests.experiments.training.doubles import STEPS, make


def test_two_processes_train_to_the_same_weights_in_float64() -> None:
    with torch_settings("cpu", 1):
        alone, batches = make("cpu", (0, 1))
        losses = torch.stack([alone.step(step, batches(step)) for step in range(STEPS)])
        with together(make, 2, "cpu", 1, None) as device:
            first, batches = make(device, (0, 2))
            halves = torch.stack([first.step(step, batches(step)) for step in range(STEPS)])
    assert losses[-1] < 0.5 * losses[0]
    torch.testing.assert_close(halves, losses, rtol=0, atol=1e-6)
    weights = alone.model.state_dict()
    assert all(value.dtype == torch.float64 for value in weights.values())
    torch.testing.assert_close(first.model.state_dict(), weights, rtol=0, atol=1e-6)
    torch.testing.assert_close(first.shown.state_dict(), alone.shown.state_dict(), rtol=0, atol=1e-6)


def test_in_float32_two_processes_train_to_nearly_the_same_weights_and_psnr() -> None:
    """What docs/scale.md says of float32, where rounding in another order is fed back at each of 200 steps."""
    single = partial(make, dtype=torch.float32)
    with torch_settings("cpu", 1):
        alone, batches = single("cpu", (0, 1))
        for step in range(STEPS):
            alone.step(step, batches(step))
        unseen = batches(STEPS)
        with together(single, 2, "cpu", 1, None) as device:
            first, batches = single(device, (0, 2))
            for step in range(STEPS):
                first.step(step, batches(step))
        errors = [float((one.shown(unseen.input) - unseen.target).detach().square().mean()) for one in (alone, first)]
    weights = alone.model.state_dict()
    assert all(value.dtype == torch.float32 for value in weights.values())
    torch.testing.assert_close(first.model.state_dict(), weights, rtol=0, atol=5e-3)
    psnr = [-10 * math.log10(error) for error in errors]
    assert psnr[1] == pytest.approx(psnr[0], abs=0.02)


def job(batch: int = 4, devices: int = 2) -> Job:
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=["Conv-DnCNN"])
    settings = {**plan.training.model_dump(exclude={"milestones"}), "batch": batch, "checkpoint_every": 1}
    plan = dataclasses.replace(plan, training=TrainingSettings.model_validate(settings))
    train, test = (image_set("skimage_train"),), (image_set("skimage_test").first(1),)
    trial = trained_trial(plan, train, "cpu", 1).moved({"devices": devices} if devices > 1 else {})
    return Job(plan, trial, train, None, test, tuple(metrics_for("grey", 0, ["psnr"])))


def test_a_trial_of_two_processes_is_another_and_goes_on_to_the_bit(tmp_path: Path) -> None:
    here, one = TorchSettings("cpu", 1), job()
    assert one.trial.id != job(devices=1).trial.id
    store = Store(tmp_path / "stopped")
    stop = Stop()

    def after_two(what: str, done: int, total: int, upcoming: str) -> None:
        stop.asked = (what, done) == ("training", 2)

    with torch_settings("cpu", 1):
        single = Store(tmp_path / "single").folder(job(devices=1).trial)
        execute(job(devices=1), single, here)
        with pytest.raises(Stopped):
            execute(one, store.folder(one.trial), here, stop=stop, report=after_two)
        assert execute(one, store.folder(one.trial), here).state == "done"
        whole = Store(tmp_path / "whole").folder(one.trial)
        assert execute(one, whole, here).state == "done"
    found = Checkpoints(store.folder(one.trial)).kept_weights()
    assert found is not None
    torch.testing.assert_close(found, Checkpoints(whole).kept_weights(), rtol=0, atol=0)
    # float32, a few steps: sums of gradients in another order
    torch.testing.assert_close(found, Checkpoints(single).kept_weights(), rtol=0, atol=1e-5)


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    one = job(batch=3)
    with torch_settings("cpu", 1), pytest.raises(OptionError, match="--devices 2 divides each batch, and 3"):
        execute(one, Store(tmp_path).folder(one.trial), TorchSettings("cpu", 1))


def test_batch_norm_over_processes_needs_gpus() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 1, 1))
    assert with_common_norms(plain, "cpu") is plain
    with pytest.raises(OptionError, match="batch norm cannot be trained by several processes on CPUs"):
        with_common_norms(nn.Sequential(nn.BatchNorm2d(1)), "cpu")
    assert isinstance(with_common_norms(nn.Sequential(nn.BatchNorm2d(1)), "cuda:0")[0], nn.SyncBatchNorm)  # type: ignore[index]


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [device_of(rank, "cpu", 2) for rank in range(2)] == ["cpu", "cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device_of(rank, "cuda", 2) for rank in range(2)] == ["cuda:0", "cuda:1"]
    with pytest.raises(OptionError, match="--devices 3: this machine has 2 CUDA devices"):
        device_of(0, "cuda", 3)
    with pytest.raises(OptionError, match="--devices 2 takes the first 2 GPUs: --device cuda or cpu, got 'cuda:1'"):
        device_of(0, "cuda:1", 2)
