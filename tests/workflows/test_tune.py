"""Tuning from end to end. Oracles: the store's rows, the file of winners, and the same suite run without tuning."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from converse.data.catalogue import sha256_of
from converse.errors import OptionError
from converse.experiments.store import Store
from converse.experiments.store.requests import notes
from converse.experiments.training.interruption import Stopped
from converse.experiments.training.learner import Learner
from converse.reporting.chapters.contents import make_report
from converse.reporting.inputs.material import gather
from converse.workflows.preview import preview_run
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.tune import TuneRequest, tune
from tests.photographs import write_photographs

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0]

[data]
train = ["./train"]
test = ["./test"]
validation = { cut = 1 }

[tuning]
seeds = [7, 8]
grid = { "training.lr" = [1e-3, 1e-2] }
grid_with_lambda = { "options.operator_options.lam_offset" = [-9.0, -2.0] }

[budgets.smoke]
steps = 2
patch = 16
batch = 2

[[entries]]
name = "Plain"
model = "dncnn"
options = { features = 4, layers = 3 }

[[entries]]
name = "Reverse"
model = "block-dncnn"
operator = "converse"
options = { features = 4, blocks = 1 }
"""

Asked = Callable[..., TuneRequest]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.chdir(tmp_path)
    write_photographs(tmp_path, train=3, test=1)
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)

    def make(**changes: Any) -> TuneRequest:
        return TuneRequest(**{"suite": str(path), "store": tmp_path / "runs", "device": "cpu", "threads": 1, **changes})

    return make


def test_the_best_of_each_entry_is_written_and_run(asked: Asked, tmp_path: Path) -> None:
    done = tune(asked())
    rows = Store(tmp_path / "runs").rows()
    assert set(rows["image_sha256"].dropna()) == {min(map(sha256_of, (tmp_path / "train").iterdir()))}
    psnr = rows[rows["metric"] == "psnr"].groupby("entry")["value"].mean()
    best = {entry: str(psnr.filter(like=f"{entry}: ").idxmax()) for entry in ("Plain", "Reverse")}
    assert {row["point"] for row in done.scores if row["chosen"]} == set(best.values())
    assert {row["point"]: row["psnr"] for row in done.scores} == pytest.approx(dict(psnr))
    assert done.file == Path("tiny.smoke.tuned.toml")
    document = tomllib.loads(done.file.read_text())
    assert (document["suite"], document["budget"], document["seeds"], document["tried"]) == ("tiny", "smoke", [7, 8], 2)
    plain, reverse = document["entries"]
    assert plain["psnr"] == pytest.approx(psnr[best["Plain"]], abs=1e-3)
    assert set(plain["trials"]) == set(rows.loc[rows["entry"] == best["Plain"], "trial"])
    assert reverse["grid"] == {"options.operator_options.lam_offset": [-9.0, -2.0]}

    tuned = run(RunRequest(asked().suite, store=tmp_path / "runs", device="cpu", threads=1, tuned=str(done.file)))
    assert (tuned.trials, tuned.suite.name, list(tuned.effects()["entry"].unique())) == (2, "tiny-tuned", ["Reverse"])
    trained = {folder.description()["entry"]: folder.description() for folder in Store(tmp_path / "runs").folders()}
    assert trained["Plain"]["configuration"]["training"]["lr"] == plain["settings"]["training.lr"]


def test_equal_settings_tuned_ones_and_what_was_tried_are_studies(asked: Asked, tmp_path: Path) -> None:
    done = tune(asked(entries=("plain",)))
    request = RunRequest(asked().suite, store=tmp_path / "runs", device="cpu", threads=1, entries=("Plain",))
    run(request)
    run(RunRequest(**{**vars(request), "tuned": str(done.file)}))
    found = make_report(gather([Store(tmp_path / "runs")]))
    assert [part.title for part in found.parts if part.key.startswith("tiny")] == [
        "Tiny, budget smoke",
        "Tiny (tuned), budget smoke",
        "Tiny (tuning), budget smoke",
    ]
    (tried,) = [part for part in found.parts if part.key == "tiny-tuning-smoke"]
    (sheet,) = tried.sheets
    assert [(row.group, row.title, row.marks, row.cells[0].measured) for row in sheet.rows] == [
        (
            "Plain",
            row["point"].removeprefix("Plain: "),
            ("chosen",) if row["chosen"] else (),
            row["psnr"],
        )
        for row in done.scores
    ]
    assert tried.commands == (f"converse tune {asked().suite} --budget smoke --only plain --device cpu --threads 1",)
    assert not any("tuning" in finding.text for finding in found.findings if hasattr(finding, "text"))


def test_the_file_says_how_many_settings_of_its_entries_were_tried(asked: Asked) -> None:
    done = tune(asked(entries=("Plain",), grid={"training.lr": (1e-3, 3e-3, 1e-2)}))
    assert done.file is not None
    assert tomllib.loads(done.file.read_text())["tried"] == 3
    done = tune(asked(entries=("Plain",), grid={"training.lr": (1e-3,)}))
    assert done.file is not None
    assert tomllib.loads(done.file.read_text())["tried"] == 1


def test_it_stops_and_goes_on(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, steps = Learner.step, []

    def stop(self: Learner, number: int, batch: Any) -> torch.Tensor:
        steps.append(number)
        if len(steps) == 4:
            raise Stopped
        return step(self, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(asked())
    assert not list(tmp_path.glob("*.tuned.toml"))
    begun = sum(folder.status().state == "done" for folder in Store(tmp_path / "runs").folders())
    assert begun == 1
    assert tune(asked()).run.fresh == 7
    monkeypatch.setattr(Learner, "step", None)
    again = tune(asked())
    assert (again.run.fresh, again.file) == (0, Path("tiny.smoke.tuned.toml"))


def test_settings_that_fail_have_lost(asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    step = Learner.step

    def fail(self: Learner, number: int, batch: Any) -> torch.Tensor:
        if self.settings.lr == 1e-2 and self.seed == 8:
            raise RuntimeError("loss became NaN")
        return step(self, number, batch)

    monkeypatch.setattr(Learner, "step", fail)
    done = tune(asked())
    assert {row["point"]: row["seeds"] for row in done.scores if row["entry"] == "Plain"} == {
        "Plain: lr = 0.001": 2,
        "Plain: lr = 0.01": 1,
    }
    assert next(row["point"] for row in done.scores if row["chosen"]) == "Plain: lr = 0.001"
    assert len(done.run.failures) == 1
    assert done.file is not None
    (note,) = [note for note in notes(Store(tmp_path / "runs")) if note.tunes]
    assert note.tunes["Plain: lr = 0.01"] == "Plain"


def test_without_a_winner_for_each_nothing_is_written(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    step = Learner.step

    def fail(self: Learner, number: int, batch: Any) -> torch.Tensor:
        if not hasattr(self.model, "head"):
            raise RuntimeError("loss became NaN")
        return step(self, number, batch)

    monkeypatch.setattr(Learner, "step", fail)
    done = tune(asked())
    assert (done.file, done.lacking) == (None, ("Plain",))
    assert not list(tmp_path.glob("*.tuned.toml"))


def test_only_a_file_of_winners_is_written_over(asked: Asked, tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"tiny\.toml is there already and is no file of winners; choose another --ou"
    ):
        tune(asked(output=tmp_path / "tiny.toml"))
    assert (tmp_path / "tiny.toml").read_text() == SUITE
    assert not (tmp_path / "runs" / "trials").exists()


def test_a_folder_that_is_not_there_is_said_before_anything_is_trained(asked: Asked, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"there is no folder .*nowhere; make it, or name another"):
        tune(asked(output=tmp_path / "nowhere" / "best.toml"))
    assert not (tmp_path / "runs" / "trials").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"training.lrr": (1.0,)}}, r"--grid: unknown setting of training 'lrr': did you mean 'lr'\?"),
        ({"grid_with_lambda": {"training.lr": ()}}, r"--grid-with-lambda: came \[\]; must not be empty"),
        ({"seeds": (0,)}, r"seed 0 is one of the comparison"),
        ({"budget": "quick"}, r"suite 'tiny': unknown budget 'quick': known: smoke"),
        ({"entries": ("Plane",)}, r"suite 'tiny': unknown trained entry 'Plane': did you mean 'Plain'\?"),
    ],
)
def test_a_request_that_cannot_be_is_refused(asked: Asked, changes: dict[str, Any], message: str) -> None:
    for ask in (tune, preview_run):
        with pytest.raises(OptionError, match=message):
            ask(asked(**changes))


def test_what_there_is_to_do_is_planned(asked: Asked) -> None:
    lines = preview_run(asked(grid={"training.lr": (0.1, 0.2)})).lines
    assert len(lines) == 8
    assert {(line["seed"], line["images"], line["state"]) for line in lines} == {(7, 1, "new"), (8, 1, "new")}
    assert {line["entry"] for line in lines} >= {"Plain: lr = 0.1", "Reverse: lam_offset = -2.0"}
