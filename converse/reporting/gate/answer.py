"""One run of the gate as one value: all that its outputs say. How each says it is the business of its neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from converse.analysis.gate.findings import (
    INCONCLUSIVE,
    NOT_MEASURED,
    OUTCOMES,
    PASSED,
    REGRESSED,
    Finding,
    Outcome,
    exit_status,
)

Word = Literal["passed", "regressed", "not measured", "inconclusive"]

WORDS: Final[dict[int, Word]] = {
    PASSED: "passed",
    REGRESSED: "regressed",
    NOT_MEASURED: "not measured",
    INCONCLUSIVE: "inconclusive",
}
"""Exit status → the answer in a word."""

FINE: Final[tuple[Outcome, ...]] = ("passed", "better", "extra")
"""Outcomes that need nobody's attention."""


@dataclass(frozen=True)
class Answer:
    """What came of holding a run against a baseline.

    Attributes:
        baseline: the file, as it was named; with ``--against``, what was compared with.
        findings: all of them, in the order in which they were made.
        facts: pairs of name and value that say what was run where: suite, budget, machine, torch, store.
        notes: what else is to be known, one sentence each.
        command: that asks for the same again.
    """

    baseline: str
    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""

    @property
    def exit_status(self) -> int:
        """Of the command, see :func:`converse.analysis.gate.findings.exit_status`."""
        return exit_status(self.findings)

    @property
    def word(self) -> Word:
        """The answer in a word."""
        return WORDS[self.exit_status]

    @property
    def grave(self) -> tuple[Finding, ...]:
        """What somebody must look at, the gravest first."""
        return gravest_first(finding for finding in self.findings if finding.outcome not in FINE)

    @property
    def fine(self) -> tuple[Finding, ...]:
        """The others: ``passed``, then ``better``, then ``extra``."""
        return gravest_first(finding for finding in self.findings if finding.outcome in FINE)

    @property
    def tally(self) -> str:
        """How many findings have which outcome: ``1 regressed, 12 passed``."""
        counts = Counter(finding.outcome for finding in self.findings)
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]) or "no findings"

    @property
    def headline(self) -> str:
        """The answer in a sentence without a full stop."""
        return f"{self.word}: {self.tally}, compared with {self.baseline}"


@dataclass(frozen=True)
class Closer:
    """Why findings are as they are, and how to look closer.

    Attributes:
        findings: those that have both in common, in words.
        reason: in a sentence.
        look: the command; may be empty.
    """

    findings: tuple[str, ...]
    reason: str
    look: str


def closer(findings: Iterable[Finding]) -> list[Closer]:
    """What there is to say of findings below their table, once for those that have it in common."""
    together: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        name = ", ".join(filter(None, (finding.subject, finding.place, finding.what)))
        together.setdefault((finding.reason, finding.look), []).append(name)
    return [Closer(tuple(dict.fromkeys(names)), *said) for said, names in together.items()]


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of :data:`converse.analysis.gate.findings.Outcome`; equals keep their order."""
    return tuple(sorted(findings, key=lambda finding: OUTCOMES.index(finding.outcome)))
