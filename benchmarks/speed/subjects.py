"""What is timed: callables by name, on the same tensors, for the tests of pytest-benchmark and for ``ratios.py``."""

from __future__ import annotations

from collections.abc import Callable

import torch

from converse import Converse2D
from converse.nn.functional import pad
from converse.nn.literal import LiteralConverse2D, make_literal
from converse.nn.models import build_model

Subject = Callable[[], object]


def operator(
    kind: str,
    *,
    size: int,
    scale: int = 1,
    channels: int = 128,
    kernel_size: int = 5,
    padding: int | None = None,
    device: str = "cpu",
) -> Subject:
    """One operator on a [1, channels, size, size] input.

    Args:
        kind: ``forward`` (training mode), ``backward`` (forward and backward), ``evaluation`` (transfer function kept),
            each also with ``literal-`` before it, or ``fft-pair``: a bare rfft2 and irfft2 of the padded input.
        size: side of the input.
        scale: factor of upsampling.
        channels: number of channels.
        kernel_size: k.
        padding: p; ``None`` is k - 1.
        device: where it runs.
    """
    torch.manual_seed(0)
    y = torch.randn(1, channels, size, size, device=device)
    p = kernel_size - 1 if padding is None else padding
    if kind == "fft-pair":
        padded = pad(y, (p, p), "circular")
        return lambda: torch.fft.irfft2(torch.fft.rfft2(padded), s=padded.shape[-2:])
    mode = kind.removeprefix("literal-")
    layer = (Converse2D if mode == kind else LiteralConverse2D)(channels, kernel_size, scale, p).to(device)
    if mode == "forward":
        return no_grad(lambda: layer(y))
    if mode == "evaluation":
        layer.eval()
        return no_grad(lambda: layer(y))
    if mode == "backward":
        y.requires_grad_()
        upstream = torch.randn(1, channels, scale * size, scale * size, device=device)
        return lambda: torch.autograd.grad(layer(y), (y, *layer.parameters()), upstream)
    raise ValueError(f"unknown kind {kind!r}")


def network(kind: str, *, operator: str = "converse", literal: bool = False, device: str = "cpu") -> Subject:
    """Converse-DnCNN (64 features, 20 blocks) or a twin.

    Args:
        kind: ``evaluation`` of one 256×256 image, or ``training``: a step on a batch of 8 patches of 48×48.
        operator: of the blocks.
        literal: whether the literal formula takes the operator's place.
        device: where it runs.
    """
    torch.manual_seed(0)
    model = build_model("block-dncnn", operator).to(device)
    if literal:
        make_literal(model)
    if kind == "evaluation":
        image = torch.rand(1, 1, 256, 256, device=device)
        model.eval()
        return no_grad(lambda: model(image))
    if kind == "training":
        noisy, clean = torch.rand(2, 8, 1, 48, 48, device=device)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

        def step() -> None:
            optimiser.zero_grad()
            (model(noisy) - clean).abs().mean().backward()
            optimiser.step()

        return step
    raise ValueError(f"unknown kind {kind!r}")


def no_grad(function: Callable[[], torch.Tensor]) -> Subject:
    """The function without gradients."""

    def call() -> torch.Tensor:
        with torch.inference_mode():
            return function()

    return call
