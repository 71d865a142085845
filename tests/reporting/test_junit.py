"""Oracles: the schema of JUnit's XML (``junit.xsd`` beside this file), and a parser that reads the cases back."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from converse.reporting.junit import Case, Outcome, document

SCHEMA = xmlschema.XMLSchema10(str(Path(__file__).parent / "junit.xsd"))
OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "error", "skip")

CASES = (
    Case("shapes", "mine.py:Op", seconds=0.25),
    Case("gradients", "mine.py:Op", "fail", "no gradient", "expected: one\nseen: none", 1.5),
    Case("CUDA", "mine.py:Op", "error", 'RuntimeError: <broken> & "gone"', seconds=0.0),
    Case("compiling", "mine.py:Op", "skip", "by --compile alone"),
)


def read(written: bytes) -> ElementTree.Element:
    SCHEMA.validate(written.decode("utf-8"))
    return ElementTree.fromstring(written)


def test_cases_are_read_back() -> None:
    root = read(document("the contract", CASES))
    (suite,) = root
    totals = {"name": "the contract", "tests": "4", "failures": "1", "errors": "1", "time": "1.750"}
    assert root.attrib == totals
    assert suite.attrib == {**totals, "skipped": "1"}
    assert [(case.get("name"), case.get("classname"), case.get("time")) for case in suite] == [
        ("shapes", "mine.py:Op", "0.250"),
        ("gradients", "mine.py:Op", "1.500"),
        ("CUDA", "mine.py:Op", "0.000"),
        ("compiling", "mine.py:Op", None),
    ]
    reasons = [[(reason.tag, reason.get("message"), reason.text) for reason in case] for case in suite]
    assert reasons == [
        [],
        [("failure", "no gradient", "expected: one\nseen: none")],
        [("error", 'RuntimeError: <broken> & "gone"', None)],
        [("skipped", "by --compile alone", None)],
    ]


def test_no_cases() -> None:
    assert read(document("nothing", ()))[0].get("tests") == "0"


def test_what_a_check_that_passed_has_to_say() -> None:
    root = read(document("s", [Case("speed", "g", text="1.02 times")]))
    assert root.findtext(".//system-out") == "1.02 times"


texts = st.text(st.characters(exclude_categories=()), max_size=20)


@given(texts, texts, st.sampled_from(OUTCOMES), texts, texts, st.none() | st.floats(0, 1e9))
def test_any_text_makes_a_valid_file(
    name: str, group: str, outcome: Outcome, message: str, text: str, seconds: float | None
) -> None:
    root = read(document(name, [Case(name, group, outcome, message, text, seconds)]))
    assert len(root.findall(".//testcase")) == 1


def test_what_xml_may_not_hold_is_shown_by_its_number() -> None:
    root = read(document("s", [Case("a\x00b\x1b[2J", "g", "fail", "one\ntwo", "x\ufffey\ud800z\nnext")]))
    (case,) = root.iter("testcase")
    assert case.get("name") == r"a\x00b\x1b[2J"
    assert case[0].get("message") == r"one\ntwo"
    assert case[0].text == "x\\ufffey\\ud800z\nnext"


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_no_time_that_cannot_be(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"seconds must be finite and not negative, got {seconds}"):
        Case("a", "b", seconds=seconds)


def test_the_schema_refuses_what_is_not_of_it() -> None:
    """So that validation above is a check that can fail."""
    broken = document("s", CASES).replace(b'time="0.250"', b'time="a while"')
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        SCHEMA.validate(broken.decode("utf-8"))
