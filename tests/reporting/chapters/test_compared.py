"""The sentences of a comparison. Oracle: answers and networks laid out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from converse.analysis.answers import AnswerRow
from converse.analysis.side_by_side import NetworkRow
from converse.experiments.suites.compared import REVERSE
from converse.reporting.chapters.compared import Asked, answer_sentence, seeds_in_words, sentences
from converse.reporting.tables.compared import answer_sheet, network_sheet
from tests.reporting.chapters.laid_out import ASKED, NETWORKS, answer, network


def said(rows: list[AnswerRow], networks: list[NetworkRow] = NETWORKS, **changes: Any) -> list[str]:
    return list(sentences(rows, networks, Asked(**{**vars(ASKED), **changes})))


def test_one_sentence_has_all_answers() -> None:
    rows = [
        answer(),
        answer("depthwise convolution", "equal", difference=0.001, low=-0.01, high=0.012),
        answer(
            "transposed convolution",
            "undecided",
            difference=-0.01,
            low=-0.09,
            high=0.07,
            seeds_needed=24,
            seeds_needed_low=9,
            seeds_needed_high=None,
        ),
    ]
    assert said(rows)[0] == (
        "Denoising (Set12, budget quick; 3 seeds on 12 images): Mine is better than reverse convolution (+0.120 dB, "
        "+0.050 to +0.190), equal to depthwise convolution (within ±0.02 dB: +0.001 dB, −0.010 to +0.012), and "
        "undecided against transposed convolution (−0.010 dB, −0.090 to +0.070; about 24 seeds (9 to more than 10,000) "
        "would decide it)."
    )


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (answer(word="worse", difference=-0.12, low=-0.19, high=-0.05), "worse than reverse convolution (−0.120 dB"),
        (
            answer(word="equal", difference=0.0, family=None, reason="both are the same trainings"),
            "equal to reverse convolution (a difference of exactly 0: both are the same trainings)",
        ),
        (
            answer(word="undecided", low=None, high=None, family=None, seeds=1, reason="one seed tells nothing"),
            "1 seed on 12 images): Mine is undecided against reverse convolution (+0.120 dB; one seed tells nothing)",
        ),
        (
            answer(word="none", difference=None, low=None, high=None, family=None, seeds=0, reason="seed 0: NaN"),
            "Denoising: there is no answer for Mine: seed 0: NaN.",
        ),
    ],
)
def test_each_answer_has_its_words(row: AnswerRow, text: str) -> None:
    rows = [row] if row["answer"] == "none" else [row, answer("depthwise convolution")]
    assert text in answer_sentence(rows, 0.02)


def test_seeds_out_of_reach() -> None:
    assert seeds_in_words(answer(word="undecided", seeds_needed=None)) == "more than 10,000 seeds"


def test_costs_stand_beside_those_of_reverse_convolution() -> None:
    own = network("Mine", parameters=6000, speed="faster", width=18)
    lines = said([answer()], [own, network(REVERSE)])
    assert lines[1] == (
        "Mine takes, and in parentheses reverse convolution: 6,000 parameters (5,329); 4,000 multiply-adds per pixel "
        "(4,000); 3.14 ms for an image of 128×128 pixels (3.14); 12 MiB for it (12); 40 ms for a step of training "
        "(40). It is the faster of the two."
    )
    assert lines[2].startswith("The parameters are not equal")
    assert lines[2].endswith(": --match parameters adjusts the width.")
    matched = said([answer()], [own, network(REVERSE)], match="parameters")
    assert matched[2] == "Widths were changed to make parameters as equal as whole numbers allow: Mine 18; others 16."
    assert matched[3].endswith("is not the operator's alone.")
    assert not any("not equal" in line for line in said([answer()]))


@pytest.mark.parametrize(
    ("trainings", "text"),
    [
        ("3 converged", "All 9 trainings have converged."),
        (
            "1 converged, 2 still falling",
            "7 of 9 trainings have converged (Mine: 1 converged, 2 still falling; reverse convolution: 3 converged; "
            "depthwise convolution: 3 converged): what more steps would change is not known.",
        ),
    ],
)
def test_convergence_is_said(trainings: str, text: str) -> None:
    assert text in said([answer()], [network("Mine", trainings=trainings), *NETWORKS[1:]])


def test_of_short_trainings_nothing_is_known() -> None:
    short = [network("Mine", trainings="3 not known"), network(REVERSE, trainings="3 not known")]
    assert said([answer()], short)[2] == (
        "Whether the 6 trainings converged is not known: their curves have too few points."
    )


def test_conditions_are_said() -> None:
    lines = said([answer()], notes=("operator 'mine.py:Mine' gives no gradient",))
    assert "Each network has the best of 8 settings that were tried on validation images." in lines
    assert "The 3 intervals hold together with 95 %, over seeds and for these test images." in lines
    assert "What holds at the budget quick need not hold for larger networks." in lines
    assert lines[-1] == "Operator 'mine.py:Mine' gives no gradient."
    assert any("nothing was tuned" in line for line in said([answer()], tried=0))
    assert any("no pair shares its luck" in line for line in said([answer()], apart=True))
    assert not any("larger networks" in line for line in said([answer(budget="paper")]))


def test_tables_mark_what_is_unequal_and_leave_empty_what_is_not_known() -> None:
    unequal = [
        network("Mine", parameters=6000),
        network(REVERSE),
        network("depthwise convolution", psnr=None, reason="NaN"),
    ]
    sheet = network_sheet(unequal, key="networks")
    assert [row.marks for row in sheet.rows] == [("not at equal parameters",), (), ()]
    assert sheet.rows[2].cells[0].reason == "NaN"
    told = answer_sheet([answer(), answer("x", "none", difference=None)], key="answers", bound=0.02, words=WORDS)
    assert [row.cells[0].verdict for row in told.rows] == ["better here", "not run"]
    assert told.rows[0].title == "Mine − reverse convolution"


WORDS: Any = {"better": "better here", "none": "not run"}
