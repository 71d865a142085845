"""Oracles: the bytes that were written, one bit of which is turned; what was put into a store by hand.

``CONVERSE_WHOLE=1 pytest tests/experiments/store/test_checking.py`` turns 400 bits of each file instead of a few.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from converse.errors import StoreError
from converse.experiments.store import Store, files
from converse.experiments.store.checking import Fault, mend_trial, run_faults, store_faults, trial_faults
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import RequestedEntry, RequestedSet, StoredRequest, note
from converse.experiments.store.speed_rows import RUN_COLUMNS
from converse.experiments.training.checkpoints import Checkpoints, Snapshot
from converse.experiments.trials import Trial
from converse.workflows.result_cache import Answer, recall, remember
from converse.workflows.verify import _check_weights as weights
from converse.workflows.verify import verify

FLIPS = 400 if os.environ.get("CONVERSE_WHOLE") else 12
FILES = (
    *("trial.json", "status.json", "provenance.json", "log.txt", "curve.jsonl", "checkpoint.safetensors"),
    *("rows.parquet", "digests.json"),
)


def make(seed: int = 0) -> Trial:
    return Trial("denoising", "DnCNN", "trained", seed, "quick", {"lr": 0.1}, {}, platform={"device": "cpu"})


def row(image: str, value: float = 30.0) -> dict[str, Any]:
    return {"dataset": "set12", "image": image, "image_sha256": image, "metric": "psnr", "value": value}


def fill(folder: TrialFolder, state: str) -> None:
    """A trial with every file that a run leaves."""
    with folder.lock():
        folder.set_status("running")
        folder.log("continues after step 10")
        folder.write_provenance({"commit": "c" * 40, "versions": {"torch": "2.9"}, "threads": 2})
        folder.journal("curve.jsonl").append([{"step": step, "loss": 0.5 / step, "lr": 0.1} for step in (1, 2, 3)])
        checkpoints = Checkpoints(folder)
        checkpoints.write(Snapshot(2, {"weight": torch.arange(6.0)}, {"at": 2}))
        if state == "done":
            checkpoints.write_weights({"weight": torch.arange(12.0).reshape(3, 4)}, 3)
        folder.append_rows([row(f"{number:02}.png", 30 + number / 7) for number in range(12)])
        if state == "failed":
            folder.write_failure("loss became NaN", "Traceback\nDiverged: step 3")
        elif state == "done":
            folder.set_status("done")
            checkpoints.clear()
            (folder.path / "resume").rmdir()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def notices_every_flip(folder: TrialFolder, name: str, faults: Callable[[], list[Fault]]) -> None:
    path = folder.path / name
    whole = path.read_bytes()
    assert faults() == []
    unnoticed = []
    chosen = random.Random(name)
    for bit in sorted(chosen.sample(range(8 * len(whole)), min(FLIPS, 8 * len(whole)))):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        if not faults():
            unnoticed.append((bit, bytes(changed[max(0, bit // 8 - 8) : bit // 8 + 8])))
    path.write_bytes(whole)
    assert unnoticed == []


@pytest.mark.parametrize("name", FILES)
def test_each_bit_of_a_finished_trial_counts(store: Store, name: str) -> None:
    folder = store.folder(make())
    fill(folder, "done")
    notices_every_flip(folder, name, lambda: trial_faults(folder, weights))


@pytest.mark.parametrize("name", ["failure.txt", "rows.jsonl", "curve.jsonl", "log.txt", "status.json"])
def test_each_bit_of_a_failed_trial_counts(store: Store, name: str) -> None:
    folder = store.folder(make())
    fill(folder, "failed")
    notices_every_flip(folder, name, lambda: trial_faults(folder, weights))


@pytest.mark.parametrize("name", ["rows.jsonl", "curve.jsonl", "status.json", "resume/step-000000002.safetensors"])
def test_each_bit_of_a_trial_that_was_killed_counts(store: Store, name: str) -> None:
    """It had no time to say goodbye: lines of journals and training states have checksums of their own."""
    folder = store.folder(make())
    fill(folder, "killed")
    assert "curve.jsonl" not in json.loads((folder.path / "digests.json").read_text())["files"]
    notices_every_flip(folder, name, lambda: trial_faults(folder, weights))


def test_rows_that_were_changed_are_no_numbers(store: Store) -> None:
    """Whatever reads rows for their numbers refuses them."""
    folder = store.folder(make())
    fill(folder, "done")
    path = folder.path / "rows.parquet"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    path.write_bytes(whole)
    for read in (folder.table, folder.rows, store.rows):
        with pytest.raises(StoreError, match="does not have the digest that it was written with"):
            read()
    assert folder.unsound() is not None
    left_out: list[str] = []
    assert store.rows(unreadable=left_out).empty
    assert len(left_out) == 1


def test_rows_of_another_trial_are_refused(store: Store) -> None:
    """Without digests too: a table of a version up to 0.1, put into another trial's folder."""
    mine, theirs = store.folder(make(0)), store.folder(make(1))
    fill(mine, "done")
    fill(theirs, "done")
    shutil.copy(theirs.path / "rows.parquet", mine.path)
    (mine.path / "digests.json").unlink()
    with pytest.raises(StoreError, match=f"it has rows of the trial {theirs.id}"):
        mine.table()
    assert ("rows.parquet", f"has rows of the trial {theirs.id}") in {
        (one.place, one.what) for one in trial_faults(mine, weights)
    }
    with mine.lock():
        mine.set_status("running")
        mine.journal("rows.jsonl").append([{**row("foreign", 99.0), "trial": theirs.id}])
    with pytest.raises(StoreError, match="it has a row of the trial"):
        mine.table()
    with mine.lock():
        assert "foreign" not in set(mine.rows()["image"])


def test_a_trial_without_digests_gets_them_once_and_it_is_said(store: Store) -> None:
    folder = store.folder(make())
    fill(folder, "done")
    (folder.path / "digests.json").unlink()
    before = folder.rows()
    (fault,) = trial_faults(folder, weights)
    assert (fault.place, fault.kind) == ("digests.json", "undigested")
    (mended,) = mend_trial(folder, weights)
    assert mended.mended.startswith("digests written of checkpoint.safetensors, curve.jsonl")
    assert trial_faults(folder, weights) == mend_trial(folder, weights) == []
    assert folder.rows().equals(before)


@pytest.mark.parametrize("name", FILES[1:])
def test_what_is_damaged_is_set_aside_and_then_nothing_is_wrong(store: Store, name: str) -> None:
    folder = store.folder(make())
    fill(folder, "done")
    path = folder.path / name
    damaged = path.read_bytes()[:-9]
    path.write_bytes(damaged)
    assert {one.place for one in trial_faults(folder, weights)} >= {name}
    assert all(one.mended for one in mend_trial(folder, weights))
    asides = [aside.read_bytes() for aside in folder.path.glob("*.damaged-*")]
    if name == "curve.jsonl":  # a line was torn: that one is set aside, and the others stay
        assert [point["step"] for point in folder.journal(name).read()] == [1, 2]
        assert len(asides) == 1
    else:
        assert asides == [damaged]
    assert trial_faults(folder, weights) == []
    assert folder.status().state == {"rows.parquet": "interrupted", "status.json": "planned"}.get(name, "done")


def test_links_pipes_and_devices_are_named_and_never_read(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = store.folder(make())
    fill(folder, "done")
    (folder.path / "log.txt").unlink()
    (folder.path / "log.txt").symlink_to(secret)
    os.mkfifo(folder.path / "curve.jsonl.old")
    (folder.path / "loop").symlink_to(folder.path)
    faults = trial_faults(folder, weights)
    assert {one.place for one in faults} == {"log.txt", "curve.jsonl.old", "loop"}
    assert {one.kind for one in faults} == {"strange"}
    for read in (folder.description, folder.trial, lambda: folder.lock().__enter__()):
        with pytest.raises(StoreError, match="which a store must not have"):
            read()
    assert "which a store must not have" in folder.status().reason
    mended = mend_trial(folder, weights)
    assert [one.mended for one in mended[:3]] == ["removed; what a link leads to was not touched"] * 3
    assert secret.read_text() == "secret"
    assert trial_faults(folder, weights) == []


def test_a_folder_that_is_a_link_is_no_trial(store: Store, tmp_path: Path) -> None:
    folder = store.folder(make())
    folder.path.rename(tmp_path / "elsewhere")
    folder.path.symlink_to(tmp_path / "elsewhere")
    (fault,) = trial_faults(folder, weights)
    assert fault.what == f"is a link to {tmp_path / 'elsewhere'}, not a folder"
    with pytest.raises(StoreError, match="it is a link"):
        store.folder(make())


def test_leftovers_are_removed(store: Store) -> None:
    folder = store.folder(make())
    fill(folder, "done")
    (folder.path / "restored").mkdir()
    (folder.path / "resume").mkdir()
    (folder.path / "resume" / "step-000000001.safetensors").write_bytes(b"torn")
    old = store.root / "trials" / ".new-1"
    old.mkdir()
    os.utime(old, (0, 0))
    assert {one.place for one in trial_faults(folder, weights) if one.kind == "leftover"} == {"restored", "resume"}
    mend_trial(folder, weights)
    assert trial_faults(folder, weights) == []
    assert [one.place for one in store_faults(store)] == ["trials/.new-1"]
    assert [one.mended for one in store_faults(store, repair=True)] == ["removed"]
    assert store_faults(store) == []


def test_notes_are_held_against_trials(store: Store) -> None:
    folder = store.folder(make())
    known = StoredRequest("s", "S", "", "denoising", "quick", None, (RequestedEntry("A", "A"),), ((folder.id, "A", 0),))
    note(store, known)
    assert store_faults(store) == []
    shutil.rmtree(folder.path)
    (fault,) = store_faults(store)
    assert fault.what == f"names 1 trial that is not here: {folder.id}"
    path = store.root / "asked" / f"{known.id}.json"
    path.write_text(path.read_text().replace("quick", "quack"))
    (fault,) = store_faults(store, repair=True)
    assert fault.mended == f"moved to {path.name}.damaged-1"
    assert store_faults(store) == []


def test_what_all_rows_of_a_run_of_speed_share_is_what_was_written(store: Store) -> None:
    folder = store.speed.folder("a", dict.fromkeys(RUN_COLUMNS) | {"model": "A CPU", "threads": 2, "time": "2026"})
    folder.add([{"subject": "converse", "median_s": 0.5}])
    path = folder.path / "run.json"
    path.write_text(path.read_text().replace('"threads": 2', '"threads": 3'))
    (fault,) = run_faults(folder)
    assert (fault.place, fault.what) == (
        "run.json",
        "is damaged: it does not have the checksum that it was written with",
    )
    unreadable: list[str] = []
    assert len(store.speed_rows(unreadable=unreadable)) == 0
    assert len(unreadable) == 1
    with pytest.raises(StoreError, match="checksum"):
        store.speed_rows()


def test_answers_and_what_quickstart_keeps_are_held_against_their_checksums(store: Store) -> None:
    folder = store.folder(make())
    fill(folder, "done")
    answer = Answer(((folder.id, "DnCNN", "quick"),), (RequestedSet("set12", "", ()),), ("psnr",), {"DnCNN": 1.5})
    remember(store, "0" * 16, answer)
    assert recall(store, "0" * 16) == answer
    (store.root / "quickstart").mkdir()
    kept = store.root / "quickstart" / "speed.json"
    files.write_sealed(kept, {"key": {}, "records": [{"operator": "converse", "forward": 1.5}]})
    assert verify([store]).faults == ()
    for path in (store.root / "answered" / f"{'0' * 16}.json", kept):
        path.write_text(path.read_text().replace("1.5", "1.4"))
    assert recall(store, "0" * 16) is None
    assert [fault.place for _, fault in verify([store], repair=True).faults] == [
        f"answered/{'0' * 16}.json",
        "quickstart/speed.json",
    ]
    assert verify([store]).faults == ()


def test_rows_of_speed_are_repaired_with_a_word(store: Store) -> None:
    description = dict.fromkeys(RUN_COLUMNS) | {"suite": "speed", "threads": 2, "time": "2026-01-01T00:00:00Z"}
    folder = store.speed.folder("a", description)
    folder.add([{"subject": "converse", "median_s": 0.5}, {"subject": "conv", "median_s": 0.25}])
    path = folder.path / "rows.jsonl"
    path.write_text(path.read_text().replace("0.25", "0.26"))
    (fault,) = run_faults(folder)
    assert fault.what == "is damaged: line 2 does not have the checksum that it was written with"
    with pytest.warns(UserWarning, match=r"kept 1 record, moved 1 torn or damaged line to rows.jsonl.damaged-1"):
        (fault,) = run_faults(folder, repair=True)
    assert "rows.jsonl.damaged-1" in fault.mended
    assert run_faults(folder) == []
    assert list(store.speed_rows()["subject"]) == ["converse"]
