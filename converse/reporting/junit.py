"""Named checks as JUnit XML, which continuous integration reads: GitLab, Jenkins and GitHub's actions for reports."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from converse.plain_text import visible

Outcome = Literal["pass", "fail", "error", "skip"]
"""``fail``: what was looked at is not as it should be; ``error``: it could not be looked at; ``skip``: it was not."""

_TAGS: Final = {"fail": "failure", "error": "error", "skip": "skipped"}


@dataclass(frozen=True)
class Case:
    """One check and how it went.

    Args:
        name: of the check, unique in its group.
        group: what it belongs to; viewers fold cases by it.
        outcome: how it went.
        message: in one line, why it did not pass.
        text: in as many lines as needed, what was expected and what came.
        seconds: how long it took, ≥ 0; ``None`` if that was not measured.

    Raises:
        ValueError: ``seconds`` is negative or not finite.
    """

    name: str
    group: str
    outcome: Outcome = "pass"
    message: str = ""
    text: str = ""
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"seconds must be finite and not negative, got {self.seconds}")


def document(title: str, cases: Sequence[Case]) -> bytes:
    """A file for ``--junit``.

    Args:
        title: name of the suite of checks.
        cases: in the order in which they are to be read.

    Returns:
        UTF-8 that is valid under the schema of Jenkins' xUnit plugin (``junit-10.xsd``). Characters that XML may not
        hold are shown by their number.
    """
    count = {outcome: sum(case.outcome == outcome for case in cases) for outcome in _TAGS}
    taken = sum(case.seconds or 0.0 for case in cases)
    totals = {
        "name": visible(title),
        "tests": str(len(cases)),
        "failures": str(count["fail"]),
        "errors": str(count["error"]),
        "time": _time(taken),
    }
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", {**totals, "skipped": str(count["skip"])})
    for case in cases:
        _add(suite, case)
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _add(suite: ElementTree.Element, case: Case) -> None:
    attributes = {"name": visible(case.name), "classname": visible(case.group)}
    if case.seconds is not None:
        attributes["time"] = _time(case.seconds)
    made = ElementTree.SubElement(suite, "testcase", attributes)
    if case.outcome == "pass":
        if case.text:
            ElementTree.SubElement(made, "system-out").text = visible(case.text, keep="\n")
        return
    attributes = {"message": visible(case.message)}
    if case.outcome != "skip":
        attributes["type"] = case.outcome
    ElementTree.SubElement(made, _TAGS[case.outcome], attributes).text = visible(case.text, keep="\n") or None


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
