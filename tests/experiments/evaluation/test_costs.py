"""Multiply-adds of a suite's networks; what they are is counted by hand in tests/nn/test_complexity.py."""

from __future__ import annotations

import pytest

from converse.experiments.evaluation.costs import multiply_adds, plan_multiply_adds
from converse.experiments.suites.suite import load_suite


def test_a_convolution_costs_its_kernel_and_a_solve_its_transforms() -> None:
    found = multiply_adds(load_suite("denoising", networks=False).resolve("smoke"))
    # 3×3: 1 → 4, 4 → 4 and 4 → 1 channels.
    assert found["DnCNN"] == pytest.approx(9 * (4 + 16 + 4))
    assert list(found) == ["DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN"]
    assert found["Converse-DnCNN"] > found["Conv-DnCNN"]


def test_less_padding_costs_less() -> None:
    found = multiply_adds(load_suite("padding", networks=False).resolve("smoke"))
    base = "Converse-DnCNN"
    assert found[f"{base}: p = 0"] < found[f"{base}: p = ⌊k/2⌋"] < found[f"{base}: p = k − 1"] == found[base]


@pytest.mark.parametrize("operator", ["/nowhere/mine.py:Mine", "nobody"])
def test_what_cannot_be_built_has_no_count(operator: str) -> None:
    assert plan_multiply_adds("denoising", "block-dncnn", operator, {"features": 4, "blocks": 1}) is None
