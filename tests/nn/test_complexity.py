"""Counts of multiply-adds: oracles are counts by hand, from the definition of each layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from converse.nn.complexity import complexity
from converse.nn.models import MODELS, create_model
from converse.nn.operators import OPERATORS, Converse2D, DepthwiseConv2d, DepthwiseConvTranspose2d

H, W, C = 16, 24, 3

# layer → scale, multiply-adds per sample of its input, all channels
LAYERS: dict[str, tuple[nn.Module, int, int]] = {
    "convolution": (nn.Conv2d(C, 7, 5, padding=2), 1, 25 * C * 7),
    "pointwise": (nn.Conv2d(C, 8, 1), 1, 8 * C),
    "depthwise": (DepthwiseConv2d(C, 5), 1, 25 * C),
    "depthwise-and-pixel-shuffle": (DepthwiseConv2d(C, 5, 2), 2, 4 * 25 * C),
    "strided": (nn.Conv2d(C, 8, 2, stride=2), 1, 8 * C),
    "transposed": (nn.ConvTranspose2d(C, 4, 2, stride=2), 2, 4 * C * 4),
    "linear-per-pixel": (nn.Sequential(nn.Flatten(2), nn.Linear(H * W, 10)), 1, 10 * C),
}


@pytest.mark.parametrize("name", LAYERS)
def test_convolutions_are_counted_exactly(name: str) -> None:
    layer, scale, per_sample = LAYERS[name]
    counted = complexity(layer, channels=C, scale=scale, size=(scale * H, scale * W))
    assert (counted.convolutions, counted.transforms) == (per_sample * H * W, 0)
    assert counted.parameters == sum(parameter.numel() for parameter in layer.parameters())
    assert counted.per_pixel == pytest.approx(per_sample / scale**2)


@pytest.mark.parametrize(("k", "scale", "padding"), [(5, 1, 4), (3, 1, 0), (3, 2, 2), (4, 3, 1)])
def test_reverse_convolution_is_counted_by_its_formula(k: int, scale: int, padding: int) -> None:
    layer = Converse2D(C, k, scale, padding=padding)
    h, w = H + 2 * padding, W + 2 * padding
    columns = 2.5 * h * (w // 2 + 1) * math.log2(h)
    forward = 1.25 * h * w * math.log2(w) + columns
    back = columns + 1.25 * H * w * math.log2(w)  # of the rows that are kept
    transforms = C * (forward + scale**2 * back)
    products = scale**2 * 3 * C * h * (w // 2 + 1)
    counted = complexity(layer, channels=C, scale=scale, size=(scale * H, scale * W))
    assert counted.convolutions == 0  # the kernels' transfer functions are computed once and kept
    assert counted.transforms == pytest.approx(transforms + products, abs=scale**2 + 1)  # each is rounded


def test_kernels_no_larger_than_the_scale_need_nothing_that_is_counted() -> None:
    # One number for each phase: a product number by number, as activations are.
    counted = complexity(Converse2D(C, 2, 2), channels=C, scale=2, size=(2 * H, 2 * W))
    assert (counted.convolutions, counted.transforms) == (0, 0)


@pytest.mark.parametrize("scale", [1, 2])
def test_meta_tensors_cost_what_real_ones_do(scale: int) -> None:
    layer = Converse2D(C, 3, scale)
    real = complexity(layer, channels=C, scale=scale, size=(scale * H, scale * W))
    meta = complexity(layer.to("meta"), channels=C, scale=scale, size=(scale * H, scale * W))
    assert meta.convolutions == real.convolutions
    # On a CPU a transform in two dimensions is one after the other, whose formulas differ by a column.
    assert meta.transforms == pytest.approx(real.transforms, rel=0.05)


@pytest.mark.parametrize(
    ("k", "scale", "mode", "more"), [(2, 2, "circular", 0), (5, 1, "circular", 4), (5, 1, "zero", 0)]
)
def test_a_transposed_convolution_is_counted_on_the_input_that_it_continues(
    k: int, scale: int, mode: Any, more: int
) -> None:
    layer = DepthwiseConvTranspose2d(C, k, scale, mode)
    counted = complexity(layer, channels=C, scale=scale, size=(scale * H, scale * W))
    assert counted.convolutions == k**2 * C * (H + more) * (W + more)


def test_dncnn_has_the_sum_of_its_layers() -> None:
    counted = complexity(create_model("dncnn"), channels=1, scale=1, size=(H, W))
    assert counted.parameters == 557_057
    assert counted.per_pixel == 9 * 64 + 15 * 9 * 64 * 64 + 9 * 64


def test_a_block_has_the_sum_of_its_layers() -> None:
    network = create_model("block-dncnn", "conv", features=8, blocks=3, kernel_size=5)
    counted = complexity(network, channels=1, scale=1, size=(H, W))
    assert counted.per_pixel == 8 + 3 * (2 * 2 * 8 * 16 + 25 * 16) + 8


def test_the_count_does_not_depend_on_how_the_work_is_cut() -> None:
    """On a CPU channels go in groups and pointwise chains in tiles; four times the pixels is four times the work."""
    network = create_model("block-dncnn", "conv", features=64, blocks=1)
    small = complexity(network, channels=1, scale=1, size=(64, 64))
    large = complexity(network, channels=1, scale=1, size=(256, 64))
    assert large.convolutions == 4 * small.convolutions
    operator = OPERATORS["converse"](256, 5)
    whole = complexity(operator, channels=256, scale=1, size=(64, 64))
    one = complexity(OPERATORS["converse"](1, 5), channels=1, scale=1, size=(64, 64))
    assert whole.transforms == pytest.approx(256 * one.transforms, rel=1e-5)


TINY: dict[str, dict[str, Any]] = {
    "dncnn": {"layers": 3},
    "srresnet": {"blocks": 1},
    "usrnet": {"features": (4, 4, 4, 4), "blocks": 1, "iterations": 1, "hyper_features": 4},
}


@pytest.mark.parametrize("model", MODELS)
def test_every_network_is_counted_and_stays_as_it_is(model: str) -> None:
    options = TINY.get(model, {"blocks": 1}) | ({} if model == "usrnet" else {"features": 4})
    network = create_model(model, **options)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    dncnn = "dncnn" in model
    scale = 4 if "srresnet" in model else 1
    counted = complexity(network, channels=1 if dncnn else 3, scale=scale, size=(32, 32))
    assert counted.convolutions > 0
    assert (counted.transforms > 0) is ("block" in model or model == "usrnet")
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_network_that_fails_is_left_in_training() -> None:
    class Refusing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("not today")

    network = Refusing()
    with pytest.raises(RuntimeError, match="not today"):
        complexity(network, channels=1, scale=1)
    assert network.training


@pytest.mark.parametrize("size", [(30, 32), (0, 32)])
def test_a_size_that_is_no_multiple_of_the_scale(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"positive multiples of the scale 4, got {size[0]}×{size[1]}"):
        complexity(create_model("srresnet", features=4, blocks=1), channels=3, scale=4, size=size)
