"""Oracle: what each store held before, counted by hand."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store, files
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.merging import Merged, merge
from converse.experiments.store.requests import merge_notes, notes
from converse.experiments.trials import Trial


def trial(seed: int = 0) -> Trial:
    return Trial("denoising", "DnCNN", "trained", seed, "quick", {}, {}, platform={"device": "cpu"})


def row(image: str, value: float = 30.0) -> dict[str, Any]:
    return {
        "dataset": "set12",
        "image": image,
        "image_sha256": image,
        "metric": "psnr",
        "signature": "s",
        "value": value,
    }


def finish(folder: TrialFolder, *images: str, value: float = 30.0) -> None:
    with folder.lock():
        folder.set_status("running")
        folder.append_rows([row(image, value) for image in images])
        folder.write_bytes("checkpoint.safetensors", b"weights")
        folder.set_status("done")


def interrupt(folder: TrialFolder) -> None:
    with folder.lock():
        folder.set_status("running")
        folder.journal("curve.jsonl").append([{"step": 1}])
        (folder.path / "resume").mkdir()
        (folder.path / "resume" / "optimiser").write_text("moments")
        folder.set_status("interrupted", "Ctrl-C")


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


def only(found: list[Merged]) -> Merged:
    assert len(found) == 1
    return found[0]


def images(store: Store) -> list[str]:
    return sorted(store.rows()["image"])


def snapshot(store: Store) -> dict[str, bytes]:
    """Files but those that say who holds a lock."""
    files = [path for path in store.root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(store.root)): path.read_bytes() for path in files}


def test_what_is_not_here_is_copied_and_the_other_is_only_read(here: Store, there: Store) -> None:
    finish(there.folder(trial(0)), "a", "b")
    interrupt(there.folder(trial(1)))
    there.folder(trial(2))
    finish(here.folder(trial(3)), "c")
    before = snapshot(there)
    assert [found.action for found in merge(here, [Store(there.root, create=False)])] == ["copied"] * 3
    assert snapshot(there) == before
    states = {folder.trial().seed: folder.status().state for folder in here.folders()}
    assert states == {0: "done", 1: "interrupted", 2: "planned", 3: "done"}
    assert images(here) == ["a", "b", "c"]
    assert (here.folder(trial(1)).path / "resume" / "optimiser").read_text() == "moments"
    assert {found.action for found in merge(here, [there])} == {"unchanged"}


def test_rows_of_a_trial_in_both_are_united(here: Store, there: Store) -> None:
    finish(here.folder(trial()), "a", "b", value=1.0)
    finish(there.folder(trial()), "b", "c", value=2.0)
    found = only(list(merge(here, [there])))
    assert (found.action, found.rows, found.conflicts) == ("rows added", 1, 1)
    rows = here.rows().set_index("image")["value"]
    assert rows.to_dict() == {"a": 1.0, "b": 1.0, "c": 2.0}
    folder = here.folder(trial())
    assert folder.status().state == "done"
    assert not (folder.path / "rows.jsonl").exists()
    (conflict,) = found.differences
    assert (conflict.what, conflict.here, conflict.there) == ("set12 b psnr", "1.0", "2.0")
    assert "set12 b psnr is 1.0 here and 2.0 there" in (folder.path / "log.txt").read_text()


def test_values_that_were_not_measured_in_either_are_no_conflict(here: Store, there: Store) -> None:
    for store in (here, there):
        finish(store.folder(trial()), "a", value=float("nan"))
    assert only(list(merge(here, [there]))).conflicts == 0


def test_done_takes_the_place_of_undone(here: Store, there: Store) -> None:
    interrupt(here.folder(trial()))
    finish(there.folder(trial()), "a")
    assert only(list(merge(here, [there]))).action == "completed"
    folder = here.folder(trial())
    assert folder.status() == there.folder(trial()).status()
    assert (folder.path / "checkpoint.safetensors").read_bytes() == b"weights"
    assert images(here) == ["a"]
    assert "where it was done" in (folder.path / "log.txt").read_text()


def test_undone_never_takes_the_place_of_done(here: Store, there: Store) -> None:
    finish(here.folder(trial()), "a")
    before = snapshot(here)
    interrupt(there.folder(trial()))
    assert only(list(merge(here, [there]))).action == "unchanged"
    assert snapshot(here) == before


def test_what_can_be_resumed_takes_the_place_of_what_was_only_planned(here: Store, there: Store) -> None:
    here.folder(trial())
    interrupt(there.folder(trial()))
    assert only(list(merge(here, [there]))).action == "completed"
    folder = here.folder(trial())
    assert folder.status().state == "interrupted"
    assert (folder.path / "resume" / "optimiser").exists()
    assert folder.journal("curve.jsonl").read() == [{"step": 1}]


def test_damaged_and_running_trials_are_skipped_with_the_reason(here: Store, there: Store) -> None:
    there.folder(trial(0))
    torn = there.folder(trial(1))
    (torn.path / "trial.json").write_text("{")
    finish(there.folder(trial(2)), "a")
    (there.folder(trial(2)).path / "rows.parquet").write_bytes(b"PAR1")
    running = there.folder(trial(3))
    with running.lock():
        running.set_status("running")
        found = {one.id: one for one in merge(here, [there])}
    assert found[trial(0).id].action == "copied"
    assert "trial.json is damaged" in found[trial(1).id].reason
    assert "rows.parquet is damaged" in found[trial(2).id].reason
    assert "being worked on by process" in found[trial(3).id].reason
    assert [folder.id for folder in here.folders()] == [trial(0).id]


def test_a_trial_that_is_worked_on_here_is_skipped(here: Store, there: Store) -> None:
    finish(there.folder(trial()), "a")
    with here.folder(trial()).lock():
        assert "wait for it" in only(list(merge(here, [there]))).reason
    assert only(list(merge(here, [there]))).action == "completed"


def test_a_merge_that_was_stopped_is_done_again(here: Store, there: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    here.folder(trial())
    finish(there.folder(trial()), "a")
    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "adopt_status", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            list(merge(here, [there]))
    assert here.folder(trial()).status().state == "planned"
    assert only(list(merge(here, [there]))).action == "completed"
    assert images(here) == ["a"]


def test_several_stores(here: Store, there: Store, tmp_path: Path) -> None:
    third = Store(tmp_path / "third")
    finish(there.folder(trial()), "a")
    finish(third.folder(trial()), "b")
    assert [found.action for found in merge(here, [there, third])] == ["copied", "rows added"]
    assert images(here) == ["a", "b"]


def test_a_store_is_not_merged_into_itself(here: Store) -> None:
    with pytest.raises(StoreError, match="cannot be merged into itself: name another store with --store"):
        list(merge(here, [Store(here.root / ".." / "here")]))


def test_a_full_disk_leaves_no_half_copy(here: Store, there: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(there.folder(trial()), "a")

    def copy(contents: Any, fence: Any = None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_files", copy)
    with pytest.raises(StoreError, match="the disk is full: free some space"):
        list(merge(here, [there]))
    assert list((here.root / "trials").iterdir()) == []


SPEED_RUN = {"suite": "speed", "threads": 2, "time": "2026-01-01T00:00:00Z"}


def timed(height: int, subject: str = "converse", seconds: float = 0.5) -> dict[str, Any]:
    return {"subject": subject, "twin": False, "height": height, "median_s": seconds, "turns_s": [seconds] * 3}


def test_a_run_of_speed_that_is_not_here_is_copied(here: Store, there: Store) -> None:
    there.speed.folder("a", SPEED_RUN).add([timed(8), timed(16)])
    before = snapshot(there)
    found = only(list(merge(here, [Store(there.root, create=False)])))
    assert (found.kind, found.id, found.action, found.rows) == ("speed", "a", "copied", 2)
    assert snapshot(there) == before
    assert here.speed_rows().equals(there.speed_rows())
    after = snapshot(here)
    assert only(list(merge(here, [there]))).action == "unchanged"
    assert snapshot(here) == after


def test_cases_of_a_run_of_speed_in_both_are_united_whole(here: Store, there: Store) -> None:
    """A subject of a case that is here took no turns with those that are here: it stays out."""
    here.speed.folder("a", SPEED_RUN).add([timed(8)])
    there.speed.folder("a", SPEED_RUN).add([timed(8, seconds=0.7), timed(8, "conv"), timed(16), timed(16, "conv")])
    before = snapshot(there)
    found = only(list(merge(here, [there])))
    assert (found.action, found.rows, found.conflicts) == ("rows added", 2, 1)
    assert snapshot(there) == before
    rows = here.speed_rows()
    assert list(rows["height"]) == [8, 16, 16]
    assert list(rows["median_s"]) == [0.5, 0.5, 0.5]
    after = snapshot(here)
    again = only(list(merge(here, [there])))
    assert (again.action, again.rows) == ("unchanged", 0)
    assert snapshot(here) == after


def test_a_damaged_run_of_speed_and_one_that_is_measured_here_are_skipped(here: Store, there: Store) -> None:
    (there.speed.folder("a", SPEED_RUN).path / "run.json").write_text("{")
    there.speed.folder("b", SPEED_RUN).add([timed(8)])
    mine = here.speed.folder("b", SPEED_RUN)
    with mine.lock():
        first, second = merge(here, [there])
    assert "run.json is damaged" in first.reason
    assert "is being worked on" in second.reason
    assert here.speed_rows().empty


def test_different_weights_of_a_finished_trial_are_a_conflict(here: Store, there: Store) -> None:
    finish(here.folder(trial()), "a")
    finish(there.folder(trial()), "a")
    there.folder(trial()).write_bytes("checkpoint.safetensors", b"other weights")
    (conflict,) = only(list(merge(here, [there]))).differences
    assert conflict.what == "weights"
    assert conflict.here != conflict.there
    assert (here.folder(trial()).path / "checkpoint.safetensors").read_bytes() == b"weights"


def test_links_and_pipes_are_not_followed(here: Store, there: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for seed, name in enumerate(("checkpoint.safetensors", "resume/step", "extra")):
        folder = there.folder(trial(seed))
        (folder.path / "resume").mkdir()
        (folder.path / name).symlink_to(tmp_path / "secret")
    os.mkfifo(there.folder(trial(3)).path / "log.txt")
    elsewhere = there.folder(trial(4))
    elsewhere.path.rename(tmp_path / "elsewhere")
    elsewhere.path.symlink_to(tmp_path / "elsewhere")
    found = list(merge(here, [there]))
    assert [one.action for one in found] == ["skipped"] * 5
    assert all("which a store must not have" in one.reason for one in found)
    assert here.folders() == []
    assert not any("secret" in path.read_text() for path in here.root.rglob("*") if path.is_file())


def test_what_is_not_as_it_was_written_is_not_copied(here: Store, there: Store) -> None:
    finish(there.folder(trial()), "a")
    (there.folder(trial()).path / "checkpoint.safetensors").write_bytes(b"weightz")
    assert "does not have the digest" in only(list(merge(here, [there]))).reason
    assert here.folders() == []


def test_copies_that_another_process_is_at_stay(here: Store, there: Store) -> None:
    finish(there.folder(trial()), "a")
    theirs = here.root / "trials" / f".new-{trial().id}-01234567"
    theirs.mkdir()
    (theirs / "trial.json").write_text("{")
    assert only(list(merge(here, [there]))).action == "copied"
    assert (theirs / "trial.json").read_text() == "{"


def test_a_note_of_a_later_version_is_carried_as_it_is(here: Store, there: Store) -> None:
    """Its name is the hash of all that it says, of what this version does not know too."""
    said = {
        "schema": 1, "suite": "s", "title": "", "description": "", "task": "denoising", "budget": "quick", "base": None,
        "entries": [], "trials": [], "contrasts": [], "missing": {}, "command": "", "time": "2030", "later": [1],
    }  # fmt: skip
    lasting = {key: value for key, value in said.items() if key not in ("schema", "time")}
    name = hashlib.sha256(json.dumps(lasting, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
    (there.root / "asked").mkdir()
    files.write_json(there.root / "asked" / f"{name}.json", said)
    assert [one.suite for one in notes(there)] == ["s"]
    assert merge_notes(here, there) == 1
    assert merge_notes(here, there) == 0
    assert json.loads((here.root / "asked" / f"{name}.json").read_text())["later"] == [1]
