"""Every condition lacks in turn, and is said; oracle: rows, curves and published values made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converse.analysis.convergence import Curve
from converse.analysis.differences import Shown
from converse.analysis.published import Number
from converse.analysis.qualification import Grounds, Qualification, here
from converse.data.catalogue import datasets
from converse.experiments.store.requests import Standard
from converse.experiments.store.rows import ROW_COLUMNS

SET12 = datasets()["set12"].files
SEEDS = (0, 1, 2)
FLAT = Curve(np.arange(16.0, 1601, 16), np.full(100, -30.0))
FALLING = Curve(FLAT.steps, -30 - FLAT.steps / 100)
STANDARD = Standard(dict.fromkeys(("New", "Old", "Plain"), "Plain"), 0.3, dict.fromkeys(("New", "Old", "Plain"), True))


def rows(images: int = len(SET12), **psnr: float) -> pd.DataFrame:
    lines: list[dict[str, Any]] = [
        {"trial": f"{entry}{seed}", "entry": entry, "seed": seed, "dataset": "set12", "metric": "psnr"}
        | {"image": one.name, "image_sha256": one.sha256, "value": value + (seed - 1) / 10}
        for entry, value in psnr.items()
        for seed in SEEDS
        for one in SET12[:images]
    ]
    return pd.DataFrame(lines, columns=list(ROW_COLUMNS))  # the case is NaN


def published(entry: str, dataset: str, case: str | None) -> Number | None:
    return Number(30.0, "primary", "") if (entry, dataset, case) == ("Plain", "Set12", None) else None


PLACE = rows(New=31.0, Old=30.9, Plain=30.29)
GROUNDS = Grounds(STANDARD, {str(trial): FLAT for trial in PLACE["trial"].unique()})


def asked(grounds: Grounds = GROUNDS, place: pd.DataFrame = PLACE, seeds: int = 3) -> Qualification:
    return grounds.qualification(place, ("New", "Old"), seeds, published)


def changed(**standard: Any) -> Grounds:
    return replace(GROUNDS, standard=replace(STANDARD, **standard))


def test_trainings_that_lack_nothing_may_judge_the_paper() -> None:
    assert asked() == Qualification({})
    assert asked().judged
    assert str(asked()) == ""


@pytest.mark.parametrize(
    ("found", "lacks"),
    [
        pytest.param(
            asked(changed(full_size={"New": False, "Old": True})),
            {"size": "that of New is not the paper's"},
            id="one-network-is-shrunk",
        ),
        pytest.param(
            asked(changed(full_size={"New": False, "Old": False})),
            {"size": "that of New and Old is not the paper's"},
            id="both",
        ),
        pytest.param(asked(changed(full_size={"New": True})), {"size": "that of Old is not known"}, id="unknown-size"),
        pytest.param(asked(changed(baselines={})), {"baseline": "the suite names none"}, id="no-baseline"),
        pytest.param(
            asked(place=rows(New=31.0, Old=30.9)), {"baseline": "Plain is not measured here"}, id="baseline-not-run"
        ),
        pytest.param(
            asked(place=rows(11, New=31.0, Old=30.9, Plain=30.0)),
            {"baseline": "Plain is measured on 11 of 12 images"},
            id="baseline-in-part",
        ),
        pytest.param(
            asked(place=rows(New=31.0, Old=30.9, Plain=29.6)),
            {"baseline": "Plain has 29.60 dB, not within 0.3 dB of 30.00 dB"},
            id="baseline-too-low",
        ),
        pytest.param(
            asked(place=rows(New=31.0, Old=30.9, Plain=30.4)),
            {"baseline": "Plain has 30.40 dB, not within 0.3 dB of 30.00 dB"},
            id="baseline-too-high",
        ),
        pytest.param(
            asked(changed(baselines={"New": "Old"})),
            {"baseline": "Old has no published value here"},
            id="not-published",
        ),
        pytest.param(
            asked(replace(GROUNDS, curves={**GROUNDS.curves, "New1": FALLING})),
            {"convergence": "1 of 6 trainings still falling"},
            id="one-still-falls",
        ),
        pytest.param(
            asked(replace(GROUNDS, curves={"New0": FLAT, "Plain0": FALLING})),
            {"convergence": "5 of 6 trainings not known"},
            id="no-curves",
        ),
        pytest.param(asked(seeds=2), {"seeds": "2 of 3"}, id="two-seeds"),
        pytest.param(
            GROUNDS.qualification(PLACE, ("New", "Old"), 3, published, 11), {"images": "11 of 12"}, id="an-image-failed"
        ),
        pytest.param(
            asked(Grounds(), seeds=1),
            {
                "size": "that of New and Old is not known",
                "baseline": "it is not known which network that is",
                "convergence": "6 of 6 trainings not known",
                "seeds": "1 of 3",
            },
            id="an-older-store",
        ),
    ],
)
def test_what_is_lacking_is_said(found: Qualification, lacks: dict[str, str]) -> None:
    assert found.lacks == lacks
    assert not found.judged
    assert Qualification.read(str(found)) == found


def test_how_near_the_baseline_has_to_come_is_the_suites_to_say() -> None:
    far = rows(New=31.0, Old=30.9, Plain=29.6)
    assert asked(changed(within=0.5), far).judged


@pytest.mark.parametrize(
    ("sign", "equivalent", "word"),
    [
        (1, False, "better here"),
        (-1, False, "worse here"),
        (1, True, "equal here"),
        (0, True, "equal here"),
        (0, False, "undecided here"),
    ],
)
def test_the_answer_of_a_budget(sign: int, equivalent: bool, word: str) -> None:
    assert here(Shown(0.1 * sign, sign, -0.2, 0.2, (-1.0, 1.0), equivalent)) == word
    assert here(None) == "undecided here"
