"""Converse-DnCNN against itself with the literal formula, and against its Conv- twin (`tox -e bench`)."""

from __future__ import annotations

import pytest
from timed_calls import network


@pytest.mark.parametrize(
    ("operator", "literal"), [("converse", False), ("converse", True), ("conv", False)], ids=["ours", "literal", "conv"]
)
@pytest.mark.parametrize("kind", ["evaluation", "training"])
def test_dncnn(benchmark, kind, operator, literal):
    benchmark.group = f"Converse-DnCNN {kind}"
    benchmark.pedantic(network(kind, operator=operator, literal=literal), rounds=3, warmup_rounds=1)
