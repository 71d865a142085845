"""Oracles: tables written by hand, each with one fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from converse.analysis.gate.speed_table import SpeedTable


def document() -> dict[str, Any]:
    case = {"subject": "converse", "sweep": "operator", "pass": "evaluation", "channels": 64, "kernel_size": 5}
    case |= {"height": 64, "width": 64, "ratio": 0.25, "floor": 0.05, "elsewhere": 0.3}
    where = {"device": "cpu", "model": "A CPU", "torch": "2.9.0"}
    return {"suite": "gate", "budget": "quick", "rounds": 12, **where, "cases": [case]}


def test_a_table_that_is_in_order() -> None:
    found = SpeedTable.model_validate(document())
    assert found.cases[0].columns["pass"] == "evaluation"
    assert found.differences({"device": "cpu", "model": "A CPU", "torch": "2.9.0", "threads": 1}) == ()
    assert found.differences({"device": "cpu", "model": "A CPU", "torch": "2.9.0", "threads": 2}) == (
        "threads 2 and not 1",
    )


def test_a_commit_in_the_place_of_ratios() -> None:
    found = SpeedTable.model_validate({"suite": "gate", "budget": "quick", "against": "0123456789" * 4})
    assert (found.threads, found.cases) == (1, ())


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no case": (lambda table: table.update(cases=[]), "cases"),
    "twice": (lambda table: table["cases"].append(dict(table["cases"][0])), "twice in the same case"),
    "nan": (lambda table: table["cases"][0].update(ratio=float("nan")), "finite"),
    "zero": (lambda table: table["cases"][0].update(ratio=0.0), "greater than 0"),
    "negative": (lambda table: table["cases"][0].update(floor=-0.1), "greater than or equal to 0"),
    "unknown key": (lambda table: table["cases"][0].update(flor=0.1), "Extra inputs"),
    "half of the memory": (lambda table: table["cases"][0].update(memory_ratio=1.0), "or none of them"),
    "no torch": (lambda table: table.pop("torch"), "torch: missing; expected the version of torch"),
    "a short commit": (lambda table: table.update(against="ab2246b"), "expected the full hash of a commit"),
    "ratios beside a commit": (lambda table: table.update(against="a" * 40), "cases: stands beside against"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_table_is_refused(name: str) -> None:
    change, message = FAULTS[name]
    broken = document()
    change(broken)
    with pytest.raises(ValidationError, match=message):
        SpeedTable.model_validate(broken)
