"""Oracle: records that are written by hand."""

from __future__ import annotations

from typing import Any

from converse.analysis.effects import ITSELF
from converse.analysis.told_apart import same_as_base, told_apart


def record(entry: str, difference: float | None, p_holm: float | None, **more: Any) -> Any:
    known = {"base": "Base", "dataset": "Set12", "case": None, "metric": "psnr", "reason": None}
    return {**known, "entry": entry, "difference": difference, "p_holm": p_holm, **more}


def test_only_what_chance_does_not_explain_is_told_apart() -> None:
    records = [
        record("Larger", 0.1, 0.05),
        record("Smaller", -0.1, 0.001, dataset="BSD68"),
        record("Perhaps", 5.0, 0.051),
        record("One seed", 5.0, None),
        record("Nothing", None, None),
        # Of two bases a mark could not say which is meant.
        *(record("Both", 1.0, 0.001, base=base) for base in ("Base", "Other")),
    ]
    assert told_apart(records) == {
        ("Larger", "Set12", None, "psnr"): "larger",
        ("Smaller", "BSD68", None, "psnr"): "smaller",
    }


def test_an_entry_that_is_its_base_is_found_by_its_reason() -> None:
    assert same_as_base([record("5×5", 0.0, None, reason=ITSELF), record("7×7", 0.1, 0.5)]) == {"Base": "5×5"}
