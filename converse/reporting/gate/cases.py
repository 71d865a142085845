"""An answer as cases of JUnit: a failure for what regressed, an error for what cannot be said, never a silent pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from converse.analysis.gate.findings import Finding
from converse.analysis.gate.findings import Outcome as Found
from converse.plain_text import unique
from converse.reporting.gate.amounts import allowed, before_and_now, change
from converse.reporting.gate.answer import Answer
from converse.reporting.junit import Case, Outcome

TITLE: Final = "converse check"

OUTCOMES: Final[dict[Found, Outcome]] = {
    "regressed": "fail",
    "not measured": "error",
    "inconclusive": "error",
    "passed": "pass",
    "better": "pass",
    "extra": "skip",
}
"""A viewer that knows nothing of exit statuses must not show green where nothing was measured, or nothing can be
said: both are errors."""


def cases(answer: Answer) -> list[Case]:
    """One case for each finding, grouped by what it is about, in the order in which they were made.

    Args:
        answer: any.

    Returns:
        Cases with names that are unique in their group; where nothing was compared with the baseline, one error.
    """
    made = list(_cases(answer.findings))
    if all(case.outcome == "skip" for case in made):
        made.append(Case("anything measured", TITLE, "error", "nothing was measured", f"baseline: {answer.baseline}"))
    return made


def _cases(findings: tuple[Finding, ...]) -> Iterator[Case]:
    groups = [f"{TITLE}.{finding.aspect}" for finding in findings]
    names = [": ".join(filter(None, (one.subject, one.place, one.what))) for one in findings]
    # The same name in another group is no second one.
    told = unique(f"{group}\0{name}" for group, name in zip(groups, names, strict=True))
    for finding, group, name in zip(findings, groups, told, strict=True):
        message = f"{finding.outcome}: {finding.reason}"
        yield Case(name.partition("\0")[2], group, OUTCOMES[finding.outcome], message, _text(finding))


def _text(finding: Finding) -> str:
    before, now = before_and_now(finding)
    lines = {
        "baseline": before,
        "now": now,
        "change": change(finding),
        "allowed": allowed(finding),
        "how sure": finding.sure,
        "look closer": finding.look,
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items() if text)
