"""The tables of an answer, the same for the terminal, Markdown and HTML: first what somebody must look at."""

from __future__ import annotations

from collections.abc import Iterator

from converse.reporting.gate.answer import Answer
from converse.reporting.tables.gate import gate_sheet
from converse.reporting.tables.sheet import Sheet

CAPTION = (
    "Worse is counted from the baseline; of time and memory it is a share of the baseline's value. In brackets: the "
    "interval of what was measured. Allowed: the change up to which nothing is said."
)


def gate_sheets(answer: Answer) -> Iterator[Sheet]:
    """At most two tables; none where there are no findings.

    Args:
        answer: any.

    Yields:
        ``attention``: what regressed, was not measured or is inconclusive; ``fine``: the rest. The first has a caption.
    """
    if answer.grave:
        yield gate_sheet(answer.grave, key="attention", title="What to look at", caption=CAPTION)
    if answer.fine:
        told = "" if answer.grave else CAPTION
        yield gate_sheet(answer.fine, key="fine", title="What is as it should be", caption=told)
