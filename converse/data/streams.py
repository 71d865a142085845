"""Named streams of random numbers: each draw is a pure function of (seed, stream, position), so none moves another."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import numpy as np

Stream = Literal["initialisation", "batches", "degradation", "layers"]
"""First values of parameters; which patches, and how turned; noise and blur kernels; what layers draw in training."""


def derived(seed: int, stream: Stream, *position: int | str) -> int:
    """A number that nothing but its arguments decides.

    Args:
        seed: of the trial, ≥ 0.
        stream: whose draw it is.
        position: which draw of the stream: a step, the name of a layer.

    Returns:
        The first 128 bits of the SHA-256 of the arguments.
    """
    text = json.dumps(["converse", stream, seed, *position])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(seed: int, stream: Stream, *position: int | str) -> np.random.Generator:
    """Random numbers for one position of a stream: counter-based (Philox), keyed by :func:`derived`."""
    return np.random.Generator(np.random.Philox(key=derived(seed, stream, *position)))


def torch_seed(seed: int, stream: Stream, *position: int | str) -> int:
    """:func:`derived` as ``torch.manual_seed`` takes it: 63 bits."""
    return derived(seed, stream, *position) >> 65
