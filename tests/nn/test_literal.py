"""The yardstick's oracle: the closed form, which the dense problem has been held against."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from converse.nn.functional import PADDING_MODES, PaddingMode, converse2d
from converse.nn.literal import LiteralConverse2D, literal_converse2d, make_literal
from converse.nn.models import create_model
from converse.nn.operators import Converse2D


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_it_is_the_same_solution(scale: int, padding_mode: PaddingMode) -> None:
    generator = torch.Generator().manual_seed(scale)
    y = torch.randn(2, 3, 11, 8, generator=generator, dtype=torch.float64)
    weight = torch.randn(1, 3, 5, 5, generator=generator, dtype=torch.float64).flatten(2).softmax(-1).view(1, 3, 5, 5)
    lam = torch.full((1, 3, 1, 1), 0.01, dtype=torch.float64)
    literal = literal_converse2d(y, weight, lam, scale, 4, padding_mode)
    ours = converse2d(y, weight, lam, scale=scale, padding=4, padding_mode=padding_mode)
    # the literal formula divides a difference by λ, and loses the digits of 1/λ
    torch.testing.assert_close(literal, ours, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("estimate", ["interpolation", "zero", "own"])
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_axes_may_differ_and_the_estimate_may_be_ones_own(padding_mode: PaddingMode, estimate: Any) -> None:
    generator = torch.Generator().manual_seed(5)
    y, weight = (torch.rand(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 3, 6, 7), (1, 3, 2, 5)))
    if estimate == "own":
        estimate = torch.rand(2, 3, 6, 14, generator=generator, dtype=torch.float64)
    lam = torch.full((1, 3, 1, 1), 0.01, dtype=torch.float64)
    literal = literal_converse2d(y, weight, lam, (1, 2), (3, 1), padding_mode, estimate)
    ours = converse2d(
        y, weight, lam, scale=(1, 2), padding=(3, 1), padding_mode=padding_mode, initial_estimate=estimate
    )
    torch.testing.assert_close(literal, ours, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("estimate", ["interpolation", "zero"])
def test_a_layer_keeps_its_estimate(estimate: Any) -> None:
    torch.manual_seed(0)
    layer = Converse2D(2, (3, 2), scale=2, initial_estimate=estimate, lam=0.1).double()
    y, x0 = torch.rand(1, 2, 5, 6, dtype=torch.float64), torch.rand(1, 2, 10, 12, dtype=torch.float64)
    expected = layer(y), layer(y, initial_estimate=x0)
    literal = make_literal(layer)
    torch.testing.assert_close((literal(y), literal(y, initial_estimate=x0)), expected, rtol=1e-10, atol=1e-10)


def test_a_network_keeps_its_parameters() -> None:
    torch.manual_seed(0)
    network = create_model("block-dncnn", "converse", features=4, blocks=2).double().eval()
    before = network.state_dict()
    image = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        expected = network(image)
        literal = make_literal(network)
        found = literal(image)
    assert sum(isinstance(module, LiteralConverse2D) for module in literal.modules()) == 2
    assert literal.state_dict().keys() == before.keys()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
