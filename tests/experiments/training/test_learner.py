"""Oracle: the same steps written down with bare torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from converse.data.batches import Batch
from converse.data.streams import torch_seed
from converse.errors import CheckpointError, OptionError
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training.checkpoints import pack, unpack
from converse.experiments.training.learner import (
    Learner,
    decayed,
    initialised,
    learning_rate,
    make_fabric,
    make_optimiser,
)
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
    mixing = ("head.weight", "expand.weight", "project.weight", "tail.weight")
    groups = [
        {"params": [p for name, p in bare.named_parameters() if name.endswith(mixing) == decays], "weight_decay": decay}
        for decays, decay in ((True, chosen.weight_decay), (False, 0.0))
    ]
    optimiser = kind(groups, fused=True, betas=(0.9, 0.99))
    for step in range(chosen.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(chosen, step)
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


@pytest.mark.parametrize("operator", ["converse", "conv", "convt"])
def test_decay_leaves_kernels_lam_norms_and_biases_alone(operator: str) -> None:
    model = create_model("block-dncnn", operator, features=4, blocks=2)
    falling = {id(parameter) for parameter in decayed(model)}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in falling}
    halves = {f"body.{i}.{half}.weight" for i in (0, 1) for half in ("spatial.expand", "spatial.project")}
    halves |= {f"body.{i}.{half}.weight" for i in (0, 1) for half in ("channel.expand", "channel.project")}
    assert names == {"head.weight", "tail.weight"} | halves


def test_decay_makes_what_it_touches_smaller_and_nothing_else() -> None:
    still = Learner(network(), settings(weight_decay=0.5, clip=0.0, steps=1), seed=0, device="cpu")
    before = {name: value.clone() for name, value in still.model.named_parameters()}
    nothing = Learner(network(), settings(clip=0.0, steps=1), seed=0, device="cpu")
    still.step(0, batch(0))
    nothing.step(0, batch(0))
    falling = {id(parameter) for parameter in decayed(still.model)}
    plain = dict(nothing.model.named_parameters())
    for name, parameter in still.model.named_parameters():
        drop = before[name] * 1e-2 * 0.5 if id(parameter) in falling else torch.zeros(())
        torch.testing.assert_close(parameter.detach(), plain[name].detach() - drop, rtol=1e-5, atol=1e-6)


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


# The learning rate. Oracle: torch's own schedulers, and the numbers that the definition gives.


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


# First values. Oracle: the tensors of two networks held against each other, and a layer drawn by itself.

SMALL = {
    "block-dncnn": {"features": 4, "blocks": 2},
    "block-srresnet": {"features": 4, "blocks": 1},
    "block-net": {"features": 4, "blocks": 1, "iterations": 1},
    "block-usrnet": {"features": 4, "blocks": 1, "iterations": 1, "kernels": 2},
}


def build(model: str, operator: str | None = None, **options: object) -> Callable[[], nn.Module]:
    return lambda: create_model(model, operator, **{**SMALL.get(model, {}), **options})


@pytest.mark.parametrize("model", SMALL)
def test_layers_shared_by_name_start_equal(model: str) -> None:
    one = initialised(build(model, "conv"), 3).state_dict()
    other = initialised(build(model, "converse"), 3).state_dict()
    shared = [name for name in one if name in other and one[name].shape == other[name].shape]
    convolutions = [name for name in shared if any(part in name for part in ("expand", "project", "head", "tail"))]
    assert len(convolutions) >= 6
    for name in convolutions:
        assert torch.equal(one[name], other[name]), name
        assert one[name].abs().sum() > 0


def test_each_layer_is_drawn_by_its_name_alone() -> None:
    model = initialised(build("block-dncnn", "converse"), 5)
    torch.manual_seed(torch_seed(5, "initialisation", "body.1.spatial.expand"))
    alone = nn.Conv2d(4, 8, 1)
    assert torch.equal(model.get_parameter("body.1.spatial.expand.weight"), alone.weight)
    deeper = initialised(build("block-dncnn", "converse", blocks=4), 5)
    assert torch.equal(deeper.get_parameter("body.1.spatial.expand.weight"), alone.weight)


def test_seeds_decide() -> None:
    draw = build("dncnn", features=4, layers=3)
    states = [initialised(draw, seed).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["body.0.weight"], states[2]["body.0.weight"])


def test_layers_of_one_network_differ() -> None:
    model = initialised(build("block-dncnn", "conv"), 0)
    first, second = (model.get_parameter(f"body.{i}.spatial.expand.weight") for i in (0, 1))
    assert not torch.equal(first, second)


def test_torchs_own_generator_is_left_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    initialised(build("dncnn", features=4, layers=3), 0)
    assert torch.equal(torch.rand(3), expected)


def test_a_module_that_cannot_be_reset_is_decided_by_the_seed_too() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4))

    torch.manual_seed(1)
    one = initialised(Odd, 7)
    torch.manual_seed(2)
    other = initialised(Odd, 7)
    assert torch.equal(one.get_parameter("weight"), other.get_parameter("weight"))
    assert not torch.equal(one.get_parameter("weight"), initialised(Odd, 8).get_parameter("weight"))
