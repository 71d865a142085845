"""Oracle: the outcomes that a reader counts by hand."""

from __future__ import annotations

from dataclasses import replace

from converse.reporting.gate.answer import WORDS, Answer
from converse.reporting.gate.sheets import gate_sheets


def test_what_to_look_at_comes_first_and_gravest_first(answer: Answer) -> None:
    assert [finding.outcome for finding in answer.grave] == ["regressed", "not measured", "inconclusive"]
    assert [finding.outcome for finding in answer.fine] == ["passed", "better", "extra"]
    assert answer.tally == "1 regressed, 1 not measured, 1 inconclusive, 1 passed, 1 better, 1 extra"
    assert (answer.exit_status, answer.word) == (1, "regressed")
    assert answer.headline.startswith("regressed: 1 regressed, 1 not measured")


def test_no_findings_are_no_pass() -> None:
    nothing = Answer("gate.toml", ())
    assert (nothing.exit_status, nothing.word, nothing.tally) == (3, "not measured", "no findings")
    assert list(gate_sheets(nothing)) == []


def test_every_exit_status_of_an_answer_has_a_word(answer: Answer) -> None:
    left = answer
    words = []
    while left.findings:
        words.append(left.word)
        left = replace(left, findings=tuple(one for one in left.findings if one.outcome != left.word))
        if left.word == words[-1]:
            break
    assert words == ["regressed", "not measured", "inconclusive", "passed"]
    assert set(words) == set(WORDS.values())


def test_the_sheets_hold_each_finding_once(answer: Answer) -> None:
    attention, fine = gate_sheets(answer)
    assert [row.cells[0].verdict for row in attention.rows] == ["regressed", "not measured", "inconclusive"]
    assert [row.title for row in fine.rows] == ["Converse-DnCNN", "Converse2D", "New"]
    (regressed, *_) = attention.rows
    assert regressed.cells[0].reason == "one image is worse by more than is allowed"
    assert regressed.cells[0].command == "converse check gate.toml --only Converse-DnCNN --html check.html"
    texts = [cell.text for cell in regressed.cells]
    assert texts == [
        *(
            None,
            "Set12",
            "PSNR, worst image: 05.png",
            "0.1\u00a0dB worse",
            "31.23\u00a0dB",
            "31.13\u00a0dB",
            "0.05\u00a0dB",
        ),
        "paired, image for image",
    ]
