"""Kernels no larger than the scale, solved without a transform.

Oracles: the general way, through spectra, which serves kernels of any size; and finite differences.
``test_functional.py`` holds both ways against the dense problem.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import vmap

from converse.nn import channel_groups, functional
from converse.nn.functional import PADDING_MODES, apply_transfer, converse2d, transfer
from converse.nn.operators import Converse2D
from converse.nn.small_kernels import reach, serves
from converse.nn.transfer_cache import TRANSFERS


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_spectra(*arguments: Any, **options: Any) -> Tensor:
    with patch.object(functional, "serves", lambda *_: False):
        return converse2d(*arguments, **options)


@st.composite
def problems(draw: st.DrawFn) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    s, t = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    k, l = draw(st.integers(1, s)), draw(st.integers(1, t))
    p, q = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    h, w = draw(st.integers(p + 1, 5)), draw(st.integers(q + 1, 5))
    n, kernels = draw(st.sampled_from([(1, 1), (2, 1), (2, 2)]))
    seed = draw(st.integers(0, 99))
    y, weight = rand(n, 2, h, w, seed=seed), rand(kernels, 2, k, l, seed=seed + 1)
    lam = 10 ** rand(draw(st.sampled_from([1, kernels])), draw(st.sampled_from([1, 2])), 1, 1, seed=seed + 2)
    own = rand(n, 2, s * h, t * w, seed=seed + 3).requires_grad_()
    x0 = draw(st.sampled_from(["interpolation", "zero", own]))
    mode = draw(st.sampled_from(PADDING_MODES))
    options = {"scale": (s, t), "padding": (p, q), "padding_mode": mode, "initial_estimate": x0}
    return tuple(one.requires_grad_() for one in (y, weight, lam)), options


@settings(max_examples=60)
@given(problems())
def test_values_and_gradients_are_those_of_the_general_way(
    problem: tuple[tuple[Tensor, ...], dict[str, Any]],
) -> None:
    inputs, options = problem
    leaves = (*inputs, *(one for one in [options["initial_estimate"]] if isinstance(one, Tensor)))
    found, expected = converse2d(*inputs, **options), by_spectra(*inputs, **options)
    size = float(expected.detach().abs().max()) + 1
    # M ≥ 1e-4 or so and λ ≥ 1e-3 or so: float64 loses four digits at most, and its gradient twice as many.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * size)
    upstream = rand(*found.shape, seed=7)
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, upstream, allow_unused=True),
        torch.autograd.grad(expected, leaves, upstream, allow_unused=True),
        strict=True,
    ):
        largest = float(theirs.abs().max()) + 1
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8 * largest)


def test_which_kernels_are_small_and_how_far_they_reach() -> None:
    assert serves((2, 2), (2, 2))
    assert serves((1, 3), (2, 3))
    assert not serves((3, 2), (2, 2))
    assert not serves((2, 3), (3, 2))
    assert [reach((k, 1))[0] for k in (1, 2, 3, 4, 5)] == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(("k", "scale"), [((2, 2), (2, 2)), ((1, 2), (3, 2)), ((3, 1), (3, 2))], ids=str)
def test_derivatives_are_those_of_finite_differences(k: tuple[int, int], scale: tuple[int, int]) -> None:
    inputs = tuple(
        one.requires_grad_() for one in (rand(2, 2, 2, 3), rand(1, 2, *k, seed=1), rand(1, 2, 1, 1, seed=2).abs() + 0.3)
    )

    def solve(*tensors: Tensor) -> Tensor:
        return converse2d(*tensors, scale=scale, padding=1, padding_mode="reflect")

    assert gradcheck(solve, inputs)
    assert gradcheck(solve, inputs, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert gradgradcheck(solve, inputs, fast_mode=True)


def test_a_map_over_kernels_is_a_loop() -> None:
    y, weights = rand(1, 2, 3, 4), rand(3, 1, 2, 2, 2, seed=1)
    together = vmap(lambda weight: converse2d(y, weight, 0.1, scale=2))(weights)
    torch.testing.assert_close(together, torch.stack([converse2d(y, one, 0.1, scale=2) for one in weights]))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(weights[0], weights[1])
        assert forward_ad.unpack_dual(converse2d(y, dual, 0.1, scale=2)).tangent is not None


@pytest.mark.parametrize("scale", [2, 3])
def test_groups_of_channels_and_layouts_change_nothing(monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    def evaluate(y: Tensor) -> list[Tensor]:
        y, weight = y.requires_grad_(), rand(1, 5, 2, 2, seed=1).requires_grad_()
        x = converse2d(y, weight, 0.1, scale=scale)
        grad = rand(*x.shape, seed=2).contiguous(memory_format=torch.channels_last)
        return [x.detach(), *torch.autograd.grad(x, (y, weight), grad)]

    expected = evaluate(rand(2, 5, 3, 4))
    monkeypatch.setattr(channel_groups, "core_cache", lambda: 500)
    for layout in (torch.contiguous_format, torch.channels_last):
        for found, reference in zip(evaluate(rand(2, 5, 3, 4).contiguous(memory_format=layout)), expected, strict=True):
            torch.testing.assert_close(found, reference, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("scale", [2, 3])
def test_real_sizes_in_float32_stay_near_the_general_way_in_float64(scale: int) -> None:
    y, weight = rand(1, 2, 61, 50), rand(1, 2, scale, scale, seed=1).flatten(2).softmax(-1).view(1, 2, scale, scale)
    lam = torch.full((1, 1, 1, 1), 1.33e-4, dtype=torch.float64)
    p = scale - 1
    exact = apply_transfer(y, transfer(weight, lam, (61 + 2 * p, 50 + 2 * p), scale), p, "replicate")
    single = converse2d(y.float(), weight.float(), lam.float(), scale=scale, padding=p, padding_mode="replicate")
    # A dozen roundings of numbers of Y's size.
    assert float((single - exact).abs().max() / exact.abs().max()) < 2e-6


def test_nothing_is_transformed_and_nothing_kept() -> None:
    layer, y = Converse2D(3, 2, 2).eval(), torch.rand(1, 3, 5, 6)
    before = TRANSFERS.nbytes
    with patch.object(functional, "spectrum_of", side_effect=AssertionError), torch.no_grad():
        evaluated = layer(y)
    assert TRANSFERS.nbytes == before
    assert torch.equal(evaluated, layer.train()(y).detach())
