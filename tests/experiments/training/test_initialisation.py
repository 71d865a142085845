"""Oracle: the tensors of two networks held against each other, and a layer drawn by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from converse.data.streams import torch_seed
from converse.experiments.training.initialisation import initialised
from converse.nn.models import create_model

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
