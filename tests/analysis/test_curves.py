"""Oracle: means and deviations worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from converse.analysis.curves import BAND_COLUMNS, CURVE_COLUMNS, bands


def points(*rows: tuple[str, int, int, float, float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["entry", "seed", "step", "loss", "psnr"]).assign(lr=1e-3)
    return frame[list(CURVE_COLUMNS)].astype({"psnr": float})


def test_mean_and_deviation_at_steps_that_all_seeds_have() -> None:
    curves = points(
        ("B", 0, 10, 1.0, 20.0), ("B", 0, 20, 1.0, 21.0), ("B", 1, 10, 3.0, 24.0),
        ("A", 0, 10, 5.0, 30.0),
    )  # fmt: skip
    found = bands(curves, "psnr")
    assert list(found["entry"]) == ["B", "A"]
    assert list(found["step"]) == [10, 10]
    assert list(found["mean"]) == [22.0, 30.0]
    assert found["deviation"][0] == pytest.approx(2 * math.sqrt(2))
    assert math.isnan(found["deviation"][1])


def test_a_curve_without_validation_has_no_psnr() -> None:
    curves = points(("A", 0, 10, 1.0, None), ("A", 0, 20, 0.5, None))
    assert bands(curves, "psnr").empty
    assert list(bands(curves, "psnr").columns) == list(BAND_COLUMNS)
    assert list(bands(curves, "loss")["mean"]) == [1.0, 0.5]
