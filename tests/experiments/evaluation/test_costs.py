"""Multiply-adds of a suite's networks; what they are is counted by hand in tests/nn/test_complexity.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.data.catalogue import sha256_of
from converse.experiments.evaluation.costs import multiply_adds, plan_multiply_adds, trial_multiply_adds
from converse.experiments.suites.suite import load_suite
from converse.experiments.trials import Trial


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


def trial(operator: str, operator_file: str | None = None, **changes: object) -> Trial:
    made = {"model": "block-dncnn", "operator": operator, "options": {"features": 4, "blocks": 1}} | changes
    return Trial("denoising", "A", "trained", 0, "quick", made, {}, operator_file=operator_file)


def test_a_trial_is_counted_as_its_plan() -> None:
    plan = plan_multiply_adds("denoising", "block-dncnn", "conv", {"features": 4, "blocks": 1})
    assert trial_multiply_adds(trial("conv")) == plan is not None


def test_no_code_that_a_store_names_is_run(tmp_path: Path) -> None:
    # The file lies where the trial says and has its checksum, as in a store that somebody hands on with the file.
    file, ran = tmp_path / "mine.py", tmp_path / "ran"
    file.write_text(f"open({str(ran)!r}, 'w').close()\nfrom torch.nn import Conv2d as Mine\n", "utf-8")
    assert trial_multiply_adds(trial(f"{file}:Mine", sha256_of(file))) is None
    assert trial_multiply_adds(trial(f"{file}:Mine")) is None
    assert trial_multiply_adds(trial("this:s")) is None
    assert not ran.exists()
    # A suite that the user names may have it.
    assert plan_multiply_adds("denoising", "block-dncnn", f"{file}:Mine", {"features": 4, "blocks": 1}) is None
    assert ran.exists()


def test_a_configuration_of_another_kind_is_not_counted() -> None:
    other = Trial("denoising", "A", "trained", 0, "quick", {"net": "A"}, {})
    assert trial_multiply_adds(other) is None
