"""Places in words, whatever a record or a frame has where there is none; the texts are written out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from converse.reporting.words import case_title, listed, place_title


@pytest.mark.parametrize("nothing", [None, math.nan, pd.NA], ids=["record", "frame", "nullable-frame"])
def test_places(nothing: object) -> None:
    assert case_title("kernel_1") == "kernel 1"
    assert case_title(nothing) == ""
    assert place_title("Set5", "kernel_1") == "Set5, kernel 1"
    assert place_title("Set5", nothing) == "Set5"
    assert place_title(nothing, nothing) == ""


def test_names_in_a_sentence() -> None:
    assert [listed(list("ABC"[:many])) for many in (1, 2, 3)] == ["A", "A and B", "A, B and C"]
    assert listed(list("ABCDE"), 3) == "A, B, C and 2 more"
    assert listed(list("ABC"), 3) == "A, B and C"
