"""The differences of the suites that come with converse; the paper's numbers are subtracted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from converse.analysis.effects import EFFECT_COLUMNS, IMAGE_TEST_COLUMNS
from converse.analysis.published import published
from converse.analysis.selection import Selection
from converse.analysis.studies import Study
from converse.analysis.suite_effects import study_effects, suite_effects, suite_image_tests
from converse.errors import OptionError
from converse.experiments.running.request import stored_request
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.suites.suite import load_suite


def rows(task: str, dataset: str, case: str | None, *entries: str) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made: list[dict[str, Any]] = [
        {
            **dict.fromkeys(ROW_COLUMNS),
            "trial": f"{entry}-{seed}",
            "task": task,
            "entry": entry,
            "source": "trained",
            "budget": "quick",
            "seed": seed,
            "dataset": dataset,
            "case": case,
            "image": f"{image:02}.png",
            "image_sha256": f"sha{image}",
            "metric": "psnr",
            "signature": "psnr",
            "value": rng.normal(30, 0.01),
            "device": "cpu",
        }
        for entry in entries
        for seed in range(3)
        for image in range(4)
    ]
    return pd.DataFrame(made, columns=list(ROW_COLUMNS))


@pytest.mark.parametrize(
    ("suite", "dataset", "case", "entry", "base", "gap", "trust"),
    [
        ("denoising", "set12", None, "Converse-DnCNN", "Conv-DnCNN", 0.06, "primary"),
        ("denoising", "bsd68", None, "Converse-DnCNN", "DnCNN", 0.13, "primary"),
        ("super_resolution", "set14", None, "Converse-SRResNet", "Conv-SRResNet", -0.01, "primary"),
        ("deblurring", "bsd100", "kernel_3", "ConverseNet", "ConvNet", 4.12, "primary"),
        ("deblurring", "urban100", "kernel_3", "ConverseNet", "ConvNet", -0.27, "primary"),
        ("deblurring", "set14", "kernel_1", "ConverseNet", "ConvNet", None, None),
        ("deblurring", "bsd100", "kernel_1", "Converse-USRNet", "USRNet", None, None),
        ("kernel_init", "set12", None, "Converse-DnCNN: uniform", "Converse-DnCNN", -0.39, "secondary"),
        ("kernel_init", "set12", None, "Converse-DnCNN: delta", "Converse-DnCNN", None, None),
        ("kernel_size", "bsd68", None, "Converse-DnCNN: 7x7", "Converse-DnCNN", 0.0, "secondary"),
        ("regularization", "set12", None, "Converse-DnCNN: λ = 1e-1", "Converse-DnCNN", None, None),
        (
            "initial_estimate_super_resolution",
            "set5",
            None,
            "Converse-SRResNet: zero",
            "Converse-SRResNet",
            -0.03,
            "secondary",
        ),
    ],
)
def test_published_differences(
    suite: str, dataset: str, case: str | None, entry: str, base: str, gap: float | None, trust: str | None
) -> None:
    read = load_suite(suite, networks=False)
    table = suite_effects(rows(read.task, dataset, case, entry, base), read, published=published(), only=[entry, base])
    assert tuple(table.columns) == EFFECT_COLUMNS
    (record,) = table.to_dict("records")
    assert (record["suite"], record["entry"], record["base"], record["seeds"]) == (suite, entry, base, 3)
    assert record["published_difference"] == (None if gap is None else pytest.approx(gap))
    assert record["published_trust"] == trust
    assert (record["verdict"] is None) == (gap is None)


def test_all_that_an_ablation_varies_has_a_row() -> None:
    padding = load_suite("padding", networks=False)
    measured = rows("denoising", "set12", None, "Converse-DnCNN", "Converse-DnCNN: zero")
    reasons = {"Converse-DnCNN: reflect": "it diverged"}
    table = suite_effects(measured, padding, published=published(), reasons=reasons)
    assert list(table["label"]) == [
        "circular",
        "reflect",
        "replicate",
        "zero",
        "p = 0",
        "p = ⌊k/2⌋",
        "p = k − 1",
    ]
    by_label = {record["label"]: record for record in table.to_dict("records")}
    assert by_label["reflect"]["verdict"] == "not run"
    assert by_label["reflect"]["reason"] == "Converse-DnCNN: reflect has no values; it diverged"
    assert by_label["zero"]["published_difference"] == pytest.approx(-0.07)


def test_tests_over_images_of_a_suite() -> None:
    denoising = load_suite("denoising", networks=False)
    measured = rows("denoising", "set12", None, "Converse-DnCNN", "Conv-DnCNN", "DnCNN")
    table = suite_image_tests(measured, denoising)
    assert tuple(table.columns) == IMAGE_TEST_COLUMNS
    assert list(table["base"]) == ["Conv-DnCNN"] * 3 + ["DnCNN"] * 3
    assert list(suite_image_tests(measured, denoising, only=["Converse-DnCNN", "DnCNN"])["seed"]) == [0, 1, 2]


@pytest.mark.parametrize("name", ["denoising", "padding"])
def test_a_note_of_a_suite_is_enough(name: str) -> None:
    suite = load_suite(name, networks=False)
    entries = [entry.name for entry in suite.entries[:4]]
    measured = rows("denoising", "set12", None, *entries)
    note = stored_request(suite, suite.resolve("quick", only=entries), [], missing={}, request=CommandLine("run", name))
    study = Study(
        key="one",
        suite=name,
        title="",
        description="",
        task="denoising",
        budget="quick",
        platform={},
        base=note.base,
        entries=note.entries,
        trials=(),
        contrasts=note.contrasts,
        missing={},
        selection=Selection(measured),
    )
    pd.testing.assert_frame_equal(
        study_effects(study, published=published()),
        suite_effects(measured, suite, published=published(), only=entries),
    )
    assert study_effects(study, published=published())["published_difference"].notna().any()


def test_an_entry_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="unknown entry 'Nobody'"):
        suite_effects(rows("denoising", "set12", None), load_suite("denoising"), published=published(), only=["Nobody"])
