"""Oracle: what a reader sees, line by line, on a terminal of any width and encoding."""

from __future__ import annotations

import re

import pytest

from converse.cli.gate_table import print_answer
from converse.reporting.gate.answer import Answer
from tests.reporting.gate.conftest import answer, hostile
from tests.reporting.hostile import CONTROLS

__all__ = ["answer", "hostile"]


def test_what_to_look_at_stands_last_and_then_the_answer(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(answer)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (
        "✗ regressed: 1 regressed, 1 not measured, 1 inconclusive, 1 passed, 1 better, 1 extra, compared with gate.toml"
    )
    told = [re.sub(r"\s+", " ", line) for line in lines]
    row = (
        "Converse-DnCNN ✗ regressed Set12 PSNR, worst image: 05.png 0.1 dB worse 31.23 dB 31.13 dB 0.05 dB "
        "paired, image for image"
    )
    passed = next(index for index, line in enumerate(told) if "✓ passed" in line)
    assert passed < told.index(row)
    why = told.index("Converse-DnCNN, Set12, PSNR, worst image: 05.png: one image is worse by more than is allowed")
    assert why > told.index(row)
    assert told[why + 1] == " look closer: converse check gate.toml --only Converse-DnCNN --html check.html"


def test_hostile_words_give_no_orders(hostile: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(hostile)
    printed = capsys.readouterr().out
    assert not set(printed) & (set(CONTROLS) - set("[2J"))


def test_nothing_measured(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer(Answer("gate.toml", ()))
    assert capsys.readouterr().out == "· not measured: no findings, compared with gate.toml\n"
