"""Differences as a sheet; what they are is held against SciPy in test_effects.py."""

from __future__ import annotations

import pandas as pd
import pytest

from converse.analysis.effects import EFFECT_COLUMNS
from converse.reporting.tables.effects import effect_sheet
from converse.reporting.tables.sheet import Sheet
from tests.reporting.tables.marked import places


def sheet(*records: dict[str, object]) -> Sheet:
    first = {"base": "A", "dataset": "Set12", "metric": "psnr", "difference": 0.1, "verdict": None}
    lines = [{**dict.fromkeys(EFFECT_COLUMNS), **first, "label": one["entry"], **one} for one in records]
    return effect_sheet(pd.DataFrame(lines, columns=list(EFFECT_COLUMNS), dtype=object), title="T", key="k")


COUNTED = {"parameters": 100, "parameters_base": 100, "equal_parameters": True}
COSTED = {**COUNTED, "multiply_adds": 2000.4, "multiply_adds_base": 12345.0}


def test_counts_stand_before_the_differences() -> None:
    found = sheet({"entry": "b", **COSTED})
    assert [head.key for head in found.heads] == ["parameters", "multiply_adds", "set12"]
    assert [cell.measured for cell in found.rows[0].cells] == [100, 2000.4, 0.1]
    assert found.rows[0].cells[1].facts == (("Multiply-adds of the base entry", "12 345"),)
    assert found.notes == ("Multiply-adds are counted, not timed, per pixel of the output: A has 12 345.",)


def test_what_was_not_counted_has_no_column() -> None:
    found = sheet({"entry": "b", **COUNTED})
    assert [head.key for head in found.heads] == ["parameters", "set12"]
    assert found.notes == ()


def test_a_network_that_was_not_counted_beside_one_that_was_has_an_empty_cell() -> None:
    found = sheet({"entry": "b", **COSTED}, {"entry": "c", **COUNTED})
    assert found.rows[1].cells[1].empty


@pytest.mark.parametrize(("equal", "marks"), [(False, ("not at equal parameters",)), (True, ()), (None, ())])
def test_unequal_parameters_are_marked_and_explained(equal: bool | None, marks: tuple[str, ...]) -> None:
    found = sheet({"entry": "b", **COUNTED, "equal_parameters": equal})
    assert found.rows[0].marks == marks
    assert found.notes == (
        ("Not at equal parameters: the difference is not the changed part's alone.",) if marks else ()
    )


def test_the_noise_floor_is_marked_and_explained() -> None:
    found = sheet({"entry": "b", **COUNTED, "same_class": True})
    assert found.rows[0].marks == ("noise floor",)
    others = ({"entry": name, "difference": difference} for name, difference in (("c", 0.05), ("d", 0.01)))
    # A difference that is larger need not be better: none is best.
    assert places(sheet({"entry": "b", "same_class": True}, *others), 1) == {}
    assert found.notes == ("Noise floor: the same class of functions, so that this is what chance does here.",)
