"""Scores of settings. Oracle: means and deviations written out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import pytest

from converse.analysis.tuning import SCORE_COLUMNS, at_an_edge, scores

POINTS = {"A: 1": "A", "A: 2": "A", "B: 1": "B", "B: 2": "B"}


def rows(values: Mapping[tuple[str, int], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"entry": entry, "trial": f"{entry} {seed}", "metric": metric, "value": value if metric == "psnr" else 0.9}
            for (entry, seed), found in values.items()
            for value in found
            for metric in ("psnr", "ssim")
        ],
        columns=["entry", "trial", "metric", "value"],
    )


def test_the_best_mean_over_seeds_is_chosen() -> None:
    found = scores(
        rows(
            {
                ("A: 1", 7): [30.0, 32.0],
                ("A: 1", 8): [34.0, 36.0],
                ("A: 2", 7): [40.0, 40.0],
                ("A: 2", 8): [20.0, 20.0],
                ("B: 1", 7): [30.0, 30.0],
                ("B: 1", 8): [30.0, 30.0],
                ("B: 2", 7): [30.0, 30.0],
                ("B: 2", 8): [30.0, 30.0],
            }
        ),
        POINTS,
    )
    assert all(tuple(row) == SCORE_COLUMNS for row in found)
    assert [(row["point"], row["psnr"], row["chosen"]) for row in found] == [
        ("A: 1", 33.0, True),
        ("A: 2", 30.0, False),
        ("B: 1", 30.0, True),  # of equal ones the first
        ("B: 2", 30.0, False),
    ]
    assert found[0]["deviation"] == pytest.approx(math.sqrt(8.0))  # of 31 and 35


def test_settings_that_failed_under_a_seed_are_not_chosen() -> None:
    found = scores(
        rows({("A: 1", 7): [40.0, 40.0], ("A: 1", 8): [40.0], ("A: 2", 7): [30.0, 30.0], ("A: 2", 8): [30.0, 30.0]}),
        POINTS,
    )
    assert [(row["point"], row["seeds"], row["chosen"]) for row in found] == [
        ("A: 1", 1, False),
        ("A: 2", 2, True),
        ("B: 1", 0, False),
        ("B: 2", 0, False),
    ]
    assert found[2]["psnr"] is None
    assert not any(row["chosen"] for row in scores(rows({}), POINTS))


def test_one_trial_may_answer_to_two_points() -> None:
    shared = rows({("A: 1", 7): [30.0], ("A: 2", 7): [31.0], ("B: 1", 7): [31.0]}).assign(trial=["1"] * 2 + ["2"] * 4)
    found = scores(shared, {name: name[0] for name in ("A: 1", "A: 2", "B: 1")})
    assert [(row["psnr"], row["chosen"]) for row in found] == [(30.0, False), (31.0, True), (31.0, True)]


def test_what_is_chosen_at_an_edge_is_said() -> None:
    found = scores(rows({(f"A: {n}", 7): [float(n)] for n in (1, 2, 3)}), {f"A: {n}": "A" for n in (1, 2, 3)})
    settings = {f"A: {n}": {"training.lr": n / 10, "training.start": "kair", "lam": -(n % 2)} for n in (1, 2, 3)}
    assert at_an_edge(settings, found) == ["A: training.lr = 0.3 is the largest that was tried"]
    assert at_an_edge(settings, found[:2]) == []


def test_an_image_without_any_error_is_left_out() -> None:
    found = scores(rows({("A: 1", 7): [30.0, math.inf], ("A: 2", 7): [31.0, 35.0]}), {"A: 1": "A", "A: 2": "A"})
    assert [row["psnr"] for row in found] == [30.0, 33.0]
