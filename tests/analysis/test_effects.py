"""Effects of a small study laid out by hand, and what becomes of them when parts of it are missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from converse.analysis import effects as module
from converse.analysis.effects import EFFECT_COLUMNS, IMAGE_TEST_COLUMNS, ITSELF, Settings, image_tests
from converse.analysis.noise_floor import NOISE_FLOOR
from converse.analysis.power_report import power_report
from converse.analysis.published import Number, published
from converse.analysis.qualification import Grounds, Qualification
from converse.analysis.statistics import (
    LIKE_THESE,
    THESE_IMAGES,
    THESE_NETWORKS,
    bootstrap_interval,
    crossed_interval,
    prediction_interval,
)
from converse.errors import OptionError
from converse.experiments.store.requests import Standard
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.suites.tables import Contrast


class Qualified(Grounds):
    """Trainings that may judge the paper, whatever they are."""

    def qualification(self, *asked: Any) -> Qualification:
        return Qualification()


effects = partial(module.effects, grounds=Qualified())
BASE = "circular"
CONTRASTS = (Contrast("zero", BASE, "zero padding"), Contrast("reflect", BASE, "reflected"))
PADDING = published().table("ablation.padding")


def paper(entry: str, dataset: str, case: str | None) -> Number | None:
    return PADDING.number(entry, dataset)


def measured(entry: str, values: Any, **changes: Any) -> list[dict[str, Any]]:
    """Rows of an entry from [seeds, images]."""
    return [
        {
            **dict.fromkeys(ROW_COLUMNS),
            "trial": f"{entry}-{seed}",
            "task": "denoising",
            "entry": entry,
            "source": "trained",
            "budget": "quick",
            "seed": seed,
            "dataset": "set12",
            "image": f"{image:02}.png",
            "image_sha256": f"sha{image}",
            "metric": "psnr",
            "signature": "psnr|grey",
            "value": value,
            "device": "cpu",
            **changes,
        }
        for seed, of_seed in enumerate(np.asarray(values, dtype=float))
        for image, value in enumerate(of_seed)
    ]


def counted(entry: str, parameters: int) -> list[dict[str, Any]]:
    names = {"metric": "parameters", "signature": "parameters", "dataset": None, "image": None, "image_sha256": None}
    return measured(entry, [[parameters]], **names)


def frame(*rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    made = pd.DataFrame([row for some in rows for row in some], columns=list(ROW_COLUMNS))
    return made.assign(seed=made["seed"].astype("Int64"), value=made["value"].astype(float))


def found(rows: pd.DataFrame, contrasts: Sequence[Contrast] = CONTRASTS[:1], **options: Any) -> dict[str, Any]:
    (record,) = effects(rows, suite="padding", contrasts=contrasts, **options).to_dict("records")
    return {str(name): value for name, value in record.items()}


RNG = np.random.default_rng(0)
PLAIN = RNG.normal(30, 2, (1, 12)) + RNG.normal(0, 0.02, (3, 1)) + RNG.normal(0, 0.01, (3, 12))
# Per-seed mean differences −0.06, −0.07, −0.08; the paper's difference is 30.63 − 30.70 = −0.07.
WORSE = PLAIN - np.array([[0.06], [0.07], [0.08]])


def test_a_row_of_effects() -> None:
    record = found(frame(measured(BASE, PLAIN), measured("zero", WORSE)), published=paper)
    assert tuple(record) == EFFECT_COLUMNS
    expected = stats.ttest_1samp([-0.06, -0.07, -0.08], 0)
    half = 0.01 / math.sqrt(3) * 4.302653
    assert record["difference"] == pytest.approx(-0.07)
    assert (record["low"], record["high"]) == pytest.approx((-0.07 - half, -0.07 + half), abs=1e-6)
    assert (record["p"], record["p_holm"]) == pytest.approx((expected.pvalue, expected.pvalue))
    assert record["seed_deviation"] == pytest.approx(0.01)
    assert record["dz"] == pytest.approx(-7)
    assert record["image_error"] == pytest.approx(0, abs=1e-12)
    assert record["published_difference"] == -0.07
    predicted = prediction_interval(PLAIN, WORSE, 0.975, rounding=0.01)
    assert (record["prediction_low"], record["prediction_high"]) == predicted
    said = {
        "task": "denoising",
        "suite": "padding",
        "budget": "quick",
        "dataset": "Set12",
        "case": None,
        "metric": "psnr",
        "signature": "psnr|grey",
        "base": BASE,
        "entry": "zero",
        "label": "zero padding",
        "seeds": 3,
        "images": 12,
        "df": 2,
        "claim": THESE_IMAGES,
        "equivalent": False,
        "family": 1,
        "published_trust": "secondary",
        "verdict": "reproduced",
        "judged": True,
        "seeds_needed": 3,
        "reason": None,
        "parameters": None,
        "multiply_adds": None,
        "seconds": None,
    }
    assert {name: record[name] for name in said} == said


def test_rows_come_by_dataset_then_entry_and_holm_runs_over_one_metric() -> None:
    rows = frame(
        *(
            measured(entry, PLAIN + shift + RNG.normal(0, 0.01, PLAIN.shape), **names)
            for names in (
                {},
                {"dataset": "bsd68"},
                {"metric": "ssim", "signature": "ssim|grey"},
            )
            for entry, shift in ((BASE, 0), ("zero", 0.02), ("reflect", 0.1), ("stranger", 9))
        )
    )
    table = effects(rows, suite="padding", contrasts=CONTRASTS, published=paper)
    assert tuple(table.columns) == EFFECT_COLUMNS
    assert list(zip(table["dataset"], table["metric"], table["entry"], strict=True)) == [
        ("Set12", "psnr", "zero"),
        ("Set12", "psnr", "reflect"),
        ("BSD68", "psnr", "zero"),
        ("BSD68", "psnr", "reflect"),
        ("Set12", "ssim", "zero"),
        ("Set12", "ssim", "reflect"),
    ]
    psnr, ssim = table[table["metric"] == "psnr"], table[table["metric"] == "ssim"]
    assert psnr["p_holm"].min() == pytest.approx(4 * psnr["p"].min())
    assert ssim["p_holm"].min() == pytest.approx(2 * ssim["p"].min())
    # The paper and the bound are about PSNR.
    assert list(ssim["verdict"]) == list(ssim["equivalent"]) == list(ssim["published_difference"]) == [None, None]


def test_trainings_that_may_not_judge_the_paper_say_what_is_so_here() -> None:
    better, same = PLAIN + np.array([[0.06], [0.07], [0.08]]), PLAIN + np.array([[0.001], [0.0], [-0.001]])
    loose = PLAIN + np.array([[0.5], [-0.5], [0.1]])
    for values, word in ((WORSE, "worse"), (better, "better"), (same, "equal"), (loose, "undecided")):
        rows = frame(measured(BASE, PLAIN), measured("zero", values))
        record = found(rows, published=paper, grounds=Grounds())
        assert (record["verdict"], record["judged"]) == (f"{word} here", False)
        assert list(Qualification.read(record["lacking"]).lacks) == ["size", "baseline", "convergence"]
        judged = found(rows, published=paper)
        assert (judged["judged"], judged["lacking"]) == (True, None)
    assert found(rows, grounds=Grounds())["lacking"] is None  # the paper has nothing to be judged


def test_a_baseline_beside_the_contrasts_is_looked_at_and_makes_no_row() -> None:
    standard = Standard({"zero": "DnCNN"}, 0.3, {"zero": True, BASE: True})
    rows = frame(measured(BASE, PLAIN), measured("zero", WORSE), measured("DnCNN", PLAIN))
    rows = pd.concat([rows, frame(measured("DnCNN", PLAIN, dataset="bsd68"))], ignore_index=True)
    record = found(rows, published=paper, grounds=Grounds(standard))
    assert Qualification.read(record["lacking"]).lacks["baseline"] == "DnCNN has no published value here"


def test_what_verdicts_rest_on_is_adjusted_over_the_table() -> None:
    # With p = 0.0068 the difference is found alone and among 4, and not among 8.
    rows = [measured(BASE, PLAIN), measured("zero", WORSE)]
    for others, verdict in ((3, "reproduced"), (7, "consistent")):
        names = [f"other{index}" for index in range(others)]
        loud = [measured(name, PLAIN + RNG.normal(0, 0.5, (3, 1))) for name in names]
        contrasts = (CONTRASTS[0], *(Contrast(name, BASE, name) for name in names))
        table = effects(frame(*rows, *loud), suite="padding", contrasts=contrasts, published=paper)
        first = table.to_dict("records")[0]
        assert (first["family"], first["verdict"]) == (others + 1, verdict)
        predicted = prediction_interval(PLAIN, WORSE, 1 - 0.025 / (others + 1), rounding=0.01)
        assert (first["prediction_low"], first["prediction_high"]) == pytest.approx(predicted)
        # The interval is the row's own.
        assert (first["low"], first["high"]) == pytest.approx((-0.07 - 0.02484, -0.07 + 0.02484), abs=1e-5)


def test_parameters_stand_beside_the_difference() -> None:
    rows = (measured(BASE, PLAIN), measured("zero", WORSE), measured("reflect", WORSE))
    table = effects(
        frame(*rows, counted(BASE, 500), counted("zero", 500), counted("reflect", 600)),
        suite="padding",
        contrasts=CONTRASTS,
    )
    assert list(table["metric"]) == ["psnr", "psnr"]
    assert list(table["parameters"]) == [500, 600]
    assert list(table["parameters_base"]) == [500, 500]
    assert list(table["equal_parameters"]) == [True, False]


def test_costs_stand_beside_the_difference() -> None:
    slow, fast = measured("zero", WORSE, seconds=7.0), measured("zero", WORSE, seconds=0.5)
    rows = frame(measured(BASE, PLAIN, seconds=0.25), slow[:12], fast[12:])  # a seed that was disturbed
    record = found(rows, multiply_adds={BASE: 10.5, "zero": 21.0, "stranger": 1.0})
    assert (record["multiply_adds"], record["multiply_adds_base"]) == (21.0, 10.5)
    assert (record["seconds"], record["seconds_base"]) == (0.5, 0.25)


def test_bases_may_differ_and_holm_runs_over_all() -> None:
    contrasts = (Contrast("zero", "circular", "zero"), Contrast("zero", "reflect", "zero"))
    noisy = WORSE + RNG.normal(0, 0.01, (3, 12))
    table = effects(
        frame(measured(BASE, PLAIN), measured("reflect", noisy), measured("zero", WORSE)),
        suite="padding",
        contrasts=contrasts,
        published=paper,
    )
    assert list(table["base"]) == ["circular", "reflect"]
    assert list(table["published_difference"]) == [-0.07, -0.02]
    assert list(table["difference"]) == pytest.approx([-0.07, (WORSE - noisy).mean()])
    assert table["p_holm"].min() == pytest.approx(2 * table["p"].min())


def test_a_value_that_the_base_has_anyway_is_compared_with_nothing() -> None:
    own = {"trial": "one", "seconds": 0.1}
    rows = frame(measured(BASE, PLAIN, **own), measured("zero", PLAIN, **own), measured("reflect", WORSE))
    first, second = effects(rows, suite="padding", contrasts=CONTRASTS, published=paper).to_dict("records")
    assert (first["difference"], first["seeds"], first["images"], first["reason"]) == (0, 3, 12, ITSELF)
    assert [first[name] for name in ("low", "p", "p_holm", "verdict", "published_difference")] == [None] * 5
    assert second["p_holm"] == second["p"]  # the family is one smaller
    assert set(image_tests(rows, suite="padding", contrasts=CONTRASTS)["entry"]) == {"reflect"}


def test_the_noise_floor_is_shown_and_neither_tested_nor_judged() -> None:
    rows = frame(measured(BASE, PLAIN), measured("zero", WORSE), measured("reflect", WORSE + 0.01))
    floor = (Contrast("zero", BASE, "zero"),)
    shown, judged = effects(rows, suite="padding", contrasts=CONTRASTS, floor=floor, published=paper).to_dict("records")
    assert (judged["entry"], judged["family"], judged["same_class"]) == ("reflect", 1, None)
    assert (shown["entry"], shown["same_class"], shown["reason"]) == ("zero", True, NOISE_FLOOR)
    assert (shown["difference"], shown["seed_deviation"]) == pytest.approx((-0.07, 0.01))
    assert shown["low"] < -0.07 < shown["high"]
    assert [shown[name] for name in ("p", "p_holm", "family", "published_difference", "verdict")] == [None] * 5
    # Without a contrast of its own it stands below the others, where it was measured.
    rows, contrasts = frame(measured(BASE, PLAIN), measured("reflect", WORSE)), CONTRASTS[1:]
    assert list(effects(rows, suite="padding", contrasts=contrasts, floor=floor)["entry"]) == ["reflect"]
    rows = frame(measured(BASE, PLAIN), measured("reflect", WORSE), measured("zero", WORSE))
    assert list(effects(rows, suite="padding", contrasts=contrasts, floor=floor)["entry"]) == ["reflect", "zero"]


def test_a_failed_seed_and_a_failed_image_are_left_out_and_named() -> None:
    lost = WORSE.copy()
    lost[1, 4] = math.nan
    lost[2] = math.nan
    record = found(frame(measured(BASE, PLAIN), measured("zero", lost)), published=paper)
    assert (record["seeds"], record["images"], record["df"]) == (2, 11, 1)
    assert record["difference"] == pytest.approx(-0.065)
    assert "seed 2 left out: zero has no values" in record["reason"]
    assert "1 of 12 images left out (04.png): without a value in every seed of both" in record["reason"]


def test_infinite_values_are_left_out_and_named() -> None:
    perfect = WORSE.copy()
    perfect[0, 0] = math.inf
    record = found(frame(measured(BASE, PLAIN), measured("zero", perfect)))
    assert record["images"] == 11
    assert record["reason"] == "1 of 12 images left out (00.png): infinite: an output equals the image"


def test_one_seed_shows_a_difference_and_claims_nothing() -> None:
    record = found(frame(measured(BASE, PLAIN[:1]), measured("zero", WORSE[:1])), published=paper)
    assert record["difference"] == pytest.approx(-0.06)
    assert [record[name] for name in ("low", "high", "p", "p_holm", "seed_deviation", "seeds_needed")] == [None] * 6
    assert (record["verdict"], record["equivalent"]) == ("undecided here", None)
    assert record["reason"] == "one seed: no claim about seeds"


def test_one_image() -> None:
    record = found(frame(measured(BASE, PLAIN[:, :1]), measured("zero", WORSE[:, :1])), published=paper)
    assert (record["images"], record["image_error"], record["verdict"]) == (1, None, "reproduced")


def test_equal_outputs_are_equivalent() -> None:
    record = found(frame(measured(BASE, PLAIN), measured("zero", PLAIN)), published=paper)
    assert (record["difference"], record["low"], record["high"], record["p"]) == (0, 0, 0, 1)
    assert (record["dz"], record["equivalent"], record["verdict"]) == (None, True, "consistent")
    assert "no spread: all 3 seeds give the same mean difference" in record["reason"]


def test_an_undecided_difference_says_how_many_seeds_it_needs() -> None:
    loud = PLAIN + np.array([[-0.2], [0.1], [0.0]])
    record = found(frame(measured(BASE, PLAIN), measured("zero", loud)), published=paper)
    assert (record["verdict"], record["p"] > 0.05) == ("consistent", True)
    # d = 0.07 / 0.153 = 0.458: 40 seeds for 0.8 (one-sample t test, two-sided, 5 %).
    assert record["seeds_needed"] == pytest.approx(40, abs=1)


def test_a_published_tie_needs_seeds_for_equivalence() -> None:
    loud = PLAIN + np.array([[-0.04], [0.04], [0.0]])
    record = found(
        frame(measured(BASE, PLAIN), measured("zero", loud)), published=lambda *_: Number(30.7, "primary", "here")
    )
    assert (record["published_difference"], record["verdict"]) == (0, "consistent")
    assert record["seeds_needed"] > 20  # ((1.65 + 1.28) · 0.04 / 0.02)² = 34, a little more for t


def test_without_a_published_number_there_is_no_verdict() -> None:
    rows = frame(measured(BASE, PLAIN, dataset="set5"), measured("zero", WORSE, dataset="set5"))
    for published_value in (None, paper):
        record = found(rows, published=published_value)
        assert (record["published_difference"], record["verdict"], record["seeds_needed"]) == (None, None, None)
        assert record["low"] is not None


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param(measured(BASE, PLAIN), "zero has no values; it diverged", id="no-entry"),
        pytest.param(measured("zero", PLAIN), "circular has no values; it diverged", id="no-base"),
        pytest.param([], "circular has no values; zero has no values; it diverged", id="nothing"),
    ],
)
def test_what_was_not_run_is_a_row(rows: list[dict[str, Any]], reason: str) -> None:
    record = found(frame(rows), published=paper, reasons={"zero": "it diverged"})
    assert (record["verdict"], record["reason"]) == ("not run", reason)
    assert (record["seeds"], record["images"], record["difference"], record["p_holm"]) == (0, 0, None, None)
    assert record["published_difference"] == (-0.07 if rows else None)


@pytest.mark.parametrize("method", ["crossed", "bootstrap"])
def test_other_claims_have_other_intervals(method: str) -> None:
    rng = np.random.default_rng(3)
    plain = rng.normal(30, 2, (10, 12))
    differences = -0.07 + rng.normal(0, 0.01, (10, 1)) + rng.normal(0, 0.02, (1, 12))
    rows = frame(measured(BASE, plain), measured("zero", plain + differences))
    record = found(rows, published=paper, settings=Settings(method=method))  # type: ignore[arg-type]
    of_method = {
        "crossed": crossed_interval(differences),
        "bootstrap": bootstrap_interval(differences, np.random.default_rng(0)),
    }[method]
    assert (record["low"], record["high"]) == pytest.approx((of_method.low, of_method.high))
    assert (record["claim"], record["verdict"], record["equivalent"]) == (LIKE_THESE, "reproduced", False)


def test_equivalence_is_stated_for_the_claim_of_the_interval() -> None:
    rng = np.random.default_rng(4)
    plain = rng.normal(30, 2, (5, 12))
    # Seeds agree that the images' mean is the same; the images alone leave it open.
    differences = rng.normal(0, 0.005, (5, 1)) + np.where(np.arange(12) % 2, 0.1, -0.1)
    rows = frame(measured(BASE, plain), measured("zero", plain + differences))
    assert found(rows)["equivalent"] is True
    assert found(rows, settings=Settings(method="crossed"))["equivalent"] is False


def test_one_seed_is_not_equivalent_by_any_claim() -> None:
    rows = frame(measured(BASE, PLAIN[:1]), measured("zero", PLAIN[:1]))
    assert found(rows, settings=Settings(method="crossed"))["equivalent"] is None


def test_a_bootstrap_of_few_seeds_is_refused() -> None:
    rows = frame(measured(BASE, PLAIN), measured("zero", WORSE))
    with pytest.raises(OptionError, match="a bootstrap needs at least 10 seeds, got 3"):
        found(rows, settings=Settings(method="bootstrap"))


def test_tests_over_images_are_one_for_each_seed() -> None:
    rows = frame(measured(BASE, PLAIN), measured("zero", WORSE), measured("reflect", PLAIN))
    table = image_tests(rows, suite="padding", contrasts=CONTRASTS)
    assert tuple(table.columns) == IMAGE_TEST_COLUMNS
    assert list(zip(table["entry"], table["seed"], strict=True)) == [
        (entry, seed) for entry in ("zero", "reflect") for seed in range(3)
    ]
    assert set(table["claim"]) == {THESE_NETWORKS}
    worse, same = table[table["entry"] == "zero"], table[table["entry"] == "reflect"]
    assert list(worse["difference"]) == pytest.approx([-0.06, -0.07, -0.08])
    assert list(worse["wilcoxon"]) == list(worse["sign_flips"]) == pytest.approx([2 / 2**12] * 3)
    assert list(worse["wilcoxon_holm"]) == pytest.approx([6 * 2 / 2**12] * 3)
    assert list(same["wilcoxon"]) == list(same["sign_flips_holm"]) == [1, 1, 1]


def test_tests_over_images_of_nothing() -> None:
    table = image_tests(frame(), suite="padding", contrasts=CONTRASTS)
    assert tuple(table.columns) == IMAGE_TEST_COLUMNS
    assert table.empty


def test_cases_and_signatures_are_not_mixed() -> None:
    rows = frame(
        measured(BASE, PLAIN, case="kernel_1"),
        measured("zero", WORSE, case="kernel_1"),
        measured(BASE, PLAIN, case="kernel_2"),
        measured("zero", WORSE, case="kernel_2", signature="psnr|rgb"),
    )
    table = effects(rows, suite="padding", contrasts=CONTRASTS[:1])
    assert list(table["case"]) == ["kernel_1", "kernel_2", "kernel_2"]
    assert list(table["verdict"]) == [None, "not run", "not run"]


def test_budgets_are_not_mixed() -> None:
    rows = frame(measured(BASE, PLAIN), measured("zero", WORSE, budget="smoke"))
    with pytest.raises(OptionError, match=r"the rows of padding have several budgets \(quick, smoke\)"):
        found(rows)


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="missing: value"):
        found(frame(measured(BASE, PLAIN)).drop(columns="value"))


@pytest.mark.parametrize("wrong", [{"level": 0.5}, {"level": 95}, {"bound": 0}, {"chance": 1}, {"bound": math.nan}])
def test_settings_have_ranges(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=r"expected 0\.5 < level < 1, bound > 0 and 0 < chance < 1, got"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_only_infinite_values_were_measured_all_the_same() -> None:
    exact = np.full((3, 12), math.inf)
    record = found(frame(measured(BASE, PLAIN), measured("zero", exact)), published=paper)
    assert (record["seeds"], record["images"], record["infinite"]) == (0, 0, 12)
    assert (record["difference"], record["low"], record["p"], record["verdict"]) == (None, None, None, "undecided here")
    assert "12 of 12 images left out" in record["reason"]
    assert found(frame(measured(BASE, PLAIN), measured("zero", exact)))["verdict"] is None


VALUES = st.one_of(st.floats(20, 40), st.sampled_from([math.inf, -math.inf, math.nan]))
BLOCK = st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=3, max_size=3)


@settings(max_examples=20, deadline=None)
@given(BLOCK, BLOCK, st.sampled_from(["seeds", "crossed"]))
def test_no_number_of_a_difference_is_infinite_or_nan(base: Any, entry: Any, method: Any) -> None:
    rows = frame(measured(BASE, base), measured("zero", entry))
    table = effects(rows, suite="s", contrasts=CONTRASTS[:1], published=paper, settings=Settings(method=method))
    tests = image_tests(rows, suite="s", contrasts=CONTRASTS[:1])
    power = power_report(table)
    for record in [*table.to_dict("records"), *tests.to_dict("records"), *power.to_dict("records")]:
        for name, value in record.items():
            assert not isinstance(value, float) or math.isfinite(value), (name, value)
    both = np.stack([base, entry])
    if not np.isnan(both).any():
        # Oracle: with what is infinite taken out of both by hand the number is the same.
        kept = np.isfinite(both).all(axis=(0, 1))
        (record,) = table.to_dict("records")
        assert (record["images"], record["infinite"]) == (kept.sum(), 4 - kept.sum())
        if kept.any():
            assert record["difference"] == pytest.approx((both[1] - both[0])[:, kept].mean(), abs=1e-9)
