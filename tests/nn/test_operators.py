"""The operators as layers: SciPy's correlation and convolution, the function they wrap, and life as a module.

Oracles: SciPy, NumPy's padding, literal formulas of initialisation and λ; evaluation with the kept transfer function
against :func:`converse2d`, which tests/nn/test_functional.py holds to the dense problem.
"""

from __future__ import annotations

import copy
import io
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
import torch._dynamo
from torch import Tensor, nn

from converse.nn.functional import converse2d, per_axis
from converse.nn.operators import (
    OPERATORS,
    Converse2D,
    DepthwiseConv2d,
    DepthwiseConvTranspose2d,
    initialise_kernel,
)

MODES = ("circular", "reflect", "replicate", "zero")
SCIPY_MODE = {"circular": "wrap", "reflect": "mirror", "replicate": "nearest", "zero": "constant"}
NUMPY_MODE = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "zero": "constant"}
INITS = ("uniform", "gaussian", "delta", "uniform+softmax", "gaussian+softmax", "delta+softmax")


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def layer(channels: int = 3, kernel_size: int = 3, *arguments: Any, seed: int = 0, **options: Any) -> Converse2D:
    """An operator with λ and kernels away from their start, so that every parameter matters."""
    torch.manual_seed(seed)
    operator = Converse2D(channels, kernel_size, *arguments, **options)
    if operator.bias is not None:
        nn.init.normal_(operator.bias, 3.0)
    return operator


def solved(operator: Converse2D, y: Tensor) -> Tensor:
    """The function with the operator's arguments."""
    return converse2d(
        y,
        operator.weight,
        operator.lam,
        scale=operator.scale,
        padding=operator.padding,
        padding_mode=operator.padding_mode,
        initial_estimate=operator.initial_estimate,
    ).detach()


VARIANTS: list[Any] = [
    pytest.param((3, 3), {}, id="paper"),
    pytest.param((3, 5, 1, 0), {}, id="no-padding"),
    *(pytest.param((3, 3, 1, 2, mode), {}, id=mode) for mode in MODES),
    *(pytest.param((3, 3, s), {}, id=f"scale{s}") for s in (2, 3, 4)),
    pytest.param((3, 2, 2, 2, "replicate", 1e-3), {}, id="paper-upsampler"),
    pytest.param((3, 1), {}, id="one-tap"),
    pytest.param((3, (2, 5)), {}, id="rectangular"),
    pytest.param((3, (1, 4), (1, 3), (0, 2), "reflect"), {"kernel_init": "delta"}, id="rows"),
    pytest.param((1, 4, 2), {}, id="one-channel"),
    pytest.param((3, 3), {"lam": 0.01}, id="fixed-lambda"),
    pytest.param((3, 3), {"lam_shared": True}, id="shared-lambda"),
    pytest.param((3, 3), {"lam_offset": -2.0}, id="lambda-start"),
    pytest.param((3, 3), {"initial_estimate": "zero"}, id="zero-estimate"),
    *(pytest.param((3, 3), {"kernel_init": init}, id=init) for init in INITS),
]


@pytest.mark.parametrize(("arguments", "options"), VARIANTS)
def test_every_variant_trains_and_evaluates_as_the_function_does(
    arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    operator = layer(*arguments, **options)
    y = rand(2, operator.channels, 7, 6)
    expected = solved(operator, y)
    s, t = per_axis(operator.scale)
    assert expected.shape == (2, operator.channels, 7 * s, 6 * t)
    assert torch.equal(operator(y), expected)
    operator(y).pow(2).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in operator.parameters())
    operator.eval()
    with torch.no_grad():
        for _ in range(2):  # a miss, and a hit of the cache
            # float32; products are taken in another order.
            torch.testing.assert_close(operator(y), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("scale", [1, 2])
def test_an_estimate_takes_the_place_of_the_layers(scale: int, training: bool) -> None:
    operator, y = layer(scale=scale).train(training), rand(2, 3, 7, 6)
    x0 = rand(1, 3, 7 * scale, 6 * scale, seed=1)
    expected = converse2d(y, operator.weight, operator.lam, scale=scale, padding=2, initial_estimate=x0)
    with torch.set_grad_enabled(training):
        for _ in range(2):
            assert not torch.allclose(operator(y), expected)  # what may be kept of this is no answer to the other
            torch.testing.assert_close(operator(y, initial_estimate=x0), expected.detach(), rtol=0, atol=1e-5)


def test_an_unrolled_network_learns_through_its_estimates() -> None:
    operator, y = layer(), rand(2, 3, 7, 6)
    x = y
    for _ in range(3):
        x = operator(y, initial_estimate=x)
    x.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().max() > 0) for p in operator.parameters())


@pytest.mark.parametrize("init", INITS)
def test_kernels_start_as_their_name_says(init: Any) -> None:
    torch.manual_seed(3)
    weight = nn.Parameter(torch.empty(1, 200, 4, 3))
    initialise_kernel(weight, init)
    torch.manual_seed(3)
    draw = torch.zeros(1, 200, 4, 3)
    if init.startswith("uniform"):
        draw = torch.rand(1, 200, 4, 3)
    elif init.startswith("gaussian"):
        draw = torch.randn(1, 200, 4, 3)
    else:
        draw[:, :, 2, 1] = 1
    if init.endswith("softmax"):
        draw = draw.exp() / draw.exp().sum((2, 3), keepdim=True)
    torch.testing.assert_close(weight.detach(), draw)
    assert weight.requires_grad


def test_lambda_starts_as_published_and_is_learnt_per_channel_or_shared() -> None:
    # operator.md: 1.33e-4 with eps = 1e-5, 1.12e-3 with eps = 1e-3.
    paper = Converse2D(3, 5)
    assert paper.lam.shape == (1, 3, 1, 1)
    assert paper.lam.tolist() == [[[[pytest.approx(1.334e-4, rel=1e-3)]]] * 3]
    assert float(Converse2D(1, 2, eps=1e-3).lam.detach()) == pytest.approx(1.123e-3, rel=1e-3)
    assert Converse2D(3, 5, lam_shared=True).lam.shape == (1, 1, 1, 1)
    assert float(Converse2D(1, 2, lam_offset=0.0, eps=0.0).lam.detach()) == 0.5
    fixed = Converse2D(3, 5, lam=0.25)
    assert float(fixed.lam) == 0.25
    assert [name for name, _ in fixed.named_parameters()] == ["weight"]


def test_padding_is_the_papers_choice_unless_given() -> None:
    assert Converse2D(3, 5).padding == 4
    assert Converse2D(3, 5, padding=0).padding == 0


def test_the_state_has_the_names_and_shapes_of_the_released_checkpoints() -> None:
    state = Converse2D(8, 5).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "weight": (1, 8, 5, 5),
        "bias": (1, 8, 1, 1),
    }


REFUSED: list[Any] = [
    pytest.param(lambda: Converse2D(0, 3), "channels must be at least 1, got 0", id="channels"),
    pytest.param(lambda: Converse2D(3, 0), "kernel_size must be at least 1, got 0", id="kernel"),
    pytest.param(lambda: Converse2D(3, 3, 0), "scale must be at least 1, got 0", id="scale"),
    pytest.param(lambda: Converse2D(3, 3, padding_mode="wrap"), "padding_mode must be one of .* got 'wrap'", id="mode"),  # type: ignore[arg-type]
    pytest.param(lambda: Converse2D(3, 3, initial_estimate="y"), "initial_estimate must be .* got 'y'", id="estimate"),  # type: ignore[arg-type]
    pytest.param(lambda: Converse2D(3, 3, kernel_init="ones"), "kernel_init must be one of .* got 'ones'", id="init"),  # type: ignore[arg-type]
    pytest.param(lambda: Converse2D(3, 3, lam=0.0), "fixed λ must be positive, got 0.0", id="lambda-zero"),
    pytest.param(lambda: Converse2D(3, 3, lam=float("nan")), "fixed λ must be positive, got nan", id="lambda-nan"),
    pytest.param(lambda: Converse2D(3, 3, eps=-1e-3), "eps must not be negative, got -0.001", id="eps"),
    pytest.param(lambda: Converse2D(3, 3, padding=-1), "padding must not be negative, got -1", id="padding"),
    pytest.param(lambda: DepthwiseConv2d(0, 3), "channels", id="conv-channels"),
    pytest.param(lambda: DepthwiseConv2d(3, 3, padding_mode="constant"), "padding_mode", id="conv-mode"),  # type: ignore[arg-type]
    pytest.param(lambda: DepthwiseConvTranspose2d(3, 3, -1), "scale", id="convt-scale"),
    pytest.param(lambda: DepthwiseConvTranspose2d(3, 3, padding_mode="zeros"), "padding_mode", id="convt-mode"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_what_cannot_be_built_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_an_input_that_does_not_fit_is_refused_in_either_mode(training: bool) -> None:
    operator = Converse2D(3, 5).train(training)
    with torch.no_grad():
        with pytest.raises(TypeError, match="floating point"):
            operator(torch.ones(1, 3, 8, 8, dtype=torch.uint8))
        for shape in ((1, 4, 8, 8), (3, 8, 8)):
            with pytest.raises(ValueError, match=re.escape(f"the input must be [N, 3, H, W], got shape {shape}")):
                operator(torch.ones(shape))
        with pytest.raises(ValueError, match="circular padding of 4"):
            operator(torch.ones(1, 3, 3, 8))


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_depthwise_convolution_is_scipys_correlation(k: int, mode: Any, scale: int) -> None:
    torch.manual_seed(k)
    operator = DepthwiseConv2d(2, k, scale, mode).double()
    y = rand(2, 2, 6, 7, dtype=torch.float64)
    result = operator(y).detach().numpy()
    assert result.shape == (2, 2, 6 * scale, 7 * scale)
    weight, bias = operator.weight.detach().numpy(), operator.bias.detach().numpy()  # type: ignore[union-attr]
    for c in range(2):
        for i in range(scale):
            for j in range(scale):
                which = c * scale**2 + i * scale + j
                expected = scipy.ndimage.correlate(y[1, c].numpy(), weight[which, 0], mode=SCIPY_MODE[mode])
                np.testing.assert_allclose(result[1, c, i::scale, j::scale], expected + bias[which], atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_transposed_convolution_is_scipys_convolution_of_the_zero_filled_image(
    k: int, mode: Any, scale: int
) -> None:
    torch.manual_seed(k)
    operator = DepthwiseConvTranspose2d(2, k, scale, mode).double()
    y = rand(2, 2, 6, 7, dtype=torch.float64)
    result = operator(y).detach().numpy()
    assert result.shape == (2, 2, 6 * scale, 7 * scale)
    # Continue far enough, fill with zeros, convolve, and keep s·H samples: the kernel's excess over s is cut evenly.
    far = 5
    start = far * scale + max(k - scale, 0) // 2
    for c in range(2):
        padded = np.pad(y[1, c].numpy(), far, mode=NUMPY_MODE[mode])  # type: ignore[call-overload]
        filled = np.zeros([scale * length for length in padded.shape])
        filled[::scale, ::scale] = padded
        whole = scipy.signal.convolve2d(filled, operator.weight[c, 0].detach().numpy())
        expected = whole[start : start + 6 * scale, start : start + 7 * scale] + float(operator.bias[c].detach())  # type: ignore[index]
        np.testing.assert_allclose(result[1, c], expected, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_with_stride_1_and_an_odd_kernel_both_convolutions_are_the_same_class(mode: Any) -> None:
    torch.manual_seed(0)
    forward, transposed = DepthwiseConv2d(2, 5, padding_mode=mode), DepthwiseConvTranspose2d(2, 5, padding_mode=mode)
    transposed.load_state_dict({"weight": forward.weight.flip(-2, -1), "bias": forward.bias})
    y = rand(1, 2, 6, 7)
    torch.testing.assert_close(transposed(y), forward(y), rtol=0, atol=1e-6)  # sums of 25 terms in float32


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_registered_operator_keeps_the_contract(name: str, scale: int) -> None:
    torch.manual_seed(0)
    operator = OPERATORS[name](4, 3, scale, padding_mode="replicate")
    y = rand(2, 4, 6, 5).requires_grad_()
    x = operator(y)
    assert x.shape == (2, 4, 6 * scale, 5 * scale)
    assert x.dtype == y.dtype
    # Each channel by itself: the second channel's output depends on the second channel's input alone.
    (gradient,) = torch.autograd.grad(x[:, 1].square().sum(), y, retain_graph=True)
    assert gradient[:, 1].abs().sum() > 0
    assert gradient[:, [0, 2, 3]].abs().sum() == 0
    x.sum().backward()
    assert all(p.grad is not None for p in operator.parameters())
    assert operator(y[:0]).shape == (0, 4, 6 * scale, 5 * scale)
    assert operator.eval()(y[:1]).shape == (1, 4, 6 * scale, 5 * scale)
    last = operator(y.detach().contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, operator(y).detach(), rtol=0, atol=1e-5)
    state = copy.deepcopy(operator.state_dict())
    other = OPERATORS[name](4, 3, scale, padding_mode="replicate").eval()
    other.load_state_dict(state)
    assert torch.equal(other(y), operator(y))


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_other_precisions(dtype: torch.dtype, scale: int) -> None:
    operator = layer(scale=scale)
    y = rand(2, 3, 7, 6)
    expected = solved(operator, y)
    for module in (copy.deepcopy(operator).to(dtype), copy.deepcopy(operator).to(dtype).eval()):
        with torch.no_grad():
            x = module(y.to(dtype))
        assert x.dtype == dtype
        # Parameters, input and output are rounded to the precision; the solve amplifies, here less than tenfold.
        tolerance = 1e-6 if dtype == torch.float64 else 20 * torch.finfo(dtype).eps
        torch.testing.assert_close(x.float(), expected, rtol=0, atol=tolerance * float(expected.abs().max()))
    half = copy.deepcopy(operator).to(dtype)
    half(y.to(dtype)).float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == dtype for p in half.parameters())


def test_half_precision_keeps_a_lambda_that_it_could_not_hold() -> None:
    # In float16, sigmoid(-9) + 1e-5 has two digits left, and eps alone is subnormal: λ is computed in float32.
    assert Converse2D(1, 3).half().lam.dtype == torch.float32
    assert torch.equal(Converse2D(1, 3).half().lam, Converse2D(1, 3).lam)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_autocast_changes_nothing_of_the_solve(training: bool) -> None:
    operator, y = layer().train(training), rand(2, 3, 7, 6)
    with torch.set_grad_enabled(training):
        expected = operator(y)
        with torch.autocast("cpu", torch.bfloat16):
            x = operator(y)
            narrow = operator(y.bfloat16())
    assert x.dtype == torch.float32
    assert torch.equal(x, expected)
    assert narrow.dtype == torch.bfloat16
    with torch.set_grad_enabled(training):
        assert torch.equal(narrow, operator(y.bfloat16().float()).bfloat16())


COPIES: list[Any] = [
    pytest.param(copy.deepcopy, id="deepcopy"),
    pytest.param(lambda module: pickle.loads(pickle.dumps(module)), id="pickle"),
    pytest.param(lambda module: _through_a_file(module), id="torch.save"),
]


def _through_a_file(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded: nn.Module = torch.load(file, weights_only=False)
    return loaded


@pytest.mark.parametrize("duplicate", COPIES)
def test_a_copy_is_equal_and_independent(duplicate: Any) -> None:
    operator, y = layer().eval(), rand(2, 3, 7, 6)
    with torch.no_grad():
        expected = operator(y).clone()
        other = duplicate(operator)
        assert torch.equal(other(y), expected)
        other.weight.mul_(2)
        assert not torch.allclose(other(y), expected)
        assert torch.equal(operator(y), expected)


def test_the_state_of_one_loads_into_another() -> None:
    operator, other, y = layer(seed=1).eval(), layer(seed=2).eval(), rand(2, 3, 7, 6)
    with torch.no_grad():
        assert not torch.allclose(other(y), operator(y))
        other.load_state_dict(operator.state_dict())
        assert torch.equal(other(y), operator(y))
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer(kernel_size=5).load_state_dict(operator.state_dict())


def test_print_names_what_matters() -> None:
    text = repr(Converse2D(8, 5, 2, padding_mode="replicate", lam=0.01))
    assert text == (
        "Converse2D(8, kernel_size=5, scale=2, padding=4, padding_mode=replicate, eps=1e-05, "
        "initial_estimate=interpolation, lam=0.01)"
    )
    assert "lam=learnt" in repr(Converse2D(8, 5))


@pytest.mark.parametrize(("scale", "backend"), [(2, "eager"), (1, "aot_eager")])
def test_compiles_without_a_graph_break(scale: int, backend: str) -> None:
    torch._dynamo.reset()
    operator, y = layer(scale=scale), rand(2, 3, 7, 6)
    compiled = torch.compile(operator, backend=backend, fullgraph=True)  # fullgraph raises at a break

    def gradients(module: Any) -> list[Tensor]:
        leaf = y.clone().requires_grad_()
        x = module(leaf)
        return [x, *torch.autograd.grad(x.square().sum(), (leaf, *operator.parameters()))]

    for result, expected in zip(gradients(compiled), gradients(operator), strict=True):
        # The same operations; the compiled graph does not split the channels into groups.
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    operator.eval()
    with torch.no_grad():
        torch.testing.assert_close(compiled(y), operator(y), rtol=0, atol=1e-5)
    torch._dynamo.reset()


@pytest.mark.parametrize("size", ["same", "different"])
def test_threads_get_the_result_of_one_thread(size: str) -> None:
    operator = layer(4, 3, 2).eval()
    sizes = [(6, 7), (9, 8), (12, 5), (7, 7)]
    images = [rand(1, 4, *shape, seed=index) for index, shape in enumerate(sizes)]
    with torch.no_grad():
        expected = [operator(y) for y in images]
        fresh = copy.deepcopy(operator)  # nothing is kept for it yet
    start = threading.Barrier(8)

    def work(thread: int) -> bool:
        start.wait()
        with torch.no_grad():
            order = range(40) if size == "different" else [thread % 4] * 40
            return all(torch.equal(fresh(images[(i + thread) % 4]), expected[(i + thread) % 4]) for i in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_one_thread_may_train_while_another_evaluates() -> None:
    operator, y = layer(), rand(1, 3, 7, 6)
    frozen = copy.deepcopy(operator).eval()
    with torch.no_grad():
        expected = frozen(y)
    reference = torch.autograd.grad(operator(y).sum(), operator.weight)[0]

    def train(_: int) -> bool:
        return torch.equal(torch.autograd.grad(operator(y).sum(), operator.weight)[0], reference)

    def evaluate(_: int) -> bool:
        with torch.no_grad():
            return torch.equal(frozen(y), expected)

    with ThreadPoolExecutor(4) as pool:
        trained, evaluated = pool.map(train, range(40)), pool.map(evaluate, range(40))
        assert all(trained)
        assert all(evaluated)


@pytest.mark.gpu
@pytest.mark.parametrize("scale", [1, 2])
def test_a_gpu_agrees_with_the_cpu_and_moving_is_noticed(scale: int) -> None:
    operator, y = layer(scale=scale).eval(), rand(2, 3, 7, 6)
    with torch.no_grad():
        expected = operator(y)
        moved = operator.cuda()
        torch.testing.assert_close(moved(y.cuda()).cpu(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
        with torch.autocast("cuda", torch.float16):
            assert torch.equal(moved(y.cuda()), moved(y.cuda()))
            assert moved(y.cuda()).dtype == torch.float32
        moved.weight.mul_(2)
        doubled = solved(operator.cpu(), y)
        torch.testing.assert_close(operator.cuda()(y.cuda()).cpu(), doubled, rtol=0, atol=1e-4)
