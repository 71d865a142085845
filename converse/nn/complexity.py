"""What a network costs, counted and not timed: its parameters, and multiply-adds per pixel of its output.

What is counted is what an evaluation carries out: convolutions and matrix products exactly, by PyTorch's formulas,
those by oneDNN too, and, of which PyTorch has no formulas,

- transforms by formula: 5·n·log₂N operations for n complex numbers in transforms of N each, half of that where one side
  is real (Frigo and Johnson's convention, *The Design and Implementation of FFTW3*, 2005);
- products of spectra: 6 operations for each product of two complex numbers.

A multiply-add is two operations. So reverse convolution of one channel of h×w samples with padding p and scale s costs,
with N = (h + 2p)·(w + 2p), about (1 + s²)·1.25·N·log₂N for the transforms (less for the rows that are cropped, which
are not transformed back) and about 1.5·s²·N for the products. What is computed once and kept (the transfer functions of
learnt kernels) is not counted, nor are sums, activations, normalisations, and products number by number: all that
reverse convolution costs where its kernels are no larger than its scale, k ≤ 2 (:mod:`converse.nn.small_kernels`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry, shape_wrapper

from converse.nn.models import parameter_count
from converse.nn.transfer_cache import TRANSFERS
from converse.nn.without_values import result

SIZE: Final = (128, 128)
"""Height and width of the output for which costs are stated."""

_BLUR_SIZE: Final = 7
"""Of the kernel that networks for deblurring are given."""


@dataclass(frozen=True)
class Complexity:
    """The cost of a network.

    Attributes:
        parameters: learnt numbers.
        convolutions: multiply-adds of convolutions and matrix products, for one image.
        transforms: multiply-adds of transforms and of products of spectra, for one image.
        size: height and width of the output.
    """

    parameters: int
    convolutions: int
    transforms: float
    size: tuple[int, int]

    @property
    def per_pixel(self) -> float:
        """All multiply-adds, per pixel of the output; with transforms it grows with the logarithm of the size."""
        return (self.convolutions + self.transforms) / math.prod(self.size)


def complexity(network: nn.Module, *, channels: int, scale: int, size: tuple[int, int] = SIZE) -> Complexity:
    """Evaluate a network on one image and count.

    Args:
        network: one that ``create_model`` gave, on any device; it stays as it is.
        channels: of the image.
        scale: factor of upsampling.
        size: height and width of the output in pixels, multiples of ``scale``.

    Returns:
        The counts.

    Raises:
        ValueError: the size is not a multiple of the scale, or not positive.
    """
    inputs = _some_inputs(network, channels, scale, size)
    training = network.training
    try:
        network.eval()
        with torch.no_grad(), _Counter() as counter:
            network(*inputs)
    finally:
        network.train(training)
    transforms = sum(counter.operations[operation] for operation in _TRANSFORMS)
    return Complexity(
        parameters=parameter_count(network),
        convolutions=(counter.operations.total() - transforms) // 2,
        transforms=transforms / 2,
        size=size,
    )


def output_shape(network: nn.Module, *, channels: int, scale: int, size: tuple[int, int] = SIZE) -> tuple[int, ...]:
    """The shape of a network's output for an image of zeros.

    Args:
        network: one that ``create_model`` gave, on any device; it stays as it is.
        channels: of the image.
        scale: factor of upsampling.
        size: height and width that the output should have, multiples of ``scale``.

    Returns:
        [1, C, H, W], as it is and not as it should be.

    Raises:
        ValueError: the size is not a multiple of the scale, or not positive.
    """
    inputs = _some_inputs(network, channels, scale, size)
    training = network.training
    try:
        network.eval()
        with torch.no_grad():
            return tuple(network(*inputs).shape)
    finally:
        network.train(training)


def _some_inputs(network: nn.Module, channels: int, scale: int, size: tuple[int, int]) -> list[Tensor]:
    """What a network is called with for one output of that size, on its device."""
    if any(side < 1 or side % scale for side in size):
        raise ValueError(f"size must be positive multiples of the scale {scale}, got {size[0]}×{size[1]}")
    some = next(network.parameters(), torch.empty(0))
    image = torch.zeros(1, channels, size[0] // scale, size[1] // scale)
    given = {
        "input": image,
        "kernel": torch.full((1, 1, _BLUR_SIZE, _BLUR_SIZE), _BLUR_SIZE**-2),
        "noise_level": torch.full((1, 1, 1, 1), 0.01),
    }
    return [given[name].to(some) for name in _inputs(network)]


@dataclass(frozen=True)
class ForwardPass:
    """The cost of a forward pass of training.

    Attributes:
        multiply_adds: of convolutions, matrix products, transforms and products of spectra.
        kept_bytes: of what is kept for the backward pass, without parameters.
    """

    multiply_adds: float
    kept_bytes: int


def forward_pass(network: nn.Module, *inputs: Tensor) -> ForwardPass:
    """Count a forward pass in training mode; with a network and tensors on ``meta`` nothing is computed.

    Args:
        network: in training mode.
        inputs: what it is called with.
    """
    kept: dict[int, torch.UntypedStorage] = {}
    own = {value.untyped_storage()._cdata for value in network.state_dict().values()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other takes its place
        return tensor

    with _Counter() as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*inputs)
    return ForwardPass(counter.operations.total() / 2, sum(storage.nbytes() for storage in kept.values()))


def _inputs(network: nn.Module) -> tuple[str, ...]:
    named: tuple[str, ...] = getattr(network, "inputs", ("input",))
    return named


def _real_to_complex(x: Sequence[int], dim: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return _half_transform(x, dim)


def _complex_to_real(x: Sequence[int], dim: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return _half_transform(out_shape, dim)


def _complex(x: Sequence[int], dim: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return 2 * _half_transform(x, dim)


def _half_transform(shape: Sequence[int], dim: Sequence[int]) -> int:
    """2.5·n·log₂N for tensors of this many real numbers, transformed along these dimensions."""
    return round(2.5 * math.prod(shape) * math.log2(math.prod(shape[i] for i in dim)))


def _product(x: Any, y: Any, *_: Any, out_val: Tensor, **__: Any) -> int:
    both = all(isinstance(factor, Tensor) and factor.is_complex() for factor in (x, y))
    return 6 * out_val.numel() if both else 0


def _by_onednn(x: Sequence[int], weight: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return conv_flop_count(list(x), list(weight), list(out_shape))


def _product_by_onednn(a: Sequence[int], b: Sequence[int], *_: Any, **__: Any) -> int:
    return 2 * math.prod(a) * b[0]


_TRANSFORMS: Final[dict[Any, Callable[..., int]]] = {
    torch.ops.aten._fft_r2c: shape_wrapper(_real_to_complex),
    torch.ops.aten._fft_c2r: shape_wrapper(_complex_to_real),
    torch.ops.aten._fft_c2c: shape_wrapper(_complex),
    torch.ops.aten.mul: _product,
    torch.ops.aten.mul_: _product,
}
_FORMULAS: Final[dict[Any, Callable[..., int]]] = {
    **flop_registry,
    torch.ops.aten.mkldnn_convolution: shape_wrapper(_by_onednn),
    **_TRANSFORMS,
}
if _onednn_product := getattr(torch.ops.mkldnn, "_linear_pointwise", None):  # where PyTorch has oneDNN
    _FORMULAS[_onednn_product] = shape_wrapper(_product_by_onednn)


class _Counter(TorchDispatchMode):
    """Operations by kind, where a formula is known, without those that compute what is kept from call to call.

    PyTorch's own counter takes all others apart too.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[Any] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to have it skipped, torch would load it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = result(func, args, kwargs)
        if not TRANSFERS.computing and (formula := _FORMULAS.get(func._overloadpacket)):
            self.operations[func._overloadpacket] += formula(*args, **kwargs, out_val=out)
        return out
