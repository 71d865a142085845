"""Means against the noise level. Oracle: values that are written down here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from converse.analysis.noise_levels import LEVEL_COLUMNS, against_level
from converse.analysis.published import published
from converse.analysis.selection import as_the_task_is
from converse.analysis.tables import records, results
from converse.data.noise_levels import case_of
from converse.experiments.store.rows import ROW_COLUMNS


def rows(
    entry: str, values: Mapping[float, Sequence[float]], *, seed: int | None = None, name: str = "mine"
) -> list[Any]:
    """PSNR of each image at each level; 25 is the task's own, which is no case."""
    told = {"task": "denoising", "entry": entry, "source": "trained", "seed": seed, "trial": f"{entry} {seed}"}
    return [
        {**dict.fromkeys(ROW_COLUMNS), **told, "dataset": name, "case": None if level == 25 else case_of(level)}
        | {"image": f"{i}.png", "image_sha256": f"s{i}", "metric": "psnr", "signature": "s", "value": value}
        for level, of_images in values.items()
        for i, value in enumerate(of_images)
    ]


def frame(*of: list[Any]) -> pd.DataFrame:
    return pd.DataFrame([row for one in of for row in one], columns=list(ROW_COLUMNS)).astype({"value": float})


def lines(found: pd.DataFrame) -> dict[tuple[str, str], list[tuple[float, float]]]:
    return {
        (str(entry), str(dataset)): list(zip(group["level"], group["psnr"], strict=True))
        for (entry, dataset), group in against_level(records(results(found, published=published())), 25.0).groupby(
            ["entry", "dataset"], sort=False
        )
    }


def test_a_line_has_the_means_of_all_levels_in_their_order() -> None:
    found = frame(rows("A", {50: [20, 22], 25: [30, 31], 15: [33, 35], 12.5: [36, 36]}))
    assert lines(found) == {("A", "mine"): [(12.5, 36.0), (15.0, 34.0), (25.0, 30.5), (50.0, 21.0)]}


def test_deviations_are_over_seeds() -> None:
    found = frame(*(rows("A", {15: [30 + s], 25: [29 + s], 50: [20 + 2 * s]}, seed=s) for s in (0, 1)))
    table = against_level(records(results(found, published=published())), 25.0)
    assert tuple(table.columns) == LEVEL_COLUMNS
    assert table["psnr"].tolist() == [30.5, 29.5, 21.0]
    assert table["deviation"].round(6).tolist() == [0.707107, 0.707107, 1.414214]


def test_two_levels_are_no_line() -> None:
    assert lines(frame(rows("A", {15: [30], 25: [29]}), rows("B", {15: [30], 25: [29], 35: [25]}))).keys() == {
        ("B", "mine")
    }


def test_means_of_fewer_images_and_infinite_ones_are_left_out() -> None:
    values: dict[float, list[float]] = {15: [33, 35], 25: [30, 31], 35: [28], 40: [26, math.inf], 50: [20, 22]}
    assert lines(frame(rows("A", values))) == {("A", "mine"): [(15.0, 34.0), (25.0, 30.5), (50.0, 21.0)]}


def test_test_sets_are_apart() -> None:
    some: dict[float, list[float]] = {15: [33.0], 25: [30.0], 50: [20.0]}
    found = lines(frame(rows("A", some), rows("A", {25: [30.0]}, name="other")))
    assert found.keys() == {("A", "mine")}


def test_what_tables_and_verdicts_rest_on_has_the_tasks_own_level_alone() -> None:
    found = frame(rows("A", {15: [33, 35], 25: [30, 31], 50: [20, 22]}))
    assert as_the_task_is(found)["value"].tolist() == [30.0, 31.0]
    own = frame(rows("A", {25: [30, 31]}))
    assert as_the_task_is(own) is own
    assert len(as_the_task_is(own.iloc[:0])) == 0
