"""Sentences say what small frames, made by hand, have in them, and nothing else."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from converse.analysis.effects import EFFECT_COLUMNS
from converse.reporting.chapters.findings import (
    MOST,
    difference_findings,
    full_size,
    image_finding,
    judging_findings,
    released_finding,
)

CAVEAT = '"Here" means at that budget'


def result(entry: str, verdict: str | None, measured: float | None, **more: Any) -> dict[str, Any]:
    known = {"metric": "psnr", "dataset": "Set12", "case": None, "published": 30.0}
    return {**known, "entry": entry, "verdict": verdict, "measured": measured, **more}


def effects(*rows: dict[str, Any], seeds: int = 3, budget: str | None = "quick") -> pd.DataFrame:
    known = {
        **dict.fromkeys(EFFECT_COLUMNS),
        "budget": budget,
        "dataset": "Set12",
        "metric": "psnr",
        "base": "Plain",
        "seeds": seeds,
        "published_trust": "primary",
    }
    return pd.DataFrame([{**known, **row} for row in rows], columns=list(EFFECT_COLUMNS), dtype=object)


def effect(
    entry: str, difference: float, half: float | None, gap: float | None, verdict: str | None, **more: Any
) -> dict[str, Any]:
    low, high = (None, None) if half is None else (difference - half, difference + half)
    measured = {"difference": difference, "low": low, "high": high}
    judged = None if gap is None or verdict == "not run" else not str(verdict).endswith("here")
    known = {"entry": entry, "label": entry, "published_difference": gap, "verdict": verdict, "judged": judged}
    return {**known, **measured, **more}


def test_released_means_are_counted_and_those_that_differ_are_named() -> None:
    rows = [
        result("A", "match", 30.001),
        result("B", "close", 30.04),
        result("C", "differs", 29.9),
        result("C", "differs", 30.24, case="kernel_1", published=30.1),
        result("D", "not measured", None),
        result("A", "differs", 5.0, metric="parameters"),
        result("A", None, 0.9, metric="ssim", published=None),
    ]
    assert released_finding(rows) == (
        "Released weights: of 5 published means, 1 matches, 1 close, 2 differ, 1 not measured. Those that differ: "
        "C on Set12, 29.90 for 30.00 dB; C on Set12, kernel 1, 30.24 for 30.10 dB."
    )


def test_single_images_are_counted_where_one_was_measured() -> None:
    def check(verdict: str) -> Any:
        return {"verdict": verdict}

    said = "Released weights on single images: of 3 values in the authors' logs, 1 matches, 1 close, 1 not measured."
    assert image_finding([check("match"), check("close"), check("not measured")]) == (said,)
    assert image_finding([check("not measured")]) == image_finding([]) == ()


def test_no_released_mean_is_measured() -> None:
    nothing = "Released weights: none of the 1 published means was measured whole."
    assert released_finding([result("A", "not measured", 30.0)]) == nothing


def test_many_that_differ_are_not_all_named() -> None:
    said = released_finding([result(f"N{index}", "differs", 20.0) for index in range(9)])
    assert said.endswith("N5 on Set12, 20.00 for 30.00 dB; and 3 more.")


def test_a_difference_is_said_with_interval_seeds_budget_and_verdict() -> None:
    one = effect("New", -1.922, 0.141, 0.27, "worse here", lacking="seeds: 2 of 3")
    first, caveat = difference_findings([("Denoising", effects(one))])
    assert first == (
        "Denoising, budget quick: New − Plain is −1.92 dB on Set12 (95 % interval −2.06 to −1.78 dB, 3 seeds); "
        "the paper has +0.27 dB. Worse here."
    )
    assert caveat.startswith(CAVEAT)


def test_trainings_that_may_judge_need_no_caveat_and_notes_are_no_reason() -> None:
    one = effect("New", 0.1, 0.05, 0.1, "reproduced", reason="seed 4 left out", published_trust="secondary")
    (said,) = difference_findings([("Study", effects(one))])
    assert said.endswith("the paper has +0.10 dB, as a third party quotes it. Reproduced.")


def test_the_largest_come_first_and_the_rest_is_counted() -> None:
    rows = [effect(f"N{index}", (-1) ** index * index / 10, 0.01, 1.0, "same direction") for index in range(11)]
    found = difference_findings([("One", effects(*rows[:5])), ("Two", effects(*rows[5:]))])
    assert [sentence.split(": ")[1].split(" −")[0] for sentence in found[:MOST]] == [f"N{10 - i}" for i in range(MOST)]
    assert found[MOST] == "3 smaller differences are in the chapters below."


def test_other_places_are_counted_and_the_first_one_is_said_whatever_its_size() -> None:
    rows = [
        effect("New", 0.1, 0.2, 0.1, "undecided", case="kernel_1", reason="neither is excluded"),
        effect("New", 5.0, 0.1, 0.1, "same direction", case="kernel_2"),
        effect("New", 0.0, 0.1, 0.1, "undecided", case="kernel_3"),
    ]
    said = difference_findings([("Deblurring", effects(*rows))])[0]
    assert "is +0.10 dB on Set12, kernel 1 (95 % interval −0.10 to +0.30 dB, 3 seeds)" in said
    assert said.endswith("Undecided: neither is excluded. Elsewhere: 1 same direction, 1 undecided.")


def test_a_difference_that_the_paper_does_not_have_has_no_sentence() -> None:
    rows = [effect("A", 3.0, 0.1, None, None), effect("B", 1.0, 0.1, 1.0, "reproduced")]
    rows.append(effect("B", 9.0, 0.1, None, None, metric="ssim"))
    found = difference_findings([("Study", effects(*rows)), ("Other", effects(rows[0]))])
    assert len(found) == 1
    assert "B − Plain is +1.00 dB" in found[0]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (effects(effect("A", 0.1, None, 0.1, "undecided here"), seeds=1), "since one seed has no interval"),
        (
            effects({"entry": "A", "label": "A", "metric": None, "dataset": None, "verdict": "not run"}, seeds=0),
            "since no two of its networks are trained and measured",
        ),
    ],
    ids=["one-seed", "not-run"],
)
def test_nothing_can_be_concluded(frame: pd.DataFrame, expected: str) -> None:
    assert difference_findings([("Study", frame)]) == (f"Study: nothing can be concluded yet, {expected}.",)


def test_how_many_can_be_judged_and_what_it_would_take() -> None:
    baseline = "baseline: DnCNN has 28.40 dB, not within 0.3 dB of 30.43 dB"
    noisy = "convergence: 6 of 6 trainings too noisy to tell"
    rows = [
        effect("A", 0.1, 0.2, 0.1, "better here", lacking=f"size: that of A is not the paper's; {baseline}; {noisy}"),
        effect("B", 0.1, 0.2, 0.1, "worse here", lacking=f"{noisy}; seeds: 2 of 3"),
        effect("C", 0.1, 0.2, 0.1, "reproduced"),
        effect("D", 0.1, 0.2, None, None),
    ]
    study = effects(*rows).assign(suite="denoising")
    assert judging_findings([study, effects(rows[2])]) == (
        "Of 4 published differences that were measured here, 2 can be judged yet.",
        "1 needs networks of the paper's size (the networks are of another size).",
        "1 needs a baseline that comes near its published value (DnCNN has 28.40 dB, not within 0.3 dB of 30.43 dB).",
        "2 need trainings that are shown to have converged (6 of 6 trainings too noisy to tell).",
        "1 needs 3 seeds.",
        "Networks of the paper's size are trained by converse run denoising --budget paper.",
    )
    assert judging_findings([effects(rows[2])]) == (
        "All of the published differences that were measured here, 1, can be judged.",
    )
    assert judging_findings([effects(rows[3])]) == judging_findings([]) == ()
    assert full_size([study]) == ["converse run denoising --budget paper"]
    assert full_size([effects(rows[2]).assign(suite="denoising")]) == []


def test_what_several_lack_in_different_ways_is_counted() -> None:
    lacks = [
        "size: that of A is not the paper's; baseline: DnCNN has 28.90 dB, not within 0.3 dB of 30.43 dB",
        "size: that of A and B is not known; baseline: DnCNN has 28.89 dB, not within 0.3 dB of 30.43 dB",
        "size: that of A is not known; baseline: it is not known which network that is",
    ]
    study = effects(*(effect("A", 0.1, 0.2, 0.1, "worse here", lacking=one) for one in lacks))
    assert judging_findings([study])[1:3] == (
        "3 need networks of the paper's size (in 1, the networks are of another size; in 2, their size is not known).",
        "3 need a baseline that comes near its published value (in 2, DnCNN has 28.89 to 28.90 dB, not within 0.3 dB "
        "of 30.43 dB; in 1, it is not known which network that is).",
    )


def test_images_that_lack_a_value_are_a_condition_too() -> None:
    some = effects(effect("A", 0.1, 0.2, 0.1, "worse here", lacking="images: 5 of 12"))
    assert judging_findings([some])[1:] == ("1 needs values for all images of the test set (5 of 12).",)
    whole = effects(effect("A", 0.1, 0.2, 0.1, "worse here", lacking="seeds: 2 of 3"))
    assert not any("all images" in one for one in judging_findings([whole]))


def test_an_infinite_psnr_is_a_reason_of_its_own() -> None:
    perfect = effects(effect("A", 0.1, None, 0.1, "undecided here", infinite=3), seeds=0)
    said = "Study: nothing can be concluded, since of two networks one restores every image without any error."
    assert difference_findings([("Study", perfect)]) == (said,)


def test_nothing_was_trained() -> None:
    assert difference_findings([]) == ()


def test_what_chance_does_is_said_of_each_study_that_shows_it() -> None:
    floor = effect("ConvT", 0.012, 0.03, None, None, same_class=True, seed_deviation=0.024)
    said = difference_findings([("Study", effects(effect("B", 1.0, 0.1, 1.0, "reproduced"), floor, budget="paper"))])
    assert said[1:] == (
        "Study: ConvT and Plain are the same class of functions. By chance alone they differ by +0.01 dB on Set12 "
        "(95 % interval −0.02 to +0.04 dB), and by ±0.02 dB between seeds.",
    )
