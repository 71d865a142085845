"""Oracle: the statistics that `authors-history.md` gives of starts: deviations, singular values, sums of kernels."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from converse.experiments.suites.plans import TrainingTable
from converse.experiments.training.learner import initialised
from converse.nn.models import create_model
from converse.nn.operators import Converse2D
from converse.nn.starts import Start, reset

NETWORKS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "DnCNN": ("dncnn", None, {}),
    "Conv-DnCNN": ("block-dncnn", "conv", {}),
    "ConvT-DnCNN": ("block-dncnn", "convt", {}),
    "Converse-DnCNN": ("block-dncnn", "converse", {}),
    "SRResNet": ("srresnet", None, {"blocks": 4}),
    "Conv-SRResNet": ("block-srresnet", "conv", {"blocks": 4}),
    "ConvT-SRResNet": ("block-srresnet", "convt", {"blocks": 4}),
    "Converse-SRResNet": ("block-srresnet", "converse", {"blocks": 4}),
    "ConvNet": ("block-net", "conv", {}),
    "ConverseNet": ("block-net", "converse", {}),
    "Conv-USRNet": ("block-usrnet", "conv", {}),
    "Converse-USRNet": ("block-usrnet", "converse", {}),
    "USRNet": ("usrnet", None, {"features": [8, 16, 32, 64], "hyper_features": 8}),
}
MIXING = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def network(name: str, start: Start, seed: int = 0) -> nn.Module:
    model, operator, options = NETWORKS[name]
    return initialised(lambda: create_model(model, operator, **options), seed, start)


def weights(model: nn.Module, *kinds: type[nn.Module]) -> list[Tensor]:
    owners: list[Any] = [module for module in model.modules() if isinstance(module, kinds)]
    return [module.weight.detach() for module in owners]


def biases(model: nn.Module) -> list[Tensor]:
    owners: list[Any] = [module for module in model.modules() if isinstance(module, (*MIXING, Converse2D))]
    return [module.bias.detach() for module in owners if module.bias is not None]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_authors_start_has_deviation_0_02_and_no_bias(name: str) -> None:
    model = network(name, "authors")
    for weight in weights(model, *MIXING):
        error = 0.02 / (2 * weight.numel()) ** 0.5  # standard error of a deviation
        assert weight.std().item() == pytest.approx(0.02, abs=5 * error)
        assert weight.mean().item() == pytest.approx(0, abs=5 * 0.02 / weight.numel() ** 0.5)
    assert all(not bias.any() for bias in biases(model))
    for kernel in weights(model, Converse2D):
        assert kernel.min() > 0
        torch.testing.assert_close(kernel.sum((2, 3)), torch.ones(1, kernel.shape[1]))


@pytest.mark.parametrize("name", NETWORKS)
def test_kairs_start_has_singular_values_of_0_2_and_no_bias(name: str) -> None:
    model = network(name, "kair")
    for weight in weights(model, *MIXING, Converse2D):
        singular = torch.linalg.svdvals(weight.flatten(1).double())
        torch.testing.assert_close(singular, torch.full_like(singular, 0.2), rtol=1e-4, atol=0)
    assert all(not bias.any() for bias in biases(model))
    for gain in weights(model, nn.BatchNorm2d):
        assert 0.1 <= gain.min() < 0.2 < 0.9 < gain.max() <= 1


def test_kairs_start_leaves_kernels_of_reverse_convolution_small_and_without_a_sum() -> None:
    # of length 0.2 over C·k² values: each has deviation 0.2/√(C k²) ≈ 0.006, and a kernel's nine have the sum 0 ± 0.02
    for kernel in weights(network("ConverseNet", "kair"), Converse2D):
        assert kernel.norm().item() == pytest.approx(0.2, rel=1e-5)
        assert kernel.std().item() == pytest.approx(0.2 / kernel.numel() ** 0.5, rel=0.01)
        assert kernel.sum((2, 3)).abs().max() < 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_torchs_start_is_that_of_each_class(name: str) -> None:
    for weight in weights(network(name, "torch"), nn.Conv2d, nn.Linear):
        bound = weight[0].numel() ** -0.5  # kaiming_uniform_ with a = √5
        assert bound * 0.8 < weight.abs().max() <= bound


@pytest.mark.parametrize("operator", ["conv", "converse"])
def test_impulses_pass_the_features_on(operator: str) -> None:
    model = initialised(lambda: create_model("block-usrnet", operator), 0, "impulses")
    image, kernel = torch.rand(1, 3, 12, 12), torch.rand(1, 1, 7, 7)
    with torch.no_grad():
        torch.testing.assert_close(model(image, kernel), model.tail(model.head(image)), rtol=1e-4, atol=1e-5)  # type: ignore[operator]


@pytest.mark.parametrize("start", get_args(Start))
def test_layers_that_networks_share_start_equal(start: Start) -> None:
    one, other = (network(name, start, seed=3).state_dict() for name in ("Conv-DnCNN", "Converse-DnCNN"))
    shared = [name for name in one if name in other and ".operator." not in name]
    assert len(shared) > 100
    assert all(torch.equal(one[name], other[name]) for name in shared)


@pytest.mark.parametrize("start", get_args(Start))
def test_what_a_users_operator_owns_starts_as_its_class_says(start: Start) -> None:
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(3))
            self.reset_parameters()

        def reset_parameters(self) -> None:
            nn.init.constant_(self.weight, 7)

    gain = Gain()
    nn.init.zeros_(gain.weight)
    reset(gain, start)
    assert torch.equal(gain.weight, torch.full((3,), 7.0))


def test_a_suite_may_name_each_start() -> None:
    assert get_args(TrainingTable.model_fields["start"].annotation) == get_args(Start)
