"""What is timed: callables by name, the subjects of ``converse speed``, for pytest-benchmark and the scripts here."""

from __future__ import annotations

from collections.abc import Callable

from converse.experiments.speed.cases import LIMIT, LITERAL, Case, Subject
from converse.experiments.speed.subjects import prepare

PASSES = {"forward": "forward", "backward": "forward+backward", "evaluation": "evaluation", "training": "step"}


def operator(
    kind: str,
    *,
    size: int | tuple[int, int],
    scale: int = 1,
    channels: int = 128,
    kernel_size: int = 5,
    padding: int | None = None,
    device: str = "cpu",
) -> Callable[[], object]:
    """One operator on an input of one image.

    Args:
        kind: ``forward`` (training mode), ``backward`` (forward and backward), ``evaluation`` (transfer function kept),
            each also with ``literal-`` before it, or ``fft-pair``: a bare rfft2 and irfft2 of the padded input.
        size: side of the input, or height and width.
        scale: factor of upsampling.
        channels: number of channels.
        kernel_size: k.
        padding: p; ``None`` is k - 1.
        device: where it runs.
    """
    mode = "evaluation" if kind == LIMIT else kind.removeprefix("literal-")
    name = LIMIT if kind == LIMIT else "converse" if mode == kind else LITERAL
    options = {} if padding is None else {"padding": padding}
    subject = Subject(kind, "limit" if kind == LIMIT else "operator", name, options=options)
    height, width = (size, size) if isinstance(size, int) else size
    return prepare(subject, Case("", PASSES[mode], channels, kernel_size, scale, 1, height, width), device).call


def network(
    kind: str, *, operator: str = "converse", literal: bool = False, device: str = "cpu"
) -> Callable[[], object]:
    """Converse-DnCNN (64 features, 20 blocks) or a twin.

    Args:
        kind: ``evaluation`` of one 256×256 image, or ``training``: a step on a batch of 8 patches of 48×48.
        operator: of the blocks.
        literal: whether the literal formula takes the operator's place.
        device: where it runs.
    """
    batch, size = {"evaluation": (1, 256), "training": (8, 48)}[kind]
    subject = Subject(kind, "network", operator, "block-dncnn", formula=LITERAL if literal else None)
    return prepare(subject, Case("", PASSES[kind], 1, None, 1, batch, size, size), device).call
