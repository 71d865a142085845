"""Oracle: the clock, and orders of magnitude."""

from __future__ import annotations

import time

from converse.experiments.computing import computing
from converse.experiments.speed import operator_speeds
from converse.nn.operators import OPERATORS


def test_every_operator_is_timed() -> None:
    start = time.perf_counter()
    with computing("cpu", 1) as here:
        small = operator_speeds(here, (1, 2, 16, 16), seconds=0.01)
        large = operator_speeds(here, (1, 8, 128, 128), seconds=0.01)
    spent = 1e3 * (time.perf_counter() - start)
    assert [one.operator for one in small] == list(OPERATORS)
    for one, other in zip(small, large, strict=True):
        assert 0 < one.forward < other.training < spent
        assert one.training < other.training
