"""Oracles: operators that sleep for a known time or stop the run, the store's files, the command's exit status."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from converse.analysis.speed import beside_first
from converse.cli.main import app
from converse.errors import OptionError
from converse.experiments.speed import runs
from converse.experiments.store import Store
from converse.experiments.store.speed_rows import SPEED_COLUMNS
from converse.workflows.speed import SpeedProgress, SpeedRequest, SpeedRun, against, preview, records, speed

SUITE = """
schema = 1
name = "mine"
title = "Mine"
[[sweeps]]
name = "size"
title = "Size"
subjects = ["converse"]
passes = ["evaluation"]
vary = "size"
values = [8, 12, 16]
[budgets.quick]
channels = 2
turns = 9
turn_seconds = 0.001
case_seconds = 60
"""
SLEEPS = """
import time
from converse import Converse2D
class Sleeps(Converse2D):
    def forward(self, y):
        time.sleep(0.02)
        return super().forward(y)
"""


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SpeedRequest:
    folder = tmp_path_factory.mktemp("speed")
    (folder / "mine.toml").write_text(SUITE)
    (folder / "mine.py").write_text(SLEEPS)
    return SpeedRequest(
        str(folder / "mine.toml"),
        operators=(f"{folder / 'mine.py'}:Sleeps",),
        store=folder / "runs",
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def progress() -> list[SpeedProgress]:
    return []


@pytest.fixture(scope="module")
def done(request_: SpeedRequest, progress: list[SpeedProgress]) -> SpeedRun:
    return speed(request_, progress.append)


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["speed", *arguments])
    return result.exit_code, result.stdout, result.stderr


def options(request: SpeedRequest) -> list[str]:
    found = [request.suite, "--operator", request.operators[0], "--store", str(request.store)]
    return [*found, "--device", "cpu", "--threads", "1"]


def test_a_planted_sleep_is_seen(done: SpeedRun) -> None:
    found = beside_first(done.rows)
    sleeps = found[found["subject"] == "mine.py:Sleeps"]
    assert list(sleeps["verdict"]) == ["slower"] * 3
    assert (sleeps["median_s"] > 0.02).all()


def test_rows_say_where_they_come_from(done: SpeedRun, request_: SpeedRequest) -> None:
    rows = Store(request_.store, create=False).speed_rows()
    assert tuple(rows.columns) == SPEED_COLUMNS
    assert set(rows["run"]) == {done.run}
    for name in ("suite", "budget", "device", "model", "threads", "torch", "code", "time"):
        assert rows[name].notna().all()
    assert list(rows["twin"]) == [False, True, False] * 3
    json.dumps(records(beside_first(rows)), allow_nan=False)


def test_progress_reaches_its_end(done: SpeedRun, progress: list[SpeedProgress]) -> None:
    shares = [step.done / step.total for step in progress]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert progress[-1].cases == 3


def test_the_same_again_measures_nothing_and_again_measures_all(
    done: SpeedRun, request_: SpeedRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "carry_out", None)
    second = speed(request_)
    assert (second.run, second.fresh) == (done.run, 0)
    plan = preview(request_)
    assert {line["state"] for line in plan.lines} == {"done"}
    assert plan.seconds == 0
    assert preview(SpeedRequest(**{**vars(request_), "again": True})).run != done.run


def test_what_other_threads_measured_is_named_before_it_is_measured_anew(
    done: SpeedRun, request_: SpeedRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(request_.store, tmp_path / "runs")
    asked = SpeedRequest(**{**vars(request_), "store": tmp_path / "runs", "threads": 2})
    notes: list[str] = []

    def stopped(*arguments: Any) -> None:
        assert len(notes) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "carry_out", stopped)
    said = f"this measures with --threads 2 what the run {done.run} has of --threads 1, which shows it"
    assert preview(asked).notes == (said,)
    with pytest.raises(KeyboardInterrupt):
        speed(asked, note=notes.append)
    assert notes == [said]
    assert preview(request_).notes == ()
    assert preview(SpeedRequest(**{**vars(asked), "operators": ()})).notes == ()  # that is another request


@pytest.mark.parametrize("code", ["import os; os._exit(0)", "raise SystemExit(0)"], ids=["leaves", "exits"])
@pytest.mark.parametrize("more", [["--dry-run"], []], ids=["dry", "real"])
def test_a_file_that_ends_the_process_ends_its_own(tmp_path: Path, code: str, more: list[str]) -> None:
    (tmp_path / "mine.py").write_text(code)
    place = ["--store", str(tmp_path / "runs"), "--budget", "smoke"]
    status, out, err = invoke("--operator", f"{tmp_path / 'mine.py'}:Mine", *place, *more)
    assert (status, out) == (2, "")
    assert f"{tmp_path / 'mine.py'} cannot be imported" in err
    assert not (tmp_path / "runs").exists()


def test_what_is_stopped_goes_on(request_: SpeedRequest, tmp_path: Path) -> None:
    asked = SpeedRequest(**{**vars(request_), "store": tmp_path / "runs", "operators": ()})

    def stop(step: SpeedProgress) -> None:
        if step.finished == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        speed(asked, stop)
    assert [line["state"] for line in preview(asked).lines] == ["done", "planned", "planned"]
    found = speed(asked)
    assert found.fresh == 2
    assert list(found.rows["height"]) == [8, 8, 12, 12, 16, 16]


def test_two_runs_and_two_machines(done: SpeedRun, request_: SpeedRequest) -> None:
    with pytest.raises(OptionError, match="got 0: there is none"):
        against(request_, done, "last")
    store = Store(request_.store)
    description = store.speed.folder(done.run, {}).description()
    lines = (request_.store / "speed" / done.run / "rows.jsonl").read_text().splitlines()
    other = store.speed.folder("other", {**description, "threads": 7, "model": "Another"})
    other.add([json.loads(line) for line in lines])
    table, warning = against(request_, done, "oth")
    assert set(table["verdict"]) == {"equal"} or (table["reason"].notna() | (table["verdict"] == "equal")).all()
    assert warning is not None
    assert "model: " in warning
    assert "threads: " in warning
    status, out, err = invoke(*options(request_), "--against", "last")
    assert status == 0
    assert "warning: times of different machines or settings are not comparable" in err.replace("\n", " ")
    assert "mine.py:Sleeps" in out


def test_one_document_and_nothing_else(done: SpeedRun, request_: SpeedRequest) -> None:
    status, out, _ = invoke(*options(request_), "--format", "json")
    assert status == 0
    found: list[dict[str, Any]] = json.loads(out)
    assert len(found) == 6
    assert {"verdict", "ns_per_pixel", "noise_floor", "device"} <= found[0].keys()
    status, out, _ = invoke(*options(request_), "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 6


def test_the_table(done: SpeedRun, request_: SpeedRequest) -> None:
    status, out, _ = invoke(*options(request_))
    assert status == 0
    assert "times slower" in out
    assert "growth of the time" in out
    assert f"run: {done.run}" in out


def test_the_suite_that_comes_with_converse(tmp_path: Path) -> None:
    common = ["--budget", "smoke", "--store", str(tmp_path / "runs"), "--device", "cpu", "--threads", "1"]
    status, out, _ = invoke(*common, "--dry-run", "--format", "json")
    assert status == 0
    assert {"size", "denoising"} <= {line["sweep"] for line in json.loads(out)}
    assert not (tmp_path / "runs").exists()
    status, out, err = invoke(*common, "--only", "upsampling,denoising-training")
    assert status == 0, err
    for name in ("fft-pair", "literal", "Converse-DnCNN, literal", "DnCNN"):
        assert name in out


def test_mistakes(tmp_path: Path) -> None:
    status, _, err = invoke("--only", "siz", "--store", str(tmp_path / "runs"))
    assert status == 2
    assert "unknown sweep or subject 'siz'" in err
    status, _, err = invoke("--operator", "mine.py:Mine", "--store", str(tmp_path / "runs"))
    assert status == 2
    assert "there is no file" in err
    assert not (tmp_path / "runs").exists()
