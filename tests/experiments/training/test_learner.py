"""Oracle: the same steps written down with bare torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from converse.data.batches import Batch
from converse.errors import CheckpointError, OptionError
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training.checkpoints import pack, unpack
from converse.experiments.training.learner import Learner, make_fabric, make_optimiser
from converse.experiments.training.schedule import learning_rate
from converse.nn.models import create_model


def settings(**given: Any) -> TrainingSettings:
    return TrainingSettings.model_validate({"steps": 6, "lr": 1e-2, "betas": [0.9, 0.99], "clip": 0.1, **given})


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model("block-dncnn", "converse", features=4, blocks=1)


def batch(step: int) -> Batch:
    random = torch.Generator().manual_seed(step)
    target = torch.rand(2, 1, 12, 12, generator=random)
    return Batch(target + 0.1 * torch.randn(target.shape, generator=random), target)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimiser": "adam", "loss": "l2"},
        {"weight_decay": 0.1, "warmup": 2},
        {"clip": 0.0, "gamma": 0.5},
    ],
    ids=["adamw-l1", "adam-l2", "decay-warmup", "no-clip"],
)
def test_steps_are_those_of_bare_torch(given: dict[str, Any]) -> None:
    chosen = settings(**given)
    bare = network()
    learner = Learner(copy.deepcopy(bare), chosen, seed=0, device="cpu")
    kind = torch.optim.AdamW if chosen.optimiser == "adamw" else torch.optim.Adam
    optimiser = kind(bare.parameters(), fused=True, betas=(0.9, 0.99), weight_decay=chosen.weight_decay)
    for step in range(chosen.steps):
        optimiser.param_groups[0]["lr"] = learning_rate(chosen, step)
        difference = bare(batch(step).input) - batch(step).target
        loss = difference.abs().mean() if chosen.loss == "l1" else difference.square().mean()
        loss.backward()
        if chosen.clip:
            nn.utils.clip_grad_norm_(bare.parameters(), chosen.clip)
        optimiser.step()
        optimiser.zero_grad()
        assert learner.step(step, batch(step)) == pytest.approx(loss.item(), rel=1e-5)
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(learner.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("given", [{}, {"ema": 0.9}, {"precision": "bf16"}], ids=["plain", "ema", "bf16"])
@pytest.mark.parametrize("model", ["dncnn", "block-dncnn"])  # with and without buffers
def test_a_snapshot_continues_to_the_bit(given: dict[str, Any], model: str) -> None:
    def make() -> Learner:
        torch.manual_seed(3)
        options = {"features": 4, "layers": 4} if model == "dncnn" else {"features": 4, "blocks": 1}
        built = create_model(model, None if model == "dncnn" else "conv", **options)
        return Learner(built, settings(**given), seed=0, device="cpu")

    whole, first, second = make(), make(), make()
    for step in range(6):
        whole.step(step, batch(step))
    for step in range(3):
        first.step(step, batch(step))
    second.restore(first.snapshot(3))
    for step in range(3, 6):
        second.step(step, batch(step))
    parts: tuple[Callable[[Learner], Mapping[str, Any]], ...] = (
        lambda one: one.snapshot(6).tensors,
        lambda one: one.shown.state_dict(),
    )
    for part in parts:
        assert part(whole).keys() == part(second).keys()
        assert all(torch.equal(value, part(second)[name]) for name, value in part(whole).items())


class Unusual(nn.Module):
    """A tied weight, a complex parameter, a frozen whole number and a state of its own, around a convolution."""

    inputs = ("input",)

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 1, 3, padding=1)
        self.twin = nn.Conv2d(1, 1, 3, padding=1)
        self.twin.weight = self.one.weight
        self.gain = nn.Parameter(torch.ones(1, 1, 1, 1, dtype=torch.complex64))
        self.shift = nn.Parameter(torch.tensor(1), requires_grad=False)
        self.seen, self.mean = 0, torch.zeros(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen, self.mean = self.seen + 1, self.mean * 0.9 + x.detach().mean() * 0.1
        x = self.one(x) + self.twin(x) + self.mean + self.shift / (1 + self.seen)
        filtered: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * self.gain, s=x.shape[-2:])
        return filtered

    def get_extra_state(self) -> dict[str, Any]:
        return {"seen": self.seen, "mean": self.mean}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.seen, self.mean = state["seen"], state["mean"]


@pytest.mark.parametrize("given", [{}, {"ema": 0.9, "clip": 0.0}, {"precision": "bf16"}], ids=["plain", "ema", "bf16"])
def test_what_a_users_network_may_hold_goes_through_a_file_and_continues_to_the_bit(
    given: dict[str, Any], tmp_path: Path
) -> None:
    def make() -> Learner:
        torch.manual_seed(3)
        return Learner(Unusual(), settings(**given), seed=0, device="cpu")

    whole, first, second = make(), make(), make()
    for step in range(6):
        whole.step(step, batch(step))
    for step in range(3):
        first.step(step, batch(step))
    (tmp_path / "step").write_bytes(pack(first.snapshot(3)))
    second.restore(unpack(tmp_path / "step"))
    for step in range(3, 6):
        second.step(step, batch(step))
    assert isinstance(second.model, Unusual)
    assert second.model.seen == 6
    assert second.model.twin.weight is second.model.one.weight
    assert not torch.equal(second.model.gain.detach(), torch.ones(1, 1, 1, 1))
    one, other = (pack(learner.snapshot(6)) for learner in (whole, second))
    assert one == other


def test_the_running_mean_is_what_is_shown() -> None:
    learner = Learner(network(), settings(ema=0.5, steps=3), seed=0, device="cpu")
    mean = None
    for step in range(3):
        learner.step(step, batch(step))
        weight = learner.model.get_parameter("head.weight").detach().clone()
        mean = weight if mean is None else 0.5 * mean + 0.5 * weight
    torch.testing.assert_close(learner.shown.get_parameter("head.weight"), mean)


def test_what_layers_draw_is_a_function_of_seed_and_step() -> None:
    class Dropping(nn.Module):
        inputs = ("input",)

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(x * self.weight)

    losses = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(noise)
        learner = Learner(Dropping(), settings(), seed=seed, device="cpu")
        losses.append([learner.step(step, batch(0)).item() for step in range(3)])
    assert losses[0] == losses[1] != losses[2]


def test_another_networks_snapshot_is_refused() -> None:
    learner = Learner(network(), settings(), seed=0, device="cpu")
    learner.step(0, batch(0))
    larger = Learner(create_model("block-dncnn", "conv", features=8, blocks=1), settings(), seed=0, device="cpu")
    with pytest.raises(CheckpointError, match="training state of step 1 does not fit the network"):
        larger.restore(learner.snapshot(1))


def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(OptionError, match="precision fp16 needs a CUDA device, got 'cpu': use 32 or bf16"):
        make_fabric("cpu", "fp16")


def test_with_fp16_gradients_can_be_clipped() -> None:
    assert make_optimiser(network(), settings()).defaults["fused"]
    assert not make_optimiser(network(), settings(precision="fp16")).defaults["fused"]


def test_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    # Traced but not compiled, which would take a minute.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain = Learner(network(), settings(), seed=0, device="cpu")
    compiled = Learner(network(), settings(compile=True), seed=0, device="cpu")
    for step in range(2):
        assert compiled.step(step, batch(step)) == pytest.approx(plain.step(step, batch(step)).item(), rel=1e-4)
    assert compiled.snapshot(2).tensors.keys() == plain.snapshot(2).tensors.keys()
