"""The operator against the literal formula and the bare FFT pair (`tox -e bench`)."""

from __future__ import annotations

import pytest
from timed_calls import operator

KINDS = ["fft-pair", "forward", "literal-forward", "backward", "literal-backward", "evaluation"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, 256])
def test_operator(benchmark, kind, size):
    benchmark.group = f"operator {size}x{size}"
    benchmark(operator(kind, size=size))


@pytest.mark.parametrize("kind", ["forward", "literal-forward", "backward", "literal-backward"])
def test_upsampling(benchmark, kind):
    benchmark.group = "upsampling by 2, 128x128"
    benchmark(operator(kind, size=128, scale=2))
