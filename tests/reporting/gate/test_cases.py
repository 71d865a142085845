"""Oracles: the schema of JUnit's XML, and a parser that counts as viewers do."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import xmlschema

from converse.analysis.gate.findings import Finding
from converse.reporting.gate.answer import Answer
from converse.reporting.gate.cases import TITLE, cases
from converse.reporting.junit import document

SCHEMA = xmlschema.XMLSchema10(str(Path(__file__).parent.parent / "junit.xsd"))


def read(answer: Answer) -> ElementTree.Element:
    written = document(TITLE, cases(answer))
    SCHEMA.validate(written.decode("utf-8"))
    return ElementTree.fromstring(written)


def test_what_regressed_fails_and_what_cannot_be_said_is_an_error(answer: Answer) -> None:
    root = read(answer)
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "6",
        "failures": "1",
        "errors": "2",
    }
    found = [(case.get("classname"), case.get("name"), next((reason.tag for reason in case), "")) for case in root[0]]
    assert found == [
        ("converse check.quality", "Converse-DnCNN: Set12: PSNR, mean of 12 images", "system-out"),
        ("converse check.quality", "Converse-DnCNN: Set12: PSNR, worst image: 05.png", "failure"),
        ("converse check.time", "Converse2D: evaluation, 64×64: time beside the yardstick", "error"),
        ("converse check.memory", "Converse2D: training, 64×64: memory beside the yardstick", "system-out"),
        ("converse check.presence", "Conv-DnCNN: Set12: images", "error"),
        ("converse check.presence", "New: entry", "skipped"),
    ]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "regressed: one image is worse by more than is allowed"
    assert (failure.text or "").splitlines() == [
        "baseline: 31.23 dB",
        "now: 31.13 dB",
        "change: 0.1 dB worse",
        "allowed: 0.05 dB",
        "how sure: paired, image for image",
        "look closer: converse check gate.toml --only Converse-DnCNN --html check.html",
    ]


def test_nothing_measured_is_an_error(answer: Answer) -> None:
    for findings in ((), tuple(one for one in answer.findings if one.outcome == "extra")):
        root = read(Answer("gate.toml", findings))
        assert root.get("errors") == "1"
        assert root.findall(".//error")[0].get("message") == "nothing was measured"


def test_names_are_unique_in_their_group() -> None:
    same = Finding("quality", "a", "b", "c", "passed", "why")
    other = Finding("shape", "a", "b", "c", "passed", "why")
    names = Counter((case.get("classname"), case.get("name")) for case in read(Answer("g", (same, same, other)))[0])
    assert names == Counter(
        [
            ("converse check.quality", "a: b: c"),
            ("converse check.quality", "a: b: c-2"),
            ("converse check.shape", "a: b: c"),
        ]
    )


def test_hostile_words_make_a_valid_file(hostile: Answer) -> None:
    root = read(hostile)
    assert len(root.findall(".//testcase")) == len(hostile.findings)
