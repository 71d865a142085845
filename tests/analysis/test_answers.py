"""Answers of comparisons laid out by hand, and how often they are wrong where nothing differs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import false_answers
import numpy as np
import pandas as pd
import pytest
from false_answers import SPREADS, TRUTHS, draw, false_share, told, told_of_rows
from scipy import stats

from converse.analysis.answers import (
    ANSWER_COLUMNS,
    ONE_SEED,
    SAME_NUMBERS,
    SAME_TRIALS,
    Compared,
    answer_records,
    answers,
    sets_in_words,
)
from converse.analysis.effects import Settings
from converse.experiments.store.rows import ROW_COLUMNS

NAMES = {"own": "Mine", "converse": "reverse convolution", "conv": "depthwise convolution"}


def rows(entry: str, values: Any, first: int = 0, **changes: Any) -> pd.DataFrame:
    """Rows of an entry from [seeds, images]; its seeds begin at ``first``."""
    made = [
        {
            "trial": f"{entry}-{seed}",
            "task": "denoising",
            "entry": entry,
            "seed": seed,
            "dataset": "set12",
            "image": f"{image:02}.png",
            "image_sha256": f"sha{image}",
            "metric": "psnr",
            "signature": "psnr|grey",
            "value": value,
            **changes,
        }
        for seed, of_seed in enumerate(np.asarray(values, dtype=float), first)
        for image, value in enumerate(of_seed)
    ]
    return pd.DataFrame(made, columns=list(ROW_COLUMNS))


def compared(*frames: pd.DataFrame, **changes: Any) -> Compared:
    whole = pd.concat(frames, ignore_index=True)
    given = {"task": "denoising", "budget": "quick", "rows": whole, "own": "own", "rivals": ("converse",)}
    return Compared(**{**given, "names": NAMES, **changes})


def means(*of_seeds: float) -> list[list[float]]:
    """[seeds, 2] with these means and one spread between images."""
    return [[mean - 1, mean + 1] for mean in of_seeds]


@pytest.mark.parametrize(
    ("own", "answer"),
    [
        ((28.30, 28.31, 28.29), "better"),
        ((27.70, 27.69, 27.71), "worse"),
        ((28.001, 28.000, 27.999), "equal"),
        ((28.30, 27.90, 28.20), "undecided"),
        ((28.30,), "undecided"),
    ],
)
def test_each_answer(own: tuple[float, ...], answer: str) -> None:
    frame = answers([compared(rows("own", means(*own)), rows("converse", means(*(28.0 for _ in own))))])
    (row,) = answer_records(frame)
    assert tuple(frame.columns) == ANSWER_COLUMNS
    assert row["answer"] == answer
    assert row["difference"] == pytest.approx(np.mean(own) - 28)
    assert (row["own"], row["rival"], row["sets"]) == ("Mine", "reverse convolution", "Set12")
    assert (row["seeds"], row["images"]) == (len(own), 2)
    assert (row["seeds_needed"] is not None) == (answer == "undecided" and len(own) > 1)


def test_interval_and_p_are_those_of_a_t_test_for_one_rival() -> None:
    own, base = np.array([28.3, 27.9, 28.2, 28.4]), np.array([28.0, 28.1, 27.9, 28.1])
    (row,) = answer_records(answers([compared(rows("own", means(*own)), rows("converse", means(*base)))]))
    test = stats.ttest_rel(own, base)
    low, high = test.confidence_interval(0.95)
    assert (row["low"], row["high"], row["p_holm"]) == pytest.approx((low, high, test.pvalue))
    assert row["family"] == 1


def test_rivals_and_tasks_are_one_family() -> None:
    made = compared(
        rows("own", means(28.3, 27.9, 28.2)),
        rows("converse", means(28.0, 28.1, 27.9)),
        rows("conv", means(27.0, 27.1, 26.8)),
        rivals=("converse", "conv"),
    )
    found = answer_records(answers([made, made]))
    assert [row["family"] for row in found] == [4, 4, 4, 4]
    alone = answer_records(answers([made]))
    assert alone[0]["low"] is not None
    assert found[0]["low"] is not None
    assert found[0]["low"] < alone[0]["low"]


def test_an_entry_under_another_name_is_equal_and_its_difference_is_exactly_0() -> None:
    values = np.random.default_rng(0).normal(28, 1, (3, 5))
    base = rows("converse", values)
    (row,) = answer_records(answers([compared(base.assign(entry="own"), base)]))
    assert (row["answer"], row["difference"], row["low"], row["high"]) == ("equal", 0.0, 0.0, 0.0)
    assert (row["reason"], row["p_holm"], row["family"]) == (SAME_TRIALS, None, None)


@pytest.mark.parametrize("seeds", [1, 3])
def test_trainings_with_the_same_numbers_are_equal_whatever_the_seeds(seeds: int) -> None:
    values = np.random.default_rng(0).normal(28, 1, (seeds, 5))
    (row,) = answer_records(answers([compared(rows("own", values), rows("converse", values))]))
    assert (row["answer"], row["difference"], row["reason"]) == ("equal", 0.0, SAME_NUMBERS)


def test_seeds_of_rivals_may_be_others_and_pair_in_order() -> None:
    own, base = means(28.3, 27.9, 28.2), means(28.0, 28.1, 27.9)
    here, apart = rows("converse", base), rows("converse", base, first=7)
    paired = answers([compared(rows("own", own), here)])
    others = answers([compared(rows("own", own), apart, seeds={7: 0, 8: 1, 9: 2})])
    pd.testing.assert_frame_equal(paired, others)
    (unpaired,) = answer_records(answers([compared(rows("own", own), apart)]))
    assert unpaired["answer"] == "none"


def test_images_of_all_sets_and_kernels_count_alike() -> None:
    own = [rows("own", [[30.0, 30.0], [30.2, 30.2]], case=f"kernel_{one}", dataset="set5") for one in (1, 2)]
    base = [rows("converse", [[29.0, 29.0], [29.0, 29.0]], case=f"kernel_{one}", dataset="set5") for one in (1, 2)]
    more = [rows("own", [[29.1], [29.3]], dataset="set14"), rows("converse", [[29.0], [29.0]], dataset="set14")]
    (row,) = answer_records(answers([compared(*own, *base, *more)]))
    assert row["images"] == 5
    assert row["difference"] == pytest.approx((4 * 1.1 + 0.2) / 5)
    assert row["sets"] == "Set5 and Set14 with 2 blur kernels"


def test_a_failed_entry_has_no_answer_and_the_reason() -> None:
    made = compared(
        rows("converse", means(28.0, 28.1)),
        rows("conv", means(28.0, 28.1)),
        rivals=("converse", "conv"),
        reasons={"own": "seed 0: failed, the loss is NaN"},
    )
    found = answer_records(answers([made]))
    assert {row["answer"] for row in found} == {"none"}
    assert str(found[0]["reason"]).startswith("seed 0: failed, the loss is NaN; Mine has no values")
    one_left = compared(rows("own", means(28.3, 28.4)), rows("converse", means(28.0)))
    (row,) = answer_records(answers([one_left]))
    assert (row["answer"], row["seeds"]) == ("undecided", 1)
    assert str(row["reason"]).startswith(ONE_SEED)


def test_the_seeds_needed_decide_in_four_of_five_cases() -> None:
    own, base = means(28.02, 27.99, 28.09), means(28.0, 28.0, 28.0)
    (row,) = answer_records(answers([compared(rows("own", own), rows("converse", base))]))
    needed, deviation, difference = row["seeds_needed"], row["seed_deviation"], row["difference"]
    assert needed is not None
    assert deviation is not None
    assert difference is not None
    drawn = np.random.default_rng(1).normal(difference, deviation, (4000, needed))
    found = np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue <= 0.05)
    assert found == pytest.approx(0.8, abs=0.03)
    assert row["seeds_needed_low"] is not None
    assert row["seeds_needed_low"] <= needed <= (row["seeds_needed_high"] or math.inf)


def test_the_bound_is_a_choice() -> None:
    made = compared(rows("own", means(28.05, 28.06, 28.04)), rows("converse", means(28.0, 28.0, 28.0)))
    assert [answers([made], Settings(bound=bound)).loc[0, "answer"] for bound in (0.02, 0.2)] == ["better", "equal"]


@pytest.mark.parametrize("name", TRUTHS)
def test_a_difference_is_seldom_found_where_there_is_none(name: str) -> None:
    rng = np.random.default_rng(30)
    for seeds in (2, 3):
        found = [told(draw(rng, seeds, TRUTHS[name])) for _ in range(500)]
        assert false_share(found, slice(1)) <= 0.05
        assert false_share(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)


def test_equal_is_seldom_said_of_a_difference_as_large_as_the_bound() -> None:
    rng, narrow = np.random.default_rng(34), false_answers.Spread(0.004, 1.0, 0.01)
    for seeds in (3, 5):
        drawn = (draw(rng, seeds, narrow) for _ in range(500))
        found = [told(one + np.array([0.02, 0, 0, 0])[:, None, None]) for one in drawn]
        assert np.mean(["equal" in one for one in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)


def test_sets_of_rows_are_answered_as_their_values_are() -> None:
    rng = np.random.default_rng(31)
    drawn = [draw(rng, 3, SPREADS["Converse-DnCNN"]) for _ in range(4)]
    assert [told_of_rows(one) for one in drawn] == [told(one) for one in drawn]


def test_a_true_difference_is_found() -> None:
    values = draw(np.random.default_rng(32), 5, SPREADS["Conv-DnCNN"])
    values[0] += 1
    assert told(values) == ("better", "better", "better")
    assert told_of_rows(values) == told(values)


def test_the_table_of_the_documentation_can_be_made() -> None:
    made = list(false_answers.table(np.random.default_rng(33), 3))
    assert len(made) == 2 + len(TRUTHS)
    assert len({text.count("|") for text in made}) == 1


def test_spreads_are_those_of_the_reference_report() -> None:
    found = false_answers.reference_spreads()
    for name, spread in SPREADS.items():
        assert (found[name].seed, found[name].image, found[name].residual) == pytest.approx(
            (spread.seed, spread.image, spread.residual), abs=6e-4
        )


def test_sets_that_are_not_catalogued_have_their_own_names() -> None:
    frame = pd.concat([rows("own", [[1.0]], dataset="set12"), rows("own", [[1.0]], dataset="mine")])
    assert sets_in_words(frame) == "Set12 and mine"


def test_the_real_run_against_itself_is_what_the_page_says() -> None:
    folder = Path(false_answers.__file__).parent
    rows = json.loads((folder / "against_itself.json").read_text("utf-8"))
    assert {tuple(row) for row in rows} == {ANSWER_COLUMNS}
    itself = rows[0]
    assert (itself["own"], itself["rival"], itself["seeds"]) == ("converse", "reverse convolution", 5)
    assert itself["answer"] not in ("better", "worse")
    page = (folder.parents[1] / "docs" / "compare.md").read_text("utf-8")
    for row in rows:
        low, high = (f"{row[end]:+.3f}".replace("-", "−") for end in ("low", "high"))
        assert f"| {row['difference']:+.3f} [{low}, {high}] | {row['answer']}" in page
