"""Oracles: ratios and means written down by hand."""

from __future__ import annotations

import math

import pytest

from converse.analysis.gate.rounds import place, records_of, series, subjects_of
from converse.experiments.speed.cases import YARDSTICK
from tests.analysis.gate.speed_made import CASE, STEP, rounds


def test_a_ratio_for_each_round_beside_the_mean_of_both_copies() -> None:
    rows = rounds(2, spread=0)
    turns: list[list[float]] = list(rows["turns_s"])
    for run, own, first, twin in (("run-0", 3.0, 2.0, 8.0), ("run-1", 6.0, 4.0, 9.0)):
        for subject, is_twin, seconds in (("converse", False, own), (YARDSTICK, False, first), (YARDSTICK, True, twin)):
            mine = (rows["run"] == run) & (rows["subject"] == subject) & (rows["twin"] == is_twin)
            for index in rows.index[mine & (rows["sweep"] == "operator")]:
                turns[index] = [seconds] * 5
    rows["turns_s"] = turns
    found = series(records_of(rows), "converse", YARDSTICK, CASE.columns())
    assert found.ratios("time") == pytest.approx([math.log(3 / 4), math.log(6 / 6)])
    assert found.means("time") == pytest.approx((math.sqrt(4 * 6), math.sqrt(3 * 6)))
    assert (found.trouble, found.beside_trouble, found.skipped) == (None, None, False)


def test_a_machine_that_changes_its_pace_does_not_change_the_ratio() -> None:
    """Turn for turn the subject takes three quarters of the other's time; the machine grows slower meanwhile."""
    rows = rounds(1, spread=0)
    pace = [1.0, 1.1, 1.5, 2.0, 3.0]
    turns: list[list[float]] = list(rows["turns_s"])
    for index, row in rows.iterrows():
        turns[int(str(index))] = [(3.0 if row["subject"] == "converse" else 4.0) * one for one in pace]
    # One turn of the subject was disturbed, and the other's last turn is missing.
    mine = rows.index[(rows["subject"] == "converse") & (rows["sweep"] == "operator")][0]
    other = rows.index[(rows["subject"] == YARDSTICK) & (rows["sweep"] == "operator") & rows["twin"]][0]
    turns[mine] = [turns[mine][0] * 9, *turns[mine][1:]]
    turns[other] = turns[other][:4]
    rows["turns_s"] = turns
    (ratio,) = series(records_of(rows), "converse", YARDSTICK, CASE.columns()).ratios("time")
    assert ratio == pytest.approx(math.log(3 / 4))


def test_the_least_of_the_copies_peaks_counts() -> None:
    rows = rounds(2)
    twin = rows["twin"] & (rows["run"] == "run-0") & (rows["sweep"] == "operator")
    rows.loc[twin, "peak_bytes"] = 4_000_000
    found = series(records_of(rows), "converse", YARDSTICK, CASE.columns())
    assert found.ratios("memory") == pytest.approx([math.log(5 / 4), math.log(5 / 6)])
    assert found.means("memory") == pytest.approx((math.sqrt(24e12), 5e6))


def test_what_two_copies_of_the_other_differ_by() -> None:
    rows = rounds(2, spread=0)
    turns: list[list[float]] = list(rows["turns_s"])
    for run, factor, peak in (("run-0", 1.5, 8_000_000), ("run-1", 0.9, 6_000_000)):
        twin = (rows["run"] == run) & (rows["subject"] == YARDSTICK) & rows["twin"] & (rows["sweep"] == "operator")
        first = (rows["run"] == run) & (rows["subject"] == YARDSTICK) & ~rows["twin"] & (rows["sweep"] == "operator")
        turns[rows.index[twin][0]] = [factor * one for one in turns[rows.index[first][0]]]
        rows.loc[twin, "peak_bytes"] = peak
    rows["turns_s"] = turns
    found = series(records_of(rows), "converse", YARDSTICK, CASE.columns())
    assert found.equal_differ("time") == pytest.approx(math.sqrt(1.5 * 0.9) - 1)
    assert found.equal_differ("memory") == pytest.approx(math.sqrt(8 / 6) - 1)
    rows.loc[rows["twin"], "peak_bytes"] = None
    assert series(records_of(rows), "converse", YARDSTICK, CASE.columns()).equal_differ("memory") == 0
    alone = series(records_of(rows.loc[~rows["twin"]]), "converse", YARDSTICK, CASE.columns())
    assert alone.equal_differ("time") == 0


def test_memory_below_what_the_system_counts_exactly_is_equal() -> None:
    rows = rounds(1, larger={"converse": 1e-3, YARDSTICK: 1e-2})
    assert series(records_of(rows), "converse", YARDSTICK, CASE.columns()).ratios("memory") == (0.0,)
    rows["peak_bytes"] = 0
    assert series(records_of(rows), "converse", YARDSTICK, CASE.columns()).means("memory") == (2**20, 2**20)


def test_where_the_system_does_not_tell_memory_there_is_none() -> None:
    rows = rounds(2)
    rows.loc[rows["twin"], "peak_bytes"] = None
    found = series(records_of(rows), "converse", YARDSTICK, CASE.columns())
    assert len(found.pairs) == 2
    assert found.ratios("memory") == ()
    assert math.isnan(found.means("memory")[1])


def test_what_went_wrong_in_one_round() -> None:
    rows = rounds(3)
    failed = (rows["run"] == "run-1") & (rows["subject"] == "converse")
    rows.loc[failed, ["status", "reason"]] = ["failed", "ValueError: no"]
    found = series(records_of(rows), "converse", YARDSTICK, CASE.columns())
    assert (len(found.pairs), found.trouble, found.skipped) == (2, "ValueError: no", False)
    rows.loc[failed, ["status", "reason"]] = ["skipped", "too long"]
    assert series(records_of(rows), "converse", YARDSTICK, CASE.columns()).skipped
    none = series(records_of(rows), "conv", YARDSTICK, CASE.columns())
    assert (none.pairs, none.trouble) == ((), "it was not measured")


def test_cases_and_their_words() -> None:
    found = subjects_of(records_of(rounds(2)))
    assert [row["subject"] for row in found] == [YARDSTICK, "converse", YARDSTICK, "Converse-DnCNN"]
    assert place(CASE.columns()) == "evaluation, 1×64×64×64 k=5"
    assert place(STEP.columns()) == "step, 1×1×64×64"
