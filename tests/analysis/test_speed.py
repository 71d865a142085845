"""Oracles: arithmetic by hand, times that grow by a known law, noise of a known distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converse.analysis.speed import (
    DERIVED_COLUMNS,
    GROWTH_COLUMNS,
    SMALLEST_FLOOR,
    Comparison,
    SpeedVerdict,
    compare,
    compare_runs,
    comparisons,
    different_machines,
    growth,
    measured,
    noise_floor,
    run_comparisons,
    settled,
)
from converse.errors import OptionError
from converse.experiments.store.speed_rows import SPEED_COLUMNS, speed_frame

TURNS = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99]


def row(subject: str = "converse", seconds: float = 0.002, **changes: Any) -> dict[str, Any]:
    turns = [seconds * turn for turn in TURNS]
    given = {
        "run": "r1",
        "device": "cpu",
        "model": "A",
        "threads": 2,
        "torch": "2.14",
        "subject": subject,
        "kind": "limit" if subject == "fft-pair" else "operator",
        "twin": False,
        "sweep": "size",
        "pass": "evaluation",
        "channels": 8,
        "kernel_size": 5,
        "scale": 1,
        "padding": 4,
        "batch": 2,
        "height": 100,
        "width": 50,
        "dtype": "float32",
        "compiled": False,
        "median_s": seconds,
        "turns_s": turns,
        "peak_bytes": 40_000,
        "status": "ok",
    }
    return {**given, **changes}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return speed_frame(rows)


def test_what_follows_from_a_row() -> None:
    found = measured(frame(row(scale=2), row("fft-pair", 0.001, scale=2), row(twin=True, scale=2)))
    assert list(found.columns) == [*SPEED_COLUMNS, *DERIVED_COLUMNS]
    assert list(found["subject"]) == ["converse", "fft-pair"]
    ours, limit = (found.iloc[index] for index in (0, 1))
    assert ours["images_per_s"] == pytest.approx(1000)  # 2 in 2 ms
    assert ours["mpixel_per_s"] == pytest.approx(20)  # 2 · 200 · 100 in 2 ms
    assert ours["ns_per_pixel"] == pytest.approx(50)
    assert ours["bytes_per_pixel"] == 1
    assert ours["fraction_of_limit"] == pytest.approx(0.5)
    assert limit["fraction_of_limit"] == 1
    assert ours["noise_floor"] == limit["noise_floor"] == SMALLEST_FLOOR


def test_what_was_not_measured_is_not_a_number() -> None:
    found = measured(frame(row(median_s=None, turns_s=None, status="out of memory", reason="limit of 1 GiB")))
    assert found[list(DERIVED_COLUMNS)].drop(columns="bytes_per_pixel").isna().all(axis=None)
    assert measured(frame()).empty


def test_each_case_and_run_has_its_own_limit() -> None:
    rows = [row(), row("fft-pair", 0.001, **{"pass": "forward"}), row("fft-pair", 0.001, run="r2")]
    assert math.isnan(measured(frame(*rows))["fraction_of_limit"][0])


LOOKS = (15, 30, 60, 120, 240)


def one_by_one(rng: np.random.Generator, spread: float, stalls: bool, factor: float) -> Comparison:
    """As turns are taken: drift common to a turn, spread, stalls of a heavy tail in a third of all turns."""
    drift = np.exp(np.cumsum(rng.normal(0, 0.02, LOOKS[-1])) + np.linspace(0, 0.7, LOOKS[-1]))

    def taken() -> np.ndarray[Any, np.dtype[np.float64]]:
        noise = rng.lognormal(0, spread, LOOKS[-1])
        stalled = np.where(rng.random(LOOKS[-1]) < 0.3, 1 + rng.pareto(1.0, LOOKS[-1]), 1.0)
        return drift * noise * (stalled if stalls else 1.0)

    subjects = taken(), taken(), factor * taken()
    for look in LOOKS:
        turns = [seconds[:look].tolist() for seconds in subjects]
        if settled(turns):
            break
    return compare(turns[0], turns[2], noise_floor(turns[0], turns[1]))


@pytest.mark.parametrize(("spread", "stalls"), [(0.01, False), (0.02, True)], ids=["drift", "heavy-tail"])
def test_equal_subjects_are_called_equal_95_times_of_100(spread: float, stalls: bool) -> None:
    rng = np.random.default_rng(0)
    found = [one_by_one(rng, spread, stalls, 1.0).verdict for _ in range(100)]
    assert found.count("equal") >= 95


@pytest.mark.parametrize(("verdict", "factor"), [("slower", 1.1), ("faster", 1 / 1.1)])
def test_a_tenth_is_seen_through_drift(verdict: SpeedVerdict, factor: float) -> None:
    rng = np.random.default_rng(0)
    found = [one_by_one(rng, 0.01, False, factor).verdict for _ in range(100)]
    assert found.count(verdict) >= 95


def test_under_heavy_tails_a_tenth_is_mostly_seen_and_otherwise_inconclusive() -> None:
    rng = np.random.default_rng(0)
    found = [one_by_one(rng, 0.02, True, 1.1).verdict for _ in range(30)]
    assert found.count("slower") >= 20
    assert set(found) <= {"slower", "inconclusive"}


def test_verdicts_are_never_wrong_by_much_noise() -> None:
    """A difference that drowns is inconclusive."""
    rng = np.random.default_rng(1)
    first, twin, second = (rng.lognormal(0, 1, 9).tolist() for _ in range(3))
    found = compare(first, [1.1 * seconds for seconds in second], noise_floor(first, twin))
    assert found.verdict == "inconclusive"
    assert "interval reaches too far" in str(found.reason)
    assert not settled([first, twin, second])


def test_a_case_of_one_subject_is_settled() -> None:
    assert settled([[1.0], [1.0]])
    assert settled([[1.0]])


def test_the_ratio_is_that_of_the_shorter_turns() -> None:
    """Turns that others held up, here most of them and of one subject alone, change nothing."""
    first = np.linspace(1.0, 1.01, 100)
    second = np.where(np.arange(100) < 40, 1.2 * first, 7.0)
    found = compare(first.tolist(), second.tolist(), 0.05)
    assert found.ratio == pytest.approx(1.2, rel=0.01)
    assert found.verdict == "slower"
    assert found.low <= found.ratio <= found.high


@pytest.mark.parametrize("turns", [0, 1, 7])
def test_few_turns_say_nothing(turns: int) -> None:
    assert math.isnan(noise_floor([1.0] * turns, [1.0] * turns))
    found = compare([1.0] * turns, [9.0] * turns, 0.05)
    assert found.verdict == "inconclusive"
    assert "few turns" in str(found.reason)


def test_turns_are_paired() -> None:
    with pytest.raises(ValueError, match="got 3 and 4"):
        compare([1.0] * 3, [1.0] * 4, 0.1)


def test_runs_are_compared_by_their_shorter_turns() -> None:
    assert compare_runs(TURNS, [1.3 * turn for turn in TURNS[:8]], 0.05).verdict == "slower"
    assert compare_runs(TURNS, TURNS[::-1], 0.05).verdict == "equal"
    assert compare_runs(TURNS, [1.3 * turn for turn in TURNS], 0.05).ratio == pytest.approx(1.3)


def test_subjects_of_a_case_are_held_against_one() -> None:
    rows = frame(
        row(), row(twin=True), row("literal", 0.01), row("literal", 0.01, height=64), row("conv", status="failed")
    )
    found = comparisons(rows, "converse")
    assert list(found["subject"]) == ["literal"]
    assert found.iloc[0]["verdict"] == "slower"
    assert found.iloc[0]["ratio"] == pytest.approx(5)
    with pytest.raises(OptionError, match="did you mean 'converse'"):
        comparisons(rows, "convers")


def test_two_runs_on_one_machine_and_on_two() -> None:
    before = [row(), row(twin=True)]
    after = [row(seconds=0.003, run="r2"), row(seconds=0.003, twin=True, run="r2")]
    found, warning = run_comparisons(frame(*before, *after), "r1", "r2")
    assert list(found["verdict"]) == ["slower"]
    assert warning is None
    elsewhere = [{**one, "device": "cuda", "model": "H"} for one in after]
    assert "model: A, H" in str(run_comparisons(frame(*before, *elsewhere), "r1", "r2")[1])


@pytest.mark.parametrize("change", [{"device": "cuda"}, {"model": "B"}, {"threads": 1}, {"torch": "2.9"}], ids=str)
def test_other_machines_and_settings_raise_a_warning(change: dict[str, Any]) -> None:
    assert different_machines(frame(row(), row("literal"))) is None
    assert next(iter(change)) in str(different_machines(frame(row(), row(**change))))


@pytest.mark.parametrize(
    ("law", "exponent"),
    [
        pytest.param(lambda n: n, 1.0, id="linear"),
        pytest.param(lambda n: n**2, 2.0, id="quadratic"),
        pytest.param(lambda n: n * math.log(n), None, id="n-log-n"),
    ],
)
def test_growth_exponent(law: Any, exponent: float | None) -> None:
    sides = (32, 64, 128, 256)
    rows = [row(seconds=1e-9 * law(side * side), height=side, width=side) for side in sides]
    found = growth(frame(*rows, row("literal")))
    assert list(found.columns) == list(GROWTH_COLUMNS)
    (line,) = found.to_dict("records")
    assert line["exponent"] == pytest.approx(exponent or line["n_log_n"], abs=1e-9)
    assert (line["sizes"], line["smallest"], line["largest"]) == (4, 32, 256)
    assert line["low"] <= line["exponent"] <= line["high"]
    assert 1.1 < line["n_log_n"] < 1.2


def test_subjects_are_fitted_over_the_sizes_that_all_of_them_have() -> None:
    """Two awkward sides of one subject alone, where it takes twice the time, do not bend its fit."""
    sides = (32, 64, 128, 256)
    rows = [row(name, height=side, width=side, seconds=side**2) for name in ("ours", "literal") for side in sides]
    rows += [row("ours", height=side, width=side, seconds=2 * side**2) for side in (248, 249)]
    rows += [row("twice", height=side, width=side, seconds=1.0) for side in (32, 248)]
    found = growth(frame(*rows)).set_index("subject")
    assert set(found.index) == {"ours", "literal"}
    assert found["exponent"].tolist() == pytest.approx([1.0, 1.0])
    assert found["sizes"].tolist() == [4, 4]
    alone = growth(frame(*(one for one in rows if one["subject"] == "ours")))
    assert alone["sizes"].tolist() == [6]
