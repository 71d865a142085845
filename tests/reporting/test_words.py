"""Places in words, whatever a record or a frame has where there is none; the texts are written out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from converse.reporting.words import case_title, place_title


@pytest.mark.parametrize("nothing", [None, math.nan, pd.NA], ids=["record", "frame", "nullable-frame"])
def test_places(nothing: object) -> None:
    assert case_title("kernel_1") == "kernel 1"
    assert case_title(nothing) == ""
    assert place_title("Set5", "kernel_1") == "Set5, kernel 1"
    assert place_title("Set5", nothing) == "Set5"
    assert place_title(nothing, nothing) == ""
