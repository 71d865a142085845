"""Notes of what was asked for: kept, renewed, put together, and never in the way."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.requests import (
    RequestedEntry,
    RequestedSet,
    Standard,
    StoredRequest,
    merge_notes,
    note,
    notes,
)

ENTRIES = (
    RequestedEntry("A", "A"),
    RequestedEntry("A: zero", "zero", {"options.mode": "zero"}, ("ablation.padding", "zero")),
)
ONE = StoredRequest(
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


REFERENCE = Path(__file__).resolve().parents[3] / "reports" / "reference" / "store"


def test_notes_of_older_versions_keep_their_names() -> None:
    found = notes(Store(REFERENCE, create=False))
    assert {one.id for one in found} == {path.stem for path in (REFERENCE / "asked").iterdir()}
    older = {"block_design", "kernel_init", "padding", "regularization"}  # kept no request in parts
    assert {one.suite for one in found if one.request is None} == older


def test_what_was_asked_for_is_kept_in_parts_and_is_part_of_the_name(store: Store) -> None:
    line = CommandLine("run", "./mine.toml", {"budget": "quick", "seeds": (0, 1), "threads": 2})
    one = dataclasses.replace(ONE, request=line)
    note(store, one)
    assert notes(store) == [one]
    assert len({one.id, ONE.id, dataclasses.replace(one, request=line.changed(threads=1)).id}) == 3
    path = store.root / "asked" / f"{one.id}.json"
    path.write_text(path.read_text().replace('"threads": 2', '"threads": 4'))
    assert notes(store) == []


def test_a_note_without_parts_is_completed_by_the_machine_of_its_trials() -> None:
    old = dataclasses.replace(ONE, command="converse run mine --budget quick --only 'A,λ = 1'")
    line = old.on({"device": "cpu", "threads": 1})
    assert str(line) == "converse run mine --budget quick --only 'A,λ = 1' --device cpu --threads 1"
    assert str(old.on({"device": "cuda"})) == "converse run mine --budget quick --only 'A,λ = 1' --device cuda"
    assert old.on({}) is None
    assert ONE.on({"device": "cpu"}) is None


def test_a_note_says_what_was_in_the_test_sets(store: Store) -> None:
    photos = RequestedSet("photos", "/x/photos", (("one.png", "1"),), (("two.png", "2"),))
    one = dataclasses.replace(ONE, sets=(photos,))
    note(store, one)
    assert notes(store) == [one]
    other = dataclasses.replace(one, sets=(RequestedSet("photos", "/x/photos", (("one.png", "3"),)),))
    assert len({ONE.id, one.id, other.id}) == 3


def test_a_note_says_what_the_suite_asks_before_the_paper_is_judged(store: Store) -> None:
    one = dataclasses.replace(ONE, standard=Standard({"A: zero": "A"}, 0.3, {"A": True, "A: zero": False}))
    note(store, one)
    assert notes(store) == [one]
    assert one.id != ONE.id
    path = store.root / "asked" / f"{one.id}.json"
    path.write_text(path.read_text().replace('"within": 0.3', '"within": "much"'))
    assert notes(store) == []


def test_a_note_of_an_older_version_keeps_its_name(store: Store) -> None:
    # The name is that which version 0.1.0 gave to this note.
    assert ONE.id == "1a3b73281d7ce82a"
    note(store, ONE)
    path = store.root / "asked" / f"{ONE.id}.json"
    found = json.loads(path.read_text())
    assert "sets" not in found
    assert notes(store) == [ONE]


def test_a_note_whose_test_sets_are_nonsense_is_left_out(store: Store) -> None:
    one = dataclasses.replace(ONE, sets=(RequestedSet("photos", "/x/photos", (("one.png", "1"),)),))
    note(store, one)
    path = store.root / "asked" / f"{one.id}.json"
    documents: tuple[Any, ...] = (
        [{}],
        [1],
        7,
        [{"name": "photos", "folder": "", "images": [["one.png"]], "others": []}],
    )
    for nonsense in documents:
        path.write_text(json.dumps({**json.loads(path.read_text()), "sets": nonsense}))
        assert notes(store) == []


def test_a_note_of_names_that_are_not_utf8_has_the_id_of_what_is_read(store: Store) -> None:
    note(store, dataclasses.replace(ONE, suite="caf\udce9/mine.toml"))
    (found,) = notes(store)
    assert found.suite == r"caf\xe9/mine.toml"
    assert (store.root / "asked" / f"{found.id}.json").exists()
