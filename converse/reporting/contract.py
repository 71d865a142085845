"""What was seen of an operator that was held to the contract, for programs and for pages: JSON, JUnit, Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from converse.experiments.running.verification import Measured, Outcome, Result, Verified
from converse.plain_text import visible
from converse.reporting import junit
from converse.reporting.markdown import plain

SCHEMA: Final = 1
"""Version of the JSON document; raised when a reader of the former one would misunderstand it."""

TITLE: Final = "converse verify"

MARKS: Final[dict[Outcome, str]] = {"pass": "✓ passed", "fail": "✗ failed", "skip": "– not made"}

COLUMNS: Final = ("check", "group", "outcome", "expected", "seen", "cure", "seconds")
"""Keys of a check in JSON and CSV."""

NUMBERS: Final = {
    "restored": ("error restored", "‖operator(blur(x)) - x‖ by ‖x - mean‖, of an image x with a spectrum 1/f"),
    "blurred": ("error blurred", "the same without the operator"),
    "largest_gain": ("largest gain", "what it makes of the worst pattern of size 1"),
    "condition": ("condition", "largest by smallest gain; ∞ where it loses a pattern"),
    "blur_condition": ("of the blur", "the same of the blur that it undoes"),
    "noise_gain": ("noise", "deviation of the output by that of white noise in the input"),
    "border": ("border", "error in the outermost k - 1 samples by that in the rest, of an image that goes on beyond"),
}
"""Field of an inversion → the head of its column, and what it is."""


@dataclass(frozen=True)
class Answer:
    """An operator and what was seen of it.

    Attributes:
        operator: as it was named, with its options.
        file: in which its class is written; ``None`` for one of converse's own.
        sha256: of that file.
        verified: what was seen.
        facts: names and texts that say where: versions, machine.
    """

    operator: str
    file: str | None
    sha256: str | None
    verified: Verified
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.verified.failed

    @property
    def tally(self) -> str:
        """``24 checks passed, 1 failed, 3 not made``."""
        count = Counter(result.outcome for result in self.verified.results)
        failed = [f"{count['fail']} failed"] if count["fail"] else []
        left_out = [f"{count['skip']} not made"] if count["skip"] else []
        return ", ".join([f"{count['pass']} checks passed", *failed, *left_out])


def document(answer: Answer) -> dict[str, Any]:
    """The answer as a JSON document.

    Args:
        answer: any.

    Returns:
        ``schema, operator, file, sha256, passed, checks, measured, facts``; what is not a number is ``None``.
    """
    return {
        "schema": SCHEMA,
        "operator": answer.operator,
        "file": answer.file,
        "sha256": answer.sha256,
        "passed": answer.passed,
        "checks": rows(answer.verified.results),
        "measured": [{"lambda": one.lam, **_finite(asdict(one.inversion))} for one in answer.verified.measured],
        "facts": dict(answer.facts),
    }


def rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A record with :data:`COLUMNS` for each check."""
    return [{"check" if key == "name" else key: value for key, value in asdict(one).items()} for one in results]


def cases(answer: Answer) -> list[junit.Case]:
    """A case for each check; what no option asked for and what builds on a failed check is skipped."""
    return [
        junit.Case(
            result.name,
            f"{TITLE}.{answer.operator}",
            result.outcome,
            "" if result.outcome == "pass" else result.seen,
            "\n".join(_lines(result)),
            result.seconds,
        )
        for result in answer.verified.results
    ]


def summary(answer: Answer) -> str:
    """The answer as GitHub's Markdown; words of others are text, whatever they are."""
    return "\n".join(_markdown(answer)).rstrip() + "\n"


def measured_table(measured: Sequence[Measured]) -> tuple[list[str], list[list[str]]]:
    """The numbers of an inverse as columns and rows of text."""
    columns = ["scale", "λ", *(head for head, _ in NUMBERS.values())]
    lines = [
        [
            str(one.inversion.scale),
            "as it starts" if one.lam is None else f"{one.lam:g}",
            *(_digits(getattr(one.inversion, key)) for key in NUMBERS),
        ]
        for one in measured
    ]
    return columns, lines


def _markdown(answer: Answer) -> Iterator[str]:
    word = "passed" if answer.passed else "failed"
    yield f"## {MARKS['pass' if answer.passed else 'fail'][0]} converse verify: {plain(answer.operator)} {word}"
    yield from ("", f"{answer.tally}.", "")
    if answer.verified.failed:
        yield from _table(["check", "expected", "seen", "cure"], _failed_cells(answer))
    yield from ("<details>", "<summary>All checks</summary>", "")
    yield from _table(
        ["check", "", "seen"], [[one.name, MARKS[one.outcome], one.seen] for one in answer.verified.results]
    )
    yield from ("</details>", "")
    if answer.verified.measured:
        yield from ("As an inverse, measured and not judged:", "")
        yield from _table(*measured_table(answer.verified.measured))
        yield from (f"- {head}: {what}" for head, what in NUMBERS.values())
        yield ""
    yield " · ".join(f"{plain(name)}: {plain(text)}" for name, text in answer.facts)


def _failed_cells(answer: Answer) -> list[list[str]]:
    return [[one.name, one.expected, one.seen, one.cure] for one in answer.verified.failed]


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(plain, columns))} |"
    yield f"|{' --- |' * len(columns)}"
    yield from (f"| {' | '.join(map(plain, line))} |" for line in lines)
    yield ""


def _lines(result: Result) -> Iterator[str]:
    yield f"expected: {result.expected}"
    yield f"seen: {visible(result.seen)}"
    if result.cure:
        yield f"cure: {result.cure}"


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in numbers.items()}


def _digits(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
