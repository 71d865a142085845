"""Spectra of kernels: the product with them and its adjoint (oracle: the inner product)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from converse.nn.spectra import kernel_spectra, kernel_spectra_adjoint


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [(1, 1), (2, 2), (3, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("size", [(5, 6), (4, 7)], ids=str)
@pytest.mark.parametrize("k", [(1, 1), (3, 3), (4, 4), (2, 5)], ids=str)
def test_the_spectra_and_their_adjoint_satisfy_the_inner_product(
    k: tuple[int, int], size: tuple[int, int], scale: tuple[int, int]
) -> None:
    weight = rand(2, 3, *k)
    spectra = kernel_spectra(weight, size, scale)
    g = torch.complex(rand(*spectra.shape, seed=4), rand(*spectra.shape, seed=5))
    columns = rand(size[1] // 2 + 1, seed=6)
    left = (columns * (spectra.conj() * g).real).sum()
    right = (weight * kernel_spectra_adjoint(g, weight, size, columns)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-12)
