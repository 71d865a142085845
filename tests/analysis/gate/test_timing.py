"""Oracles: made-up rounds of which the truth is known; how often an answer is right, counted; Student's t by hand."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.gate.findings import INCONCLUSIVE, NOT_MEASURED, PASSED, REGRESSED, Finding, exit_status
from converse.analysis.gate.speed_table import SpeedTable
from converse.analysis.gate.timing import (
    BOUNDS,
    ELSEWHERE,
    MARGIN,
    ROUNDS,
    Held,
    against_file,
    against_other,
    expected_ratio,
    judge,
    speed_cases,
)
from converse.experiments.speed.cases import YARDSTICK
from tests.analysis.gate.speed_made import CASE, SUBJECTS, rounds

MACHINE: dict[str, Any] = {
    "device": "cpu",
    "model": "A CPU",
    "capability": "AVX2",
    "threads": 1,
    "torch": "2.9.0",
    "driver": "",
}
BASE = "main"
T_99 = {4: 4.604, 11: 3.106}
"""Student's t that is passed in one case of two hundred, from a printed table."""


def table(rows: pd.DataFrame | None = None, **elsewhere: pd.DataFrame) -> SpeedTable:
    cases, lacking = speed_cases(rounds(12, seed=1) if rows is None else rows, YARDSTICK, elsewhere)
    assert not lacking
    return SpeedTable(suite="gate", budget="quick", rounds=12, cases=cases, **MACHINE)


def said(held: list[Held]) -> list[tuple[str, str, str]]:
    return [(one.finding.aspect, one.finding.subject, one.finding.outcome) for one in held]


def answer(held: list[Held]) -> int:
    return exit_status([one.finding for one in held])


EQUAL = [
    ("time", "converse", "passed"),
    ("memory", "converse", "passed"),
    ("time", "Converse-DnCNN", "passed"),
    ("memory", "Converse-DnCNN", "passed"),
]


def test_nothing_has_changed() -> None:
    held = against_file(table(), rounds())
    assert said(held) == EQUAL
    assert answer(held) == PASSED
    assert not any(one.open for one in held)
    finding = held[0].finding
    assert finding.before == pytest.approx(0.25, rel=0.02)
    assert finding.low < finding.change < finding.high
    assert finding.now == pytest.approx(float(finding.before or 0) * (1 + finding.change))
    assert (finding.allowed, finding.sure) == (0.05, "99 % interval of 5 rounds")
    assert finding.place == "evaluation, 1×64×64×64 k=5"
    said_times = (
        r"less than 12%, the whole interval; a call takes (0\.99\d|1(\.0\d+)?) ms, and took (0\.99\d|1(\.0\d+)?) ms"
    )
    assert re.fullmatch(said_times, finding.reason)


def test_an_operator_that_is_a_fifth_slower() -> None:
    held = against_file(table(), rounds(slower={"converse": 1.2}), look="converse speed gate")
    assert said(held) == [("time", "converse", "regressed"), *EQUAL[1:]]
    assert held[0].finding.change == pytest.approx(0.2, abs=0.03)
    assert held[0].finding.look == "converse speed gate"
    assert answer(held) == REGRESSED


def test_memory_that_is_15_percent_larger() -> None:
    held = against_file(table(), rounds(larger={"Converse-DnCNN": 1.15}))
    assert said(held) == [*EQUAL[:3], ("memory", "Converse-DnCNN", "regressed")]
    assert held[-1].finding.change == pytest.approx(0.15, rel=1e-3)


def test_what_is_faster_is_better() -> None:
    held = against_file(table(), rounds(slower={"converse": 0.8}))
    assert said(held) == [("time", "converse", "better"), *EQUAL[1:]]
    assert answer(held) == PASSED


def test_a_slower_machine_is_no_slower_subject() -> None:
    slower = dict.fromkeys((YARDSTICK, "converse", "Converse-DnCNN"), 3.0)
    assert said(against_file(table(), rounds(slower=slower))) == EQUAL


def test_a_case_that_is_gone_and_one_that_is_new() -> None:
    held = against_file(table(), rounds(subjects=SUBJECTS[:1]))
    assert said(held)[2:] == [("presence", "Converse-DnCNN", "regressed")]
    assert "the case is gone" in held[-1].finding.reason
    rows = rounds()
    held = against_file(table(), rows.loc[rows["subject"] != "Converse-DnCNN"])
    assert said(held)[2:] == [("presence", "Converse-DnCNN", "regressed")]
    assert held[-1].finding.reason == "it was not measured"
    held = against_file(table(rounds(12, subjects=SUBJECTS[:1])), rounds())
    assert said(held)[2:] == [("presence", "Converse-DnCNN", "extra")]
    assert answer(held) == PASSED


@pytest.mark.parametrize(
    ("subject", "status", "outcome"),
    [
        ("converse", "failed", "regressed"),
        ("converse", "out of memory", "regressed"),
        ("converse", "skipped", "not measured"),
        (YARDSTICK, "failed", "not measured"),
    ],
)
def test_what_went_wrong_is_never_a_pass(subject: str, status: str, outcome: str) -> None:
    rows = rounds()
    rows.loc[(rows["subject"] == subject) & (rows["run"] == "run-3"), ["status", "reason"]] = [status, "why not"]
    held = against_file(table(), rows)
    assert held[0].finding.outcome == outcome
    assert held[0].finding.reason.endswith("why not")
    assert answer(held) in (REGRESSED, NOT_MEASURED)


def test_memory_that_the_system_does_not_tell_is_not_measured() -> None:
    rows = rounds()
    rows["peak_bytes"] = None
    assert said(against_file(table(), rows))[1] == ("memory", "converse", "not measured")
    told = against_file(table(rounds(12).assign(peak_bytes=None)), rows)
    assert said(told) == EQUAL[::2]


def test_another_machine_is_given_what_ratios_have_moved_by() -> None:
    moved = rounds(5, slower={"converse": 1.2}, seed=7)
    known = table(None, avx2=moved)
    case = known.cases[0]
    assert case.floor == BOUNDS["time"].floor
    assert case.elsewhere == pytest.approx(1.2**MARGIN - 1, abs=0.04)
    # The network's ratio did not move on that machine, and may on the next.
    assert {one.elsewhere for one in known.cases} == {case.elsewhere}
    assert {one.memory_elsewhere for one in known.cases} == {ELSEWHERE["memory"]}
    differing = known.differences({**MACHINE, "model": "Another CPU", "torch": "2.10.0"})
    assert differing == ("model Another CPU and not A CPU", "torch 2.10.0 and not 2.9.0")
    held = against_file(known, rounds(slower={"converse": 1.2}), differing)
    open_there = [(aspect, subject, "inconclusive") for aspect, subject, _ in EQUAL]
    assert said(held) == open_there
    assert not held[0].open  # more rounds would not help
    assert "here is model Another CPU and not A CPU" in held[0].finding.reason
    assert " ms" not in held[0].finding.reason  # seconds of another device say nothing
    assert "--against" in held[0].finding.reason
    assert said(against_file(known, rounds(slower={"converse": 1.6}), differing))[0][2] == "regressed"
    assert known.differences(MACHINE) == ()


def against(rows: pd.DataFrame) -> list[Held]:
    return against_other(rows, {"converse": BASE}, BASE)


def test_two_versions_that_took_turns() -> None:
    equal = rounds(subjects=SUBJECTS[:1], beside=BASE)
    equal.loc[equal["subject"] == BASE, "peak_bytes"] = 5_000_000
    held = against(equal)
    assert said(held) == EQUAL[:2]
    time, memory = (one.finding for one in held)
    assert (time.unit, memory.unit, time.what) == ("ms", "MiB", "time of a call, beside main")
    assert time.before == pytest.approx(1.0, rel=0.05)
    assert time.now == pytest.approx(float(time.before or 0) * (1 + time.change))
    assert (memory.before, memory.now, memory.change) == (pytest.approx(5e6 / 2**20), memory.before, 0)
    slower = against(rounds(slower={"converse": 1.15}, subjects=SUBJECTS[:1], beside=BASE))
    assert said(slower)[0] == ("time", "converse", "regressed")


def test_memory_that_is_15_percent_larger_in_turns() -> None:
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE)
    rows["peak_bytes"] = [5_750_000 if name == "converse" else 5_000_000 for name in rows["subject"]]
    held = against(rows)
    assert said(held) == [EQUAL[0], ("memory", "converse", "regressed")]
    assert held[1].finding.change == pytest.approx(0.15, rel=1e-3)


def test_what_two_equal_copies_differ_by_is_no_difference() -> None:
    """The other version's copies lie 9 % apart in time, and as far in memory, in each round."""
    for own, outcome in ((1.07, "passed"), (1.2, "regressed")):
        rows = rounds(slower={"converse": own}, subjects=SUBJECTS[:1], beside=BASE, spread=0.0)
        rows["turns_s"] = [
            [(1.09 if twin else 1.0) / 1.09**0.5 * one if name == BASE else one for one in turns]
            for name, twin, turns in zip(rows["subject"], rows["twin"], rows["turns_s"], strict=True)
        ]
        rows["peak_bytes"] = [
            round(5e6 * (own if name == "converse" else 1.08 if twin else 1.0))
            for name, twin in zip(rows["subject"], rows["twin"], strict=True)
        ]
        time, memory = (one.finding for one in against(rows))
        assert (time.outcome, memory.outcome) == (outcome, outcome)
        assert time.allowed == pytest.approx(0.09, abs=0.02)
        assert memory.allowed == pytest.approx(0.08, abs=1e-3)
    assert against(rounds(subjects=SUBJECTS[:1], beside=BASE, spread=0.0))[0].finding.allowed == 0.05


def test_copies_that_are_too_far_apart_pass_nothing_and_ask_for_more() -> None:
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE)
    rows["peak_bytes"] = [7_000_000 if twin else 5_000_000 for twin in rows["twin"]]
    memory = against(rows)[1]
    assert (memory.finding.outcome, memory.open) == ("inconclusive", True)
    assert "equal runs may differ by 40%" in memory.finding.reason


def test_memory_of_one_version_alone_is_not_measured_and_of_neither_is_mentioned() -> None:
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE)
    rows["peak_bytes"] = [None if name == BASE else 5_000_000 for name in rows["subject"]]
    held = against(rows)
    assert said(held) == [EQUAL[0], ("memory", "converse", "not measured")]
    assert answer(held) == NOT_MEASURED
    held = against(rows.assign(peak_bytes=None))
    assert said(held) == [EQUAL[0], ("memory", "converse", "extra")]
    assert answer(held) == PASSED


def test_a_time_that_no_round_has_of_both_is_not_measured_whatever_the_system_tells_of_memory() -> None:
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE).assign(peak_bytes=None)
    rows.loc[rows["subject"] == BASE, "run"] = "another"
    held = against(rows)
    assert said(held) == [("time", "converse", "not measured"), ("memory", "converse", "extra")]
    assert held[0].finding.reason == "no round timed both"
    assert answer(held) == NOT_MEASURED


def test_what_only_one_version_can_do() -> None:
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE)
    rows.loc[rows["subject"] == BASE, ["status", "reason"]] = ["failed", "OptionError: unknown"]
    (new,) = against(rows)
    assert (new.finding.outcome, new.finding.reason) == ("extra", "main has nothing to compare: OptionError: unknown")
    assert answer([new]) == NOT_MEASURED
    rows.loc[:, ["status", "reason"]] = ["failed", "both"]
    assert said(against(rows)) == [("presence", "converse", "not measured")]
    rows = rounds(subjects=SUBJECTS[:1], beside=BASE)
    rows.loc[rows["subject"] == "converse", ["status", "reason"]] = ["failed", "ValueError: now"]
    assert said(against(rows)) == [("presence", "converse", "regressed")]


def test_of_one_round_nothing_is_said_and_of_wild_ones_more_are_asked_for() -> None:
    for count, spread in ((1, 0.01), (5, 0.3)):
        held = against_file(table(), rounds(count, spread=spread))
        assert held[0].finding.outcome == "inconclusive"
        assert held[0].open
        assert answer(held) == INCONCLUSIVE


def test_the_interval_is_students() -> None:
    values = [0.01, -0.02, 0.03, 0.0, 0.02]
    found = judge(values, 0.0, "time")
    half = T_99[4] * np.std(values, ddof=1) / math.sqrt(5)
    assert math.log1p(found.change) == pytest.approx(np.mean(values))
    assert math.log1p(found.high) - math.log1p(found.change) == pytest.approx(half, rel=1e-3)
    assert math.log1p(found.change) - math.log1p(found.low) == pytest.approx(half, rel=1e-3)
    point = judge([0.3] * 4, 0.3, "memory")
    assert (point.outcome, point.low, point.change, point.high) == ("passed", 0, 0, 0)


def test_the_floor_is_what_a_mean_is_uncertain_by() -> None:
    values = np.random.default_rng(0).normal(0, 0.08, 12)
    expected = T_99[11] * values.std(ddof=1) / math.sqrt(12)
    ratio, floor = expected_ratio([values.tolist()], "time")
    assert ratio == pytest.approx(values.mean())
    assert floor == pytest.approx(math.expm1(expected), rel=1e-3)
    assert expected_ratio([(values / 100).tolist()], "time")[1] == BOUNDS["time"].floor


def test_the_floor_holds_what_a_busy_machine_moves() -> None:
    values = np.random.default_rng(0).normal(0, 0.08, 12)
    mean, half = values.mean(), T_99[11] * values.std(ddof=1) / math.sqrt(12)
    ratio, floor = expected_ratio([values.tolist(), (values / 2 + 0.1).tolist()], "time")
    between = (mean + mean / 2 + 0.1) / 2
    assert ratio == pytest.approx(between)
    assert floor == pytest.approx(math.expm1(between - mean + half), rel=1e-3)


def test_a_machine_whose_ratios_another_process_moves_passes_alone_and_busy() -> None:
    alone, busy = rounds(12, seed=1), rounds(12, seed=2, slower={"converse": 1.1})
    cases, _ = speed_cases(alone, YARDSTICK, {}, busy)
    made = SpeedTable(suite="gate", budget="quick", rounds=12, cases=cases, **MACHINE)
    for now in (rounds(), rounds(slower={"converse": 1.1})):
        assert said(against_file(made, now)) == EQUAL
    assert said(against_file(made, rounds(slower={"converse": 1.25})))[0] == ("time", "converse", "regressed")


def test_a_baseline_that_is_too_noisy_passes_nothing() -> None:
    found = judge([0.0] * 5, 0.0, "time", floor=0.2)
    assert (found.outcome, found.open) == ("inconclusive", False)
    assert judge([0.5] * 5, 0.0, "time", floor=0.2).outcome == "regressed"


def test_a_baseline_of_what_failed() -> None:
    rows = rounds()
    rows.loc[rows["subject"] == "converse", ["status", "reason"]] = ["failed", "ValueError: no"]
    cases, lacking = speed_cases(rows, YARDSTICK, {})
    assert [case.subject for case in cases] == ["Converse-DnCNN"]
    assert lacking == ("converse, evaluation, 1×64×64×64 k=5: ValueError: no",)
    assert speed_cases(rounds(2), YARDSTICK, {})[0] == ()


@given(
    ratios=st.lists(st.floats(-1, 1), min_size=2, max_size=12),
    shift=st.floats(-3, 3),
    floor=st.floats(0, 0.3),
)
def test_a_factor_of_both_changes_nothing(ratios: list[float], shift: float, floor: float) -> None:
    one = judge(ratios, 0.0, "time", floor)
    other = judge([ratio + shift for ratio in ratios], shift, "time", floor)
    assert other.change == pytest.approx(one.change, abs=1e-9)
    assert other.high == pytest.approx(one.high, rel=1e-6, abs=1e-6)


@given(ratios=st.lists(st.floats(-1, 1), min_size=1, max_size=12), floor=st.floats(0, 0.3))
def test_an_answer_is_what_its_interval_says(ratios: list[float], floor: float) -> None:
    found = judge(ratios, 0.0, "time", floor)
    if found.outcome == "regressed":
        assert found.low > found.floor
    if found.outcome == "passed":
        assert found.high < BOUNDS["time"].unseen
        assert found.low <= found.floor
    if found.outcome == "better":
        assert found.high < 0


def outcomes(change: float, spread: float, tail: float | None, repetitions: int = 100) -> Counter[str]:
    """How often which answer comes, of checks that go on up to twelve rounds.

    Args:
        change: by how much the subject is slower, a share.
        spread: standard deviation of a round's ratio.
        tail: degrees of freedom of Student's t, whose few are wild rounds; ``None`` for normal ones.
        repetitions: of the check.
    """
    rng = np.random.default_rng(0)
    found: Counter[str] = Counter()
    for _ in range(repetitions):
        noise = rng.normal(size=12) if tail is None else rng.standard_t(tail, 12) / math.sqrt(tail / (tail - 2))
        ratios = (math.log1p(change) + spread * noise).tolist()
        looks = (judge(ratios[:count], 0.0, "time") for count in range(ROUNDS, 13))
        judged: Any = None
        for judged in looks:
            if not judged.open:
                break
        found[judged.outcome] += 1
    return found


@pytest.mark.parametrize("tail", [None, 3.0], ids=["normal", "wild"])
@pytest.mark.parametrize("spread", [0.015, 0.05], ids=["quiet", "busy"])
def test_equal_runs_pass_and_planted_slowdowns_are_seen(spread: float, tail: float | None) -> None:
    equal = outcomes(0.0, spread, tail)
    assert equal["regressed"] + equal["better"] <= 1
    assert equal["inconclusive"] <= 5
    assert outcomes(0.15, spread, tail)["passed"] == 0
    assert outcomes(0.15, spread, tail)["regressed"] >= 93
    assert outcomes(0.20, spread, tail)["regressed"] >= 97


def test_where_nothing_can_be_seen_nothing_is_said() -> None:
    found = outcomes(0.0, 0.2, None)
    assert found["regressed"] + found["better"] <= 2
    assert found["inconclusive"] > 50
    assert outcomes(0.15, 0.2, None)["passed"] <= 2


def test_findings_are_those_of_the_gate() -> None:
    assert all(isinstance(one.finding, Finding) for one in against_file(table(), rounds()))
    assert CASE.columns()["padding"] == table().cases[0].columns["padding"] == 4
