"""A report as one value: all that its pages say. How it looks is the business of the writers beside this module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converse.reporting.figure import Figure
from converse.reporting.tables.sheet import Sheet
from converse.reporting.viewer.pictures import Gallery


@dataclass(frozen=True)
class TrialFacts:
    """Where the numbers of a trial come from.

    Attributes:
        trial: its id.
        name: entry, budget and seed as its own suite calls them.
        state: ``done``, ``failed`` …
        commit: of the code that made its numbers, where it is known.
        dirty: whether the files differed from that commit.
        machine: CPU or GPU, with threads and driver.
        versions: of torch and what else matters.
        older: why its numbers are not what this code would make; empty where they are.
    """

    trial: str
    name: str
    state: str
    commit: str | None
    dirty: bool | None
    machine: str
    versions: str
    older: str = ""


@dataclass(frozen=True)
class Failure:
    """A trial that failed.

    Attributes:
        trial: its id.
        name: entry, budget and seed.
        reason: one sentence.
        excerpt: the last lines of the traceback.
        command: that tries again.
    """

    trial: str
    name: str
    reason: str
    excerpt: str
    command: str


@dataclass(frozen=True)
class Missing:
    """What the report lacks.

    Attributes:
        what: one sentence.
        command: that gets it; empty where there is none.
    """

    what: str
    command: str = ""


@dataclass(frozen=True)
class Environment:
    """One machine and set of versions, and which trials ran there.

    Attributes:
        title: in a few words.
        facts: pairs of name and value.
        trials: ids.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    trials: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A chapter: what belongs together.

    Attributes:
        key: unique in the report.
        title: heading.
        text: an introduction, one paragraph.
        sheets: its tables.
        figures: its figures.
        facts: pairs of name and value: budget, machine, seeds.
        commands: that ask for all of it again.
        begin: the command that measures the first of it, where there is nothing yet; otherwise empty.
    """

    key: str
    title: str
    text: str = ""
    sheets: tuple[Sheet, ...] = ()
    figures: tuple[Figure, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    begin: str = ""


@dataclass(frozen=True)
class Answered:
    """What a comparison answers in one task.

    Attributes:
        title: of the task.
        word: the answer.
        verdict: the word for it that tables have.
        text: the difference that it rests on.
    """

    title: str
    word: str
    verdict: str
    text: str


@dataclass(frozen=True)
class Report:
    """All that a report says.

    Attributes:
        title: heading.
        subtitle: what it is made from: numbers of trials, stores, the time of the newest number.
        verdicts: of released weights against the paper: how many cells are ``match``, ``close`` …
        differences: of trained pairs against the paper: how many are ``reproduced``, ``worse here`` …
        lead: what the first screen says, one sentence each: what is answered, and what cannot be yet, and why.
        findings: what else is important, in words, one sentence each.
        parts: chapters with tables and figures, in the order of reading.
        audit: what is known to disagree.
        environments: machines and versions.
        trials: by id.
        seeds: study → its seeds, in words.
        failures: trials that failed.
        missing: what is not there, and how to get it.
        commands: that make this report again, in order.
        repeating: what they give again, and what they cannot, one sentence each.
        answers: of a comparison, which has no verdicts on the paper.
        gallery: restored images beside clean ones; ``None`` where nothing was looked for.
        next_step: what comes next; ``None`` where nothing is left to be measured.
        damaged: what could not be read and is in no number, one sentence each.

    Raises:
        ValueError: two tables have one key, or two figures one name: one file would take the place of the other.
    """

    title: str
    subtitle: str
    verdicts: Counter[str]
    differences: Counter[str]
    lead: tuple[str, ...]
    findings: tuple[str, ...]
    parts: tuple[Part, ...]
    audit: tuple[Sheet, ...]
    environments: tuple[Environment, ...]
    trials: Mapping[str, TrialFacts]
    seeds: tuple[tuple[str, str], ...]
    failures: tuple[Failure, ...]
    missing: tuple[Missing, ...]
    commands: tuple[str, ...]
    repeating: tuple[str, ...] = ()
    answers: tuple[Answered, ...] = ()
    gallery: Gallery | None = None
    next_step: Missing | None = None
    damaged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = Counter([*(f"table {sheet.key}" for sheet in self.sheets), *(f"figure {f.name}" for f in self.figures)])
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"a report has two of each of: {', '.join(twice)}")

    @property
    def measured(self) -> bool:
        """Whether any cell of a table has a measured number that rests on trials or runs."""
        own = (sheet for part in self.parts for sheet in part.sheets)
        return any(cell.measured is not None for sheet in own for _, _, cell in sheet.cells())

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """All tables, in the order of reading; their keys are unique."""
        return (*(sheet for part in self.parts for sheet in part.sheets), *self.audit)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the order of reading; their names are unique."""
        return tuple(figure for part in self.parts for figure in part.figures)


def plain_facts(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Facts as pairs of text; what is not known is left out."""
    return tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
