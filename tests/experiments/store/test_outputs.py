"""Oracle: the bytes that were given, and what lies in the trial's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converse.experiments.store import Store
from converse.experiments.store.checking import mend_trial, trial_faults
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.merging import merge
from converse.experiments.store.outputs import FORMAT, Outputs, Window
from converse.experiments.trials import Trial

ONE, OTHER = ("a" * 64, None), ("b" * 64, "kernel_1")
WINDOW = Window(2, 4, 6, 8)


def made(root: Path) -> TrialFolder:
    trial = Trial("denoising", "DnCNN", "trained", 0, "quick", {}, {}, platform={"device": "cpu"})
    folder = Store(root).folder(trial)
    with folder.lock():
        folder.set_status("running")
        folder.write_bytes("checkpoint.safetensors", b"weights")
        folder.append_rows([{"image": "a.png", "image_sha256": "a" * 64, "metric": "psnr", "value": 30.0}])
        folder.set_status("done")
    return folder


def add(folder: TrialFolder, data: bytes, place: tuple[str, str | None], window: Window | None = None) -> None:
    with folder.lock():
        Outputs(folder).add(data, image="a.png", place=place, size=(12, 16), window=window)


def ok(path: Path, trial: str | None) -> None:
    """Weights are no matter here."""


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    folder = made(tmp_path / "runs")
    add(folder, b"one", ONE)
    add(folder, b"other", OTHER, WINDOW)
    kept = Outputs(folder).kept()
    assert {place: (Outputs(folder).read(one), one.window, one.size) for place, one in kept.items()} == {
        ONE: (b"one", None, (12, 16)),
        OTHER: (b"other", WINDOW, (12, 16)),
    }
    assert {path.name for path in (folder.path / "outputs").iterdir()} == {
        f"{'a' * 16}.png",
        f"{'b' * 16}-kernel_1-crop.png",
    }
    assert trial_faults(folder, ok) == []


def test_the_whole_takes_the_place_of_a_window(tmp_path: Path) -> None:
    folder = made(tmp_path / "runs")
    add(folder, b"window", ONE, WINDOW)
    add(folder, b"whole", ONE)
    (one,) = Outputs(folder).kept().values()
    assert (one.window, Outputs(folder).read(one)) == (None, b"whole")
    assert len(list((folder.path / "outputs").iterdir())) == 1


def test_changed_files_are_refused_found_and_removed(tmp_path: Path) -> None:
    folder = made(tmp_path / "runs")
    add(folder, b"one", ONE)
    add(folder, b"other", OTHER)
    first, second = Outputs(folder).kept().values()
    (folder.path / first.file).write_bytes(b"two")
    (folder.path / second.file).unlink()
    (folder.path / "outputs" / "stray.png").write_bytes(b"x")
    with pytest.raises(Damaged, match="is damaged: its content is not what was written"):
        Outputs(folder).read(first)
    with pytest.raises(Damaged, match="is missing"):
        Outputs(folder).read(second)
    assert [one.place for one in trial_faults(folder, ok)] == [first.file, second.file, "outputs/stray.png"]
    assert all(one.mended.startswith("removed") for one in mend_trial(folder, ok))
    assert trial_faults(folder, ok) == []
    assert Outputs(folder).kept() == {}
    assert list((folder.path / "outputs").iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": FORMAT + 1},
        {"image_sha256": "../../secret"},
        {"case": "../x"},
        {"window": [10, 0, 6, 6]},
        {"size": [12]},
    ],
)
def test_lines_that_describe_no_output_are_passed_over(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = made(tmp_path / "runs")
    add(folder, b"one", ONE)
    line = json.loads((folder.path / "outputs.jsonl").read_text().splitlines()[0])
    del line["crc32"]
    folder.journal("outputs.jsonl").rewrite([{**line, **wrong}])
    assert Outputs(folder).kept() == {}


def test_merging_takes_what_is_not_here(tmp_path: Path) -> None:
    here, there = made(tmp_path / "here"), made(tmp_path / "there")
    add(here, b"window", ONE, WINDOW)
    add(there, b"whole", ONE)
    add(there, b"other", OTHER)
    into, other = Store(tmp_path / "here"), Store(tmp_path / "there")
    assert [one.action for one in merge(into, [other])] == ["outputs added"]
    assert {place: Outputs(here).read(one) for place, one in Outputs(here).kept().items()} == {
        ONE: b"whole",
        OTHER: b"other",
    }
    assert [one.action for one in merge(into, [other])] == ["unchanged"]
    assert [one.action for one in merge(Store(tmp_path / "new"), [other])] == ["copied"]
    copied = Outputs(Store(tmp_path / "new").folders()[0])
    assert sorted(copied.read(one) for one in copied.kept().values()) == [b"other", b"whole"]
