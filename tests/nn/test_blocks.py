"""The block with any operator in it, against the paper's formula written out with torch's own layers.

Oracles: ``nn.LayerNorm`` with the channels last, ``F.conv2d``, ``F.gelu``, and counts of parameters by hand.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.errors import OptionError
from converse.nn.blocks import Block, BlockDesign, ChannelNorm, Scale, block_stack, operator_factory
from converse.nn.operators import OPERATORS, Converse2D, DepthwiseConv2d

SomeModule = TypeVar("SomeModule", bound=nn.Module)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def converse(channels: int) -> nn.Module:
    return Converse2D(channels, 3)


def stirred(module: SomeModule) -> SomeModule:
    """With parameters away from ones and zeros, so that each of them matters."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module


def layer_norm(x: Tensor, norm: ChannelNorm) -> Tensor:
    theirs = nn.LayerNorm(x.shape[1], eps=1e-5, dtype=x.dtype)
    last = x.permute(0, 2, 3, 1)
    return F.layer_norm(last, theirs.normalized_shape, norm.weight, norm.bias, theirs.eps).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (1, 64, 40, 30), (3, 1, 2, 2), (0, 5, 4, 3)], ids=str)
def test_the_norm_is_torchs_layer_norm_over_the_channels(shape: tuple[int, ...]) -> None:
    norm = stirred(ChannelNorm(shape[1])).double()
    x = rand(*shape).requires_grad_()
    grad = rand(*shape, seed=2)
    leaves = (x, *norm.parameters())
    expected = layer_norm(x, norm)
    result = norm(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(result, leaves, grad), torch.autograd.grad(expected, leaves, grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_norm_in_float32_survives_a_large_mean(offset: float) -> None:
    x = rand(1, 64, 8, 8) + offset
    norm = ChannelNorm(64)
    expected = layer_norm(x, norm.double())
    # A mean of 100 costs float32 two of its seven digits; a variance of squares less squared mean would lose four.
    torch.testing.assert_close(norm.float()(x.float()).double(), expected, rtol=0, atol=5e-6 * (1 + offset))


def literal_half(half: nn.Module, x: Tensor, design: BlockDesign, *, spatial: bool) -> Tensor:
    parts = dict(half.named_children())

    def pointwise(name: str, x: Tensor) -> Tensor:
        layer = parts[name]
        return F.conv2d(x, layer.weight, layer.bias)  # type: ignore[arg-type]

    def operator(x: Tensor, position: str) -> Tensor:
        return parts["operator"](x) if spatial and design.position == position else x

    y = layer_norm(x, parts["norm"]) if design.norm else x  # type: ignore[arg-type]
    y = pointwise("expand", operator(y, "before"))
    y = F.gelu(y) if design.activation else y
    if spatial and design.position == "between":
        y = operator(y, "between")
        y = F.gelu(y) if design.activation else y
    y = operator(pointwise("project", y), "after")
    return y * parts["scale"].alpha if design.alpha else y  # type: ignore[operator]


def literal_block(block: Block, x: Tensor, design: BlockDesign) -> Tensor:
    """The paper's x + f(x), twice."""
    y = literal_half(block.spatial, x, design, spatial=True)
    x = x + y if design.residual else y
    if block.channel is None:
        return x
    y = literal_half(block.channel, x, design, spatial=False)
    return x + y if design.residual else y


DESIGNS: list[Any] = [
    pytest.param({}, id="paper"),
    pytest.param({"norm": False}, id="no-norm"),
    pytest.param({"activation": False}, id="no-activation"),
    pytest.param({"expansion": 1}, id="expansion1"),
    pytest.param({"expansion": 4}, id="expansion4"),
    pytest.param({"position": "before"}, id="operator-before"),
    pytest.param({"position": "after"}, id="operator-after"),
    pytest.param({"second": False}, id="one-half"),
    pytest.param({"residual": False}, id="no-residual"),
    pytest.param({"alpha": True}, id="alpha"),
    pytest.param({"norm": False, "position": "before", "second": False}, id="operator-first"),
    pytest.param({"position": "after", "second": False, "residual": False}, id="operator-last"),
]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_design_with_every_operator_is_the_formula(name: str, design: dict[str, Any]) -> None:
    block = stirred(Block(4, operator_factory(name, 3, "circular"), BlockDesign(**design))).double()
    x = rand(2, 4, 6, 5).requires_grad_()
    result, expected = block(x), literal_block(block, x, BlockDesign(**design))
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-10)
    leaves, grad = (x, *block.parameters()), rand(2, 4, 6, 5, seed=3)
    for ours, theirs in zip(
        torch.autograd.grad(result, leaves, grad), torch.autograd.grad(expected, leaves, grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)
    with torch.no_grad():  # and so it is in evaluation
        torch.testing.assert_close(block.eval()(x), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 64, 50, 60), (9, 64, 20, 24)], ids=["tall", "many-samples"])
def test_a_map_larger_than_the_cache_of_a_processor_is_the_formula(shape: tuple[int, ...]) -> None:
    block = stirred(Block(64, operator_factory("conv", 3, "circular"))).double()
    x = rand(*shape).requires_grad_()
    result, expected = block(x), literal_block(block, x, BlockDesign())
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-10)
    leaves, grad = (x, *block.parameters()), rand(*shape, seed=3)
    for ours, theirs in zip(
        torch.autograd.grad(result, leaves, grad), torch.autograd.grad(expected, leaves, grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("frozen", ["norm", "expand", "operator", "project", "everything"])
def test_frozen_parts_get_no_gradient_and_change_no_other(frozen: str) -> None:
    block, x = stirred(Block(4, converse)).double(), rand(2, 4, 6, 5)
    block(x).square().sum().backward()
    expected = {name: parameter.grad for name, parameter in block.named_parameters()}
    block.zero_grad(set_to_none=True)
    for name, parameter in block.named_parameters():
        parameter.requires_grad_(f".{frozen}." not in name and frozen != "everything")
    block(x.requires_grad_()).square().sum().backward()
    for name, parameter in block.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-10, atol=1e-10)
    assert x.grad is not None


def test_alpha_starts_as_the_identity() -> None:
    block, x = Block(4, converse, BlockDesign(alpha=True)), rand(2, 4, 6, 5, dtype=torch.float32)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    for half in (block.spatial, block.channel):
        assert half is not None
        alpha = half.get_parameter("scale.alpha")
        assert alpha.shape == (1, 4, 1, 1)
        assert alpha.grad is not None
        assert alpha.grad.abs().sum() > 0  # it can leave the start


def test_scale_multiplies_each_channel() -> None:
    scale = Scale(2)
    with torch.no_grad():
        scale.alpha.copy_(torch.tensor([2.0, -1.0]).view(1, 2, 1, 1))
    assert scale(torch.ones(1, 2, 1, 1)).flatten().tolist() == [2.0, -1.0]


@pytest.mark.parametrize(
    ("design", "count"),
    [
        # C = 8, k = 3. Norm 2C; expand C·2C + 2C; operator 2C·(k² + 1); project 2C·C + C; per half, and α: C each.
        pytest.param({}, 2 * (16 + 144 + 136) + 160, id="paper"),
        pytest.param({"norm": False}, 2 * (144 + 136) + 160, id="no-norm"),
        pytest.param({"activation": False}, 2 * (16 + 144 + 136) + 160, id="no-activation"),
        pytest.param({"second": False}, (16 + 144 + 136) + 160, id="one-half"),
        pytest.param({"position": "before"}, 2 * (16 + 144 + 136) + 80, id="operator-before"),
        pytest.param({"position": "after"}, 2 * (16 + 144 + 136) + 80, id="operator-after"),
        pytest.param({"alpha": True}, 2 * (16 + 144 + 136 + 8) + 160, id="alpha"),
        pytest.param({"expansion": 1}, 2 * (16 + 72 + 72) + 80, id="expansion1"),
    ],
)
def test_parameters_are_those_counted_by_hand(design: dict[str, Any], count: int) -> None:
    for name in OPERATORS:
        block = Block(8, operator_factory(name, 3, "circular"), BlockDesign(**design))
        assert sum(p.numel() for p in block.parameters()) == count


@pytest.mark.parametrize("design", DESIGNS)
def test_nothing_and_one_sample_pass(design: dict[str, Any]) -> None:
    block = Block(4, converse, BlockDesign(**design))
    assert block(torch.zeros(0, 4, 6, 5)).shape == (0, 4, 6, 5)
    assert block(torch.zeros(1, 4, 6, 5)).shape == (1, 4, 6, 5)
    block(torch.zeros(0, 4, 6, 5)).sum().backward()


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_memory_layout_changes_nothing(training: bool) -> None:
    block, x = stirred(Block(8, converse)).double().train(training), rand(2, 8, 6, 5)
    with torch.set_grad_enabled(training):
        expected = block(x)
        for changed in (
            x.contiguous(memory_format=torch.channels_last),
            x.mT.contiguous().mT,
            x.repeat(1, 2, 1, 1)[:, :8],
        ):
            torch.testing.assert_close(block(changed), expected, rtol=0, atol=1e-11)


def test_autocast_stays_near_float32() -> None:
    block, x = stirred(Block(16, converse)), rand(1, 16, 8, 8, dtype=torch.float32)
    expected = block(x)
    with torch.autocast("cpu", torch.bfloat16):
        result = block(x)
        result.float().sum().backward()
    # bfloat16 has eight bits, and the block a dozen roundings.
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=0.05 * float(expected.detach().abs().max()))
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in block.parameters())


@pytest.mark.parametrize("design", [{}, {"norm": False}, {"position": "before"}, {"position": "after"}], ids=str)
@pytest.mark.parametrize("norm", [True, False])
def test_an_evaluation_leaves_its_input_alone(design: dict[str, Any], norm: bool) -> None:
    # The operator may overwrite what the block itself has made, and nothing else. Oracle: with gradients nothing is.
    block = stirred(Block(4, converse, BlockDesign(**{"norm": norm, **design}))).eval()
    x = rand(1, 4, 6, 5, dtype=torch.float32)
    given, expected = x.clone(), block(x).detach()
    with torch.no_grad():
        result = block(given)
    assert torch.equal(given, x)
    torch.testing.assert_close(result, expected)


PARTS = ["norm", "expand", "operator", "operator_activation", "project"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["forward", "pre", "global"])
@pytest.mark.parametrize("frozen", [False, True], ids=["no-grad", "frozen"])
def test_a_hook_sees_whole_maps_and_keeps_what_it_saw(part: str, kind: str, frozen: bool) -> None:
    # Oracle: the block without hooks; copies that the hook made at once.
    block = stirred(Block(64, converse)).eval().requires_grad_(not frozen)
    x = rand(1, 64, 60, 70, dtype=torch.float32)  # several tiles
    watched = block.spatial.get_submodule(part)
    seen: list[tuple[Tensor, Tensor]] = []

    def see(module: nn.Module, *given: Any) -> None:
        if module is watched:
            tensors = [given[0][0], *([] if kind == "pre" else [given[1]])]
            seen.extend((tensor, tensor.clone()) for tensor in tensors)

    with torch.set_grad_enabled(frozen):
        expected = block(x)
        if kind == "global":
            handle = torch.nn.modules.module.register_module_forward_hook(see)
        else:
            handle = watched.register_forward_pre_hook(see) if kind == "pre" else watched.register_forward_hook(see)
        result = block(x)
        handle.remove()
        again = block(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)
    assert torch.equal(again, expected)
    assert len(seen) == (1 if kind == "pre" else 2)  # in one piece
    for tensor, copied in seen:
        assert tensor.shape[2:] == x.shape[2:]
        assert torch.equal(tensor, copied)


def test_a_hook_may_replace_what_the_operator_gets_and_gives() -> None:
    block, x = stirred(Block(4, converse)).eval(), rand(1, 4, 6, 5, dtype=torch.float32)
    mine, zeros = torch.ones(1, 8, 6, 5), torch.zeros(1, 8, 6, 5)
    operator = block.spatial.get_submodule("operator")
    with torch.no_grad():
        operator.register_forward_pre_hook(lambda *_: mine)
        given = block(x)
        assert torch.equal(mine, torch.ones(1, 8, 6, 5))  # what the hook gives is not the block's to overwrite
        operator.register_forward_hook(lambda *_: zeros)
        assert not torch.equal(block(x), given)
        assert not zeros.any()


def test_what_a_part_hands_on_unchanged_is_not_overwritten() -> None:
    block = stirred(Block(4, converse, BlockDesign(position="before"))).eval().requires_grad_(False)
    block.spatial.norm = nn.Identity()
    x = rand(1, 4, 6, 5, dtype=torch.float32)
    given = x.clone()
    block(given)  # gradients are enabled, and nobody wants any: no tiles are made
    assert torch.equal(given, x)


def test_an_operator_that_derives_from_ours_needs_to_know_nothing_of_overwriting() -> None:
    class Twice(Converse2D):
        def forward(self, y: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(super().forward(y))

    block, x = Block(4, lambda channels: Twice(channels, 3)).eval(), rand(1, 4, 6, 5, dtype=torch.float32)
    with torch.no_grad():
        assert block(x).shape == x.shape


def test_copies_are_independent() -> None:
    block, x = stirred(Block(4, converse)).eval(), rand(1, 4, 6, 5, dtype=torch.float32)
    with torch.no_grad():
        expected = block(x)
        for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
            assert torch.equal(other(x), expected)
            for parameter in other.parameters():
                parameter.zero_()
            assert torch.equal(block(x), expected)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_compiles_without_a_graph_break(training: bool) -> None:
    torch._dynamo.reset()
    block, x = stirred(Block(4, converse)).train(training), rand(1, 4, 6, 5, dtype=torch.float32)
    with torch.set_grad_enabled(training):
        result = torch.compile(block, backend="eager", fullgraph=True)(x)
        torch.testing.assert_close(result, block(x), rtol=0, atol=1e-5)
    torch._dynamo.reset()


def test_it_can_be_traced() -> None:
    block, x = Block(4, converse).eval().requires_grad_(False), rand(1, 4, 6, 5, dtype=torch.float32)
    with torch.no_grad():
        traced = torch.jit.trace(block, x, check_trace=False)
        torch.testing.assert_close(traced(x), block(x), rtol=0, atol=1e-4)


def test_a_stack_has_so_many_blocks_of_the_design() -> None:
    stack = block_stack(3, 4, converse, {"alpha": True, "second": False})
    assert len(stack) == 3
    for block in stack:
        assert isinstance(block, Block)
        assert block.channel is None
        assert hasattr(block.spatial, "scale")
    assert len(block_stack(0, 4, converse)) == 0


def test_the_factory_passes_options_on() -> None:
    operator = operator_factory("converse", 5, "zero", {"lam": 0.5, "padding": 1})(6)
    assert isinstance(operator, Converse2D)
    assert (operator.channels, operator.kernel_size, operator.padding_mode) == (6, 5, "zero")
    assert (operator.fixed_lam, operator.padding) == (0.5, 1)
    assert isinstance(operator_factory("conv", 5, "reflect")(6), DepthwiseConv2d)


def test_an_unknown_operator_is_named_with_the_nearest_one() -> None:
    with pytest.raises(OptionError, match="unknown operator 'convers': did you mean 'converse'"):
        operator_factory("convers", 3, "circular")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"expansion": 0}, "expansion must be at least 1, got 0", id="expansion"),
        pytest.param({"position": "inside"}, "position must be one of .* got 'inside'", id="position"),
    ],
)
def test_a_design_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockDesign(**options)
