"""Baselines that are made and changed on purpose. Oracles: what a check of the same code says, and the file's bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converse.analysis.gate.baseline import read_baseline
from converse.analysis.gate.findings import PASSED
from converse.analysis.gate.tolerances import FLOORS
from converse.errors import ConverseError, OptionError
from converse.experiments.running.other_machines import Played
from converse.nn.operators import Converse2D
from converse.workflows import check_write as module
from converse.workflows.check import check
from converse.workflows.check_measured import measure
from converse.workflows.check_request import CheckRequest
from converse.workflows.check_write import Renewal, WriteRequest, write
from converse.workflows.elsewhere import Ended
from tests.workflows.gated import edited, gated

Written = Callable[..., Renewal]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    gated(folder, only=("Plain", "Reverse"))
    return folder


@pytest.fixture
def folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite, its images and a baseline in a folder of its own, which is not the working one."""
    place = tmp_path / "project"
    shutil.copytree(project, place)
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Write without playing other machines, which takes a process and some seconds each; one test does."""

    def measured_here(request: Any, trials: Any, provisional: Any, place: Path, progress: Any) -> Any:
        assert read_baseline_of(provisional)  # what the other processes would be given is whole
        again = measure(replace(trials, store=place / "again"), None, progress)
        return again, {}

    def read_baseline_of(provisional: Any) -> bool:
        return bool(provisional.as_toml())

    monkeypatch.setattr(module, "_elsewhere", measured_here)

    def carry_out(name: str = "baseline.toml", **changes: Any) -> Renewal:
        return write(WriteRequest(folder / name, **changes))

    return carry_out


def suite_options(folder: Path) -> dict[str, Any]:
    return {"suite": str(folder / "gated.toml"), "budget": "smoke", "device": "cpu", "threads": 1}


@pytest.mark.slow
def test_from_nothing_with_all_machines_that_can_be_played(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [Played("instructions up to SSE4", 1, {"ATEN_CPU_CAPABILITY": "default"}), Played("2 threads", 2)]
    monkeypatch.setattr(module, "playable", lambda threads, capability: kinds)
    lines: list[str] = []
    file = folder / "baselines" / "new.toml"
    file.parent.mkdir()
    done = write(WriteRequest(file, **suite_options(folder)), lambda step: lines.append(f"{step.name} {step.what}"))
    assert (done.written, done.changes, done.refused) == (True, None, False)
    baseline = read_baseline(file)
    assert (baseline.suite, baseline.budget, baseline.seeds) == ("../gated.toml", "smoke", (0,))
    assert [entry.name for entry in baseline.entries] == ["Plain", "Reverse"]
    one = baseline.entry("Reverse").tolerances["psnr"]
    assert one.same == 0
    assert one.mean >= FLOORS["psnr"].mean
    assert "instructions up to SSE4, 2 threads" in one.found
    assert any(line.startswith("2 threads [2/2] Reverse seed 0: done") for line in lines)
    # The same code passes, on this platform and on one that was played.
    for threads in (1, 2):
        found = check(CheckRequest(file, threads=threads, store=folder / f"checked-{threads}"))
        assert not {one.outcome for one in found.findings} & {"regressed", "not measured"}
    assert not list(folder.parent.glob("converse-check-*"))


def test_renewing_what_has_not_changed_changes_nothing(written: Written, folder: Path) -> None:
    written(accept=True)  # with tolerances as they are found, and not as the test stated them
    before = (folder / "baseline.toml").read_bytes()
    done = written()
    assert (done.written, done.changes, done.refused) == (False, (), False)
    assert (folder / "baseline.toml").read_bytes() == before


def test_worse_values_are_refused_and_shown(written: Written, folder: Path) -> None:
    written(accept=True)
    file = edited(folder, "b.png", 0.01)
    before = file.read_bytes()
    done = written(file.name)
    assert (done.written, done.refused) == (False, True)
    assert [(one.what, one.loosens) for one in done.changes or ()] == [("Reverse, test, psnr", True)]
    assert file.read_bytes() == before
    done = written(file.name, accept=True)
    assert (done.written, done.refused) == (True, False)
    assert file.read_bytes() == (folder / "baseline.toml").read_bytes()


def test_better_values_are_written(written: Written, folder: Path) -> None:
    written(accept=True)
    file = edited(folder, "b.png", -0.01)
    done = written(file.name)
    assert done.written
    assert file.read_bytes() == (folder / "baseline.toml").read_bytes()


def test_a_looser_tolerance_is_refused(written: Written, folder: Path) -> None:
    written(accept=True)
    text = (folder / "baseline.toml").read_text()
    (folder / "strict.toml").write_text(text.replace("mean = 0.001\n", "mean = 0.0005\n"))
    done = written("strict.toml")
    assert done.refused
    assert {one.what for one in done.changes or () if one.loosens} == {
        "Plain, tolerance of psnr, mean",
        "Reverse, tolerance of psnr, mean",
    }


def test_an_entry_less_is_refused(written: Written, folder: Path) -> None:
    written(accept=True)
    done = written(entries=("Plain",))
    assert done.refused
    assert "Reverse" in [one.what for one in done.changes or () if one.loosens]


def test_what_has_no_value_is_no_baseline(written: Written, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "baseline.toml").read_bytes()
    forward = Converse2D.forward

    def broken(self: Converse2D, y: Any, *rest: Any, **more: Any) -> Any:
        out = forward(self, y, *rest, **more)
        return out if self.training else out * float("nan")

    monkeypatch.setattr(Converse2D, "forward", broken)
    with pytest.raises(OptionError, match=r"no baseline without a value: Reverse, test, a.png, psnr: output is not"):
        written(accept=True)
    monkeypatch.setattr(Converse2D, "forward", lambda self, y, *rest, **more: y * float("nan"))
    with pytest.raises(OptionError, match=r"no baseline of what failed: Reverse under seed 0: .*NaN"):
        written(accept=True)
    assert (folder / "baseline.toml").read_bytes() == before


def test_other_seeds_images_and_metrics(written: Written, folder: Path) -> None:
    done = written(accept=True, seeds=(3, 4), images=1, metrics=("ssim",))
    assert done.written
    baseline = read_baseline(folder / "baseline.toml")
    assert (baseline.seeds, baseline.images, baseline.metrics) == ((3, 4), 1, ("ssim",))
    assert len(baseline.frame) == 2 * 2
    assert check(CheckRequest(folder / "baseline.toml", store=folder / "checked")).exit_status == PASSED
    # Renewed, it holds the same.
    assert written().changes == ()
    with pytest.raises(OptionError, match="unknown metric 'psnrr'"):
        written(metrics=("psnrr",))


def test_test_sets_of_ones_own_move_with_the_file(written: Written, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "test", folder / "mine")
    written(accept=True, datasets=(str(folder / "mine"),))
    assert read_baseline(folder / "baseline.toml").test == ("mine",)
    shutil.move(folder, tmp_path / "moved")
    found = check(CheckRequest(tmp_path / "moved" / "baseline.toml", store=tmp_path / "checked"))
    assert found.exit_status == PASSED


def test_an_operator_of_ones_own(written: Written, folder: Path) -> None:
    (folder / "mine.py").write_text("from converse.nn.operators import Converse2D as Mine\n")
    name = f"{folder / 'mine.py'}:Mine"
    done = written("mine.toml", operator=name, **suite_options(folder))
    assert done.written
    baseline = read_baseline(folder / "mine.toml")
    assert (baseline.operator, [entry.name for entry in baseline.entries]) == ("mine.py:Mine", ["Reverse"])
    assert check(CheckRequest(folder / "mine.toml", store=folder / "checked")).exit_status == PASSED


def test_what_is_to_be_held_must_be_said_the_first_time(written: Written, folder: Path) -> None:
    with pytest.raises(OptionError, match=r"new\.toml is not there yet: .* --suite gate --budget smoke"):
        written("new.toml")
    with pytest.raises(OptionError, match="there is no folder"):
        written("none/new.toml", suite="gate")
    assert not (folder / "new.toml").exists()


def test_what_is_no_baseline_is_not_overwritten(written: Written, folder: Path) -> None:
    (folder / "notes.toml").write_text("mine = 1\n")
    with pytest.raises(OptionError, match=r"notes\.toml is there already and is no baseline"):
        written("notes.toml", suite="gate", accept=True)
    assert (folder / "notes.toml").read_text() == "mine = 1\n"


def test_another_machine_on_which_nothing_can_be_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Ended(2, ("error: nothing.toml: cannot be read",))
    monkeypatch.setattr(module, "command_elsewhere", lambda words, **options: ended)
    with pytest.raises(ConverseError, match=r"with this platform once more nothing could be measured: error: nothing"):
        write(WriteRequest(folder / "baseline.toml"))
