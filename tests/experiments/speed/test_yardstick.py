"""Oracles: the yardstick's formula in NumPy and SciPy, numbers of parameters and multiply-adds counted by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import ndimage, special

from converse.experiments.speed.cases import YARDSTICK, Case, Subject
from converse.experiments.speed.subjects import prepare
from converse.experiments.speed.yardstick import Yardstick

Array = npt.NDArray[np.float64]

FAULT = "ratios to the yardstick are kept in files: what computes something else needs another name"


@pytest.mark.parametrize("channels", [1, 40])
def test_it_computes_what_it_always_did(channels: int) -> None:
    torch.manual_seed(0)
    yardstick = Yardstick(channels)
    torch.nn.init.normal_(yardstick.gain)
    y = torch.rand(1, channels, 8, 7)
    taps: dict[str, Array] = {name: value.detach().double().numpy() for name, value in yardstick.named_parameters()}

    def mixed(x: Array, name: str) -> Array:
        product: Array = np.einsum("oi,ihw->ohw", taps[f"{name}.weight"][:, :, 0, 0], x)
        product += taps[f"{name}.bias"][:, None, None]
        return product

    x = mixed(y[0].double().numpy(), "enter")
    kernels, biases = taps["depthwise.weight"][:, 0], taps["depthwise.bias"]
    pairs = zip(x, kernels, biases, strict=True)
    x = np.stack([ndimage.correlate(one, kernel, mode="wrap") + bias for one, kernel, bias in pairs])
    x = x + np.fft.irfft2(np.fft.rfft2(x) * taps["gain"], s=x.shape[1:])
    normed = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    wide = mixed(normed * taps["norm.weight"][:, None, None] + taps["norm.bias"][:, None, None], "widen")
    x = mixed(x + mixed(wide * (1 + special.erf(wide / math.sqrt(2))) / 2, "narrow"), "leave")
    np.testing.assert_allclose(yardstick(y)[0].detach().numpy(), x, rtol=1e-4, atol=1e-5, err_msg=FAULT)


@pytest.mark.parametrize(("channels", "width"), [(1, 32), (32, 32), (64, 64)])
def test_it_costs_what_it_always_did(channels: int, width: int) -> None:
    yardstick = Yardstick(channels)
    learnt = channels * width + width + 25 * width + width + width + 2 * width
    learnt += 2 * (2 * width * width) + 3 * width + channels * width + channels
    assert sum(parameter.numel() for parameter in yardstick.parameters()) == learnt, FAULT
    n = 16 * 16
    convolutions = n * (2 * channels * width + 25 * width + 4 * width * width)
    transforms = 2 * width * 1.25 * n * math.log2(n)
    case = Case("size", "evaluation", channels, 5, 1, 1, 16, 16)
    found = prepare(Subject(YARDSTICK, "operator", YARDSTICK), case).count()
    assert found == pytest.approx(convolutions + transforms), FAULT
