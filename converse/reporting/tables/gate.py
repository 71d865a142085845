"""What the gate found, as a sheet: what regressed, by how much, how sure that is, and what the baseline has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from converse.analysis.gate.findings import Finding
from converse.reporting.gate.amounts import allowed, before_and_now, change
from converse.reporting.tables.sheet import EMPTY, Cell, Head, Row, Sheet

HEADS: Final = (
    Head("outcome", "Answer", words=True),
    Head("place", "Where", words=True),
    Head("what", "What", words=True),
    Head("change", "Change", words=True),
    Head("before", "Baseline"),
    Head("now", "Now"),
    Head("allowed", "Allowed"),
    Head("sure", "How sure", words=True),
)

_KEPT: Final = re.compile(r"(?<=[\d∞]) |(?<=,) ")  # between a number and its unit, and in an interval, no line breaks


def gate_sheet(findings: Sequence[Finding], *, key: str, title: str, caption: str) -> Sheet:
    """A row for each finding, in their order.

    Args:
        findings: of one run.
        key: of the sheet.
        title: of the sheet.
        caption: of the sheet.

    Returns:
        The sheet; the cell of the answer has the reason, and the command to look closer.
    """
    return Sheet(key, "gate", title, caption, "", "Subject", HEADS, tuple(_row(finding) for finding in findings))


def _row(finding: Finding) -> Row:
    answer = Cell(verdict=finding.outcome, reason=finding.reason or None, command=finding.look or None)
    numbers = (_KEPT.sub("\u00a0", text) for text in (change(finding), *before_and_now(finding), allowed(finding)))
    said = (finding.place, finding.what, *numbers, finding.sure)
    return Row(finding.subject, (answer, *(Cell(text=text) if text else EMPTY for text in said)))
