"""Oracle: the sums written as torch.einsum in float64."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from converse.nn import matmul
from converse.nn.matmul import mixed, summed_products

DTYPES = [torch.float32, torch.float64, torch.bfloat16]
WAYS = [pytest.param(0, id="one-by-one"), pytest.param(2**40, id="all-at-once")]


def rand(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def close(result: Tensor, expected: Tensor) -> None:
    # Sums of a dozen numbers; bfloat16 has eight bits, and they may be summed with as few.
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-13, torch.bfloat16: 0.05}[result.dtype]
    largest = float(expected.abs().max()) if expected.numel() else 0
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=tolerance * max(1, largest))


@pytest.fixture(params=["MKL", "oneDNN"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of either maker's processor, whatever this one is."""
    if request.param == "MKL" and not torch.backends.mkl.is_available():
        pytest.skip("this torch has no MKL")
    monkeypatch.setattr(matmul, "product_library", lambda: request.param)
    return str(request.param)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "LARGE_PRODUCT", request.param)
    monkeypatch.setattr(matmul, "LARGE_SUMMAND", request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 5, 6), (2, 1, 1), (3, 5, 0), (0, 5, 6)], ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_channels_are_mixed(dtype: torch.dtype, shape: tuple[int, ...], biased: bool) -> None:
    x, weight, bias = rand(*shape, dtype=dtype), rand(4, shape[1], dtype=dtype, seed=1), rand(4, dtype=dtype, seed=2)
    expected = torch.einsum("oc,ncl->nol", weight.double(), x.double())
    if biased:
        expected = expected + bias.double()[:, None]
    close(mixed(weight, x, bias if biased else None), expected)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("samples", [0, 1, 3])
def test_products_are_summed_over_samples(dtype: torch.dtype, samples: int) -> None:
    a, b = rand(samples, 4, 6, dtype=dtype), rand(samples, 5, 6, dtype=dtype, seed=1)
    close(summed_products(a, b), torch.einsum("nol,ncl->oc", a.double(), b.double()))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("samples", [1, 3])
def test_what_lies_in_memory_in_another_order_is_read_in_its_own(samples: int) -> None:
    weight, bias, whole = rand(4, 5), rand(4, seed=1), rand(samples, 5, 9, seed=2)
    for x in (whole[:, :, 2:7], whole.mT.contiguous().mT, whole[:, :, ::2], whole[:, :, :1].expand(-1, -1, 6)):
        close(mixed(weight, x, bias), torch.einsum("oc,ncl->nol", weight.double(), x.double()) + bias[:, None].double())
        close(mixed(weight.T.contiguous().T, x), torch.einsum("oc,ncl->nol", weight.double(), x.double()))
        close(summed_products(x, x), torch.einsum("nol,ncl->oc", x.double(), x.double()))


STRIDED = """
import torch
from converse.nn import matmul
matmul.product_library = lambda: "oneDNN"
image = torch.randn(2, 4, 12, 10)
for samples in (1, 2):
    rows = image[:samples, :, 3:7].flatten(2)
    matmul.LARGE_PRODUCT = matmul.LARGE_SUMMAND = 0
    matmul.mixed(torch.randn(5, 4), rows)
    matmul.mixed(torch.randn(4, 5).T, rows)
    matmul.summed_products(rows, rows)
    matmul.summed_products(rows, rows[:, :1].expand(-1, 3, -1))
"""


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_onednn_is_given_what_it_has_kernels_for() -> None:
    """By oneDNN's own account: of strides that it does not know it uses its reference implementation, silently."""
    variables = {**os.environ, "ONEDNN_VERBOSE": "1"}
    done = subprocess.run([sys.executable, "-c", STRIDED], env=variables, capture_output=True, text=True, check=True)
    computed = [line.split(",") for line in done.stdout.splitlines() if ",exec,cpu,inner_product," in line]
    assert len(computed) == 12
    assert not [line for line in computed if any(word.startswith("ref") for word in line)]


def test_the_weight_and_what_it_is_applied_to_stay_as_they_are() -> None:
    weight, x, bias = rand(4, 5), rand(1, 5, 6), rand(4)
    copies = weight.clone(), x.clone(), bias.clone()
    mixed(weight, x, bias)
    assert all(torch.equal(one, other) for one, other in zip((weight, x, bias), copies, strict=True))


def test_a_wrong_number_of_channels_is_named() -> None:
    with pytest.raises(ValueError, match="of 5 channels was given 6"):
        mixed(rand(4, 5), rand(1, 6, 3))


@pytest.mark.usefixtures("way")
def test_without_onednn_the_products_are_the_same() -> None:
    weight, x, bias = rand(4, 5), rand(3, 5, 6), rand(4)
    with torch.backends.mkldnn.flags(enabled=False):
        other = mixed(weight, x, bias), summed_products(x, x)
    torch.testing.assert_close(mixed(weight, x, bias), other[0])
    torch.testing.assert_close(summed_products(x, x), other[1])
