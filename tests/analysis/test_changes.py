"""What changed between two stores. Oracle: small stores whose differences are written down here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converse.analysis.changes import Change, changes
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.trials import Trial

CPU = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "threads": 1}


def trial(seed: int | None, numerics: int = 6) -> Trial:
    return Trial(
        "denoising",
        "A",
        "released" if seed is None else "trained",
        seed,
        "quick",
        {"net": "A"},
        {},
        numerics=numerics,
        platform=CPU,
    )


def rows(values: Mapping[Any, list[float]], entry: str = "A", metric: str = "psnr") -> pd.DataFrame:
    lines = [
        {
            **dict.fromkeys(ROW_COLUMNS),
            "study": "Mine",
            "trial": f"t{seed}",
            "task": "denoising",
            "entry": entry,
            "seed": seed,
            "dataset": "mine",
            "image": f"{index}.png",
            "image_sha256": str(index),
            "metric": metric,
            "signature": metric,
            "value": value,
        }
        for seed, of_seed in values.items()
        for index, value in enumerate(of_seed)
    ]
    frame = pd.DataFrame(lines, columns=["study", *ROW_COLUMNS])
    return frame.astype({"value": float, "seed": "Int64"})


def found(before: pd.DataFrame, after: pd.DataFrame, numerics: int = 6) -> Change:
    old = {f"t{seed}": trial(seed) for seed in (None, 0, 1, 2)}
    new = {key: replace(one, numerics=numerics) for key, one in old.items()}
    (one,) = changes(before, after, old, new)
    return one


def test_the_same_values_are_the_same() -> None:
    values = {0: [30.0, 31.0], 1: [30.5, 31.5]}
    one = found(rows(values), rows(values))
    assert (one.what, one.difference, one.p, one.before, one.seeds, one.images) == ("same", 0.0, None, 30.75, 2, 2)


def test_a_change_that_all_seeds_have_is_told_and_says_what_differs() -> None:
    before = {seed: [30.0 + seed / 10, 31.0] for seed in range(3)}
    after = {seed: [value + 0.5 + seed / 1000 for value in of_seed] for seed, of_seed in before.items()}
    one = found(rows(before), rows(after), numerics=7)
    assert one.difference == pytest.approx(0.501)
    assert one.low is not None
    assert one.high is not None
    assert one.low < 0.501 < one.high
    assert (one.what, one.reason) == ("higher", "the code computed otherwise (numerics 7, there 6)")


def test_what_chance_explains_is_not_told_apart() -> None:
    before = {seed: [30.0, 31.0] for seed in range(3)}
    after = {0: [30.5, 31.0], 1: [29.4, 31.0], 2: [30.1, 31.0]}
    assert found(rows(before), rows(after)).what == "not told apart"


def test_without_seeds_the_images_tell() -> None:
    values = np.random.default_rng(0).normal(30, 1, 12).tolist()
    one = found(rows({None: values}), rows({None: [value - 0.01 for value in values]}))
    assert (one.what, one.seeds, one.images, one.low) == ("lower", 0, 12, None)
    assert one.p == pytest.approx(2 / 2**12)  # of all ways to choose signs, these two are as large


def test_what_one_store_alone_has_and_other_images() -> None:
    values = rows({0: [30.0, 31.0]})
    nothing = values.iloc[:0]
    assert found(values, nothing).what == "only before"
    assert found(nothing, values).what == "only after"
    more = found(values, rows({0: [30.0, 31.0, 32.0]}))
    assert (more.what, more.images) == ("other images", 2)
    twice = pd.concat([values, values.assign(trial="other")])
    assert found(twice, values).what == "not paired"


def test_p_is_adjusted_over_all_means() -> None:
    values = np.random.default_rng(0).normal(30, 1, 12).tolist()
    lower = [value - 0.01 for value in values]
    before = pd.concat([rows({None: values}), rows({None: values}, metric="ssim")])
    after = pd.concat([rows({None: lower}), rows({None: lower}, metric="ssim")])
    assert [one.p for one in changes(before, after, {}, {})] == pytest.approx([4 / 2**12] * 2)


def test_images_that_both_restore_without_any_error_are_the_same() -> None:
    perfect = rows({0: [np.inf, np.inf], 1: [np.inf, 31.0]})
    one = found(perfect, perfect)
    assert (one.what, one.difference, one.seeds, one.images) == ("same", 0.0, 2, 2)


def test_an_image_that_one_alone_restores_without_any_error_cannot_be_paired() -> None:
    one = found(rows({0: [np.inf, 31.0]}), rows({0: [29.0, 31.0]}))
    assert one.what == "not paired"
    assert "1.png" not in one.reason
    assert "infinite" in one.reason


def test_another_definition_of_a_metric_is_said() -> None:
    values = rows({0: [30.0, 31.0]})
    before, after = changes(values, values.assign(signature="psnr|border:4"), {}, {})
    assert (before.what, after.what) == ("only before", "only after")
    assert before.reason == "the other store has it by another definition: psnr|border:4"
    assert after.reason == "the other store has it by another definition: psnr"


def test_what_has_no_value_in_either_store_is_no_mean() -> None:
    """LPIPS, say, where its network was not at hand: its rows say why they have no value."""
    values = rows({0: [30.0, 31.0]})
    nothing = rows({0: [np.nan, np.nan]}, metric="lpips")
    (one,) = changes(pd.concat([values, nothing]), pd.concat([values, nothing]), {}, {})
    assert (one.metric, one.what) == ("psnr", "same")
    some = found(rows({0: [30.0, np.nan]}), rows({0: [30.0, np.nan]}))
    assert (some.what, some.images) == ("same", 1)
