"""Oracle: the folders of the trials, read one by one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store, files, index
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.index import INDEX, Known, opened
from converse.experiments.store.state import State
from converse.experiments.trials import Trial
from converse.workflows.status import inventory

STATES: tuple[State, ...] = ("planned", "done", "failed", "interrupted", "running")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A trial in each state, enough for an index; what was written a moment ago counts as old."""
    monkeypatch.setattr(index, "WORTH", 1)
    monkeypatch.setattr(index, "_TICK", -60.0)
    made = Store(tmp_path / "runs")
    for seed, state in enumerate(STATES):
        folder = made.folder(Trial("denoising", "DnCNN", "trained", seed, "quick", {}, {}, platform={"device": "cpu"}))
        if state != "planned":
            folder.set_status("running")
            folder.append_rows([{"metric": "parameters", "value": 1.0}])
            folder.set_status(state, "why" if state == "failed" else "")
    return made


def told(store: Store) -> dict[str, Known]:
    with opened(store.root) as found:
        return {folder.id: found.known(folder.id) for folder in store.folders()}


def read(store: Store) -> dict[str, Known]:
    """What the folders say."""
    found = {}
    for folder in store.folders():
        described, status = folder.known()
        own = described or {}
        what = (own.get("task"), own.get("entry"), own.get("source"), own.get("budget"), own.get("seed"))
        when = (status.started, status.resumed, status.finished, status.seconds, status.attempts)
        found[folder.id] = Known(*what, status.state, status.reason, *when)
    return found


def read_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The trials whose folders are read."""
    seen: list[str] = []
    known = TrialFolder.known

    def noted(folder: TrialFolder) -> Any:
        seen.append(folder.id)
        return known(folder)

    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "known", noted)
        told(store)
    return set(seen)


def by_state(store: Store, state: str) -> TrialFolder:
    return next(folder for folder in store.folders() if folder.written_status().state == state)


def test_a_list_is_the_same_with_it(store: Store) -> None:
    first = inventory(store)
    assert (store.root / INDEX).exists()
    assert inventory(store) == first
    (store.root / INDEX).unlink()
    assert inventory(store) == first
    assert sum(line["trials"] for line in first) == len(STATES)


def test_it_says_what_the_folders_say(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(store) == read(store)
    assert (store.root / INDEX).exists()
    assert told(store) == read(store)
    # Whether one that says running is alive is asked each time.
    assert read_anew(store, monkeypatch) == {by_state(store, "running").id}


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


CHANGES: list[tuple[str, str, Callable[[TrialFolder], object]]] = [
    ("status", "failed", lambda folder: folder.set_status("planned")),
    ("rows gone", "done", lambda folder: (folder.path / "rows.parquet").unlink()),
    ("rows torn", "done", lambda folder: cut(folder.path / "rows.parquet")),
    ("status torn", "failed", lambda folder: cut(folder.path / "status.json")),
    ("description gone", "planned", lambda folder: (folder.path / "trial.json").unlink()),
    ("a link", "failed", lambda folder: (folder.path / "link").symlink_to("/")),
]


@pytest.mark.parametrize(("state", "change"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_a_trial_that_has_changed_is_read_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch, state: str, change: Callable[[TrialFolder], object]
) -> None:
    told(store)
    folder, before = by_state(store, state), read(store)
    change(folder)
    assert read(store) != before
    assert told(store) == read(store)


def test_a_trial_that_is_gone_leaves_it(store: Store) -> None:
    told(store)
    gone = by_state(store, "done")
    shutil.rmtree(gone.path)
    by_state(store, "failed").set_status("planned")
    assert told(store) == read(store)
    assert gone.id not in (store.root / INDEX).read_text()


def test_what_changed_a_moment_ago_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes within one tick of a file system's clock have the same time."""
    monkeypatch.setattr(index, "_TICK", 60.0)
    told(store)
    assert not (store.root / INDEX).exists()


def test_a_small_store_has_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "WORTH", len(STATES) + 1)
    assert told(store) == read(store)
    assert not (store.root / INDEX).exists()


VALUES = ["denoising", "DnCNN", "trained", "quick", 1, "done", "", None, None, None, 1.0, 1]
WHOLE: dict[str, Any] = {"format": 2, "trial": ["id"], "stamp": ["stamp"]}
WHOLE |= {name: [value] for name, value in zip(index._COLUMNS, VALUES, strict=True)}
WRONG: list[dict[str, Any]] = [
    {"format": 1, "trials": [["id", "stamp", VALUES]]},
    {"format": 2},
    {**WHOLE, "format": 3},
    {**WHOLE, "stamp": 3},
    {**WHOLE, "trial": {"id": 0}},
    {**WHOLE, "trial": [0]},
    {**WHOLE, "seconds": []},
    {**WHOLE, "reason": ["", ""]},
    *({**WHOLE, key: [value]} for key, value in [
        ("task", None), ("source", 1), ("seed", True), ("seed", "1"), ("state", "running"), ("state", "gone"),
        ("seconds", -1.0), ("seconds", 1e300), ("attempts", 1.5),
    ]),
]  # fmt: skip


def test_what_stands_in_it_is_believed(store: Store) -> None:
    """The others below are not, although their stamps are right."""
    done = by_state(store, "done")
    stamp = index._stamp(index._seen(str(done.path)))
    (store.root / INDEX).write_bytes(files.sealed_line({**WHOLE, "trial": [done.id], "stamp": [stamp], "seed": [7]}))
    assert told(store)[done.id].seed == 7


@pytest.mark.parametrize("content", WRONG, ids=str)
def test_one_that_no_version_wrote_is_made_again(store: Store, content: dict[str, Any]) -> None:
    """A store may come from anybody; the stamps of such an index may be right."""
    done = by_state(store, "done")
    stamp = index._stamp(index._seen(str(done.path)))
    content = {
        **content,
        **({"trial": [done.id]} if content.get("trial") == ["id"] else {}),
        **({"stamp": [stamp]} if content.get("stamp") == ["stamp"] else {}),
    }
    (store.root / INDEX).write_bytes(files.sealed_line(content))
    assert told(store) == read(store)


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff" * 30, None], ids=repr)
def test_a_damaged_one_is_made_again(store: Store, monkeypatch: pytest.MonkeyPatch, damage: bytes | None) -> None:
    told(store)
    path = store.root / INDEX
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"failed", b"funded") if damage is None else damage)
    assert told(store) == read(store)
    assert path.read_bytes() == whole


def test_a_store_that_cannot_be_written_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(files, "write_bytes", write)
    assert told(store) == read(store)
    assert not (store.root / INDEX).exists()
