"""Result rows against means computed by hand, and the rules of what is held against the paper."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.analysis.published import PublishedValue, published
from converse.analysis.tables import RESULT_COLUMNS, Expected, records, results
from converse.analysis.verdicts import Thresholds
from converse.data.catalogue import dataset
from converse.experiments.store.rows import ROW_COLUMNS

SET12 = dataset("set12").files
PAPER = published()


def row(image: Any, value: float, **changes: Any) -> Mapping[str, Any]:
    """A row of DnCNN on an image of Set12."""
    return {
        **dict.fromkeys(ROW_COLUMNS),
        "trial": "0" * 16,
        "task": "denoising",
        "entry": "DnCNN",
        "source": "released",
        "dataset": "set12",
        "image": image.name,
        "image_sha256": image.sha256,
        "metric": "psnr",
        "signature": "psnr|grey",
        "value": value,
        "device": "cpu",
        "seconds": 0.1,
        **changes,
    }


def frame(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=list(ROW_COLUMNS))
    return made.assign(seed=made["seed"].astype("Int64"), value=made["value"].astype(float))


def result(rows: list[Mapping[str, Any]], **options: Any) -> Any:
    (record,) = records(results(frame(rows), published=PAPER, **options))
    return record


VALUES = [30.0 + index / 10 for index in range(12)]


def test_the_mean_over_the_whole_set_is_held_against_the_paper() -> None:
    record = result([row(*pair) for pair in zip(SET12, VALUES, strict=True)])
    assert tuple(record) == RESULT_COLUMNS
    assert record["measured"] == pytest.approx(statistics.fmean(VALUES))
    assert record["images"] == 12
    assert record["published"] == 30.43
    assert record["difference"] == pytest.approx(30.55 - 30.43)
    assert record["verdict"] == "differs"
    assert record["dataset"] == "Set12"
    assert (record["seeds"], record["deviation"], record["budget"], record["case"], record["reason"]) == (None,) * 5


def test_thresholds_decide() -> None:
    rows = [row(*pair) for pair in zip(SET12, VALUES, strict=True)]
    assert result(rows, thresholds=Thresholds(0.2, 0.3))["verdict"] == "match"


def test_part_of_a_set_is_shown_but_not_held_against_the_paper() -> None:
    record = result([row(*pair) for pair in zip(SET12[:3], VALUES, strict=False)])
    assert record["measured"] == pytest.approx(30.1)
    assert record["published"] == 30.43
    assert record["verdict"] == "not measured"
    assert (record["reason"], record["part"]) == ("3 of 12 images", "3 of 12 images")
    assert record["difference"] is None


def test_twelve_other_images_are_not_set12() -> None:
    record = result([row(image, 30.43, image_sha256="0" * 64) for image in SET12])
    assert record["verdict"] == "not measured"
    assert record["reason"] == "0 of 12 images"


def test_an_image_without_a_value_is_named_by_its_reason() -> None:
    rows = [row(*pair) for pair in zip(SET12, VALUES, strict=True)]
    rows[3] = row(SET12[3], math.nan, reason="output is not finite")
    record = result(rows)
    assert record["verdict"] == "not measured"
    assert (record["reason"], record["part"]) == ("11 of 12 images; output is not finite", "11 of 12 images")
    assert record["measured"] == pytest.approx(statistics.fmean(VALUES[:3] + VALUES[4:]))


def test_nothing_measured_has_no_number() -> None:
    record = result([row(image, math.nan, reason="out of memory") for image in SET12])
    assert record["measured"] is None
    assert record["verdict"] == "not measured"
    assert record["reason"] == "0 of 12 images; out of memory"


@pytest.mark.parametrize("metric", ["ssim", "lpips"])
def test_what_the_paper_does_not_measure_has_no_verdict(metric: str) -> None:
    record = result([row(image, 0.9, metric=metric) for image in SET12])
    assert (record["published"], record["verdict"], record["reason"]) == (None, None, "no published value")
    assert record["part"] is None
    assert result([row(image, 0.9, metric=metric) for image in SET12[:1]])["part"] == "1 of 12 images"


def test_a_folder_of_the_users_has_no_published_value_even_under_a_known_title() -> None:
    rows = [row(image, 30.43, dataset="Set12") for image in SET12]
    rows[0] = row(SET12[0], math.nan, dataset="Set12", reason="unreadable: x.png")
    record = result(rows)
    assert (record["published"], record["verdict"]) == (None, None)
    assert record["reason"] == "no published value; 11 of 12 images; unreadable: x.png"


def test_seeds_give_a_deviation_and_only_trainings_that_lack_nothing_a_verdict() -> None:
    rows = [
        row(image, 30.43 + shift, source="trained", budget="quick", seed=seed)
        for seed, shift in ((0, -0.1), (1, 0.0), (2, 0.1))
        for image in SET12
    ]
    asked: list[tuple[int, str, int, float]] = []

    def lacking(place: pd.DataFrame, entry: str, seeds: int, published: PublishedValue) -> str:
        number = published(entry, "Set12", None)
        assert number is not None
        asked.append((len(place), entry, seeds, number.value))
        return "seeds: too few"

    record = result(rows, lacking=lacking)
    assert asked == [(36, "DnCNN", 3, 30.43)]
    assert record["seeds"] == 3
    assert record["measured"] == pytest.approx(30.43)
    assert record["deviation"] == pytest.approx(0.1)
    assert record["verdict"] is None
    assert record["reason"] == "not judged on the paper (seeds: too few)"
    assert result(rows, lacking=lambda *asked: "")["verdict"] == "match"
    unknown = result([{**one, "budget": "paper"} for one in rows])
    assert unknown["verdict"] is None
    assert unknown["reason"] == "not judged on the paper (nothing is known of its training)"


def test_a_seed_with_fewer_images_makes_the_set_incomplete() -> None:
    rows = [row(image, 30.43, source="trained", budget="paper", seed=0) for image in SET12]
    rows += [row(image, 30.43, source="trained", budget="paper", seed=1) for image in SET12[:5]]
    record = result(rows)
    assert (record["verdict"], record["reason"]) == ("not measured", "5 of 12 images")


@pytest.mark.parametrize(
    ("entry", "count", "verdict", "reason"),
    [
        ("ConverseNet", 243267, "match", None),
        ("Converse-DnCNN", 796353, "differs", "the paper says 5×5 kernels, the released checkpoint has 7×7"),
        ("Converse-DnCNN", 1, "differs", None),
        ("SRResNet", 1517571, None, "no published value"),
    ],
)
def test_parameters_have_their_own_verdict(entry: str, count: int, verdict: str | None, reason: str | None) -> None:
    counted = {
        **dict.fromkeys(ROW_COLUMNS),
        "task": "denoising",
        "entry": entry,
        "metric": "parameters",
        "signature": "p",
        "value": float(count),
    }
    record = result([counted])
    assert (record["measured"], record["verdict"], record["reason"]) == (count, verdict, reason)
    assert isinstance(record["measured"], int)
    assert record["dataset"] is None
    assert record["images"] is None


def test_what_was_expected_and_is_not_there_says_why() -> None:
    cell = Expected("denoising", "Conv-DnCNN", "Set12", None, "psnr", "no released weights for Conv-DnCNN")
    there = Expected("denoising", "DnCNN", "Set12", None, "psnr", "not run")
    found = records(results(frame([row(SET12[0], 30.0)]), published=PAPER, expected=[cell, there]))
    assert [record["entry"] for record in found] == ["DnCNN", "Conv-DnCNN"]
    assert found[1]["published"] == 30.64
    assert found[1]["verdict"] == "not measured"
    assert found[1]["reason"] == cell.reason
    assert found[0]["reason"] == "1 of 12 images"


def test_nothing_at_all_is_an_empty_table_with_its_columns() -> None:
    empty = results(frame([]), published=PAPER)
    assert tuple(empty.columns) == RESULT_COLUMNS
    assert records(empty) == []


def test_results_stand_in_the_papers_order() -> None:
    cells = [
        Expected("deblurring", "ConverseNet", "BSD100", "kernel_1", "psnr", ""),
        Expected("denoising", "Mine", "Set12", None, "psnr", ""),
        Expected("denoising", "Converse-DnCNN", None, None, "parameters", ""),
        Expected("denoising", "Converse-DnCNN", "BSD68", None, "psnr", ""),
        Expected("denoising", "Converse-DnCNN", "Set12", None, "ssim", ""),
        Expected("denoising", "Converse-DnCNN", "Set12", None, "psnr", ""),
        Expected("denoising", "DnCNN", "photos", None, "psnr", ""),
        Expected("denoising", "DnCNN", "BSD68", None, "psnr", ""),
    ]
    found = records(results(frame([]), published=PAPER, expected=cells))
    assert [(r["entry"], r["dataset"], r["metric"]) for r in found] == [
        ("DnCNN", "BSD68", "psnr"),
        ("DnCNN", "photos", "psnr"),
        ("Converse-DnCNN", "Set12", "psnr"),
        ("Converse-DnCNN", "Set12", "ssim"),
        ("Converse-DnCNN", "BSD68", "psnr"),
        ("Converse-DnCNN", None, "parameters"),
        ("Mine", "Set12", "psnr"),
        ("ConverseNet", "BSD100", "psnr"),
    ]


def test_an_infinite_value_does_not_take_that_of_the_others() -> None:
    rows = [row(*pair) for pair in zip(SET12, [math.inf, *VALUES[1:11], math.inf], strict=True)]
    record = result(rows)
    assert record["measured"] == pytest.approx(statistics.fmean(VALUES[1:11]))
    assert (record["images"], record["infinite"]) == (12, 2)
    assert (record["published"], record["difference"], record["verdict"]) == (30.43, None, "not measured")
    assert record["reason"] == "infinite in 2 of 12 images, mean of the others"


def test_where_all_are_infinite_the_mean_is() -> None:
    record = result([row(image, math.inf) for image in SET12])
    assert (record["measured"], record["infinite"], record["difference"]) == (math.inf, 12, None)
    assert (record["verdict"], record["reason"]) == ("not measured", "infinite in 12 of 12 images")


def test_the_others_are_the_same_images_in_every_seed() -> None:
    values = {0: [math.inf, 30.0, 40.0], 1: [20.0, 32.0, math.nan]}
    rows = [
        row(image, value, dataset="mine", source="trained", budget="quick", seed=seed, reason="lost")
        for seed, of_seed in values.items()
        for image, value in zip(SET12[:3], of_seed, strict=True)
    ]
    record = result(rows)
    # Seed 0 has 35 of its two, seed 1 has 32 of the one that it has; 20 is of the image that seed 0 restores exactly.
    assert record["measured"] == pytest.approx((35 + 32) / 2)
    assert record["deviation"] == pytest.approx(3 / math.sqrt(2))
    assert (record["images"], record["infinite"]) == (3, 1)


def test_a_failed_image_and_an_infinite_one_are_two_things() -> None:
    rows = [row(*pair) for pair in zip(SET12, VALUES, strict=True)]
    rows[0], rows[1] = row(SET12[0], math.inf), row(SET12[1], math.nan, reason="out of memory")
    record = result(rows)
    assert (record["images"], record["infinite"]) == (11, 1)
    assert record["reason"] == "11 of 12 images; out of memory; infinite in 1 of 11 images, mean of the others"


def test_minus_infinity_is_a_value_below_all_others() -> None:
    rows = [row(*pair) for pair in zip(SET12, [-math.inf, *VALUES[1:]], strict=True)]
    record = result(rows)
    assert (record["measured"], record["infinite"], record["verdict"]) == (-math.inf, 0, "differs")


def test_no_mean_of_both_infinities() -> None:
    rows = [
        row(SET12[0], value, dataset="mine", source="trained", budget="quick", seed=seed)
        for seed, value in enumerate((math.inf, -math.inf))
    ]
    record = result(rows)
    assert (record["measured"], record["deviation"], record["verdict"]) == (None, None, "not measured")
    assert record["reason"] == "infinite in 1 of 1 image, of both signs"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.floats(-100, 100), st.sampled_from([math.inf, math.nan])), min_size=4, max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_the_mean_is_that_of_the_images_that_are_finite_in_all_seeds(values: list[list[float]]) -> None:
    # Oracle: loops over plain lists.
    rows = [
        row(image, value, dataset="mine", source="trained", budget="quick", seed=seed)
        for seed, of_seed in enumerate(values)
        for image, value in zip(SET12[:4], of_seed, strict=True)
    ]
    record = result(rows)
    columns = list(zip(*values, strict=True))
    exact = [math.inf in column for column in columns]
    means = [
        statistics.fmean(kept)
        for of_seed in values
        if (kept := [value for value, out in zip(of_seed, exact, strict=True) if not out and value == value])
    ]
    assert record["images"] == sum(any(value == value for value in column) for column in columns)
    assert record["infinite"] == sum(exact)
    if means:
        assert record["measured"] == pytest.approx(statistics.fmean(means), abs=1e-9)
    else:
        assert record["measured"] == (math.inf if any(exact) else None)
    assert record["deviation"] is None or math.isfinite(record["deviation"])
    assert record["verdict"] == (None if record["measured"] is not None else "not measured")


def test_a_frame_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="missing: reason"):
        results(frame([]).drop(columns="reason"), published=PAPER)
