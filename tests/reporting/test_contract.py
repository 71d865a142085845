"""An answer of `converse verify` in its three forms. Oracles: the schema of JUnit, GitHub's rules for tables, JSON."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from converse.experiments.running.verification import Measured, Result, Verified
from converse.nn.inversion import Inversion
from converse.reporting import junit
from converse.reporting.contract import COLUMNS, TITLE, Answer, cases, document, measured_table, rows, summary
from tests.reporting.test_junit import SCHEMA

HOSTILE = "a|b <script>\x1b[2J\n`c`"


@pytest.fixture
def answer() -> Answer:
    results = (
        Result("shape", "shapes", "pass", "Shapes stay.", "they do", seconds=0.25),
        Result("finite", "numbers", "fail", "Numbers.", HOSTILE, "Add a small number.", 1.5),
        Result("compile", "machines", "skip", "Compiles.", "made with --compile"),
    )
    inversion = Inversion(1, 0.25, 0.5, 35.8, math.inf, 298.44, 9.06, math.nan)
    return Answer(
        f"mine.py:{HOSTILE}", "/a/mine.py", "0123", Verified(results, (Measured(1e-4, inversion),)), (("torch", "2.9"),)
    )


def test_the_tally(answer: Answer) -> None:
    assert not answer.passed
    assert answer.tally == "1 checks passed, 1 failed, 1 not made"
    good = Answer("conv", None, None, Verified(answer.verified.results[:1]))
    assert good.passed
    assert good.tally == "1 checks passed"


def test_the_document_is_json(answer: Answer) -> None:
    made = json.loads(json.dumps(document(answer)))
    assert made["passed"] is False
    assert (made["operator"], made["file"], made["sha256"]) == (answer.operator, "/a/mine.py", "0123")
    assert [tuple(check) for check in made["checks"]] == [tuple(rows(answer.verified.results)[0])] * 3
    assert set(made["checks"][0]) == set(COLUMNS)
    assert made["checks"][1]["seen"] == HOSTILE
    assert made["measured"][0]["lambda"] == 1e-4
    assert made["measured"][0]["border"] is None
    assert made["facts"] == {"torch": "2.9"}


def test_junit_is_valid_and_says_what_failed(answer: Answer) -> None:
    written = junit.document(TITLE, cases(answer))
    SCHEMA.validate(written.decode())
    root = ElementTree.fromstring(written)
    assert (root.get("tests"), root.get("failures"), root[0].get("skipped")) == ("3", "1", "1")
    (failure,) = root.iter("failure")
    assert failure.get("message") == r"a|b <script>\x1b[2J\n`c`"
    assert (failure.text or "").splitlines() == [
        "expected: Numbers.",
        r"seen: a|b <script>\x1b[2J\n`c`",
        "cure: Add a small number.",
    ]


def test_markdown_stays_a_table_whatever_an_operator_says(answer: Answer) -> None:
    text = summary(answer)
    assert text.startswith(r"## ✗ converse verify: mine.py:a\|b \<script\>\\x1b\[2J")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert columns == [5] * 3 + [4] * 5 + [10] * 3
    assert "<script" not in text.replace(r"\<script", "")
    assert "Add a small number." in text
    assert "∞" in text


def test_numbers_have_three_digits_and_none_where_there_is_none(answer: Answer) -> None:
    columns, (line,) = measured_table(answer.verified.measured)
    assert columns[:3] == ["scale", "λ", "error restored"]
    assert line == ["1", "0.0001", "0.25", "0.5", "35.8", "∞", "298", "9.06", "–"]
