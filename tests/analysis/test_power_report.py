"""The power report of effects that are laid out by hand."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from converse.analysis.effects import EFFECT_COLUMNS
from converse.analysis.power import power, seeds_needed
from converse.analysis.power_report import POWER_COLUMNS, power_report


def effect(**known: Any) -> dict[str, Any]:
    plain = {"entry": "zero", "base": "circular", "metric": "psnr", "seeds": 3, "seed_deviation": 0.03}
    return {**dict.fromkeys(EFFECT_COLUMNS), **plain, **known}


def report(*effects: dict[str, Any]) -> list[dict[Any, Any]]:
    frame = power_report(pd.DataFrame(list(effects), columns=list(EFFECT_COLUMNS), dtype=object))
    assert tuple(frame.columns) == POWER_COLUMNS
    return frame.to_dict("records")


def test_a_published_gap() -> None:
    (record,) = report(effect(published_difference=-0.06, difference=-0.05, published_trust="secondary"))
    # The 95 % interval of a deviation with 2 degrees of freedom: factors 0.5207 and 6.2847 (any table of χ²).
    assert record["deviation_low"] == pytest.approx(0.5207 * 0.03, rel=1e-3)
    assert record["deviation_high"] == pytest.approx(6.2847 * 0.03, rel=1e-3)
    assert record["seeds_needed"] == seeds_needed(0.06, 0.03) == 5
    assert record["seeds_needed_low"] == seeds_needed(0.06, record["deviation_low"])
    assert record["seeds_needed_high"] == seeds_needed(0.06, record["deviation_high"])
    assert record["power"] == pytest.approx(power(0.06, 0.03, 3))
    assert (record["difference"], record["published_trust"]) == (-0.05, "secondary")


def test_a_larger_table_needs_more_seeds() -> None:
    (record,) = report(effect(published_difference=0.06, family=5))
    assert record["seeds_needed"] == seeds_needed(0.06, 0.03, level=0.99)
    assert record["seeds_needed"] > 5
    assert record["power"] == pytest.approx(power(0.06, 0.03, 3, level=0.99))


def test_what_is_found_with_the_chance_asked_for() -> None:
    (record,) = report(effect(seeds=10))
    # d = 1.0 needs 10 seeds for 0.8 (power 0.803), so that 10 seeds find slightly less than one deviation.
    shift = record["detectable"] / 0.03 * math.sqrt(10)
    assert stats.nct.sf(stats.t.isf(0.025, 9), 9, shift) == pytest.approx(0.8, abs=1e-6)
    assert 0.95 * 0.03 < record["detectable"] < 0.03
    assert [record[name] for name in ("published_difference", "power", "seeds_needed")] == [None] * 3


def test_a_published_tie_has_no_power() -> None:
    (record,) = report(effect(published_difference=0.0))
    assert record["power"] is None
    assert record["seeds_needed"] > 3


def test_without_spread() -> None:
    (record,) = report(effect(seed_deviation=0.0, published_difference=0.06))
    assert [record[name] for name in ("detectable", "power", "seeds_needed")] == [0, 1, 2]


def test_one_seed_and_what_was_not_run_are_left_out() -> None:
    assert report(effect(seeds=1, seed_deviation=None), effect(seeds=0, seed_deviation=None)) == []
