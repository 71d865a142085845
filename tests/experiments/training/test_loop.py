"""Oracle: the same training without any interruption."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from converse.data.batches import Batch, Batches
from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.data.training_images import training_images
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training import loop
from converse.experiments.training.checkpoints import Checkpoints, digest_of
from converse.experiments.training.interruption import Stopped
from converse.experiments.training.learner import Learner, initialised
from converse.experiments.training.loop import Diverged, Training, curve_steps
from converse.experiments.trials import Trial
from converse.nn.models import create_model

STEPS = 12


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Training]:
    images = training_images(TASKS["denoising"], (image_set("skimage_test"),))

    def build(name: str = "one", seed: int = 0, validate: bool = True, **given: Any) -> Training:
        settings = TrainingSettings.model_validate(
            {"steps": STEPS, "validate_every": 5, "patch": 12, "batch": 2, "clip": 1.0, **given}
        )
        folder = Store(tmp_path / "runs").folder(Trial("denoising", name, "trained", seed, "smoke", {"name": name}, {}))
        model = initialised(lambda: create_model("block-dncnn", "converse", features=4, blocks=1), seed)
        return Training(
            Learner(model, settings, seed=seed, device="cpu"),
            Batches(TASKS["denoising"], images, patch=12, batch=2, seed=seed),
            Checkpoints(folder),
            folder.journal("curve.jsonl"),
            (lambda model: model.get_parameter("head.weight").sum().item()) if validate else None,
        )

    return build


def folder(training: Training) -> TrialFolder:
    return training.checkpoints.folder


def curve(training: Training) -> list[dict[str, Any]]:
    return [json.loads(line) for line in training.curve.path.read_text().splitlines()]


class After:
    """Says stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("every", [0, 4])
def test_stopped_anywhere_and_continued_it_is_the_same_to_the_bit(make: Callable[..., Training], every: int) -> None:
    whole = make("whole", checkpoint_every=every)
    expected = digest_of(whole.run())
    for stop in range(1, STEPS):
        stopped = make(f"at {stop}", checkpoint_every=every)
        with pytest.raises(Stopped, match=f"after step {stop}"):
            stopped.run(stopping=After(stop))
        continued = make(f"at {stop}", checkpoint_every=every)
        steps: list[int] = []
        assert digest_of(continued.run(report=steps.append)) == expected
        assert steps == list(range(stop + 1, STEPS + 1))
        assert curve(continued) == curve(whole)


def test_a_crash_goes_back_to_the_checkpoint(make: Callable[..., Training]) -> None:
    expected = digest_of(make("whole").run())

    def crash(done: int) -> None:
        if done == 11:
            raise RuntimeError("crash")

    broken = make("broken", checkpoint_every=4)
    with pytest.raises(RuntimeError, match="crash"):
        broken.run(report=crash)
    assert [point["step"] for point in curve(broken)] == [*range(1, 12)]
    continued = make("broken", checkpoint_every=4)
    steps: list[int] = []
    assert digest_of(continued.run(report=steps.append)) == expected
    assert steps[0] == 9
    assert curve(continued) == curve(make("whole"))
    assert "continues after step 8" in (folder(continued).path / "log.txt").read_text()


def test_damaged_checkpoints_fall_back(make: Callable[..., Training]) -> None:
    expected = digest_of(make("whole").run())
    stopped = make(checkpoint_every=4)
    with pytest.raises(Stopped):
        stopped.run(stopping=After(9))
    for path in (folder(stopped).path / "resume").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    steps: list[int] = []
    assert digest_of(make(checkpoint_every=4).run(report=steps.append)) == expected
    assert steps[0] == 1


def test_the_curve(make: Callable[..., Training]) -> None:
    training = make()
    training.run()
    points = curve(training)
    assert [point["step"] for point in points] == [*range(1, 13)]
    assert [point["step"] for point in points if "psnr" in point] == [5, 10, 12]
    assert all(0 < point["loss"] < 1 and point["lr"] >= 0 for point in points)
    assert points[-1]["psnr"] == pytest.approx(training.learner.model.get_parameter("head.weight").sum().item())
    assert training.learner.model.training


@pytest.mark.parametrize(
    ("many", "octave", "steps"),
    [(1, 1, [1, 2, 4, 5, 8, 10, 12]), (3, 1, [1, 2, 4, 5, 8, 10, 12]), (6, 2, [1, 2, 3, 4, 5, 6, 8, 10, 11, 12])],
)
def test_the_loss_of_a_point_is_the_mean_since_the_last(
    make: Callable[..., Training], monkeypatch: pytest.MonkeyPatch, many: int, octave: int, steps: list[int]
) -> None:
    monkeypatch.setattr(loop, "CURVE_POINTS", many)
    monkeypatch.setattr(loop, "CURVE_OCTAVE", octave)
    training = make()
    losses: list[torch.Tensor] = []
    step = training.learner.step

    def noting(number: int, batch: Batch) -> torch.Tensor:
        losses.append(step(number, batch))
        return losses[-1]

    monkeypatch.setattr(training.learner, "step", noting)
    training.run()
    means = [torch.stack(losses[first:last]).mean().item() for first, last in pairwise([0, *steps])]
    assert [point["step"] for point in curve(training)] == steps
    assert [point["loss"] for point in curve(training)] == pytest.approx(means, rel=1e-6)


@pytest.mark.parametrize("steps", [1, 100, 101, 1600, 400_000])
def test_the_loss_is_kept_a_hundred_times_and_closer_at_the_beginning(steps: int) -> None:
    kept = sorted(curve_steps(steps))
    assert kept[-1] == steps
    assert len(kept) <= 101 + 8 * math.log2(2 * steps)
    for first, last in pairwise([0, *kept]):
        assert last - first <= max(1, min(math.ceil(steps / 100), 0.1 * last + 1))


def test_validation_does_not_move_the_weights(make: Callable[..., Training]) -> None:
    often = make("often", validate_every=1).run()
    never = make("never", validate=False, validate_every=0).run()
    assert digest_of(often) == digest_of(never)


def test_the_same_twice_and_another_seed(make: Callable[..., Training]) -> None:
    one, two, other = (make(name, seed).run() for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert digest_of(one) == digest_of(two) != digest_of(other)


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinite")])
def test_a_loss_that_is_no_number_is_noticed_before_it_is_kept(
    make: Callable[..., Training], value: float, word: str
) -> None:
    training = make(checkpoint_every=4)
    honest = training.batches.__call__

    class Spoilt:
        def __call__(self, step: int) -> Batch:
            batch = honest(step)
            return dataclasses.replace(batch, target=batch.target * value) if step == 6 else batch

    training.batches = Spoilt()  # type: ignore[assignment]
    with pytest.raises(Diverged, match=f"the loss became {word} in step 7"):
        training.run()
    kept = training.checkpoints.latest()
    assert kept is not None
    assert kept.step == 4


def test_torchs_own_generator_is_left_alone(make: Callable[..., Training]) -> None:
    training = make()
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    training.run()
    assert torch.equal(torch.rand(2), expected)


def test_it_learns(make: Callable[..., Training]) -> None:
    training = make(steps=60, validate_every=20, lr=1e-2, warmup=5)
    training.run()
    losses = [point["loss"] for point in curve(training)]
    assert sum(losses[-20:]) < sum(losses[:20]) / 2


def test_weights_are_on_the_cpu_and_apart(make: Callable[..., Training]) -> None:
    training = make(ema=0.5)
    weights = training.run()
    assert isinstance(training.learner.shown, nn.Module)
    assert weights["head.weight"].data_ptr() != training.learner.shown.state_dict()["head.weight"].data_ptr()
    assert not torch.equal(weights["head.weight"], training.learner.model.state_dict()["head.weight"])
