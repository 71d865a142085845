"""Oracles: the bytes on disk, pandas's own types."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.store.locks import Busy, Lost
from converse.experiments.store.speed_rows import CASE_COLUMNS, RUN_COLUMNS, SPEED_COLUMNS, case_label

DESCRIPTION = dict.fromkeys(RUN_COLUMNS) | {"suite": "speed", "threads": 2, "time": "2026-01-01T00:00:00Z"}
ROW = {"subject": "converse", "twin": False, "height": 64, "median_s": 0.5, "turns_s": [0.4, 0.5, 0.6], "status": "ok"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_rows_come_back_with_what_their_run_shares(store: Store) -> None:
    folder = store.speed.folder("b", DESCRIPTION)
    folder.add([ROW, {**ROW, "height": 32}])
    folder.add([{**ROW, "median_s": 0.25}])  # measured again: the later one counts
    store.speed.folder("a", {**DESCRIPTION, "time": "2026-01-02T00:00:00Z"}).add([ROW])
    rows = Store(store.root, create=False).speed_rows()
    assert tuple(rows.columns) == SPEED_COLUMNS
    assert list(rows["run"]) == ["b", "b", "a"]
    assert list(rows["median_s"]) == [0.25, 0.5, 0.5]
    assert list(rows["turns_s"][0]) == [0.4, 0.5, 0.6]
    assert list(rows["threads"]) == [2, 2, 2]
    assert len(store.speed_rows(["a"])) == 1


def test_types_do_not_depend_on_content(store: Store) -> None:
    empty = store.speed_rows()
    store.speed.folder("a", DESCRIPTION).add([ROW])
    full = store.speed_rows()
    assert tuple(empty.columns) == SPEED_COLUMNS
    assert list(empty.dtypes) == list(full.dtypes)
    assert str(full["height"].dtype) == "Int64"
    assert set(CASE_COLUMNS) < set(full.columns)


def test_a_run_is_made_once(store: Store) -> None:
    store.speed.folder("a", DESCRIPTION).add([ROW])
    again = store.speed.folder("a", {**DESCRIPTION, "threads": 7})
    assert again.description()["threads"] == 2
    assert json.loads((again.path / "run.json").read_text())["schema"] == 1
    assert [path.name for path in (store.root / "speed").iterdir()] == ["a"]


def test_a_torn_line_costs_that_line(store: Store) -> None:
    folder = store.speed.folder("a", DESCRIPTION)
    folder.add([ROW])
    with (folder.path / "rows.jsonl").open("a") as file:
        file.write('{"subject": "conv')
    folder.add([{**ROW, "subject": "convt"}])
    assert list(store.speed_rows()["subject"]) == ["converse", "convt"]


def test_a_newer_schema_and_a_missing_description_are_refused(store: Store) -> None:
    folder = store.speed.folder("a", DESCRIPTION)
    (folder.path / "run.json").write_text('{"schema": 99}')
    with pytest.raises(StoreError, match="schema 99"):
        store.speed_rows()
    (folder.path / "run.json").unlink()
    with pytest.raises(StoreError, match=r"run\.json is missing"):
        store.speed_rows()


def test_one_process_measures_at_a_time(store: Store) -> None:
    folder = store.speed.folder("a", DESCRIPTION)
    with folder.lock(), pytest.raises(Busy), folder.lock():
        pass


def test_many_at_once_make_one_run(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = {made.path for made in pool.map(lambda _: store.speed.folder("a", DESCRIPTION), range(32))}
    assert [path.name for path in (store.root / "speed").iterdir()] == [path.name for path in found] == ["a"]


def test_who_lost_a_run_adds_nothing_to_it(store: Store) -> None:
    folder = store.speed.folder("a", DESCRIPTION)
    with folder.lock():
        folder.add([ROW])
        (claim,) = folder.path.glob(".owner-*")
        claim.rename(folder.path / ".writing-gone")  # as a new owner does
        with pytest.raises(Lost):
            folder.add([{**ROW, "subject": "convt"}])
    assert list(store.speed_rows()["subject"]) == ["converse"]


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ({"batch": 1, "channels": 64, "height": 256, "width": 128}, "1×64×256×128"),
        ({"batch": 2, "channels": 3, "height": 8, "width": 8, "kernel_size": 5, "scale": 2}, "2×3×8×8 k=5 s=2"),
        (
            {"batch": 1, "channels": 1, "height": 8, "width": 8, "dtype": "bfloat16", "compiled": True},
            "1×1×8×8 bfloat16 compiled",
        ),
    ],
)
def test_the_label_of_a_case(case: dict[str, object], label: str) -> None:
    assert case_label({"kernel_size": None, "scale": 1, "dtype": "float32", "compiled": False, **case}) == label
