"""Reverse convolution as a layer, and the operators it is compared with.

An operator is built as ``operator(channels, kernel_size, scale=1, padding_mode=…, **options)`` and maps
[N, C, H, W] to [N, C, s·H, s·W], each channel by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.derivatives import has_values, transformed
from converse.nn.functional import (
    INITIAL_ESTIMATES,
    PADDING_MODES,
    InitialEstimate,
    PaddingMode,
    PerAxis,
    apply_transfer,
    check_arguments,
    converse2d,
    pad,
    per_axis,
    transfer,
)
from converse.nn.small_kernels import serves
from converse.nn.transfer_cache import TRANSFERS

TransferKey = tuple[tuple[int, int], torch.dtype, tuple[Any, ...]]
"""Size and precision of a solve, and the settings of the layer."""

KernelInit = Literal["uniform", "gaussian", "delta", "uniform+softmax", "gaussian+softmax", "delta+softmax"]


def initialise_kernel(weight: Tensor, init: KernelInit) -> None:
    """Fill ``weight`` [1, C, k, l] in place: uniform on [0, 1), Gaussian N(0, 1), or delta at the origin ⌊k/2⌋, ⌊l/2⌋.

    With ``+softmax`` each k×l kernel then goes through a softmax, so that it is positive and sums to 1 (the paper's
    choice is ``gaussian+softmax``).

    Raises:
        ValueError: ``init`` is not one of the six.
    """
    if init not in get_args(KernelInit):
        raise ValueError(f"kernel_init must be one of {', '.join(get_args(KernelInit))}, got {init!r}")
    distribution, _, softmax = init.partition("+")
    with torch.no_grad():
        if distribution == "uniform":
            weight.uniform_()
        elif distribution == "gaussian":
            weight.normal_()
        else:
            k, l = weight.shape[-2:]
            weight.zero_()[..., k // 2, l // 2] = 1
        if softmax:
            weight.copy_(weight.flatten(2).softmax(-1).view_as(weight))


class Converse2D(nn.Module):
    """Reverse convolution as a layer with learnt kernels and λ (paper; :func:`converse.nn.functional.converse2d`).

    λ = sigmoid(bias + lam_offset) + eps. Parameters ``weight`` [1, C, k, k] and ``bias`` [1, C, 1, 1] ([1, 1, 1, 1] if
    shared, absent if λ is fixed), as the released checkpoints have them. In evaluation without gradients the transfer
    function is kept (:mod:`converse.nn.transfer_cache`) until a parameter changes.

    Args:
        channels: number of channels C of input and output.
        kernel_size: side k of the kernels, in pixels of the output; (k, l) for k×l kernels.
        scale: factor of upsampling s; the output is [N, C, s·H, s·W]. (s, t) for rows and columns.
        padding: pixels p that are added on each side of the input before the solve; ``None`` for the paper's k - 1.
            (p, q) for rows and columns.
        padding_mode: how the input is continued: ``circular``, ``reflect``, ``replicate`` or ``zero``.
        eps: the smallest value that a learnt λ can take.
        initial_estimate: X0: ``interpolation`` (nearest-neighbour upsampling of the input) or ``zero``.
        kernel_init: how ``weight`` starts, see :func:`initialise_kernel`.
        lam: a fixed λ; ``None`` learns it.
        lam_offset: where a learnt λ starts: λ = sigmoid(lam_offset) + eps.
        lam_shared: one λ for all channels instead of one per channel.

    Raises:
        ValueError: a size or a fixed λ that is not positive, a negative padding or eps, an unknown mode.

    Example:
        >>> import torch
        >>> from converse import Converse2D
        >>> layer = Converse2D(channels=8, kernel_size=5, scale=2)
        >>> layer(torch.rand(1, 8, 16, 20)).shape
        torch.Size([1, 8, 32, 40])
    """

    def __init__(
        self,
        channels: int,
        kernel_size: PerAxis,
        scale: PerAxis = 1,
        padding: PerAxis | None = None,
        padding_mode: PaddingMode = "circular",
        eps: float = 1e-5,
        *,
        initial_estimate: InitialEstimate = "interpolation",
        kernel_init: KernelInit = "gaussian+softmax",
        lam: float | None = None,
        lam_offset: float = -9.0,
        lam_shared: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(channels, kernel_size, scale, padding_mode)
        if initial_estimate not in INITIAL_ESTIMATES:
            raise ValueError(
                f"initial_estimate must be one of {', '.join(INITIAL_ESTIMATES)}, got {initial_estimate!r}"
            )
        if lam is not None and not lam > 0:
            raise ValueError(f"a fixed λ must be positive, got {lam}")
        if not eps >= 0:
            raise ValueError(f"eps must not be negative, got {eps}")
        if padding is not None and min(per_axis(padding)) < 0:
            raise ValueError(f"padding must not be negative, got {padding}")
        self.channels = channels
        self.kernel_size = kernel_size
        self.scale = scale
        self.padding = self.implied_options({"kernel_size": kernel_size})["padding"] if padding is None else padding
        self.padding_mode: PaddingMode = padding_mode
        self.eps = eps
        self.initial_estimate: InitialEstimate = initial_estimate
        self.kernel_init: KernelInit = kernel_init
        self.fixed_lam = lam
        self.lam_offset = lam_offset
        self.weight = nn.Parameter(torch.empty(1, channels, *per_axis(kernel_size)))
        self.bias: nn.Parameter | None = (
            nn.Parameter(torch.empty(1, 1 if lam_shared else channels, 1, 1)) if lam is None else None
        )
        self.reset_parameters()

    @classmethod
    def implied_options(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What options stand for that are left out, beside the ``kernel_size`` that is given."""
        k, l = per_axis(given["kernel_size"])
        return {"padding": k - 1 if k == l else (k - 1, l - 1)}

    def reset_parameters(self) -> None:
        """Draw the kernels anew and set λ to its start."""
        initialise_kernel(self.weight, self.kernel_init)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def lam(self) -> Tensor:
        """λ, [1, C, 1, 1] or [1, 1, 1, 1]."""
        if self.bias is None:
            return self.weight.new_full((1, 1, 1, 1), cast(float, self.fixed_lam))
        bias = self.bias.to(torch.promote_types(self.bias.dtype, torch.float32))
        return torch.sigmoid(bias + self.lam_offset) + self.eps

    def forward(self, y: Tensor, overwrite: bool = False, initial_estimate: Tensor | None = None) -> Tensor:
        """Undo the convolution: ``y`` [N, C, H, W] → [N, C, s·H, s·W].

        Args:
            y: the input.
            overwrite: in evaluation the result may take the place of ``y``, which saves a map of its size; nobody must
                need ``y`` any more.
            initial_estimate: X0 [1 or N, C, s·H, s·W] in place of the layer's, as an unrolled network has it.

        Raises:
            ValueError: ``y`` has another number of channels, or is too small (:func:`converse2d`).
        """
        if y.dim() != 4 or y.shape[1] != self.channels:
            raise ValueError(f"the input must be [N, {self.channels}, H, W], got shape {tuple(y.shape)}")
        needs_grad = torch.is_grad_enabled() and (y.requires_grad or any(p.requires_grad for p in self.parameters()))
        # Nothing is kept of fake tensors and of what is traced.
        keeps = y.is_meta or has_values(y)
        anew = self.training or needs_grad or y.numel() == 0 or not keeps or transformed(y, *self.parameters())
        # Small kernels have nothing that is worth keeping.
        if not anew and initial_estimate is None and not serves(per_axis(self.kernel_size), per_axis(self.scale)):
            check_arguments(y, self.weight, self.scale, self.padding, self.padding_mode, self.initial_estimate)
            key, nbytes = self._transfer_key(y), self._transfer_bytes(y)
            if TRANSFERS.keeps(self, key, nbytes):
                return apply_transfer(y, self._kept_transfer(key), self.padding, self.padding_mode, overwrite)
            TRANSFERS.forget(self)  # makes room; what can't be kept is never made whole
        return converse2d(
            y,
            self.weight,
            self.lam,
            scale=self.scale,
            padding=self.padding,
            padding_mode=self.padding_mode,
            initial_estimate=self.initial_estimate if initial_estimate is None else initial_estimate,
            overwrite=overwrite and not anew,
            validate_lam=not self.eps,  # a sigmoid and more than nothing, or checked when the layer was made
        )

    def _solved(self, y: Tensor) -> tuple[tuple[int, int], torch.dtype]:
        """Size and precision of the solve."""
        p, q = per_axis(self.padding)
        size = (y.shape[-2] + 2 * p, y.shape[-1] + 2 * q)
        return size, torch.promote_types(torch.promote_types(y.dtype, self.weight.dtype), torch.float32)

    def _transfer_bytes(self, y: Tensor) -> int:
        (h, w), dtype = self._solved(y)
        return 2 * dtype.itemsize * self.channels * math.prod(per_axis(self.scale)) * h * (w // 2 + 1)

    def _transfer_key(self, y: Tensor) -> TransferKey:
        # Attributes that a user may set after a first evaluation enter the key: no parameter shows them.
        return (
            *self._solved(y),
            (self.scale, self.initial_estimate, self.eps, self.lam_offset, self.fixed_lam),
        )

    def _kept_transfer(self, key: TransferKey) -> Tensor:
        size, dtype, _ = key
        parameters = (self.weight,) if self.bias is None else (self.weight, self.bias)
        return TRANSFERS.get(
            self,
            key,
            parameters,
            lambda: transfer(self.weight.to(dtype), self.lam.to(dtype), size, self.scale, self.initial_estimate),
        )

    def extra_repr(self) -> str:
        """The arguments that matter, for ``print(network)``."""
        lam = "learnt" if self.fixed_lam is None else f"{self.fixed_lam:g}"
        return (
            f"{self.channels}, kernel_size={self.kernel_size}, scale={self.scale}, padding={self.padding}, "
            f"padding_mode={self.padding_mode}, eps={self.eps:g}, initial_estimate={self.initial_estimate}, lam={lam}"
        )


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with bias; for s > 1 it makes s² maps per channel, which pixel shuffle interleaves.

    Args:
        channels: C.
        kernel_size: k; the output has the size of the input for even k too.
        scale: s.
        padding_mode: how the input is continued by k - 1 samples in all: circular, reflect, replicate or zero.

    Example:
        >>> import torch
        >>> from converse.nn import DepthwiseConv2d
        >>> DepthwiseConv2d(8, 5)(torch.rand(1, 8, 16, 20)).shape
        torch.Size([1, 8, 16, 20])
    """

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: PaddingMode = "circular") -> None:
        _check_sizes(channels, kernel_size, scale, padding_mode)
        super().__init__(channels, channels * scale**2, kernel_size, groups=channels)
        self.scale = scale
        self.continuation: PaddingMode = padding_mode

    def forward(self, y: Tensor) -> Tensor:
        """Convolve ``y`` [N, C, H, W] → [N, C, s·H, s·W]."""
        k = self.kernel_size[0]
        out = super().forward(pad(y, (k // 2, (k - 1) // 2), (k // 2, (k - 1) // 2), self.continuation))
        return F.pixel_shuffle(out, self.scale) if self.scale > 1 else out


class DepthwiseConvTranspose2d(nn.ConvTranspose2d):
    """Depthwise transposed convolution of stride s with bias, cropped to exactly s times the input.

    Args:
        channels: C.
        kernel_size: k.
        scale: s, the stride.
        padding_mode: how the input is continued so that the border sees k taps too.

    Example:
        >>> import torch
        >>> from converse.nn import DepthwiseConvTranspose2d
        >>> DepthwiseConvTranspose2d(8, 2, scale=2)(torch.rand(1, 8, 16, 20)).shape
        torch.Size([1, 8, 32, 40])
    """

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: PaddingMode = "circular") -> None:
        _check_sizes(channels, kernel_size, scale, padding_mode)
        # Without output padding a kernel shorter than the stride would leave the last samples out.
        short = max(scale - kernel_size, 0)
        super().__init__(channels, channels, kernel_size, stride=scale, output_padding=short, groups=channels)
        self.scale = scale
        self.continuation: PaddingMode = padding_mode

    def forward(self, y: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve ``y`` [N, C, H, W] → [N, C, s·H, s·W]; ``output_size`` is that of the base class, and unused."""
        k, s = self.kernel_size[0], self.scale
        first = max(k - s, 0) // 2  # of all output samples, the first that is kept
        # How many samples before and after the input the kept ones see; zeros add nothing.
        seen = (0, 0) if self.continuation == "zero" else ((k - 1 - first) // s, (first + s - 1) // s)
        start = first + s * seen[0]
        out = super().forward(pad(y, seen, seen, self.continuation))
        return out[..., start : start + s * y.shape[-2], start : start + s * y.shape[-1]]


def with_classes(network: nn.Module, *classes: type[nn.Module]) -> nn.Module:
    """Put classes that compute otherwise in the place of those that they derive from, in place.

    Args:
        network: any module; its parameters stay.
        classes: each holds the same as the class that it derives from.

    Returns:
        The same module.
    """
    for module in network.modules():
        for other in classes:
            if isinstance(module, other.__mro__[1]):
                module.__class__ = other
    return network


def _check_sizes(channels: int, kernel_size: PerAxis, scale: PerAxis, padding_mode: str) -> None:
    for name, value in (("channels", channels), ("kernel_size", kernel_size), ("scale", scale)):
        if min(per_axis(value)) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")


OperatorClass = Callable[..., nn.Module]
"""What makes an operator: called as ``operator(channels, kernel_size, scale=1, padding_mode=…, **options)``."""

OPERATORS: dict[str, type[nn.Module]] = {
    "converse": Converse2D,
    "conv": DepthwiseConv2d,
    "convt": DepthwiseConvTranspose2d,
}
"""The operators that a suite may name."""
