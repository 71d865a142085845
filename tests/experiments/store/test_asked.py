"""Notes of what was asked for: kept, renewed, put together, and never in the way."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.store.asked import Asked, AskedEntry, merge_notes, note, notes

ENTRIES = (AskedEntry("A", "A"), AskedEntry("A: zero", "zero", {"options.mode": "zero"}, ("ablation.padding", "zero")))
ONE = Asked(
    "mine",
    "Mine",
    "",
    "denoising",
    "quick",
    "A",
    ENTRIES,
    (("0" * 16, "A", 0),),
    (("A: zero", "A", "zero"),),
    {"Set12": "not here"},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_a_note_comes_back_as_it_was(store: Store) -> None:
    note(store, dataclasses.replace(ONE, time="2026-01-01T00:00:00Z"))
    assert notes(store) == [dataclasses.replace(ONE, time="2026-01-01T00:00:00Z")]


def test_the_same_request_again_renews_its_time(store: Store) -> None:
    for time in ("2026-01-01", "2026-01-02"):
        note(store, dataclasses.replace(ONE, time=time))
    (found,) = notes(store)
    assert found.time == "2026-01-02"


def test_the_newest_request_comes_first(store: Store) -> None:
    for day, name in enumerate("abc"):
        note(store, dataclasses.replace(ONE, suite=name, time=f"2026-01-0{day + 1}"))
    assert [one.suite for one in notes(store)] == ["c", "b", "a"]


def test_damaged_notes_are_left_out_and_newer_ones_refused(store: Store) -> None:
    note(store, ONE)
    folder = store.root / "asked"
    (folder / "torn.json").write_text("{")
    changed = json.loads((folder / f"{ONE.id}.json").read_text())
    (folder / "other.json").write_text(json.dumps(changed))
    assert notes(store) == [ONE]
    (folder / "newer.json").write_text(json.dumps({**changed, "schema": 99}))
    with pytest.raises(StoreError, match="schema 99"):
        notes(store)


def test_notes_of_two_stores_are_united(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    note(store, dataclasses.replace(ONE, time="2026-01-01"))
    note(other, dataclasses.replace(ONE, time="2026-01-03"))
    note(other, dataclasses.replace(ONE, suite="second", time="2026-01-02"))
    assert merge_notes(store, other) == 2
    assert merge_notes(store, other) == 0
    assert [(one.suite, one.time) for one in notes(store)] == [("mine", "2026-01-03"), ("second", "2026-01-02")]


def test_a_store_without_notes_has_none(store: Store) -> None:
    assert notes(store) == []
