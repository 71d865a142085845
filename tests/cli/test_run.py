"""Oracles: the exit status, JSON and csv readers, the store."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from converse.analysis.effects import EFFECT_COLUMNS, IMAGE_TEST_COLUMNS
from converse.analysis.power_report import POWER_COLUMNS
from converse.analysis.tables import RESULT_COLUMNS
from converse.cli.quickstart import quickstart
from converse.cli.run import run, summary_lines
from converse.data import downloads
from converse.errors import DataError, OptionError
from converse.experiments.store import Store
from converse.experiments.store.speed_rows import speed_frame
from converse.experiments.training.interruption import Stopped
from converse.experiments.training.learner import Learner
from converse.workflows.speed import SpeedRun

app = typer.Typer()
app.command()(run)
app.command()(quickstart)


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments, standalone_mode=False, catch_exceptions=False)
    return done.return_value, done.stdout, done.stderr


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    chosen = ["--budget", "smoke", "--only", "Conv-DnCNN", "--seeds", "0", "--device", "cpu", "--threads", "1"]
    return ["run", "denoising", *chosen, "--store", str(tmp_path / "runs")]


def test_json_is_one_document(options: list[str]) -> None:
    status, out, err = invoke(*options, "--format", "json")
    assert status == 0
    rows = json.loads(out)
    assert all(list(row) == list(RESULT_COLUMNS) for row in rows)
    (psnr,) = [row for row in rows if row["metric"] == "psnr"]
    assert (psnr["source"], psnr["entry"], psnr["seeds"], psnr["images"]) == ("trained", "Conv-DnCNN", 1, 1)
    assert "[1/1] Conv-DnCNN seed 0: done in" in err


def test_csv_and_table(options: list[str]) -> None:
    invoke(*options)
    status, out, _ = invoke(*options, "--format", "csv")
    assert status == 0
    assert {row["metric"] for row in csv.DictReader(io.StringIO(out))} >= {"psnr", "ssim", "parameters"}
    status, out, _ = invoke(*options)
    assert status == 0
    assert "Conv-DnCNN" in out
    assert "scikit-image test" in out


def test_effects_stand_below_the_results(tmp_path: Path) -> None:
    chosen = ["--budget", "smoke", "--seeds", "0,1", "--device", "cpu", "--threads", "1", "--only"]
    options = ["run", "padding", *chosen, "Converse-DnCNN,zero,p = 0", "--store", str(tmp_path / "runs")]
    status, out, _ = invoke(*options)
    assert status == 0
    results, _, effects = out.partition("\nDifferences on scikit-image test: PSNR, dB, minus Converse-DnCNN\n")
    assert "Converse-DnCNN: zero" in results
    lines = effects.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:3]] == ["zero", "p = 0"]
    assert "interval: Student's t over the seeds' mean differences, for these test images" in effects
    assert "SSIM" not in effects
    status, out, _ = invoke(*options, "--show", "effects", "--format", "json")
    rows = json.loads(out)
    assert all(list(row) == list(EFFECT_COLUMNS) for row in rows)
    assert [row["label"] for row in rows if row["metric"] == "psnr"] == ["zero", "p = 0"]
    assert all(row["low"] < row["difference"] < row["high"] for row in rows if row["metric"] == "psnr")
    status, out, _ = invoke(*options, "--show", "image-tests", "--format", "csv")
    assert tuple(next(csv.reader(io.StringIO(out)))) == IMAGE_TEST_COLUMNS
    assert len(out.splitlines()) == 1 + 2 * 2 * 2  # metrics, variants, seeds
    status, out, _ = invoke(*options, "--show", "power", "--format", "json")
    assert all(tuple(row) == POWER_COLUMNS for row in json.loads(out))
    for view, said in (
        ("results", "PSNR"),
        ("effects", "SSIM, minus"),
        ("image-tests", "given these trained networks"),
        ("power", "found from"),
    ):
        status, out, _ = invoke(*options, "--show", view)
        assert status == 0
        assert said in out
    status, out, _ = invoke(*options, "--show", "effects", "--interval", "crossed", "--equivalence", "0.5")
    assert "one image: no claim about images" in out


def test_one_seed_claims_nothing(options: list[str]) -> None:
    status, out, _ = invoke(*options[:4], "--only", "Conv-DnCNN,Converse-DnCNN", *options[6:])
    assert status == 0
    assert "Differences on scikit-image test: PSNR, dB, minus Conv-DnCNN" in out
    assert "one seed: no claim about seeds. More seeds give an interval: --seeds 0-2" in out
    assert "[95%]" in out
    status, out, _ = invoke(*options[:4], "--only", "Conv-DnCNN,Converse-DnCNN", *options[6:], "--show", "power")
    assert "two seeds or more are needed for a spread" in out


def test_one_entry_has_nothing_to_be_compared_with(options: list[str]) -> None:
    assert "Differences" not in invoke(*options)[1]
    assert json.loads(invoke(*options, "--show", "effects", "--format", "json")[1]) == []


def test_dry_run(options: list[str], tmp_path: Path) -> None:
    status, out, _ = invoke(*options, "--dry-run")
    assert status == 0
    assert not (tmp_path / "runs").exists()
    assert "Conv-DnCNN" in out
    assert "MB of disk" in out
    status, out, _ = invoke(*options, "--dry-run", "--format", "json")
    (line,) = json.loads(out)
    assert (line["state"], line["steps"], line["images"]) == ("new", 4, 1)


def test_a_failure_is_told_and_counts(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> torch.Tensor:
        raise RuntimeError("no such kernel")

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", fail)
        status, _, err = invoke(*options)
    (folder,) = Store(tmp_path / "runs").folders()
    assert status == 1
    assert f"failed: Conv-DnCNN seed 0 (trial {folder.id}): RuntimeError: no such kernel" in err
    assert f"tracebacks: {tmp_path}/runs/trials/TRIAL/failure.txt" in err
    status, out, _ = invoke(*options, "--dry-run")
    assert out.splitlines()[-2:] == ["nothing to do", "failed trials are left alone; --retry-failed runs them again"]
    status, _, err = invoke(*options)
    assert status == 1
    assert "failed before: Conv-DnCNN seed 0" in err
    assert "--retry-failed runs failed trials again" in err
    status, _, err = invoke(*options, "--retry-failed")
    assert status == 0
    status, out, _ = invoke(*options, "--dry-run")
    assert out.splitlines()[-1] == "nothing to do"


def test_interrupted(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> torch.Tensor:
        raise Stopped("stopped")

    monkeypatch.setattr(Learner, "step", stop)
    status, _, err = invoke(*options)
    assert status == 130
    assert "interrupted: what was finished is kept in" in err


def test_mistakes_go_to_the_place_where_they_become_messages(options: list[str]) -> None:
    with pytest.raises(OptionError, match="--seeds takes numbers and ranges"):
        invoke(*options, "--seeds", "x")
    with pytest.raises(OptionError, match="unknown budget 'quik': did you mean 'quick'"):
        invoke(*options, "--budget", "quik")
    with pytest.raises(OptionError, match="--equivalence must be above 0 dB, got 0"):
        invoke(*options, "--equivalence", "0")
    with pytest.raises(OptionError, match="a bootstrap draws from at least 10 seeds, and 1 was asked for"):
        invoke(*options, "--interval", "bootstrap")


def test_quickstart(tmp_path: Path) -> None:
    options = [
        "quickstart",
        "--budget",
        "smoke",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--store",
        str(tmp_path / "runs"),
    ]
    status, out, _ = invoke(*options)
    assert status == 0
    assert str(tmp_path / "runs" / "report" / "index.html") in out
    assert "Best Gaussian filter" in out
    assert "2 seeds cannot show which operator is better" in out
    following = r"converse reproduce denoising --datasets set12 --device cpu --threads 1 --store \S+"
    assert re.search(following + r" +\(about .+ here, \d+ MB to download\)", out)
    status, out, err = invoke(*options, "--format", "json")
    assert status == 0
    assert {row["metric"] for row in json.loads(out)} >= {"psnr", "forward_ms", "training_ms"}
    assert "page: " in err


def test_a_line_has_mean_and_deviation() -> None:
    row = {"entry": "A", "dataset": "Set", "case": "kernel_1", "seeds": 2, "published": 30.0, "deviation": 0.1}
    rows = [
        {**row, "metric": "psnr", "measured": 29.123},
        {**row, "metric": "ssim", "measured": 0.87654, "deviation": None},
        {**row, "metric": "parameters", "measured": 1234},
    ]
    assert summary_lines(rows) == [["A", "2", "1,234", "Set, kernel 1", "29.12 ± 0.10", "0.8765", "–", "30.00"]]


def test_a_line_says_what_its_mean_leaves_out() -> None:
    row = {"entry": "A", "dataset": "Set", "case": None, "seeds": 2, "published": None, "deviation": 0.1, "images": 3}
    rows = [
        {**row, "metric": "psnr", "measured": 29.123, "infinite": 2},
        {**row, "metric": "ssim", "measured": math.inf, "infinite": 3, "deviation": None},
    ]
    assert summary_lines(rows)[0][4:6] == ["∞ in 2 of 3; others 29.12 ± 0.10", "∞"]


def test_training_images_that_are_not_at_hand_end_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converse: Callable[..., tuple[int, str, str]]
) -> None:
    def download(*arguments: object) -> None:
        raise DataError("no network")

    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(downloads, "download", download)
    options = ("--budget", "standard", "--dry-run", "--store", str(tmp_path / "runs"))
    status, out, err = converse("run", "denoising", *options)
    assert (status, out) == (3, "")
    assert "or name a folder that has" in err


@pytest.mark.usefixtures("sketched")
def test_operators_that_cannot_be_timed_end_the_quickstart_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwell = {"subject": "conv", "pass": "forward", "twin": False, "status": "failed", "reason": "RuntimeError: unwell"}
    timed = SpeedRun("run", speed_frame([unwell]), 1, ())
    monkeypatch.setattr("converse.workflows.quickstart.speed", lambda request: timed)
    arguments = ["quickstart", "--budget", "smoke", "--seeds", "0", "--device", "cpu", "--threads", "1"]
    for _ in range(2):  # what was not timed is not remembered as timed
        status, _, err = invoke(*arguments, "--store", str(tmp_path / "runs"))
        assert status == 1
        assert "not timed: conv, forward: RuntimeError: unwell" in err
