"""Transforms along one axis by either library. Oracle: the definition, a sum over exponentials in float64."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad

from converse.nn import transforms
from converse.nn.complexity import complexity
from converse.nn.functional import converse2d
from converse.nn.operators import Converse2D
from converse.nn.transforms import along_columns, by_scipy, half_to_rows, rows_to_half, rule

LENGTHS = (1, 2, 8, 23, 46, 58, 134)
"""A few of each library."""


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def definition(length: int) -> Tensor:
    index = np.arange(length)
    return torch.from_numpy(np.exp(-2j * np.pi * (np.outer(index, index) % length) / length))


def test_which_library_transforms_which_length() -> None:
    assert not any(map(by_scipy, (1, 23, 59, 64, 68, 76, 257, 264, 268, 524, 1021)))
    assert all(map(by_scipy, (46, 58, 122, 258, 493)))


def test_the_rule_in_words_is_the_rule() -> None:
    said = rule("cpu")
    numbers = re.fullmatch(
        r"scipy: composite lengths whose largest prime factor is above (\d+) and at most (\d+); torch: all others", said
    )
    assert numbers is not None
    above, largest = map(int, numbers.groups())
    for length in range(1, 1101):
        primes = [d for d in range(2, length + 1) if length % d == 0 and all(d % c for c in range(2, d))]
        composite = bool(primes) and primes[-1] < length
        assert by_scipy(length) == (composite and above < primes[-1] <= largest), length
    assert rule("cuda:0") == "torch: all lengths"


@settings(max_examples=40)
@given(length=st.sampled_from(LENGTHS), across=st.integers(1, 4), turned=st.booleans(), seed=st.integers(0, 9))
def test_transforms_are_the_definition(length: int, across: int, turned: bool, seed: int) -> None:
    def lying(x: Tensor) -> Tensor:
        return x.mT.contiguous().mT if turned else x

    rows, matrix = lying(rand(2, across, length, seed=seed)), definition(length)
    half = rows_to_half(rows)
    tolerance = 1e-13 * length
    torch.testing.assert_close(half, (rows + 0j) @ matrix[:, : length // 2 + 1], rtol=0, atol=tolerance)
    torch.testing.assert_close(half_to_rows(lying(half), length), rows, rtol=0, atol=tolerance)
    columns = lying(torch.complex(rand(2, length, across, seed=seed), rand(2, length, across, seed=seed + 1)))
    given_as = columns.clone()
    spectra = along_columns(columns)
    torch.testing.assert_close(spectra, matrix @ columns, rtol=0, atol=tolerance)
    torch.testing.assert_close(along_columns(spectra, inverse=True), columns, rtol=0, atol=tolerance)
    assert torch.equal(columns, given_as)  # nothing that was given is written over


def solved(dtype: torch.dtype) -> list[Tensor]:
    """Value and gradients at a transformed size of 46×58."""
    y, weight = rand(2, 2, 42, 54).to(dtype).requires_grad_(), rand(1, 2, 3, 3, seed=1).to(dtype).requires_grad_()
    lam = torch.full((1, 2, 1, 1), 0.1, dtype=dtype, requires_grad=True)
    x = converse2d(y, weight, lam, padding=2)
    return [x.detach(), *torch.autograd.grad(x.pow(2).sum(), (y, weight, lam))]


def test_reverse_convolution_and_its_gradients_are_those_by_torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-4)):
        found = solved(dtype)
        with monkeypatch.context() as only:
            only.setattr(transforms, "by_scipy", lambda length: False)
            expected = solved(dtype)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            torch.testing.assert_close(one, other, rtol=0, atol=tolerance * float(other.abs().max()))


def test_what_is_differentiated_traced_or_counted_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        raise AssertionError

    monkeypatch.setattr(transforms, "_scipy", refused)
    x = rand(1, 46, 46)
    assert rows_to_half(x.clone().requires_grad_()).requires_grad
    torch.func.vmap(rows_to_half)(x)
    with forward_ad.dual_level():
        assert forward_ad.unpack_dual(rows_to_half(forward_ad.make_dual(x, x))).tangent is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.trace(rows_to_half, x, check_trace=False)
    assert rows_to_half(x.to("meta")).is_meta
    assert complexity(Converse2D(1, 3, padding=0), channels=1, scale=1, size=(46, 46)).transforms
    with pytest.raises(AssertionError):
        rows_to_half(x)
