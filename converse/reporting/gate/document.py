"""An answer as a JSON document, and the schema of it that is published."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from converse.analysis.gate.findings import Aspect, Outcome
from converse.plain_text import writable
from converse.reporting.gate.answer import Answer, Word

SCHEMA: Final = 1
"""Version of the document; raised when a reader of the former one would misunderstand it."""


Infinite = Literal["inf", "-inf"]
Number = float | Infinite | None
"""JSON has no infinity and no NaN: ``"inf"``, ``"-inf"``, and ``null`` for what is not a number."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ImageDocument(_Table):
    """The image that is worst."""

    entry: str = Field(description="entry of the suite")
    seed: int | None = Field(description="of the trial; null for released weights")
    dataset: str = Field(description="name of the test set")
    case: str | None = Field(description="blur kernel; null where the task has one case")
    name: str = Field(description="of the image in the test set")


class FindingDocument(_Table):
    """One thing that was compared with the baseline."""

    aspect: Aspect = Field(description="what it is about")
    subject: str = Field(description="entry of a suite, or subject of a case of speed")
    place: str = Field(description="test set with its case, or pass and size of a case of speed; may be empty")
    what: str = Field(description="which statistic, in words")
    outcome: Outcome = Field(description="what came of it")
    reason: str = Field(description="why, in one sentence")
    unit: str = Field(description="of before and now, and of change, low, high and allowed where those are no share")
    before: int | float | str | None = Field(description="the baseline's value")
    now: int | float | str | None = Field(description="the value here")
    change: Number = Field(
        description="how much worse; of time and memory a share of before, otherwise in unit; negative is better"
    )
    low: Number = Field(description="lower end of the interval of change")
    high: Number = Field(description="upper end of the interval of change")
    allowed: Number = Field(description="the change up to which nothing is said")
    sure: str = Field(description="how sure, in words")
    look: str = Field(description="the command to look closer; may be empty")
    image: ImageDocument | None = Field(description="the image that is worst, where there is one")


class FactDocument(_Table):
    """What was run where."""

    name: str
    text: str


class AnswerDocument(_Table):
    """The answer of `converse check --format json`."""

    schema_: Literal[1] = Field(alias="schema", description="version of this document")
    answer: Word = Field(description="the answer in a word")
    exit_status: int = Field(description="0 passed, 1 regressed, 3 nothing or not all measured, 4 inconclusive")
    baseline: str = Field(description="what the run was compared with")
    command: str = Field(description="that asks for the same again; may be empty")
    facts: tuple[FactDocument, ...] = Field(description="what was run where")
    notes: tuple[str, ...] = Field(description="what else is to be known")
    findings: tuple[FindingDocument, ...]


def document(answer: Answer) -> dict[str, Any]:
    """The document, as values that JSON has.

    Args:
        answer: any.

    Returns:
        What :func:`schema` describes. Text is as it is, but for lone surrogates, which no document can hold.
    """
    made = AnswerDocument(
        schema=SCHEMA,
        answer=answer.word,
        exit_status=answer.exit_status,
        baseline=writable(answer.baseline),
        command=writable(answer.command),
        facts=tuple(FactDocument(name=writable(name), text=writable(text)) for name, text in answer.facts),
        notes=tuple(map(writable, answer.notes)),
        findings=tuple(FindingDocument.model_validate(_plain(asdict(finding))) for finding in answer.findings),
    )
    return made.model_dump(mode="json", by_alias=True)


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    made = AnswerDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "converse check"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
