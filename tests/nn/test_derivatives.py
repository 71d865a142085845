"""Derivatives beyond a backward pass: of second order, in forward mode, and under the transforms of ``torch.func``.

Oracles: finite differences (gradcheck, gradgradcheck), and autograd through the literal formula.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import functional_call, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.utils.checkpoint import checkpoint

from converse.nn import channel_groups, tiling
from converse.nn.blocks import Block, BlockDesign
from converse.nn.derivatives import differentiated_again, transformed
from converse.nn.functional import converse2d
from converse.nn.literal import literal_converse2d
from converse.nn.operators import Converse2D, DepthwiseConv2d


# Small images, and many groups of channels and tiles all the same.
@pytest.fixture(autouse=True)
def little_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_groups, "core_cache", lambda: 64)
    monkeypatch.setattr(tiling, "TILE_BYTES", 64)


MODES = ("circular", "reflect", "replicate", "zero")

Function = Callable[..., Tensor]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(n: int = 1, c: int = 1, size: tuple[int, int] = (3, 4), samples: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Y, K and the logarithm of λ, all of which want derivatives."""
    y, weight, bias = rand(n, c, *size), rand(samples, c, 3, 3, seed=1) / 3, rand(1, c, 1, 1, seed=2) - 1
    return y.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def solver(**options: Any) -> Function:
    """X* of Y, K and the logarithm of λ: learnt as in the layer, so that every point has an answer."""
    return lambda y, weight, bias: converse2d(y, weight, bias.exp(), **options)


def literal(scale: int, padding: int, mode: Any) -> Function:
    return lambda y, weight, bias: literal_converse2d(y, weight, bias.exp(), scale, padding, mode)


def from_estimate(**options: Any) -> Function:
    """X* of Y, K, the logarithm of λ, and X0."""
    return lambda y, weight, bias, x0: converse2d(y, weight, bias.exp(), initial_estimate=x0, **options)


def estimate(y: Tensor, scale: int) -> Tensor:
    """An X0 that fits."""
    return rand(*y.shape[:2], scale * y.shape[2], scale * y.shape[3], seed=6).requires_grad_()


@pytest.mark.parametrize("estimate", ["interpolation", "zero"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_second_derivatives_are_those_of_finite_differences(scale: int, mode: str, estimate: str) -> None:
    solve = solver(scale=scale, padding=2, padding_mode=mode, initial_estimate=estimate)
    assert gradgradcheck(solve, problem(), fast_mode=True)


def test_every_entry_of_the_second_derivatives_is_that_of_finite_differences() -> None:
    assert gradgradcheck(solver(scale=2, padding=1), problem(size=(2, 2)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_derivatives_with_an_estimate_of_ones_own_are_those_of_finite_differences(scale: int, mode: str) -> None:
    y, *others = problem()
    inputs = (y, *others, estimate(y, scale))
    solve = from_estimate(scale=scale, padding=2, padding_mode=mode)
    assert gradcheck(solve, inputs, fast_mode=True)
    assert gradgradcheck(solve, inputs, fast_mode=True)


def test_second_derivatives_where_axes_differ() -> None:
    solve = solver(scale=(1, 2), padding=(1, 2), padding_mode="reflect")
    y, _, bias = problem()
    assert gradgradcheck(solve, (y, rand(1, 1, 2, 4, seed=1).requires_grad_(), bias), fast_mode=True)


@pytest.mark.parametrize("wanted", [(0,), (1,), (0, 2)], ids=str)
def test_second_derivatives_whichever_inputs_have_gradients(wanted: tuple[int, ...]) -> None:
    inputs = [one.detach().requires_grad_(index in wanted) for index, one in enumerate(problem(2, samples=2))]
    assert gradgradcheck(solver(scale=2, padding=1), inputs, fast_mode=True)


def second(function: Function, inputs: tuple[Tensor, ...], upstream: Tensor) -> tuple[Tensor, ...]:
    """The gradient of a penalty on gradients."""
    first = torch.autograd.grad(function(*inputs), inputs, upstream, create_graph=True)
    return torch.autograd.grad([one.pow(3).sum() for one in first], inputs)


@pytest.mark.parametrize("plain_sum", [False, True], ids=["weighted", "sum"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_gradient_of_a_penalty_is_that_of_the_literal_formula(scale: int, mode: str, plain_sum: bool) -> None:
    # After a plain sum the incoming gradient needs none itself.
    inputs = problem(2, 2, (4, 3))
    upstream = torch.ones(2, 2, 4 * scale, 3 * scale, dtype=torch.float64)
    if not plain_sum:
        upstream = rand(*upstream.shape, seed=5)
    solve = solver(scale=scale, padding=2, padding_mode=mode)
    for ours, theirs in zip(
        second(solve, inputs, upstream), second(literal(scale, 2, mode), inputs, upstream), strict=True
    ):
        # The literal formula loses three digits where it divides by λ.
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10 * float(theirs.abs().max()))


def test_a_gradient_is_the_same_with_a_graph_and_without() -> None:
    inputs = problem(2, 2, (4, 3))
    x = solver(scale=2, padding=2)(*inputs)
    for plain, fast in zip(
        torch.autograd.grad(x.pow(2).sum(), inputs, create_graph=True),
        torch.autograd.grad(x.pow(2).sum(), inputs),
        strict=True,
    ):
        assert plain.requires_grad
        torch.testing.assert_close(plain.detach(), fast, rtol=1e-12, atol=1e-12 * float(fast.abs().max()))


def test_kernels_and_lambda_may_depend_on_the_input() -> None:
    # Gradients are those with respect to each argument alone, whatever one was made of.
    y = rand(1, 1, 3, 4).requires_grad_()

    def solve(y: Tensor) -> Tensor:
        return converse2d(y, y[..., :3, :3] / 3, y.square().mean((2, 3), keepdim=True) + 0.1, scale=2, padding=1)

    assert gradcheck(solve, y, fast_mode=True)
    assert gradgradcheck(solve, y, fast_mode=True)


def test_third_derivatives_are_those_of_finite_differences() -> None:
    def gradient(*inputs: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(solver(scale=2, padding=1)(*inputs).pow(2).sum(), inputs, create_graph=True)

    assert gradgradcheck(gradient, problem(), fast_mode=True)


def stirred(operator: Callable[[int], nn.Module]) -> Block:
    """A block all of whose parameters matter, α too."""
    block = Block(2, operator, BlockDesign(alpha=True)).double()
    for index, parameter in enumerate(block.parameters()):
        parameter.data += rand(*parameter.shape, seed=index) / 3
    return block


def block_and_inputs(operator: Callable[[int], nn.Module]) -> tuple[Function, tuple[Tensor, ...]]:
    """A block as a function of its input and parameters."""
    block = stirred(operator)
    names = [name for name, _ in block.named_parameters()]

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        out: Tensor = functional_call(block, dict(zip(names, parameters, strict=True)), (x,))
        return out

    parameters = [parameter.detach().clone().requires_grad_() for parameter in block.parameters()]
    return function, (rand(2, 2, 2, 3, seed=9).requires_grad_(), *parameters)


SUBJECTS: list[Any] = [
    pytest.param(lambda: (solver(padding=2), problem(2, 1)), id="scale1"),
    pytest.param(lambda: (solver(scale=2, padding=2, padding_mode="reflect"), problem(2, 1)), id="scale2"),
    pytest.param(
        lambda: (solver(scale=2, padding=1, padding_mode="replicate"), problem(2, 1, samples=2)), id="samples"
    ),
    pytest.param(lambda: (from_estimate(scale=2, padding=1), (*problem(2), estimate(problem()[0], 2))), id="estimate"),
    pytest.param(lambda: block_and_inputs(lambda c: Converse2D(c, 3)), id="block"),
    pytest.param(lambda: block_and_inputs(lambda c: DepthwiseConv2d(c, 3)), id="block-conv"),
]
Subject = Callable[[], tuple[Function, tuple[Tensor, ...]]]


@pytest.mark.parametrize("subject", SUBJECTS[4:])
def test_a_block_has_second_derivatives(subject: Subject) -> None:
    function, inputs = subject()
    assert gradgradcheck(function, inputs, fast_mode=True)


def all_close(results: Any, references: Any) -> None:
    for result, reference in zip(results, references, strict=True):
        if isinstance(result, Tensor):
            scale = float(reference.detach().abs().max())
            torch.testing.assert_close(result.detach(), reference.detach(), rtol=0, atol=1e-11 * max(scale, 1))
        else:
            all_close(result, reference)


def scalar(function: Function) -> Function:
    return lambda *inputs: function(*inputs).pow(3).sum()


def every(inputs: tuple[Tensor, ...]) -> tuple[int, ...]:
    return tuple(range(len(inputs)))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_torch_func_has_the_gradients_of_autograd(subject: Subject) -> None:
    function, inputs = subject()
    expected = torch.autograd.grad(scalar(function)(*inputs), inputs)
    all_close(torch.func.grad(scalar(function), every(inputs))(*inputs), expected)
    assert all(one.abs().max() > 0 for one in expected)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_jacobians_are_those_of_autograd(subject: Subject) -> None:
    function, inputs = subject()
    of_all = every(inputs)
    jacobian = torch.autograd.functional.jacobian(function, inputs)
    all_close(jacrev(function, of_all)(*inputs), jacobian)
    all_close(jacfwd(function, of_all)(*inputs), jacobian)
    all_close(torch.autograd.functional.jacobian(function, inputs, vectorize=True), jacobian)


@pytest.mark.parametrize("subject", [SUBJECTS[1], SUBJECTS[4]])
def test_hessians_are_those_of_autograd(subject: Subject) -> None:
    function, inputs = subject()
    expected = torch.autograd.functional.hessian(scalar(function), inputs)
    all_close(hessian(scalar(function), every(inputs))(*inputs), expected)
    all_close(torch.autograd.functional.hessian(scalar(function), inputs, vectorize=True), expected)


@pytest.mark.parametrize("gradients", [True, False], ids=["with-gradients", "without"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_forward_mode_is_the_transpose_of_backward_mode(subject: Subject, gradients: bool) -> None:
    function, inputs = subject()
    tangents = tuple(rand(*one.shape, seed=20 + index) for index, one in enumerate(inputs))
    value = function(*inputs)
    upstream = rand(*value.shape, seed=30)
    pulled = torch.autograd.grad(value, inputs, upstream)
    with torch.set_grad_enabled(gradients):
        out, tangent, *_ = jvp(function, inputs, tangents)
        pull = vjp(function, *inputs)[1]
    all_close([out, *pull(upstream)], [value, *pulled])
    expected = sum((one * other).sum() for one, other in zip(pulled, tangents, strict=True))
    all_close([(tangent * upstream).sum()], [expected])
    # Duals by hand, all of them, and one alone: the others are plain tensors, of which tiles or filters may be made.
    for carrying in (range(len(inputs)), *([index] for index in range(len(inputs)))):
        with forward_ad.dual_level(), torch.set_grad_enabled(gradients):
            duals = [
                forward_ad.make_dual(one, tangents[index]) if index in carrying else one
                for index, one in enumerate(inputs)
            ]
            tangent = forward_ad.unpack_dual(function(*duals)).tangent
        part = sum((pulled[index] * tangents[index]).sum() for index in carrying)
        all_close([(tangent * upstream).sum()], [part])


@pytest.mark.parametrize("gradients", [True, False], ids=["with-gradients", "without"])
@pytest.mark.parametrize("over", [0, 1, 2], ids=["y", "weight", "bias"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_map_is_a_loop(subject: Subject, over: int, gradients: bool) -> None:
    function, inputs = subject()
    many = torch.stack([inputs[over].detach() + rand(*inputs[over].shape, seed=seed) / 9 for seed in range(3)])

    def of_one(one: Tensor) -> Tensor:
        return function(*inputs[:over], one, *inputs[over + 1 :])

    with torch.set_grad_enabled(gradients):
        all_close(vmap(of_one)(many), [of_one(one) for one in many])


@pytest.mark.parametrize("subject", SUBJECTS)
def test_gradients_of_single_samples(subject: Subject) -> None:
    function, (samples, *parameters) = subject()
    if parameters[0].shape[0] == samples.shape[0] == 2 and parameters[0].dim() == 4:
        parameters[0] = parameters[0][:1]  # kernels that all samples share

    def loss(parameters: tuple[Tensor, ...], sample: Tensor) -> Tensor:
        return scalar(function)(sample[None], *parameters)

    found = vmap(torch.func.grad(loss), (None, 0))(tuple(parameters), samples)
    for index, sample in enumerate(samples):
        expected = torch.autograd.grad(loss(tuple(parameters), sample), parameters)
        all_close([one[index] for one in found], expected)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_many_upstream_gradients_in_one_pass(subject: Subject) -> None:
    function, inputs = subject()
    value = function(*inputs)
    upstream = rand(3, *value.shape, seed=4)
    ask = partial(torch.autograd.grad, value, inputs, retain_graph=True)
    together = ask(upstream, is_grads_batched=True)
    all_close([one.unbind() for one in together], zip(*(ask(one) for one in upstream), strict=True))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_layer_learns_how_to_be_learnt(training: bool) -> None:
    # One step of MAML: the loss after a step of gradient descent, differentiated with respect to where it started.
    layer = Converse2D(1, 3, scale=2, lam_offset=-2.0).double().train(training)
    y, target = rand(1, 1, 3, 4), rand(1, 1, 6, 8, seed=1)

    def after_a_step(weight: Tensor, bias: Tensor) -> Tensor:
        def loss(weight: Tensor, bias: Tensor) -> Tensor:
            x: Tensor = functional_call(layer, {"weight": weight, "bias": bias}, (y,))
            return (x - target).square().sum()

        steps = torch.autograd.grad(loss(weight, bias), (weight, bias), create_graph=True)
        return loss(weight - 0.01 * steps[0], bias - 0.01 * steps[1])

    start = (rand(1, 1, 3, 3, seed=2) / 3, rand(1, 1, 1, 1, seed=3))
    assert gradcheck(after_a_step, [one.requires_grad_() for one in start], fast_mode=True)


def test_a_transfer_function_that_is_kept_has_no_tangent() -> None:
    # The values stay, the tangents differ: what is compared by its values alone would serve the first one twice.
    layer, y = Converse2D(2, 3).double().eval(), rand(1, 2, 5, 4)
    weight = layer.weight.detach()

    def tangent(direction: Tensor) -> Tensor:
        found: Tensor = jvp(lambda one: functional_call(layer, {"weight": one}, (y,)), (weight,), (direction,))[1]
        return found

    with torch.no_grad():
        layer(y)
        once, twice = tangent(weight), tangent(2 * weight)
        with forward_ad.dual_level():
            for factor in (1, 2):
                dual = {"weight": forward_ad.make_dual(weight, factor * weight)}
                all_close([forward_ad.unpack_dual(functional_call(layer, dual, (y,))).tangent], [factor * once])
        all_close([twice], [2 * once])
        assert once.abs().max() > 0


@pytest.mark.parametrize("reentrant", [True, False])
def test_computed_again_in_the_backward_pass(reentrant: bool) -> None:
    function, inputs = block_and_inputs(lambda c: Converse2D(c, 3))
    expected = torch.autograd.grad(scalar(function)(*inputs), inputs)
    leaves = [one.detach().clone().requires_grad_() for one in inputs]
    checkpoint(scalar(function), *leaves, use_reentrant=reentrant).backward()
    for leaf, reference in zip(leaves, expected, strict=True):
        assert leaf.grad is not None
        assert torch.equal(leaf.grad, reference)


def test_who_asks_for_what() -> None:
    x = rand(2)
    assert not transformed(x)
    seen: list[bool] = []
    vmap(lambda one: seen.append(transformed(one)) or one)(x)  # type: ignore[func-returns-value]
    with forward_ad.dual_level():
        seen.append(transformed(x, forward_ad.make_dual(x, x)))
    assert seen == [True, True]
    assert differentiated_again(x)  # gradients are enabled here
    with torch.no_grad():
        assert not differentiated_again(x, None)
