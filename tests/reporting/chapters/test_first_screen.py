"""Each sentence of the first screen is made true and false by rows that are written by hand."""

from __future__ import annotations

from typing import Any

from converse.analysis.published import published
from converse.experiments.store.requests import RequestedEntry
from converse.experiments.suites.suite import load_suite
from converse.reporting.chapters.contents import make_report
from converse.reporting.chapters.first_screen import next_step
from converse.reporting.inputs.material import gather
from converse.reporting.report import Missing, Report

NONE_MEASURED = "Released weights: none of the 64 published means was measured whole."
NOTHING_TRAINED = "No two networks were trained and compared here: nothing can be said about the paper's differences."
NOT_THE_PAPERS = "What was compared here is none of the paper's comparisons: nothing can be said about its differences."
DIFFERENCES = "Of 1 published difference that was measured here, none can be judged yet."


def first_screen(filled: Any) -> Report:
    return make_report(gather([filled.store]))


def trained(filled: Any, suite: str = "denoising", *, of_the_paper: bool = True, seeds: int = 2) -> None:
    """Two networks under some seeds, the first 0.1 dB above the second."""
    names = {"New": "Converse-DnCNN", "Old": "DnCNN"}
    trials = [
        (filled.trained(name, seed, [30.0 + 0.1 * (name == "New")] * 12, name="set12"), name)
        for seed in range(seeds)
        for name in names
    ]
    entries = [RequestedEntry(n, n, published=("denoising", row) if of_the_paper else None) for n, row in names.items()]
    filled.asked(trials, suite=suite, entries=tuple(entries), contrasts=(("New", "Old", "New"),))


def test_nothing_is_measured(filled: Any) -> None:
    found = first_screen(filled)
    assert found.lead == (NONE_MEASURED, NOTHING_TRAINED)
    assert found.next_step is not None
    assert found.next_step.command == "converse reproduce --images 2"


def test_released_weights_alone(filled: Any) -> None:
    mean = published().number("denoising", "DnCNN", "Set12", None)
    assert mean is not None
    filled.released("DnCNN", [mean.value] * 12)
    found = first_screen(filled)
    assert found.lead == ("Released weights: of 64 published means, 1 matches, 63 not measured.", NOTHING_TRAINED)
    assert found.next_step is not None
    assert found.next_step.command == "converse reproduce denoising --datasets bsd68"
    # Of Set12, whose mean of one of the two is known, the other is missing.
    said = [one.what for one in found.missing]
    assert "Denoising: the released weights of Converse-DnCNN are not measured on Set12 yet." in said
    assert "Denoising: the released weights of DnCNN and Converse-DnCNN are not measured on BSD68 yet." in said


def test_published_differences_that_cannot_be_judged_yet(filled: Any) -> None:
    trained(filled)
    lead = first_screen(filled).lead
    assert lead[:2] == (NONE_MEASURED, DIFFERENCES)
    assert "1 needs 3 seeds." in lead
    assert lead[-1] == "Networks of the paper's size are trained by converse run denoising --budget paper."
    assert not {NOTHING_TRAINED, NOT_THE_PAPERS} & {*lead}


def test_with_seeds_enough_that_is_no_reason(filled: Any) -> None:
    trained(filled, seeds=3)
    lead = first_screen(filled).lead
    assert lead[1] == DIFFERENCES
    assert "1 needs 3 seeds." not in lead


def test_what_the_paper_does_not_compare(filled: Any) -> None:
    trained(filled, "mine", of_the_paper=False)
    assert first_screen(filled).lead == (NONE_MEASURED, NOT_THE_PAPERS)


def test_a_quickstart_leads_with_its_own_result(filled: Any) -> None:
    trained(filled, load_suite("quickstart", networks=False).name, of_the_paper=False)
    own = (
        "New came out 0.10 dB above Old (30.10 and 30.00 dB; mean of 2 seeds and 12 images).",
        "2 seeds cannot show which operator is better: trained with other seeds, the same networks may come out in "
        "another order.",
        "Whether Old and New have the paper's size is not known, and none of 4 trainings is shown to have converged: "
        "nothing here speaks for or against the paper.",
    )
    assert first_screen(filled).lead == (*own, NONE_MEASURED, NOT_THE_PAPERS)
    # Where a published number was measured, the page leads with that.
    filled.released("DnCNN", [30.0] * 12)
    assert (
        first_screen(filled).lead[0].startswith("Released weights: of 64 published means, 1 differs, 63 not measured.")
    )


def test_what_comes_next_when_nothing_is_missing(filled: Any) -> None:
    trained(filled)
    material = gather([filled.store])
    larger = next_step(material, [Missing("It is damaged.")])
    assert larger == Missing(
        "Networks of the paper's size, which judging it takes first.", "converse run denoising --budget paper"
    )
    assert next_step(material, [Missing("One.", "first"), Missing("Two.", "second")]) == Missing("One.", "first")
    assert next_step(gather([]), []) is None
