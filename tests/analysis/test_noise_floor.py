"""What is the same class of functions. Oracle: networks that give the same outputs once their kernels are turned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from converse.analysis.noise_floor import noise_floor
from converse.experiments.suites.plans import resolved_options
from converse.experiments.suites.suite import load_suite
from converse.nn.models import create_model


def configured(operator: str, model: str = "block-dncnn", **options: Any) -> dict[str, Any]:
    made = {"task": "denoising", "model": model, "operator": operator, "training": {"lr": 1e-3}}
    return {**made, "options": resolved_options(model, operator, options)}


def pairs(**entries: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(one.entry, one.base) for one in noise_floor(entries)]


@pytest.mark.parametrize(
    ("model", "first", "second"),
    [
        pytest.param("block-dncnn", {}, {}, id="denoising"),
        pytest.param("block-dncnn", {"padding_mode": "zero"}, {"padding_mode": "zero"}, id="zero-padding"),
        pytest.param("block-dncnn", {}, {"padding_mode": "circular", "kernel_size": 5}, id="stated-defaults"),
        pytest.param("block-dncnn", {}, {"padding_mode": "zero"}, id="other-padding"),
        pytest.param("block-dncnn", {"kernel_size": 4}, {"kernel_size": 4}, id="even-kernels"),
        pytest.param("block-srresnet", {}, {}, id="upsamplers-of-their-own"),
        pytest.param("block-srresnet", {"upsampler": "converse"}, {"upsampler": "converse"}, id="one-upsampler"),
    ],
)
def test_a_pair_is_one_where_turned_kernels_give_the_same(
    model: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    small = {"features": 4, "blocks": 2, "in_channels": 1}
    plain, transposed = (
        create_model(model, operator, **small, **options).double().eval()
        for operator, options in (("conv", first), ("convt", second))
    )
    state = plain.state_dict()
    same = {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in transposed.state_dict().items()
    }
    if same:  # depthwise kernels of the blocks are the parameters that are turned
        turned = {
            name: value.flip(-1, -2) if ".operator." in name and name.endswith("weight") else value
            for name, value in state.items()
        }
        transposed.load_state_dict(turned)
        image = torch.rand(1, 1, 9, 8, dtype=torch.float64)
        with torch.no_grad():
            same = torch.allclose(plain(image), transposed(image), atol=1e-12)
    found = pairs(a=configured("conv", model, **first), b=configured("convt", model, **second))
    assert found == ([("b", "a")] if same else [])


def test_only_the_operator_may_differ() -> None:
    plain, transposed = configured("conv"), configured("convt")
    assert pairs(a=plain, b=transposed, c=transposed) == [("b", "a")]  # one pair says what chance does
    assert pairs(a=plain, b={**transposed, "training": {"lr": 2e-3}}) == []
    assert pairs(a=plain, b=plain, c=configured("converse")) == []
    assert pairs(a={"source": "unknown"}, b=transposed) == []


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param("denoising", [], id="other-padding"),
        pytest.param(
            "matched_denoising", [("Converse-DnCNN: ConvT blocks", "Converse-DnCNN: Conv blocks")], id="equal"
        ),
    ],
)
def test_suites_with_a_noise_floor(suite: str, expected: list[tuple[str, str]]) -> None:
    plans = load_suite(suite, networks=False).resolve("quick")
    assert pairs(**{plan.entry: plan.configuration() for plan in plans}) == expected
