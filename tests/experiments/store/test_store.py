"""Oracles: pandas reading the files by itself, real limits, real processes, the bytes on disk."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from converse.errors import StoreError
from converse.experiments.store import Store, files, rows
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy, Lost
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.schema import SCHEMA
from converse.experiments.trials import Trial

DTYPES = {
    name: "Int64" if name == "seed" else "float64" if name in ("value", "seconds") else "string" for name in ROW_COLUMNS
}


def make(seed: int | None = 0, **changes: Any) -> Trial:
    given: dict[str, Any] = {
        "task": "denoising",
        "entry": "DnCNN",
        "source": "trained",
        "seed": seed,
        "budget": "quick",
        "configuration": {"training": {"lr": 0.001}},
        "data": {"train400": "ab"},
        "platform": {"device": "cpu"},
    }
    return Trial(**{**given, **changes})


def row(image: str = "01.png", metric: str = "psnr", value: float = 30.0, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": "set12",
        "case": None,
        "image": image,
        "image_sha256": f"sha of {image}",
        "metric": metric,
        "signature": "psnr|grey",
        "value": value,
        "reason": None,
        "device": "cpu",
        "seconds": 0.5,
        **changes,
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def folder(store: Store) -> TrialFolder:
    return store.folder(make())


def finish(folder: TrialFolder, *images: str) -> None:
    with folder.lock():
        folder.set_status("running")
        folder.append_rows([row(image) for image in images])
        folder.set_status("done")


def names(path: Path) -> list[str]:
    return sorted(inner.name for inner in path.iterdir() if inner.name not in (".lock", "digests.json"))


# Opening


def test_a_new_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "runs")
    assert json.loads((store.root / "store.json").read_text()) == {"schema": 1}
    assert Store(store.root).folders() == Store(store.root, create=False).folders() == []
    assert list(store.rows().columns) == list(ROW_COLUMNS)


@pytest.mark.parametrize("create", [True, False])
def test_a_newer_schema_is_refused(store: Store, create: bool) -> None:
    (store.root / "store.json").write_text('{"schema": 2, "more": true}')
    before = (store.root / "store.json").read_bytes()
    with pytest.raises(
        StoreError, match=r"store.json has schema 2, this converse understands schemas up to 1: upgrade"
    ):
        Store(store.root, create=create)
    assert (store.root / "store.json").read_bytes() == before


def test_a_trial_of_a_newer_schema_is_refused_and_left_alone(store: Store, folder: TrialFolder) -> None:
    path = folder.path / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": SCHEMA + 1}))
    before = path.read_bytes()
    for act in (folder.status, folder.description, lambda: store.folder(make())):
        with pytest.raises(StoreError, match=r"trial.json has schema 2, .* upgrade it"):
            act()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", '{"sche', "[]", "{}", '{"schema": "1"}', '{"schema": true}', '{"schema": 0}'])
def test_a_damaged_store_file_is_set_aside_by_a_writer_only(folder: TrialFolder, store: Store, content: str) -> None:
    (store.root / "store.json").write_text(content)
    with pytest.raises(StoreError, match=r"store.json is damaged: expected"):
        Store(store.root, create=False)
    assert [found.id for found in Store(store.root).folders()] == [folder.id]
    assert (store.root / "store.json.damaged-1").read_text() == content


def test_a_store_without_its_store_file_is_still_a_store(folder: TrialFolder, store: Store) -> None:
    (store.root / "store.json").unlink()
    assert len(Store(store.root, create=False).folders()) == 1
    assert not (store.root / "store.json").exists()
    assert len(Store(store.root).folders()) == 1
    assert (store.root / "store.json").exists()


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"no store at .*runs: expected a folder with store.json in it; name the store"
    ):
        Store(tmp_path / "runs", create=False)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("create", [True, False])
def test_a_file_is_no_store(tmp_path: Path, create: bool) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="is a file: a store is a folder; name another with --store"):
        Store(tmp_path / "runs", create=create)
    with pytest.raises(StoreError):
        Store(tmp_path / "runs" / "inner", create=create)


# Folders


def test_a_folder_describes_its_trial(store: Store, folder: TrialFolder) -> None:
    trial = make()
    assert folder.path == store.root / "trials" / trial.id
    assert folder.description() == {"schema": 1, "id": trial.id, **trial.ingredients()}
    assert folder.trial() == trial
    assert store.folder(trial).path == folder.path
    assert names(folder.path) == ["trial.json"]
    assert names(folder.path.parent) == [trial.id]


def test_many_at_once_make_one_folder(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = {made.path for made in pool.map(lambda _: store.folder(make()), range(32))}
    assert names(store.root / "trials") == [path.name for path in found]


def test_a_folder_left_half_made_is_swept(store: Store) -> None:
    old, young = (store.root / "trials" / f".new-{make().id}-{end}" for end in ("old", "young"))
    for path in (old, young):
        path.mkdir()
        (path / "trial.json").write_text("{")
    for path in (old / "trial.json", old):
        os.utime(path, (0, 0))
    store.folder(make())
    assert names(store.root / "trials") == sorted([young.name, make().id])
    assert [found.id for found in store.folders()] == [make().id]


def test_find_by_prefix(store: Store) -> None:
    ids = [store.folder(make(seed)).id for seed in range(40)]
    common = next(first for first in "0123456789abcdef" if sum(name.startswith(first) for name in ids) > 1)
    assert store.find(ids[7]).id == store.find(ids[7].upper()[:12]).id == ids[7]
    candidates = sorted(name for name in ids if name.startswith(common))
    with pytest.raises(StoreError, match=rf"'{common}' begins the ids of {len(candidates)} trials.*{candidates[0]}"):
        store.find(common)
    for wrong in ("xyz", "", " "):
        with pytest.raises(StoreError, match=r"no trial in .* 40 trials, which converse status lists"):
            store.find(wrong)


# Status


def test_a_trials_life(folder: TrialFolder) -> None:
    assert folder.status().state == "planned"
    with folder.lock():
        folder.set_status("running")
        running = folder.status()
        time.sleep(0.05)
        folder.set_status("interrupted", "Ctrl-C")
    stopped = folder.status()
    with folder.lock():
        folder.set_status("running")
        assert folder.status().reason == ""
        time.sleep(0.05)
        folder.set_status("done")
    done = folder.status()
    assert (running.state, running.finished, running.attempts) == ("running", None, 1)
    assert (stopped.state, stopped.reason, stopped.attempts) == ("interrupted", "Ctrl-C", 1)
    assert (done.state, done.started, done.attempts) == ("done", running.started, 2)
    assert 0.05 <= stopped.seconds < done.seconds < 600
    assert done.resumed is not None
    assert done.finished is not None
    assert done.resumed < done.finished
    assert names(folder.path) == ["rows.parquet", "status.json", "trial.json"]


def test_an_unknown_state(folder: TrialFolder) -> None:
    with pytest.raises(ValueError, match=r"state must be one of planned, running, .* got 'finished'"):
        folder.set_status("finished")  # type: ignore[arg-type]


def test_running_without_a_process_is_interrupted(folder: TrialFolder) -> None:
    with folder.lock():
        folder.set_status("running")
    assert (folder.status().state, folder.status().reason) == (
        "interrupted",
        "its process ended without a word: killed, or power lost",
    )


def test_a_failure_is_a_record(folder: TrialFolder) -> None:
    with folder.lock():
        folder.set_status("running")
        folder.write_failure("loss became NaN at step 12", "Traceback …\nValueError")
    assert (folder.status().state, folder.status().reason) == ("failed", "loss became NaN at step 12")
    assert (folder.path / "failure.txt").read_text(encoding="utf-8") == "Traceback …\nValueError"
    assert (folder.path / "log.txt").read_text().endswith("Z failed: loss became NaN at step 12\n")


def test_provenance_of_every_stretch_is_kept(folder: TrialFolder) -> None:
    for commit in "abc":
        folder.write_provenance({"commit": commit})
    assert folder.read_json("provenance.json") == {"commit": "c", "earlier": [{"commit": "b"}, {"commit": "a"}]}


# Rows


def test_rows_have_the_same_types_whatever_they_hold(store: Store, folder: TrialFolder) -> None:
    empty = folder.rows()
    folder.append_rows([row(value=math.inf), row(metric="lpips", value=math.nan, reason="no backbone")])
    fresh = folder.rows()
    folder.seal_rows()
    sealed = folder.rows()
    released = store.folder(make(None, source="released", budget=None))
    released.append_rows([row(case="kernel_1")])
    for found in (empty, fresh, sealed, released.rows(), store.rows()):
        assert list(found.columns) == list(ROW_COLUMNS)
        assert {
            name: str(kind).replace("str", "string").replace("stringing", "string")
            for name, kind in found.dtypes.items()
        } == DTYPES
    pd.testing.assert_frame_equal(fresh, sealed)
    assert sealed["value"].tolist()[0] == math.inf
    assert math.isnan(sealed["value"].tolist()[1])
    assert sealed["reason"].tolist()[1] == "no backbone"
    assert sealed["case"].isna().all()
    assert released.rows()["seed"].isna().all()
    own = sealed.iloc[0]
    assert (own.trial, own.task, own.entry, own.source, own.budget, own.seed) == (
        folder.id, "denoising", "DnCNN", "trained", "quick", 0,
    )  # fmt: skip
    assert len(pd.read_parquet(folder.path / "rows.parquet")) == 2


def test_the_last_row_of_a_key_wins(folder: TrialFolder) -> None:
    folder.append_rows([row(value=1.0), row("02.png", value=2.0)])
    folder.seal_rows()
    folder.append_rows([row(value=3.0)])
    folder.append_rows([row(value=4.0), row(value=5.0, case="kernel_1"), row(value=6.0, signature="other")])
    expected = [4.0, 2.0, 5.0, 6.0]
    assert folder.rows()["value"].tolist() == expected
    folder.seal_rows()
    assert folder.rows()["value"].tolist() == expected
    assert not (folder.path / "rows.jsonl").exists()


def test_a_row_with_a_strange_column(folder: TrialFolder) -> None:
    with pytest.raises(ValueError, match=r"a row has the columns trial, .* got also psnr"):
        folder.append_rows([row(), {**row(), "psnr": 30.0}])
    assert folder.rows().empty


def test_killed_between_sealing_and_ending_the_journal_nothing_doubles(folder: TrialFolder) -> None:
    folder.append_rows([row(), row("02.png")])
    journal = (folder.path / "rows.jsonl").read_bytes()
    folder.seal_rows()
    (folder.path / "rows.jsonl").write_bytes(journal)
    assert folder.rows()["image"].tolist() == ["01.png", "02.png"]


def test_rows_of_chosen_trials(store: Store) -> None:
    folders = [store.folder(make(seed)) for seed in range(3)]
    for found in folders:
        finish(found, "a", "b")
    assert store.rows([folders[2].id, folders[0].id])["seed"].tolist() == [2, 2, 0, 0]
    assert len(store.rows()) == 6
    assert store.rows([]).empty


@pytest.mark.slow
def test_the_rows_of_two_hundred_trials_are_read_once_each(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.folder(make(0))
    first.append_rows([row(f"{i:03}.png", metric) for i in range(300) for metric in ("psnr", "ssim", "lpips")])
    first.seal_rows()
    table = rows.read(first.path / "rows.parquet")
    assert table is not None
    for seed in range(1, 200):
        other = store.folder(make(seed))
        own = table.set_column(0, "trial", [[other.id] * len(table)])
        other.write_bytes("rows.parquet", rows.encoded(own))
    read = Counter[Path]()
    parquet = rows.read
    monkeypatch.setattr(rows, "read", lambda path, check: (read.update([path]), parquet(path, check))[1])
    monkeypatch.setattr(rows, "table", None)  # sealed rows are not made into Python objects
    found = store.rows()
    assert list(read.values()) == [1] * 200
    assert len(found) == 200 * 300 * 3


# Half-written folders


def cuts(size: int) -> list[int]:
    return sorted({0, 1, size // 2, size - 1})


def test_trial_json_cut_anywhere_is_written_anew(store: Store) -> None:
    original = store.folder(make())
    whole = (original.path / "trial.json").read_bytes()
    for cut in cuts(len(whole) - 1):  # without its last newline the file is whole
        (original.path / "trial.json").write_bytes(whole[:cut])
        assert original.status().state == "interrupted"
        assert "trial.json" in original.status().reason
        again = store.folder(make())
        assert (again.path / "trial.json").read_bytes() == whole
        assert again.status().state == "planned"
    asides = sorted(original.path.glob("trial.json.damaged-*"))
    assert [aside.read_bytes() for aside in asides] == [whole[:cut] for cut in cuts(len(whole) - 1)]
    assert "trial.json was damaged: moved to trial.json.damaged-1" in (original.path / "log.txt").read_text()


def test_a_folder_without_trial_json(store: Store, folder: TrialFolder) -> None:
    (folder.path / "trial.json").unlink()
    assert "trial.json is missing" in folder.status().reason
    assert store.folder(make()).status().state == "planned"


def test_another_trials_description_is_not_believed(store: Store, folder: TrialFolder) -> None:
    other = store.folder(make(1))
    shutil.copy(other.path / "trial.json", folder.path)
    with pytest.raises(StoreError, match=f"its ingredients make the trial {other.id}, its folder is {folder.id}"):
        folder.trial()
    assert store.folder(make()).trial() == make()


@pytest.mark.parametrize(
    "content",
    ["", '{"state": "do', "[]", '{"state": "finished"}', '{"status": "done"}', '{"started": 5}', '{"started": "noon"}',
     '{"seconds": "many"}', '{"seconds": null}', '{"reason": null}'],
)  # fmt: skip
def test_a_damaged_status_is_set_aside(folder: TrialFolder, content: str) -> None:
    finish(folder, "a")
    (folder.path / "status.json").write_text(content)
    assert folder.status().state == "interrupted"
    assert "status.json is damaged" in folder.status().reason
    with folder.lock():
        folder.set_status("done")
    assert folder.status().state == "done"
    assert (folder.path / "status.json.damaged-1").read_text() == content
    assert len(folder.rows()) == 1


def test_a_torn_row_costs_that_row_only(folder: TrialFolder) -> None:
    folder.append_rows([row("a"), row("b")])
    path = folder.path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert folder.rows()["image"].tolist() == ["a"]
    with folder.lock():
        folder.append_rows([row("b")])
    assert folder.rows()["image"].tolist() == ["a", "b"]
    assert (folder.path / "rows.jsonl.damaged-1").exists()
    log = (folder.path / "log.txt").read_text()
    assert "kept 1 record, moved 1 torn or damaged line to rows.jsonl.damaged-1" in log


def test_torn_parquet_makes_a_done_trial_undone(store: Store, folder: TrialFolder) -> None:
    finish(folder, "a", "b")
    path = folder.path / "rows.parquet"
    whole = path.read_bytes()
    for number, cut in enumerate(cuts(len(whole)), start=1):
        path.write_bytes(whole[:cut])
        assert folder.status().state == "interrupted"
        assert "rows.parquet is missing or torn" in folder.status().reason
        for read in (folder.rows, store.rows):
            with pytest.raises(StoreError, match=r"rows.parquet is damaged: .*run the same suite or task again"):
                read()
        with folder.lock():
            assert (folder.path / f"rows.parquet.damaged-{number}").read_bytes() == whole[:cut]
            assert folder.rows().empty
        finish(folder, "a", "b")
        assert folder.status().state == "done"


def test_missing_rows_make_a_done_trial_undone(folder: TrialFolder) -> None:
    finish(folder, "a")
    (folder.path / "rows.parquet").unlink()
    assert folder.status().state == "interrupted"


def test_a_foreign_parquet_file_is_named(folder: TrialFolder) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(folder.path / "rows.parquet")
    with pytest.raises(StoreError, match=r"rows.parquet is damaged or is no table of rows"):
        folder.rows()


def test_leftovers_of_a_kill_are_swept(folder: TrialFolder) -> None:
    old, young = folder.path / ".writing-old.jsonl", folder.path / ".writing-young.jsonl"
    for path in (old, young):
        path.write_text('{"half')
    os.utime(old, (0, 0))
    with folder.lock():
        pass
    assert names(folder.path) == [young.name, "trial.json"]


def test_who_lost_a_trial_changes_nothing_in_it(folder: TrialFolder) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: folder.set_status("done"),
        lambda: folder.set_status("interrupted"),
        lambda: folder.write_failure("a", "b"),
        lambda: folder.append_rows([{"metric": "psnr", "value": 1.0}]),
        folder.seal_rows,
        lambda: folder.journal("curve.jsonl").append([{"step": 1}]),
        lambda: folder.journal("curve.jsonl").rewrite([]),
        lambda: folder.log("hello"),
        lambda: folder.write_provenance({}),
        lambda: folder.write_bytes("checkpoint.safetensors", b""),
        lambda: folder.set_aside("trial.json"),
        lambda: folder.remove("trial.json"),
        lambda: folder.make_folder("resume"),
    ]
    with folder.lock():
        folder.set_status("running")
        (claim,) = folder.path.glob(".owner-*")
        claim.rename(folder.path / ".writing-gone")  # as a new owner does
        before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
        for attempt in attempts:
            with pytest.raises(Lost, match="was taken over"):
                attempt()
        assert {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before
        assert folder.lost
    folder.log("who has no lock may still write")
    assert not folder.lost


def test_two_that_find_a_trial_damaged_leave_it_whole(store: Store) -> None:
    path = store.folder(make()).path / "trial.json"
    whole = path.read_bytes()
    path.write_text("{")
    with ThreadPoolExecutor(8) as pool:
        assert {made.description()["id"] for made in pool.map(lambda _: store.folder(make()), range(16))} == {make().id}
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_finishes(tmp_path: Path) -> None:
    """Real kills: what was appended before the kill is there after it, and the trial can always be finished."""
    code = (
        "import sys, itertools\nfrom pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_store import Store, make, row\n"
        "store = Store(Path(sys.argv[1]))\nfolder = store.folder(make())\n"
        "with folder.lock():\n"
        "    folder.set_status('running')\n"
        "    print('go', flush=True)\n"
        "    for number in itertools.count():\n"
        "        folder.append_rows([row(f'{number}')])\n"
        "        print(number, flush=True)\n"
        "        if number % 5 == 4: folder.seal_rows()\n"
        "        folder.write_provenance({'n': number})\n"
    )
    for wait in (0.0, 0.013, 0.037):
        root = tmp_path / f"runs{wait}"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(root), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        folder = Store(root, create=False).folders()[0]
        assert folder.status().state == "interrupted"
        assert set(said) <= set(folder.rows()["image"])
        finish(Store(root).folder(make()), "last")
        assert folder.status().state == "done"
        assert set(said) | {"last"} <= set(folder.rows()["image"])


def test_a_trial_is_done_by_one_process_at_a_time(folder: TrialFolder) -> None:
    with folder.lock(), pytest.raises(Busy, match="wait for it, or end it"), folder.lock():
        pass
    assert folder.owner() is None


# Limits


@contextlib.contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def synchronise(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synchronise)
        yield


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: folder.append_rows([row("new")]),
        lambda folder: folder.seal_rows(),
        lambda folder: folder.set_status("failed"),
        lambda folder: folder.write_provenance({}),
        lambda folder: folder.journal("curve.jsonl").append([{"step": 2}]),
        lambda folder: folder.write_failure("reason", "text"),
    ],
    ids=["append", "seal", "status", "provenance", "curve", "failure"],
)
def test_on_a_full_disk_every_file_stays_as_it_was(
    folder: TrialFolder, monkeypatch: pytest.MonkeyPatch, act: Callable[[TrialFolder], None]
) -> None:
    folder.append_rows([row("old")])
    folder.seal_rows()
    folder.append_rows([row("older")])
    folder.write_provenance({"commit": "a"})
    folder.journal("curve.jsonl").append([{"step": 1}])
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    with full_disk(monkeypatch), pytest.raises(StoreError, match="the disk is full: free some space"):
        act(folder)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before


def test_a_real_limit_on_file_sizes(tmp_path: Path) -> None:
    """Parquet files and journals under RLIMIT_FSIZE: the error is one message, the rows written before are there."""
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_store import Store, StoreError, make, row\n"
        "folder = Store(Path(sys.argv[1])).folder(make())\n"
        "folder.append_rows([row('kept')])\n"
        "folder.seal_rows()\n"
        "folder.append_rows([row(f'{i}') for i in range(20)])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "for act in (folder.seal_rows, lambda: folder.append_rows([row('x' * 6000)])):\n"
        "    try: act()\n"
        "    except StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs"), str(Path(__file__).parent)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    sealing, appending = done.stdout.splitlines()
    assert "rows.parquet: the file may not grow further: raise the limit on file sizes" in sealing
    assert "rows.jsonl: the file may not grow further: raise the limit on file sizes" in appending
    folder = Store(tmp_path / "runs").folders()[0]
    assert folder.rows()["image"].tolist() == ["kept", *map(str, range(20))]
    finish(folder, "after")
    assert len(folder.rows()) == 22


@pytest.fixture
def read_only(tmp_path: Path, write_protect: Callable[[Path], None]) -> Path:
    """A finished store in which nobody may write."""
    store = Store(tmp_path / "there" / "runs")
    finish(store.folder(make()), "a", "b")
    store.folder(make(1))
    write_protect(tmp_path / "there")
    return store.root


def test_a_read_only_store_can_be_read(read_only: Path, heeding: Callable[[Callable[[], str]], str]) -> None:
    def read() -> str:
        store = Store(read_only, create=False)
        states = sorted(folder.status().state for folder in store.folders())
        return f"{states} {len(store.rows())} rows, {store.find(make(1).id).status().attempts} attempts"

    assert heeding(read) == "['done', 'planned'] 2 rows, 0 attempts"


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda root: Store(root).folder(make(2)), "cannot make .*permission denied: name a folder that you may write"),
        (lambda root: Store(root).folder(make(1)).lock().__enter__(), "cannot lock .*permission denied"),
        (
            lambda root: Store(root).folder(make(1)).append_rows([row()]),
            "cannot append to .*rows.jsonl: permission denied",
        ),
        (
            lambda root: Store(root).folder(make(1)).set_status("running"),
            "cannot write .*digests.json: permission denied",
        ),
        (lambda root: Store(root).folder(make(1)).log("x"), "cannot append to .*log.txt: permission denied"),
        (lambda root: Store(root.parent / "new"), "cannot make a store at .*new: permission denied"),
    ],
    ids=["new trial", "lock", "rows", "status", "log", "new store"],
)
def test_writing_to_a_read_only_store_is_one_message(
    read_only: Path, heeding: Callable[[Callable[[], str]], str], act: Callable[[Path], Any], says: str
) -> None:
    import re

    def write() -> str:
        try:
            act(read_only)
        except PermissionError as error:
            return f"not explained: {error}"
        return "written"

    said = heeding(write)
    assert re.fullmatch(f"(StoreError|Busy): {says}.*", said), said


def test_the_files_errors_are_the_users_errors() -> None:
    assert issubclass(files.Damaged, StoreError)
    assert issubclass(Busy, StoreError)
