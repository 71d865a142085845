"""A baseline of released weights, by networks that return their input; then the real ones where they are at hand.

Oracles: the rows that `converse reproduce` leaves, and planted changes of a known size.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from converse.analysis.gate.baseline import read_baseline
from converse.analysis.gate.findings import NOT_MEASURED, PASSED, REGRESSED
from converse.data.resources import Absent, Resources
from converse.errors import OptionError, SuiteError
from converse.experiments.running import execute
from converse.workflows import check_write
from converse.workflows.check import Check, check
from converse.workflows.check_measured import measure
from converse.workflows.check_request import CheckRequest
from converse.workflows.check_write import WriteRequest, write
from converse.workflows.reproduce import reproduce
from converse.workflows.reproduce_plan import ReproduceRequest
from tests.workflows.identity import Identity


class Worse(Identity):
    """Adds a little to each pixel, so that each image is worse."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + 0.01


def at_hand(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Weights are at hand, and of every network the identity; no other machines are played."""
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity())

    def again(request: Any, trials: Any, provisional: Any, folder: Path, progress: Any) -> Any:
        return measure(ReproduceRequest(**{**vars(trials), "store": folder / "again"}), None, progress), {}

    monkeypatch.setattr(check_write, "_elsewhere", again)
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of noise, and a baseline of two networks on them."""
    place = tmp_path_factory.mktemp("made")
    (place / "photos").mkdir()
    for index in range(3):
        pixels = np.random.default_rng(index).integers(60, 190, (40, 48), dtype=np.uint8)
        Image.fromarray(pixels).save(place / "photos" / f"{index}.png")
    asked = WriteRequest(
        Path("baseline.toml"), task="denoising", entries=("dncnn", "Converse-DnCNN"), datasets=("photos",), threads=1
    )
    with pytest.MonkeyPatch.context() as patch:
        at_hand(patch, place)
        assert write(asked).written
    return place


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these, which is the working folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    at_hand(monkeypatch, tmp_path)
    return tmp_path


def checked(**changes: Any) -> Check:
    done = check(CheckRequest(Path("baseline.toml"), **{"store": Path("checked"), **changes}))
    shutil.rmtree("checked", ignore_errors=True)
    return done


def test_it_says_what_it_is_of(folder: Path) -> None:
    baseline = read_baseline(Path("baseline.toml"))
    assert (baseline.task, baseline.suite, baseline.seeds, baseline.test) == ("denoising", None, (), ("photos",))
    assert [entry.name for entry in baseline.entries] == ["DnCNN", "Converse-DnCNN"]
    assert baseline.entry("DnCNN").settings["weights"] == "0" * 64
    rows = reproduce(
        ReproduceRequest(task="denoising", entries=("DnCNN",), datasets=("photos",), store=folder / "runs", threads=1)
    ).rows
    values = dict(rows[rows["metric"] == "psnr"][["image", "value"]].itertuples(index=False, name=None))
    written = next(one for one in baseline.values if (one.entry, one.metric) == ("DnCNN", "psnr"))
    assert dict(written.images) == values


def test_the_same_passes_and_renewing_changes_nothing(folder: Path) -> None:
    done = checked()
    assert done.exit_status == PASSED
    assert {one.sure for one in done.findings if one.aspect == "quality"} == {"to the bit"}
    assert write(WriteRequest(Path("baseline.toml"))).changes == ()


def test_a_store_of_reproduce_is_judged(folder: Path) -> None:
    asked = ReproduceRequest(task="denoising", datasets=("photos",), store=folder / "runs", threads=1, device="cpu")
    reproduce(asked)
    assert checked(taken_from=folder / "runs").exit_status == PASSED


def test_worse_networks_are_seen_here_and_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Worse())
    baseline = read_baseline(Path("baseline.toml"))
    before = np.mean([value for one in baseline.values if one.metric == "psnr" for value in one.images.values()])
    for threads, sure in ((1, "to the bit"), (2, "by value, on another platform: threads 2 and not 1")):
        done = checked(threads=threads)
        assert done.exit_status == REGRESSED
        mean = next(one for one in done.findings if one.what.startswith("PSNR, mean"))
        assert (mean.outcome, mean.sure) == ("regressed", sure)
        # The noise has the deviation 25 of 255, and its power is joined by that of 0.01; the mean of the noise, which
        # is off by 25 / √1920 in an image, adds or takes 0.02 dB.
        assert mean.change == pytest.approx(10 * math.log10(1 + (0.01 * 255 / 25) ** 2), abs=0.02)
        assert mean.before == pytest.approx(before)


def test_other_weights_are_another_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "1" * 64))
    with pytest.raises(SuiteError, match=r'\[\[entries\]\] #1 "DnCNN": key "settings": weights was 0+ and is 1+'):
        checked()


def test_weights_that_are_not_at_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: Absent("no such weights here", name))
    done = checked()
    assert done.exit_status == NOT_MEASURED
    assert {(one.outcome, one.reason) for one in done.findings if one.outcome != "extra"} == {
        ("not measured", "no such weights here")
    }


def test_what_only_a_training_has_is_refused(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"--operator: baseline\.toml is of released weights"):
        checked(operator="conv")
    with pytest.raises(OptionError, match="--seeds is for a suite"):
        write(WriteRequest(Path("new.toml"), task="denoising", seeds=(0,)))
    with pytest.raises(OptionError, match="--suite or --task"):
        write(WriteRequest(Path("new.toml"), task="denoising", suite="gate"))


@pytest.mark.slow
def test_the_authors_own_weights(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image that is 0.1 dB worse than a baseline of this code, on a platform that is played, and nothing else."""
    # What two runs on one platform differ by is another test's business: the same trials are read again.
    monkeypatch.setattr(
        check_write, "_elsewhere", lambda request, trials, *others: (measure(trials, ["DnCNN"], lambda step: None), {})
    )
    file = tmp_path / "released.toml"
    asked = WriteRequest(
        file, task="denoising", entries=("DnCNN",), datasets=("Set12",), images=2, threads=1, data_dir=shared
    )
    assert write(asked).written
    done = check(CheckRequest(file, data_dir=shared, threads=2, store=tmp_path / "two"))
    assert done.exit_status == PASSED
    value = next(one.images["02.png"] for one in read_baseline(file).values if one.metric == "psnr")
    file.write_text(file.read_text().replace(repr(value), repr(value + 0.1)))
    done = check(CheckRequest(file, data_dir=shared, taken_from=tmp_path / "two"))
    worst = next(one for one in done.findings if one.what == "PSNR, worst image: 02.png")
    assert (worst.outcome, done.exit_status) == ("regressed", REGRESSED)
    assert worst.change == pytest.approx(0.1, abs=0.001)
