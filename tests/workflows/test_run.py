"""Oracles: the store's files, and the same suite run once more elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from converse.analysis.tables import records
from converse.cli.exit_status import exit_status
from converse.data.catalogue import sha256_of
from converse.errors import ConverseError, DataError, OptionError
from converse.experiments.running.jobs import Job
from converse.experiments.store import Store
from converse.experiments.store.requests import Standard, notes
from converse.experiments.training.learner import Learner
from converse.reporting.chapters.contents import make_report
from converse.reporting.inputs.material import gather
from converse.workflows import run as workflow
from converse.workflows.check_measured import measure
from converse.workflows.check_request import GateRun
from converse.workflows.preview import preview_run
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.status import statuses, summary
from converse.workflows.work import Progress
from tests.photographs import write_photographs

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0, 1]

[data]
train = ["./train"]
test = [{test}]

[budgets.smoke]
steps = 3
patch = 16
batch = 2

[[entries]]
name = "Plain"
model = "dncnn"
options = {{ features = 4, layers = 3 }}

[[entries]]
name = "Reverse"
model = "block-dncnn"
operator = "converse"
options = {{ features = 4, blocks = 1 }}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_photographs(tmp_path, train=2, test=2, more=1)
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE.format(test='"./test"'))
    return path


@pytest.fixture
def asked(suite: Path, tmp_path: Path) -> Callable[..., RunRequest]:
    def make(**changes: Any) -> RunRequest:
        return RunRequest(**{"suite": str(suite), "store": tmp_path / "runs", "device": "cpu", "threads": 1, **changes})

    return make


def test_all_is_done_and_held_together(asked: Callable[..., RunRequest]) -> None:
    told: list[Progress] = []
    done = run(asked(), told.append)
    assert (done.trials, done.fresh, done.failures, done.notes) == (4, 4, (), ())
    rows = {(row["entry"], row["metric"]): row for row in records(done.results)}
    assert {entry for entry, _ in rows} == {"Plain", "Reverse"}
    stored = Store(asked().store, create=False).rows()
    for entry in ("Plain", "Reverse"):
        row = rows[entry, "psnr"]
        values = stored[(stored["entry"] == entry) & (stored["metric"] == "psnr")].groupby("seed")["value"].mean()
        assert (row["source"], row["budget"], row["seeds"], row["images"]) == ("trained", "smoke", 2, 2)
        assert row["measured"] == pytest.approx(values.mean())
        assert row["deviation"] == pytest.approx(values.std())
    assert {told_of.name for told_of in told} == {
        f"{entry} seed {seed}" for entry in ("Plain", "Reverse") for seed in (0, 1)
    }
    assert [step.name for step in told if step.finished] == [
        "Plain seed 0",
        "Reverse seed 0",
        "Plain seed 1",
        "Reverse seed 1",
    ]


@pytest.mark.parametrize("ask", [run, preview_run])
def test_all_training_images_are_looked_at_before_anything_is_trained(
    asked: Callable[..., RunRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Any]
) -> None:
    monkeypatch.setenv("CONVERSE_IMAGE_MEGAPIXELS", "0.0005")
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "train" / "9.png")
    with pytest.raises(DataError, match=r"train/9\.png has 20×30 pixels, .* at most 0\.0005 are read"):
        ask(asked())
    assert not list((tmp_path / "runs").glob("trials/*"))
    monkeypatch.setenv("CONVERSE_IMAGE_MEGAPIXELS", "1")
    (tmp_path / "train" / "9.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"train/9\.png is a GIF"):
        ask(asked())


def test_noise_levels_of_a_suite_train_nothing_anew_and_enter_no_difference(
    asked: Callable[..., RunRequest], suite: Path
) -> None:
    before = run(asked())
    made = {folder.id for folder in Store(asked().store).folders()}
    weights = {path: sha256_of(path) for path in asked().store.rglob("checkpoint.safetensors")}
    suite.write_text(suite.read_text().replace("[budgets.smoke]", "noise_levels = [15, 50]\n\n[budgets.smoke]"))
    preview = preview_run(asked())
    assert {(line["state"], line["steps"], line["images"]) for line in preview.lines} == {("done", 0, 4)}
    done = run(asked())
    assert {folder.id for folder in Store(asked().store).folders()} == made
    assert {path: sha256_of(path) for path in asked().store.rglob("checkpoint.safetensors")} == weights
    cases = [row["case"] for row in records(done.results) if (row["entry"], row["metric"]) == ("Plain", "psnr")]
    assert cases == [None, "noise_level_15", "noise_level_50"]
    # What was said of the task as it is, is said again, to the bit.
    pd.testing.assert_frame_equal(done.rows, before.rows)
    pd.testing.assert_frame_equal(done.effects(), before.effects())
    pd.testing.assert_frame_equal(done.image_tests(), before.image_tests())
    assert [row for row in records(done.results) if row["case"] is None] == records(before.results)
    again = run(asked())
    assert (again.fresh, records(again.results)) == (0, records(done.results))
    told = measure(GateRun(suite=str(suite), store=asked().store, device="cpu", threads=1), None, lambda step: None)
    pd.testing.assert_frame_equal(told.rows, before.rows)
    assert (told.lacking, told.failures) == ({}, {})


def test_the_same_request_again_plans_nothing(
    asked: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(asked())
    monkeypatch.setattr(workflow, "_carry_out", None)
    again = run(asked())
    assert again.fresh == 0
    assert records(again.results) == records(first.results)
    for done in (first, again):
        assert done.grounds is not None
        assert done.grounds.standard == Standard({}, 0.3, {"Plain": True, "Reverse": True})
        assert set(done.grounds.curves) == set(done.rows["trial"])


def test_the_same_request_again_does_not_load_torch(asked: Callable[..., RunRequest], suite: Path) -> None:
    twin = 'name = "Plain"\nmodel = "block-dncnn"\noperator = "conv"\noptions = { features = 4, blocks = 1 }'
    text = suite.read_text().replace('operator = "converse"', 'operator = "convt"')
    suite.write_text(text.replace('name = "Plain"\nmodel = "dncnn"\noptions = { features = 4, layers = 3 }', twin))
    first = run(asked())
    assert [(one.entry, one.base) for one in first.floor] == [("Reverse", "Plain")]
    code = (
        "import sys; from pathlib import Path; from converse.workflows.run import run;"
        "from converse.workflows.run_request import RunRequest;"
        f"done = run(RunRequest({asked().suite!r}, store=Path({str(asked().store)!r}), device='cpu', threads=1));"
        f"assert done.fresh == 0 and done.trials == 4 and list(map(tuple, done.floor)) == {[*map(tuple, first.floor)]};"
        "assert done.effects()['same_class'].any(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_part_is_a_request_of_its_own(asked: Callable[..., RunRequest]) -> None:
    run(asked())
    told: list[Progress] = []
    part = run(asked(entries=("plain",), seeds=(1,), images=1), told.append)
    assert [step.finished for step in told if step.finished] == ["done already"]
    assert (part.trials, part.fresh) == (1, 0)
    (row,) = [row for row in records(part.results) if row["metric"] == "psnr"]
    assert (row["entry"], row["seeds"], row["images"], row["deviation"]) == ("Plain", 1, 1, None)


def test_more_test_images_train_nothing(
    asked: Callable[..., RunRequest], suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(asked())
    suite.write_text(SUITE.format(test='"./test", "./more"'))
    monkeypatch.setattr(Learner, "step", None)
    more = run(asked())
    assert (more.trials, more.fresh) == (4, 4)
    assert {row["dataset"] for row in records(more.results) if row["metric"] == "psnr"} == {"test", "more"}


def test_one_failure_leaves_the_others(asked: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    step = Learner.step

    def fail(self: Learner, number: int, batch: Any) -> torch.Tensor:
        if self.seed == 1 and hasattr(self.model, "head"):
            raise RuntimeError("no such kernel")
        return step(self, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", fail)
        done = run(asked())
    (failure,) = done.failures
    assert (failure.name, failure.reason, failure.fresh) == ("Reverse seed 1", "RuntimeError: no such kernel", True)
    assert (done.trials, done.fresh) == (4, 4)
    again = run(asked())
    assert [(one.name, one.fresh) for one in again.failures] == [("Reverse seed 1", False)]
    assert again.fresh == 0
    retried = run(asked(retry_failed=True))
    assert (retried.fresh, retried.failures) == (1, ())
    seeds = {row["entry"]: row["seeds"] for row in records(retried.results) if row["metric"] == "psnr"}
    assert seeds == {"Plain": 2, "Reverse": 2}


def test_a_half_written_trial_is_finished(asked: Callable[..., RunRequest]) -> None:
    first = run(asked())
    store = Store(asked().store)
    one, two = store.folders()[:2]
    (one.path / "trial.json").write_text("{")
    (two.path / "status.json").unlink()
    (two.path / "checkpoint.safetensors").unlink()
    (two.path / "rows.parquet").unlink()
    again = run(asked())
    assert records(again.results) == records(first.results)
    assert again.fresh >= 1


def test_a_test_set_that_is_not_here_is_said(
    asked: Callable[..., RunRequest], suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.write_text(SUITE.format(test='"./test", "urban100"'))
    monkeypatch.setattr("converse.data.resources.image_set", _only_folders)
    done = run(asked())
    (row,) = [r for r in records(done.results) if r["dataset"] == "Urban100" and r["entry"] == "Plain"]
    assert (row["verdict"], row["measured"]) == ("not measured", None)
    assert "converse data fetch urban100" in str(row["reason"])


def _refusing(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """Let that entry take patches, and no image."""

    def check(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[-1] > 16:
            raise RuntimeError("at most 16 pixels")

    build = Job.build

    def refuse(job: Job) -> nn.Module:
        model = build(job)
        if job.plan.entry == entry:
            model.register_forward_pre_hook(check)
        return model

    monkeypatch.setattr(Job, "build", refuse)


def test_an_entry_whose_every_image_failed_is_not_done(
    asked: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refusing(monkeypatch, "Plain")
    told: list[Progress] = []
    for _ in range(2):  # the second time nothing is left to do, and the answer is the same
        done = run(asked(seeds=(0,)), told.append)
        rows = {(row["entry"], row["metric"]): row for row in records(done.results)}
        assert rows["Plain", "psnr"]["measured"] is None
        assert "at most 16 pixels" in str(rows["Plain", "psnr"]["reason"])
        assert rows["Reverse", "psnr"]["measured"] is not None
        assert {(gap.entry, gap.failed, gap.named) for gap in done.gaps} == {("Plain", True, True)}
        assert exit_status(done.failures, done.gaps, done.measured) == 1
    assert any("incomplete: 2 of 2 images not measured" in step.finished for step in told)
    store = Store(asked().store)
    assert not (store.root / "answered").exists()
    lines = {line.entry: line for line in statuses(store)}
    assert (lines["Plain"].state, lines["Reverse"].state) == ("incomplete", "done")
    assert "2 of 2 images not measured: the network does not take an input" in lines["Plain"].reason
    assert summary(list(lines.values())).startswith("1 done, 1 incomplete;")


def test_a_count_of_parameters_is_no_measurement(
    asked: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refusing(monkeypatch, "Plain")
    done = run(asked(seeds=(0,), entries=("Plain",)))
    assert done.results["measured"].notna().any()
    assert not done.measured


def test_what_a_crash_leaves_unmeasured_is_said_in_its_cell(
    asked: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learner.step

    def crash(learner: Learner, at: int, batch: Any) -> torch.Tensor:
        if learner.seed == 1 and at == 1:
            raise RuntimeError("seed 1 is unlucky")
        return step(learner, at, batch)

    monkeypatch.setattr(Learner, "step", crash)
    done = run(asked(entries=("Plain",)))
    (row,) = [row for row in records(done.results) if row["metric"] == "psnr"]
    assert row["measured"] is not None
    assert "seed 1: RuntimeError: seed 1 is unlucky" in str(row["reason"])
    assert exit_status(done.failures, done.gaps, done.measured) == 1


def test_a_test_set_counts_as_asked_for_where_it_is_named(
    asked: Callable[..., RunRequest], suite: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite.write_text(SUITE.format(test='"./test", "urban100"'))
    monkeypatch.setattr("converse.data.resources.image_set", _only_folders)
    listed = run(asked(seeds=(0,), entries=("Plain",)))
    assert exit_status(listed.failures, listed.gaps, listed.measured) == 0
    named = run(asked(seeds=(0,), entries=("Plain",), datasets=(str(tmp_path / "test"), "urban100")))
    assert exit_status(named.failures, named.gaps, named.measured) == 3


def _only_folders(name: str, data_dir: Path | None = None) -> Any:
    from converse.data.images import image_set

    if "/" not in name:
        raise DataError("no network")
    return image_set(name)


def test_training_images_are_needed(
    asked: Callable[..., RunRequest], suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.write_text(SUITE.format(test='"./test"').replace('"./train"', '"train400"'))
    monkeypatch.setattr("converse.data.resources.image_set", _only_folders)
    with pytest.raises(DataError, match="converse data fetch train400, or name a folder that has it: --data-dir"):
        run(asked())
    assert not Store(asked().store).folders()


def test_images_that_are_held_out_are_watched_and_not_trained_on(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path
) -> None:
    def trained(name: str, *changes: tuple[str, str]) -> tuple[str, bytes, set[str]]:
        text = SUITE.format(test='"./test"')
        for old, new in changes:
            text = text.replace(old, new)
        suite.write_text(text)
        run(asked(entries=("Plain",), seeds=(0,), store=tmp_path / name))
        (folder,) = Store(tmp_path / name).folders()
        drawn = {key for line in (folder.path / "curve.jsonl").read_text().splitlines() for key in json.loads(line)}
        return folder.id, (folder.path / "checkpoint.safetensors").read_bytes(), drawn

    cut = ('"./test"]', '"./test"]\nvalidation = { cut = 1 }')
    *watched, with_curve = trained("watched", cut, ("steps = 3", "steps = 3\nvalidate_every = 1"))
    *cut_alone, _ = trained("cut", cut)
    held = min((tmp_path / "train").iterdir(), key=sha256_of)
    held.rename(tmp_path / held.name)
    *without, without_curve = trained("without")
    assert watched == cut_alone == without
    assert with_curve - without_curve == {"psnr"}
    facts = [fact for part in make_report(gather([Store(tmp_path / "cut")])).parts for fact in part.facts]
    assert ("Images held out for validation", "1") in facts


def test_images_are_not_trained_on_and_tested_on(asked: Callable[..., RunRequest], suite: Path, tmp_path: Path) -> None:
    """Unless the suite leaves them out, or says why; then the store knows, and so does whoever asks again."""
    with Image.open(tmp_path / "train" / "0.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "test" / "turned.png")
    with pytest.raises(DataError, match=r"trained on and tested on: 0.png of train \(which is turned.png of"):
        run(asked())
    assert not Store(asked().store).folders()

    def said(line: str, store: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        suite.write_text(SUITE.format(test='"./test"').replace('"./test"]', f'"./test"]\n{line}'))
        request = asked(entries=("Plain",), seeds=(0,), store=tmp_path / store)
        done, again = run(request), run(request)
        (folder,) = Store(tmp_path / store).folders()
        (noted,) = notes(Store(tmp_path / store))
        assert done.notes == again.notes == noted.data_notes
        assert again.fresh == 0
        sheets = make_report(gather([Store(tmp_path / store)])).sheets
        assert any(f"{done.notes[0]}." in sheet.notes for sheet in sheets)
        return done.notes, (folder.provenance() or {})["not_trained_on"]

    pair = "0.png of train (which is turned.png of test)"
    left_out = {"left_out": ["0.png of train is turned.png of test"], "held_out": []}
    assert said('leave_out = ["./test"]', "left") == (
        (f"not trained on, since they are test images: {pair}",),
        left_out,
    )
    assert said('overlap = "to see it fit"', "design") == (
        (f"by design (to see it fit), trained on and tested on: {pair}",),
        {"left_out": [], "held_out": []},
    )


def test_images_are_not_validated_on_and_tested_on(asked: Callable[..., RunRequest], suite: Path) -> None:
    text = SUITE.format(test='"./test"').replace('"./test"]', '"./test"]\nvalidation = { dataset = "./test" }')
    suite.write_text(text.replace("steps = 3", "steps = 3\nvalidate_every = 1"))
    with pytest.raises(DataError, match=r"validated on and tested on: .*: validation = \{ cut = 4 \}, or"):
        run(asked())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": "paper"}, "unknown budget 'paper'"),
        ({"entries": ("Plane",)}, "did you mean 'Plain'"),
        ({"device": "tpu"}, "device must be auto, cpu, mps, cuda or cuda:N"),
    ],
)
def test_mistakes(asked: Callable[..., RunRequest], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(asked(**changes))


def test_the_preview_writes_nothing_and_knows_what_is_done(asked: Callable[..., RunRequest]) -> None:
    plan = preview_run(asked())
    assert not asked().store.exists()
    assert [(line["entry"], line["seed"], line["state"], line["steps"], line["images"]) for line in plan.lines] == [
        ("Plain", 0, "new", 3, 2),
        ("Reverse", 0, "new", 3, 2),
        ("Plain", 1, "new", 3, 2),
        ("Reverse", 1, "new", 3, 2),
    ]
    assert {line["estimated_from"] for line in plan.lines} == {"yardstick"}
    assert plan.seconds is not None
    assert 0 < plan.seconds[0] < plan.seconds[1]
    assert plan.bytes > 4 * 4 * 100
    run(asked(seeds=(0,)))
    later = preview_run(asked())
    assert [line["state"] for line in later.lines] == ["done", "done", "new", "new"]
    assert [line["estimated_from"] for line in later.lines] == [None, None, "trials", "trials"]
    store = Store(asked().store, create=False)
    for line in later.lines[2:]:
        (twin,) = [one for one in later.lines[:2] if one["entry"] == line["entry"]]
        assert line["least_seconds"] == line["most_seconds"] == store.find(str(twin["trial"])).status().seconds


def test_what_is_remembered_is_forgotten_with_its_trials(asked: Callable[..., RunRequest]) -> None:
    run(asked())
    store = Store(asked().store)
    (file,) = (store.root / "answered").iterdir()
    assert len(json.loads(file.read_text())["trials"]) == 4
    shutil.rmtree(store.folders()[0].path)
    assert run(asked()).fresh == 1
    file.write_text("torn")
    assert run(asked()).fresh == 0


@pytest.mark.slow
def test_several_at_once_are_the_same(asked: Callable[..., RunRequest], tmp_path: Path) -> None:
    alone = run(asked())
    told: list[Progress] = []
    together = run(asked(store=tmp_path / "together", processes=2), told.append)
    assert all(step.finished.startswith("done in") for step in told if step.finished)
    assert records(together.results) == records(alone.results)
    folders = Store(tmp_path / "together", create=False).folders()
    assert [folder.status().attempts for folder in folders] == [1] * 4


OPERATOR = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", step=None, what=None):
        super().__init__()
        if what == "built":
            raise RuntimeError("not today")
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.step, self.what, self.steps = step, what, 0

    def forward(self, y):
        self.steps += self.training
        if self.steps == self.step:
            if self.what == "raises":
                raise RuntimeError("the third step is one too many\\nand more")
            assert self.what != "asserts"
            if self.what == "no memory":
                return torch.empty(10**15)
            if self.what == "leaves":
                raise SystemExit(3)
            return y * float(self.what)
        return y * self.gain
"""


def test_a_users_operator_that_fails_in_step_3_is_a_result(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OPERATOR)
    fails = {
        "raises": "RuntimeError: the third step is one too many",
        "no memory": "out of memory: ",
        "leaves": "SystemExit: 3",
        "asserts": "AssertionError",
        "nan": "the loss became NaN in step 3",
    }
    text = SUITE.format(test='"./test"').replace("steps = 3", "steps = 5").replace("[0, 1]", "[0]")
    entry = '[[entries]]\nname = "{0}"\nmodel = "block-dncnn"\noperator = "./mine.py:Mine"\n'
    entry += 'options = {{ features = 4, blocks = 1, operator_options = {{ step = 3, what = "{0}" }} }}\n'
    fine = '[[entries]]\nname = "Fine"\nmodel = "block-dncnn"\noperator = "./mine.py:Mine"\n'
    fine += "options = { features = 4, blocks = 1 }\n"
    suite.write_text(text + "".join(entry.format(what) for what in fails) + fine)
    done = run(asked())
    reasons = {failure.name.removesuffix(" seed 0"): failure for failure in done.failures}
    assert reasons.keys() == fails.keys()
    store = Store(asked().store, create=False)
    for name, reason in fails.items():
        assert reasons[name].reason.startswith(reason)
        folder = store.find(reasons[name].trial)
        assert (folder.status().state, folder.status().reason) == ("failed", reasons[name].reason)
        assert (folder.path / "failure.txt").read_text().startswith("Traceback")
        assert not (folder.path / "checkpoint.safetensors").exists()
        assert folder.description()["operator_file"] == sha256_of(tmp_path / "mine.py")
    measured = {row["entry"] for row in records(done.results) if row["metric"] == "psnr" and row["measured"]}
    assert measured == {"Plain", "Reverse", "Fine"}
    (tmp_path / "mine.py").write_text(OPERATOR + "\n# mended\n")
    assert len(run(asked()).failures) == len(fails)  # another file makes other trials
    assert len(store.folders()) == 2 + 2 * (len(fails) + 1)


@pytest.mark.parametrize(
    ("operator", "options", "message"),
    [
        ("./mine.py:Yours", "", "entry 'Own': .*mine.py has no class 'Yours'"),
        (
            "./mine.py:Mine",
            "gain = 2",
            r"entry 'Own': unknown option of Mine 'gain': known: step, what; mine.py, line \d+: Mine is Mine\(",
        ),
        ("./mine.py:Mine", 'what = "built"', "entry 'Own': operator '.*' cannot be built: RuntimeError: not today"),
        ("./none.py:Mine", "", "none.py cannot be read: No such file"),
    ],
)
def test_a_users_operator_that_cannot_be_built_is_said_before_anything_is_trained(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path, operator: str, options: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text(OPERATOR)
    entry = f'[[entries]]\nname = "Own"\nmodel = "block-dncnn"\noperator = "{operator}"\n'
    suite.write_text(SUITE.format(test='"./test"') + entry + f"options = {{ operator_options = {{ {options} }} }}\n")
    with pytest.raises(ConverseError, match=message):
        run(asked())
    assert not Store(asked().store).folders()


def test_a_wrong_shape_is_refused_before_any_other_entry_trains(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OPERATOR.replace("return y * self.gain", "return (y * self.gain)[..., 1:]"))
    entry = '[[entries]]\nname = "Own"\nmodel = "block-dncnn"\noperator = "./mine.py:Mine"\n'
    suite.write_text(SUITE.format(test='"./test"') + entry + "options = { features = 4, blocks = 1 }\n")
    message = (
        r"entry 'Own': operator 'mine\.py:Mine' must map \[2, 8, 16, 16\] to \[2, 8, 16, 16\], got \[2, 8, 16, 15\]"
    )
    with pytest.raises(OptionError, match=message):
        run(asked())
    assert not Store(asked().store).folders()


def test_memory_that_is_never_given_back_is_a_failure_and_the_others_go_on(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path
) -> None:
    kept = (
        "self.kept = [*getattr(self, 'kept', ()), torch.empty(__import__('psutil').virtual_memory().available // 12)]"
    )
    (tmp_path / "mine.py").write_text(OPERATOR.replace("return y * self.gain", f"{kept}; return y * self.gain"))
    entry = '[[entries]]\nname = "Own"\nmodel = "block-dncnn"\noperator = "./mine.py:Mine"\n'
    entry += "options = { features = 4, blocks = 1 }\n"
    suite.write_text(SUITE.format(test='"./test"').replace("[0, 1]", "[0]") + entry)
    done = run(asked())
    (failure,) = done.failures
    assert failure.reason.startswith("out of memory: ")
    assert {row["entry"] for row in records(done.results) if row["measured"]} == {"Plain", "Reverse"}


def test_leaving_the_process_is_a_failure_and_the_others_go_on(
    asked: Callable[..., RunRequest], suite: Path, tmp_path: Path
) -> None:
    text = OPERATOR.replace("raise SystemExit(3)", "__import__('os')._exit(0)")
    (tmp_path / "mine.py").write_text(text)
    entry = '[[entries]]\nname = "Own"\nmodel = "block-dncnn"\noperator = "./mine.py:Mine"\n'
    entry += 'options = {{ features = 4, blocks = 1, operator_options = {{ step = {}, what = "leaves" }} }}\n'
    for step, where in ((1, "when it was tried before training"), (2, "while training (1 of 3)")):
        suite.write_text(SUITE.format(test='"./test"').replace("[0, 1]", "[0]") + entry.format(step))
        done = run(asked())
        (failure,) = done.failures
        assert (failure.name, failure.fresh) == ("Own seed 0", True)
        assert failure.reason == f"its process ended with status 0, {where}"
        assert {row["entry"] for row in records(done.results) if row["measured"]} == {"Plain", "Reverse"}
        assert [failure.fresh for failure in run(asked()).failures] == [False]
