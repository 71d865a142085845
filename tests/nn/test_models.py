"""One conformance test over every registered network and operator, the published counts, and the errors of building.

Oracles: the published counts of parameters (reports, protocols.md), and the contract that every network keeps.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from converse.errors import OptionError
from converse.nn.models import MODELS, create_model, model_options, takes_operator
from converse.nn.operators import OPERATORS

COUNTS: list[Any] = [
    pytest.param("dncnn", None, {}, 557_057, id="DnCNN"),
    pytest.param("block-dncnn", "conv", {}, 734_913, id="Conv-DnCNN"),
    pytest.param("block-dncnn", "convt", {}, 734_913, id="ConvT-DnCNN"),
    pytest.param("block-dncnn", "converse", {}, 734_913, id="Converse-DnCNN"),
    pytest.param("block-dncnn", "converse", {"kernel_size": 7}, 796_353, id="Converse-DnCNN-released"),
    pytest.param("srresnet", None, {}, 1_517_571, id="SRResNet"),
    # Published as 694,208, which leaves out the 19 · 256 parameters of LayerNorm.
    pytest.param("block-srresnet", "converse", {}, 694_208 + 19 * 256, id="Converse-SRResNet"),
    pytest.param("block-srresnet", "conv", {}, 625_603, id="Conv-SRResNet"),
    # Ours: of Conv-SRResNet, with 5×5 kernels in place of the 2×2 of the upsamplers.
    pytest.param("block-srresnet", "convt", {}, 625_603 + 2 * 64 * 21, id="ConvT-SRResNet"),
    pytest.param("srresnet", None, {"upsampler": "converse"}, 1_296_643, id="SRResNet-converse"),
    pytest.param("srresnet", None, {"upsampler": "transposed"}, 1_296_643, id="SRResNet-transposed"),
    pytest.param("srresnet", None, {"upsampler": "nearest"}, 1_296_003, id="SRResNet-nearest"),
    *(
        pytest.param("block-srresnet", operator, {"upsampler": name}, 699_072, id=f"{operator}-{name}")
        for operator in ("conv", "convt")
        for name in ("converse", "transposed")
    ),
    pytest.param("block-net", "conv", {}, 243_267, id="ConvNet"),
    pytest.param("block-net", "converse", {}, 243_267, id="ConverseNet"),
    # Published as 307,091, which leaves out α: 7 · 128.
    pytest.param("block-usrnet", "converse", {}, 307_091 + 7 * 128, id="Converse-USRNet"),
    pytest.param("usrnet", None, {}, 17_016_016, id="USRNet"),
    pytest.param(
        "usrnet",
        None,
        {"iterations": 6, "features": (16, 32, 64, 64), "hyper_features": 32},
        590_332,
        id="USRNet-small",
    ),
]


@pytest.mark.parametrize(("model", "operator", "options", "count"), COUNTS)
def test_parameters_are_as_many_as_published(
    model: str, operator: str | None, options: dict[str, Any], count: int
) -> None:
    with torch.device("meta"):  # counts need no values
        network = create_model(model, operator, **options)
    assert sum(p.numel() for p in network.parameters()) == count


SMALL: dict[str, dict[str, Any]] = {
    "dncnn": {"features": 4, "layers": 4},
    "block-dncnn": {"features": 4, "blocks": 2},
    "srresnet": {"features": 4, "blocks": 1},
    "block-srresnet": {"features": 4, "blocks": 1},
    "block-net": {"features": 4, "blocks": 1, "iterations": 2},
    "block-usrnet": {"features": 4, "blocks": 1, "iterations": 2, "kernels": 3},
    "usrnet": {"features": (4, 4, 6, 6), "blocks": 1, "iterations": 2, "hyper_features": 4},
}
"""Every registered network, small; a new one has to be added here."""

NETWORKS: list[Any] = [
    pytest.param(model, operator, id=model if operator is None else f"{model}-{operator}")
    for model in MODELS
    for operator in (sorted(OPERATORS) if "operator" in inspect.signature(MODELS[model]).parameters else [None])
    if (model, operator) != ("block-usrnet", "convt")  # its data step inverts or convolves; refused below
]


def small(model: str, operator: str | None) -> nn.Module:
    torch.manual_seed(0)
    return create_model(model, operator, **SMALL[model])


def on_device(network: nn.Module, device: str) -> Tensor:
    """What the network gives for an image of 32×32, made on that device."""
    channels = next(p for p in network.parameters() if p.dim() == 4 and p.shape[1] in (1, 3, 4)).shape[1]
    given = {
        "input": torch.rand(1, 3 if channels == 4 else channels, 32, 32, device=device),
        "kernel": torch.rand(1, 1, 7, 7, device=device),
        "noise_level": torch.rand(1, 1, 1, 1, device=device),
    }
    inputs: Any = network.inputs  # torch: an attribute of a module is a tensor or a module
    result: Tensor = network(*(given[name] for name in inputs))
    return result


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("model", "operator"), NETWORKS)
def test_meta_tensors_go_through(model: str, operator: str | None, training: bool) -> None:
    network = small(model, operator).to("meta").train(training)
    with torch.set_grad_enabled(training):
        out = on_device(network, "meta")
    assert out.is_meta
    if training:
        out.sum().backward()
        assert all(p.grad is not None and p.grad.shape == p.shape for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(("model", "operator"), NETWORKS)
def test_every_tensor_is_on_the_device_of_the_network(model: str, operator: str | None) -> None:
    # Fake tensors know their device, so a tensor made on the CPU in between is refused here, without a GPU.
    with FakeTensorMode(), torch.device("cuda"):
        network = small(model, operator).eval()
        with torch.inference_mode():
            out = on_device(network, "cuda")
    assert out.device.type == "cuda"


def test_fake_tensors_refuse_a_wrong_device() -> None:
    class Forgetful(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.ones(x.shape, device="cpu")

    with FakeTensorMode(), torch.device("cuda"):
        network = create_model("block-dncnn", lambda *_, **__: Forgetful(), **SMALL["block-dncnn"]).eval()
        with torch.no_grad(), pytest.raises(RuntimeError, match="device"):
            on_device(network, "cuda")


def samples(network: nn.Module, n: int = 2, size: tuple[int, int] = (11, 9), channels: int = 3) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(5)
    everything = {
        "input": torch.rand(n, channels, *size, generator=generator),
        "kernel": torch.rand(n, 1, 7, 7, generator=generator).flatten(1).softmax(1).view(n, 1, 7, 7),
        "noise_level": torch.full((n, 1, 1, 1), 0.01),
    }
    return tuple(everything[name] for name in network.inputs)  # type: ignore[union-attr]


def channels_of(network: nn.Module) -> int:
    return int(inspect.signature(type(network)).parameters["in_channels"].default)


@pytest.mark.parametrize(("model", "operator"), NETWORKS)
def test_every_network_keeps_the_contract(model: str, operator: str | None) -> None:
    network = small(model, operator)
    c = channels_of(network)
    inputs = samples(network, channels=c)
    scale = getattr(network, "scale", 1)
    result = network(*inputs)
    assert result.shape == (2, c, 11 * scale, 9 * scale)
    assert result.dtype == torch.float32
    result.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    network.eval()
    with torch.inference_mode():
        evaluated = network(*inputs).clone()
    with torch.no_grad():
        # One sample at a time gives what the batch gives: nothing is mixed between samples.
        singles = torch.cat([network(*(tensor[i : i + 1] for tensor in inputs)) for i in range(2)])
        # float32 through several solves, each of which amplifies by up to 1/√λ ≈ 90.
        tolerance = 1e-4 * float(evaluated.abs().max())
        torch.testing.assert_close(singles, evaluated, rtol=0, atol=tolerance)
        # In float64 nothing is wider than it is.
        double = copy.deepcopy(network).double()(*(tensor.double() for tensor in inputs))
        assert double.dtype == torch.float64
        torch.testing.assert_close(evaluated.double(), double, rtol=0, atol=tolerance)
        last = network(*(tensor.contiguous(memory_format=torch.channels_last) for tensor in inputs))
        torch.testing.assert_close(last, evaluated, rtol=0, atol=tolerance)
        assert network(*(tensor[:0] for tensor in inputs)).shape == (0, c, 11 * scale, 9 * scale)
        other = small(model, operator).eval()
        for parameter in other.parameters():
            parameter.zero_()
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(*inputs), evaluated)
        assert torch.equal(pickle.loads(pickle.dumps(network))(*inputs), evaluated)
    network.train()  # training goes on after inference mode
    network(*inputs).sum().backward()


@pytest.mark.parametrize(("model", "operator"), NETWORKS)
def test_autocast_gives_finite_results_near_those_of_float32(model: str, operator: str | None) -> None:
    network = small(model, operator).eval()
    inputs = samples(network, channels=channels_of(network))
    with torch.no_grad():
        expected = network(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            result = network(*inputs)
    # bfloat16 keeps eight bits, and the solves amplify single places: the difference as a whole.
    assert float((result.float() - expected).norm()) <= 0.1 * float(expected.norm())


def test_every_network_is_held() -> None:
    assert set(SMALL) == set(MODELS)


REFUSED: list[Any] = [
    pytest.param("dncn", None, {}, "unknown model 'dncn': did you mean 'dncnn'", id="model"),
    pytest.param(
        "dncnn", None, {"feature": 4}, "unknown option of model 'dncnn' 'feature': did you mean 'features'", id="option"
    ),
    pytest.param("dncnn", "conv", {}, "model 'dncnn' takes no operator, got 'conv'", id="no-place-for-an-operator"),
    pytest.param("block-net", "cnverse", {}, "unknown operator 'cnverse': did you mean 'converse'", id="operator"),
    pytest.param(
        "block-usrnet",
        "convt",
        {},
        "model 'block-usrnet': the data step inverts .* got operator 'convt'",
        id="convt-usrnet",
    ),
    pytest.param("dncnn", None, {"layers": 1}, "model 'dncnn': layers must be at least 2, got 1", id="layers"),
    pytest.param("srresnet", None, {"scale": 3}, "scale must be a power of 2, got 3", id="srresnet-scale"),
    pytest.param(
        "block-srresnet", "conv", {"scale": 0}, "scale must be a power of 2, got 0", id="block-srresnet-scale"
    ),
    pytest.param(
        "block-srresnet", "conv", {"upsampler": "cubic"}, "upsampler must be one of .* got 'cubic'", id="upsampler"
    ),
    pytest.param(
        "srresnet", None, {"upsampler": "cubic"}, "upsampler must be one of .* got 'cubic'", id="residual-upsampler"
    ),
    pytest.param("usrnet", None, {"features": (1, 2)}, r"four levels, got \[1, 2\]", id="levels"),
    pytest.param("block-net", "converse", {"kernel_size": 0}, "kernel_size must be at least 1", id="kernel-size"),
    pytest.param("block-net", "converse", {"padding_mode": "x"}, "padding_mode must be one of", id="padding-mode"),
    pytest.param(
        "block-net", "converse", {"operator_options": {"lamb": 1}}, "model 'block-net': .*'lamb'", id="operator-option"
    ),
    pytest.param(
        "block-net", "converse", {"operator_options": {"lam": -1.0}}, "fixed λ must be positive", id="operator-value"
    ),
    pytest.param(
        "block-net", "converse", {"design": {"norms": False}}, "model 'block-net': .*'norms'", id="design-field"
    ),
    pytest.param("block-net", "converse", {"design": {"position": "x"}}, "position must be one of", id="design-value"),
]


@pytest.mark.parametrize(("model", "operator", "options", "message"), REFUSED)
def test_what_cannot_be_built_is_refused(
    model: str, operator: str | None, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        create_model(model, operator, **options)


def test_options_are_those_of_the_network() -> None:
    assert model_options("dncnn") == {"in_channels", "features", "layers", "normalisation"}
    assert "operator" not in model_options("block-net")
    assert [takes_operator(model) for model in MODELS] == ["block" in model for model in MODELS]
    for question in (model_options, takes_operator):
        with pytest.raises(OptionError, match="unknown model 'srresnt': did you mean 'srresnet'"):
            question("srresnt")
