"""Networks side by side, laid out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from converse.analysis.answers import Compared
from converse.analysis.qualification import Grounds
from converse.analysis.side_by_side import NETWORK_COLUMNS, network_records, side_by_side
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.speed_rows import SPEED_COLUMNS

NAMES = {"own": "Mine", "base": "reverse convolution", "conv": "depthwise convolution"}


def rows(entry: str, means: tuple[float, ...], parameters: int | None) -> list[dict[str, object]]:
    psnr = [
        {
            "entry": entry,
            "trial": f"{entry}-{seed}",
            "seed": seed,
            "dataset": "set12",
            "image": name,
            "value": mean + off,
        }
        for seed, mean in enumerate(means)
        for name, off in (("a", -1.0), ("b", 1.0))
    ]
    for row in psnr:
        row |= {"metric": "psnr", "signature": "psnr", "image_sha256": row["image"]}
    counted = {"entry": entry, "trial": f"{entry}-0", "seed": 0, "metric": "parameters", "value": parameters}
    return psnr if parameters is None else [*psnr, counted]


def compared(*parts: list[dict[str, object]], **changes: object) -> Compared:
    frame = pd.DataFrame([row for part in parts for row in part], columns=list(ROW_COLUMNS))
    given = {"task": "denoising", "budget": "quick", "rows": frame, "own": "own", "rivals": ("base", "conv")}
    return Compared(**{**given, "names": NAMES, **changes})  # type: ignore[arg-type]


def times() -> pd.DataFrame:
    turns = np.linspace(0.9, 1.1, 20)
    lines = []
    for subject, factor, twin in (
        ("reverse convolution", 1.0, False),
        ("reverse convolution", 1.0, True),
        ("Mine", 2.0, False),
        ("depthwise convolution", 0.5, False),
    ):
        for name in ("evaluation", "step"):
            seconds = factor * (3 if name == "step" else 1) * turns / 1000
            lines.append(
                {
                    **dict.fromkeys(SPEED_COLUMNS),
                    "run": "r",
                    "subject": subject,
                    "kind": "network",
                    "twin": twin,
                    "pass": name,
                    "sweep": name,
                    "channels": 1,
                    "scale": 1,
                    "batch": 1,
                    "height": 128,
                    "width": 128,
                    "dtype": "float32",
                    "compiled": False,
                    "status": "ok",
                    "median_s": float(np.median(seconds)),
                    "turns_s": list(seconds),
                    "peak_bytes": 2**20 * factor,
                }
            )
    return pd.DataFrame(lines)


def beside(one: Compared, **changes: object) -> dict[str, dict[str, object]]:
    given = {
        "multiply_adds": {"own": 300.0, "base": 400.0, "conv": 200.0},
        "times": times(),
        "grounds": Grounds(),
        "widths": {"own": 15, "base": 16, "conv": 16},
        "settings": {"own": "lr = 0.01"},
    }
    frame = side_by_side(one, **{**given, **changes})  # type: ignore[arg-type]
    assert tuple(frame.columns) == NETWORK_COLUMNS
    return {row["name"]: dict(row) for row in network_records(frame)}


def test_all_of_it() -> None:
    found = beside(
        compared(rows("own", (28.0, 28.4), 90), rows("base", (28.1, 28.1), 100), rows("conv", (27.0, 27.0), 100))
    )
    assert list(found) == ["Mine", "reverse convolution", "depthwise convolution"]
    own = found["Mine"]
    assert (own["psnr"], own["deviation"]) == pytest.approx((28.2, np.std([28.0, 28.4], ddof=1)))
    assert (own["seeds"], own["images"], own["parameters"], own["multiply_adds"]) == (2, 2, 90, 300.0)
    assert (own["milliseconds"], own["step_milliseconds"]) == pytest.approx((2.0, 6.0))
    assert (own["mebibytes"], own["width"], own["settings"], own["sets"]) == (2.0, 15, "lr = 0.01", "Set12")
    assert own["trainings"] == "2 not known"
    assert [row["speed"] for row in found.values()] == ["slower", None, "faster"]
    fronts = {
        cost: [name for name, row in found.items() if row[f"front_{cost}"]]
        for cost in ("parameters", "multiply_adds", "milliseconds")
    }
    assert fronts == {
        "parameters": ["Mine"],
        "multiply_adds": ["Mine", "depthwise convolution"],
        "milliseconds": ["Mine", "reverse convolution", "depthwise convolution"],
    }


def test_what_failed_or_was_not_timed_is_empty() -> None:
    one = compared(rows("base", (28.1,), 100), rows("conv", (27.0,), 100), reasons={"own": "seed 0: failed"})
    found = beside(one, times=pd.DataFrame(columns=list(SPEED_COLUMNS)), multiply_adds={})
    own = found["Mine"]
    empty = ("psnr", "deviation", "parameters", "multiply_adds", "milliseconds", "speed", "front_parameters")
    assert all(own[name] is None for name in empty)
    assert (own["reason"], own["trainings"]) == ("seed 0: failed", "")
    assert found["reverse convolution"]["deviation"] is None


def test_an_image_without_any_error_is_left_out_of_the_mean() -> None:
    made = rows("own", (28.0,), None)
    made[0]["value"] = float("inf")
    assert beside(compared(made, rows("base", (28.0,), 1), rows("conv", (28.0,), 1)))["Mine"]["psnr"] == 29.0
