"""Oracles: the published schema, by a validator that is not ours; and a reader of JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from converse.reporting.gate.answer import Answer
from converse.reporting.gate.document import document, schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas" / "check.schema.json"


def valid(made: dict[str, Any]) -> dict[str, Any]:
    """The document after a journey as text, which has no NaN; refused if it is not of the published schema."""
    read: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    published = json.loads(PUBLISHED.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(read, published, cls=jsonschema.Draft202012Validator)
    return read


def test_all_of_an_answer_is_there(answer: Answer) -> None:
    made = valid(document(answer))
    assert {key: made[key] for key in ("schema", "answer", "exit_status", "baseline", "command", "notes")} == {
        "schema": 1,
        "answer": "regressed",
        "exit_status": 1,
        "baseline": "gate.toml",
        "command": "converse check gate.toml",
        "notes": ["A note."],
    }
    assert made["facts"][1] == {"name": "torch", "text": "2.9.0"}
    regressed = made["findings"][1]
    assert (regressed["before"], regressed["now"], regressed["change"]) == (31.2345678, 31.1345678, 0.1)
    assert regressed["image"] == {
        "entry": "Converse-DnCNN",
        "seed": None,
        "dataset": "set12",
        "case": None,
        "name": "05.png",
    }
    assert [made["findings"][4][key] for key in ("before", "change", "low", "allowed", "image")] == [None] * 5
    assert [finding["outcome"] for finding in made["findings"]] == [one.outcome for one in answer.findings]


def test_hostile_words_and_numbers(hostile: Answer) -> None:
    made = valid(document(hostile))
    for before, after in zip(hostile.findings, made["findings"], strict=True):
        number = after["change"]
        assert before.change == float(number) if number is not None else math.isnan(before.change)
        assert after["subject"].encode("utf-8")
    assert made["findings"][0]["subject"] == "<script>alert(1)</script>"


def test_nothing_measured_is_valid_too() -> None:
    assert valid(document(Answer("gate.toml", ())))["exit_status"] == 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"answer": "fine"}, id="another-word"),
        pytest.param({"schema": 2}, id="newer"),
        pytest.param({"seconds": 3}, id="unknown-key"),
        pytest.param({"findings": [{"subject": "x"}]}, id="half-a-finding"),
    ],
)
def test_the_schema_refuses_what_is_not_of_it(answer: Answer, change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        valid({**document(answer), **change})


def test_every_field_is_described() -> None:
    for name, table in schema()["$defs"].items():
        plain = name == "FactDocument"
        assert all(plain or "description" in field or "$ref" in field for field in table["properties"].values()), name
