"""Which trials stand in one table. Oracle: small stores, and the tables that a reader would make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from converse.analysis.studies import Study, studies
from converse.experiments.store.requests import RequestedEntry, Standard, StoredRequest
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.trials import NUMERICS_VERSION, Trial

CPU = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "threads": 1}
GPU = {"device": "cuda", "model": "A GPU", "precision": "float32", "torch": "2.14"}


def trial(entry: str, seed: int, lr: float = 0.1, platform: dict[str, Any] = CPU) -> Trial:
    return Trial("denoising", entry, "trained", seed, "quick", {"net": entry, "lr": lr}, {}, platform=platform)


def request(
    trials: list[tuple[Trial, str]], suite: str = "mine", base: str | None = None, time: str = "1"
) -> StoredRequest:
    names = dict.fromkeys(name for _, name in trials)
    entries = tuple(RequestedEntry(name, name) for name in names)
    asked = tuple((one.id, name, one.seed) for one, name in trials)
    return StoredRequest(suite, "Mine", "", "denoising", "quick", base, entries, asked, time=time)


def rows(*trials: Trial) -> pd.DataFrame:
    found = [
        {
            **dict.fromkeys(ROW_COLUMNS),
            "trial": one.id,
            "entry": one.entry,
            "budget": "x",
            "seed": one.seed,
            "value": 1.0,
        }
        for one in trials
    ]
    return pd.DataFrame(found, columns=list(ROW_COLUMNS))


def found(notes: list[StoredRequest], *trials: Trial) -> list[Study]:
    return studies(notes, {one.id: one for one in trials}, rows(*trials))


def test_a_trial_with_two_names_stands_in_both_tables_under_each() -> None:
    one = trial("A", 0)
    suite, ablation = found([request([(one, "A")]), request([(one, "A"), (one, "A: zero")], "abl", "A")], one)
    assert (suite.suite, suite.base, ablation.base) == ("mine", None, "A")
    assert list(suite.rows["entry"]) == ["A"]
    assert list(ablation.rows["entry"]) == ["A", "A: zero"]
    assert set(ablation.rows["budget"]) == {"quick"}


def test_more_seeds_later_belong_to_the_same_study() -> None:
    first, second = trial("A", 0), trial("A", 1)
    (one,) = found([request([(second, "A")], time="2"), request([(first, "A")], time="1")], first, second)
    assert one.trials == ((first.id, "A", 0), (second.id, "A", 1))


def test_what_the_suite_asks_is_that_of_the_newest_request_that_says_so() -> None:
    one, other = trial("A", 0), trial("B", 0)
    older = replace(request([(other, "B")], time="1"), standard=Standard({"B": "A"}, 0.5, {"B": True}))
    newer = replace(request([(one, "A")], time="2"), standard=Standard({"A": "A"}, 0.3, {"A": False}))
    (study,) = found([request([(one, "A")], time="3"), newer, older], one, other)
    assert study.standard == Standard({"A": "A", "B": "A"}, 0.3, {"A": False, "B": True})
    (study,) = found([request([(one, "A")])], one)
    assert study.standard is None


def test_an_edited_suite_is_another_study_and_the_older_one_is_marked() -> None:
    old, new, other = trial("A", 0, lr=0.2), trial("A", 0), trial("B", 0)
    newer, older = found([request([(new, "A")]), request([(old, "A"), (other, "B")])], old, new, other)
    assert [one.superseded for one in (newer, older)] == [False, True]
    assert newer.trials == ((new.id, "A", 0),)
    assert newer.key != older.key
    said = "the networks or their training were defined otherwise (lr 0.2, there 0.1)"
    assert (newer.apart, older.apart) == ("", said)


def test_two_machines_are_two_studies() -> None:
    here, there = trial("A", 0), trial("A", 0, platform=GPU)
    machines = {one.machine for one in found([request([(here, "A"), (there, "A")])], here, there)}
    assert machines == {"A CPU, 1 thread, float32, torch 2.14", "A GPU, float32, torch 2.14"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"numerics": 5}, f"the code computed otherwise (numerics 5, there {NUMERICS_VERSION})"),
        ({"data": {"Train400": "1" * 64}}, "the training images were others (Train400)"),
        ({"operator_file": "1" * 64}, "the file of the operator was another"),
        ({"platform": {**CPU, "threads": 2}}, "the kind of machine was another (threads 2, there 1)"),
    ],
    ids=["code", "data", "operator", "machine"],
)
def test_a_second_chapter_says_truly_what_sets_it_apart(changes: dict[str, Any], said: str) -> None:
    new = trial("A", 0)
    old = replace(new, **changes)
    studies_found = found([request([(new, "A")], time="2"), request([(old, "A")], time="1")], new, old)
    assert sorted(one.apart for one in studies_found) == ["", said]


def test_trials_without_a_note_are_shown_under_their_own_names() -> None:
    same, first, second = trial("A", 0), trial("B", 0), trial("B", 0, lr=0.2)
    (one,) = found([], same, first, second)
    assert {name for _, name, _ in one.trials} == {"A", "B (1)", "B (2)"}
    assert one.suite == ""


def test_a_note_about_trials_that_are_not_here_makes_no_study() -> None:
    assert found([request([(trial("A", 0), "A")])]) == []


def test_released_weights_belong_to_no_study() -> None:
    one = replace(trial("A", 0), source="released", seed=None, budget=None, weights="0" * 64)
    assert found([request([(one, "A")])], one) == []
