"""The plain transfer form. Oracle: the formula as it was released, evaluated literally."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from converse.nn.functional import PADDING_MODES, PaddingMode, PerAxis
from converse.nn.half_spectrum import HalfSpectrumConverse2D, half_spectrum_converse2d, make_half_spectrum
from converse.nn.literal import literal_converse2d
from converse.nn.models import create_model
from converse.nn.operators import Converse2D
from converse.nn.plain_block import PlainBlock, PlainPointwise


@pytest.mark.parametrize("estimate", ["interpolation", "zero"])
@pytest.mark.parametrize("scale", [1, 2, (2, 3)], ids=str)
@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_it_is_the_solution_of_the_literal_formula(scale: PerAxis, padding_mode: PaddingMode, estimate: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    y, weight = (torch.rand(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 3, 6, 7), (1, 3, 4, 5)))
    weight, y = weight.requires_grad_(), y.requires_grad_()
    lam = torch.full((1, 3, 1, 1), 0.01, dtype=torch.float64, requires_grad=True)
    arguments = (y, weight, lam, scale, (3, 1), padding_mode, estimate)
    ours, literal = half_spectrum_converse2d(*arguments), literal_converse2d(*arguments)
    # The literal formula divides a difference by λ, and loses the digits of 1/λ.
    torch.testing.assert_close(ours, literal, rtol=1e-10, atol=1e-10)
    for one, other in zip(
        torch.autograd.grad(ours.pow(2).sum(), (y, weight, lam)),
        torch.autograd.grad(literal.pow(2).sum(), (y, weight, lam)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8 * float(other.abs().max()))


def test_a_network_keeps_its_parameters() -> None:
    torch.manual_seed(0)
    network = create_model("block-dncnn", "converse", features=4, blocks=2).double().eval()
    image = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        expected = network(image)
        found = make_half_spectrum(network)(image)
    plain = [type(module) for module in network.modules()]
    assert (plain.count(HalfSpectrumConverse2D), plain.count(PlainBlock), plain.count(PlainPointwise)) == (2, 2, 8)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_an_estimate_of_ones_own_is_refused() -> None:
    layer = make_half_spectrum(Converse2D(1, 3))
    with pytest.raises(ValueError, match="no estimate of one's own"):
        layer(torch.rand(1, 1, 6, 6), initial_estimate=torch.rand(1, 1, 6, 6))
