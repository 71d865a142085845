"""The matrix products of 1×1 convolutions and of their gradients, by the fastest call that there is.

On a CPU in float32 that depends on the processor's maker (:mod:`converse.nn.processor`). Where MKL is quicker, its
calls are PyTorch's own ``mm`` and ``bmm``. Elsewhere it is oneDNN's matrix product, which takes its second factor
transposed as it lies. It is called by the name under which ``torch.compile`` uses it, since PyTorch's own ``conv2d``,
``bmm`` and ``linear`` ask MKL. It takes one sample after another, so where samples are small its convolution, which
takes all of them at once, or ``addbmm`` is quicker.
"""

from __future__ import annotations

import torch
from torch import Tensor

from converse.nn.processor import Library, product_library
from converse.nn.worker_threads import each

LARGE_PRODUCT = 2**23
"""From so many multiply-adds a sample on, samples are multiplied one after another."""

LARGE_SUMMAND = 2**20
"""The same for the gradient of the weights, whose other way sums matrices too."""


def mixed(weight: Tensor, x: Tensor, bias: Tensor | None = None, plain: bool = False) -> Tensor:
    """W·x + b, the channels of each place mixed.

    Args:
        weight: W [C', C].
        x: [N, C, L].
        bias: b [C'].
        plain: by PyTorch's own product, which can be differentiated and mapped; the quicker ones can't.

    Returns:
        [N, C', L].

    Raises:
        ValueError: ``x`` has another number of channels than ``weight`` takes.
    """
    n, channels, length = x.shape
    if channels != weight.shape[1]:
        raise ValueError(f"a 1×1 convolution of {weight.shape[1]} channels was given {channels}")
    # bmm rather than matmul, which would fold the batch away by copying x into another layout.
    repeated = weight.expand(n, -1, -1)
    library = None if plain else _library(x)
    if library is None:
        return torch.bmm(repeated, x) if bias is None else torch.baddbmm(bias[:, None], repeated, x)
    if n == 1:
        product = _product(weight, x[0], library)
        return (product if bias is None else product.add_(bias[:, None]))[None]
    if weight.numel() * length < LARGE_PRODUCT:
        if library == "MKL":
            products = torch.bmm(repeated, x)
            return products if bias is None else products.add_(bias[:, None])
        ones, none = [1, 1], [0, 0]
        return torch.mkldnn_convolution(x[:, :, None], weight[:, :, None, None], bias, none, ones, ones, 1)[:, :, 0]
    out = x.new_empty(n, len(weight), length)

    def write(sample: int) -> None:
        product = _product(weight, x[sample], library)
        # The product is in the cache still: the bias is added on the way to its place.
        out[sample].copy_(product) if bias is None else torch.add(product, bias[:, None], out=out[sample])

    each(write, range(n), x)
    return out


def summed_products(a: Tensor, b: Tensor, plain: bool = False) -> Tensor:
    """Σ_n a_n·b_nᵀ, the gradient of W where a is that of W·x, and b is x.

    Args:
        a: [N, C', L].
        b: [N, C, L].
        plain: by PyTorch's own product, which can be differentiated and mapped; the quicker ones can't.

    Returns:
        [C', C].
    """
    if plain or a.device.type != "cpu":
        return torch.bmm(a, b.mT).sum(0)
    total = a.new_zeros(a.shape[1], b.shape[1])
    library = _library(a)
    if library != "oneDNN" or total.numel() * a.shape[2] < LARGE_SUMMAND:
        # One product after another into the same matrix; bmm takes twice as long for these shapes.
        return torch.addbmm(total, a, b.mT, beta=0)
    for product in each(lambda sample: _onednn(a[sample], b[sample]), range(len(a)), a):
        total += product
    return total


def _product(a: Tensor, b: Tensor, library: Library) -> Tensor:
    """a·b, for [M, K] and [K, N]."""
    return torch.mm(a, b) if library == "MKL" else _onednn(a, b.T)


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    """a·bᵀ by oneDNN, for [M, K] and [N, K]; the latter may lie in memory as its transpose does."""
    if not (b.is_contiguous() or b.T.is_contiguous()):
        # It takes a matrix or its transpose. Of a part of a larger one, such as some rows of an image, it computes the
        # right numbers by its reference implementation, which takes a thousand times as long.
        b = b.contiguous()
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return product


def _library(x: Tensor) -> Library | None:
    """Whose own call computes with it; ``None`` where PyTorch's operators have to."""
    # What is traced, for compilation or as TorchScript, keeps to the operators that every tracer knows.
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if traced or x.device.type != "cpu" or x.dtype != torch.float32 or x.numel() == 0:
        return None
    chosen = product_library()
    if chosen == "oneDNN" and not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return None
    return chosen
