"""Comparisons from end to end on small images. Oracles: the store's rows, and the same trainings by run and tune."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from converse.analysis.answers import SAME_NUMBERS, SAME_TRIALS, answer_records
from converse.analysis.side_by_side import network_records
from converse.errors import ConverseError, OptionError
from converse.experiments.store import Store
from converse.experiments.suites.compared import REVERSE, RIVALS
from converse.experiments.training.interruption import Stopped
from converse.experiments.training.learner import Learner
from converse.workflows import compare_times
from converse.workflows.compare import Comparison, compare
from converse.workflows.compare_forecast import forecast
from converse.workflows.compare_request import CompareRequest
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
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
test = ["./test"]
validation = { cut = 1 }

[tuning]
seeds = [7]
grid = { "training.lr" = [1e-3, 1e-2] }
grid_with_lambda = { "options.operator_options.lam_offset" = [-9.0, -2.0] }

[budgets.smoke]
steps = 2
patch = 16
batch = 2

[[entries]]
name = "Converse-Tiny"
model = "block-dncnn"
operator = "converse"
options = { features = 4, blocks = 1, kernel_size = 3 }
"""

OPERATORS = """
import os, time
import torch
from torch import nn
from converse import Converse2D


class Again(Converse2D):
    pass


class Wide(nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", what="", step=2):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)
        self.what, self.step, self.steps = what, step, 0

    def forward(self, y):
        self.steps += self.training
        if self.steps == self.step:
            if self.what == "raises":
                raise RuntimeError("not this one")
            if self.what == "leaves":
                os._exit(0)
            if self.what == "hangs":
                time.sleep(600)
            if self.what == "blows":
                return self.mix(y) * float("nan")
        if self.what == "detaches":
            return self.mix(y).detach()
        return self.mix(y)[..., 1:] if self.what == "crops" else self.mix(y)
"""

Asked = Callable[..., CompareRequest]


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare_times, "SIDE", 16)
    write_photographs(tmp_path, train=3, test=2)
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "mine.py").write_text(OPERATORS)

    def make(operator: str = "mine.py:Again", **changes: Any) -> CompareRequest:
        given = {"suite": "tiny.toml", "store": tmp_path / "runs", "device": "cpu", "threads": 1}
        return CompareRequest(operator=operator, **{**given, **changes})

    return make


@pytest.fixture
def asked(whole: Asked, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The same without times and figures, which take most of the time."""
    monkeypatch.setattr("converse.workflows.compare.network_times", lambda *given: None)
    monkeypatch.setattr("converse.reporting.chapters.compared.forest_figure", lambda *given, **more: None)
    monkeypatch.setattr("converse.reporting.chapters.compared.cost_figure", lambda *given, **more: None)
    monkeypatch.setattr("converse.workflows.compare_page.with_figures", lambda report, *given, **more: report)
    return whole


def answers(done: Comparison) -> dict[str, Any]:
    return {row["rival"]: row for row in answer_records(done.answers)}


def networks(done: Comparison) -> dict[str, Any]:
    return {row["name"]: row for row in network_records(done.networks)}


def test_reverse_convolution_in_a_class_of_ones_own_is_equal_to_itself(
    whole: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = compare(whole())
    itself = answers(done)[REVERSE]
    assert (itself["answer"], itself["difference"], itself["reason"]) == ("equal", 0.0, SAME_NUMBERS)
    assert done.sentences[0].startswith(
        "Denoising (test, budget smoke; 2 seeds on 2 images): Again is equal to reverse convolution (a difference of "
        "exactly 0: both give the same number for every image), undecided against depthwise convolution ("
    )
    assert (done.failures, done.gaps, done.measured) == ((), (), True)

    store = Store(tmp_path / "runs", create=False)
    rows = store.rows()
    found = networks(done)
    assert list(found) == ["Again", REVERSE, *RIVALS]
    tuned = {plan.entry: plan for plan in done.tasks["denoising"].run.suite.resolve("smoke")}  # type: ignore[union-attr]
    for name, row in found.items():
        entry = row["entry"]
        values = rows[(rows["entry"] == entry) & (rows["metric"] == "psnr")]
        assert row["psnr"] == pytest.approx(values.groupby("seed")["value"].mean().mean())
        assert row["parameters"] == found[REVERSE]["parameters"]
        assert row["milliseconds"] > 0
        assert row["settings"]
        lr = tuned[entry].training.lr
        folders = [one for one in store.folders() if one.description()["entry"] == entry]
        assert {one.description()["configuration"]["training"]["lr"] for one in folders} == {lr}, name
    assert found["Again"]["settings"] == found[REVERSE]["settings"]

    page = done.page.read_text()
    assert done.page == (tmp_path / "runs" / "compare" / "again-tiny-smoke" / "index.html").resolve()
    assert "Again against reverse convolution" in page
    assert done.sentences[0].split(":")[0] in page
    assert "Settings that were tried" in page

    monkeypatch.setattr(Learner, "step", None)
    again = compare(whole())
    assert again.sentences == done.sentences
    assert all(not (line["steps"] or line["images"]) for line in forecast(whole()).lines)


def test_reverse_convolution_by_its_own_name_is_the_same_trainings(asked: Asked, tmp_path: Path) -> None:
    done = compare(asked("converse", tuned=False, seeds=(0,)))
    itself = answers(done)[REVERSE]
    assert (itself["answer"], itself["difference"], itself["reason"]) == ("equal", 0.0, SAME_TRIALS)
    assert len(Store(tmp_path / "runs").folders()) == 3
    by_run = run(RunRequest("tiny.toml", store=tmp_path / "runs", device="cpu", threads=1, seeds=(0,)))
    assert by_run.fresh == 0  # what was trained for a comparison is trained for all
    assert "nothing was tuned" in " ".join(done.sentences)


def test_with_seeds_of_their_own_pairs_are_made_in_order(asked: Asked, tmp_path: Path) -> None:
    done = compare(asked("converse", tuned=False, seeds=(0, 1), other_seeds=(5, 6)))
    psnr = Store(tmp_path / "runs").rows().query("metric == 'psnr'")
    base = psnr[psnr["entry"].isin(["Converse-Tiny", "Converse-Tiny: converse"])].groupby("seed")["value"].mean()
    itself = answers(done)[REVERSE]
    assert itself["difference"] == pytest.approx(base[[0, 1]].mean() - base[[5, 6]].mean())
    assert itself["seed_deviation"] == pytest.approx(np.std([base[0] - base[5], base[1] - base[6]], ddof=1))
    assert itself["reason"] is None
    effects = done.effects[(done.effects["metric"] == "psnr") & (done.effects["base"] == "Converse-Tiny")]
    assert list(effects["difference"]) == pytest.approx([itself["difference"]])
    assert any("no pair shares its luck" in sentence for sentence in done.sentences)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("raises", "RuntimeError: not this one"),
        ("blows", "the loss became NaN in step 2"),
        ("leaves", "its process ended with status 0, while training (1 of 2)"),
    ],
)
def test_an_operator_that_fails_is_an_explained_failure_and_the_others_stand(
    asked: Asked, what: str, reason: str
) -> None:
    done = compare(asked(f"mine.py:Wide?what={what}", tuned=False, seeds=(0,)))
    assert {row["answer"] for row in answers(done).values()} == {"none"}
    assert done.sentences[0].startswith(f"Denoising: there is no answer for Wide (what = {what}): seed 0: {reason}")
    assert [failure.reason for failure in done.failures] == [reason]
    found = networks(done)
    assert [name for name, row in found.items() if row["psnr"] is None] == [f"Wide (what = {what})"]
    assert reason in done.page.read_text()


def test_an_operator_without_settings_that_can_be_trained_leaves_the_others_tuned(asked: Asked, tmp_path: Path) -> None:
    done = compare(asked("mine.py:Wide?what=raises"))
    (failed,) = {failure.name.rpartition(": ")[0] for failure in done.failures}
    assert failed == "Converse-Tiny: Wide (what = raises)"
    assert (
        "no settings of the tuning could be trained under every seed: RuntimeError: not this one" in done.sentences[0]
    )
    found = networks(done)
    assert [bool(row["psnr"]) for row in found.values()] == [False, True, True, True]
    assert all(row["settings"] for row in list(found.values())[1:])
    assert "2 of 8 trainings of the tuning failed; settings of which a seed failed have lost" in done.notes[-1]
    (tmp_path / "mine.py").write_text(OPERATORS.replace("raise RuntimeError", "str"))
    mended = compare(asked("mine.py:Wide?what=raises"))
    assert answers(mended)[REVERSE]["difference"] is not None


@pytest.mark.slow
def test_an_operator_that_hangs_is_ended(asked: Asked) -> None:
    done = compare(asked("mine.py:Wide?what=hangs", tuned=False, seeds=(0,), trial_timeout=20.0))
    assert [failure.reason for failure in done.failures] == ["took longer than 20 s, while training (1 of 2)"]
    assert [bool(row["psnr"]) for row in networks(done).values()] == [False, True, True, True]


def test_a_wrong_shape_is_refused_before_anything_is_trained(asked: Asked, tmp_path: Path) -> None:
    for tuned in (True, False):
        with pytest.raises(OptionError, match=r"operator 'mine\.py:Wide' must map \[2, 8, 16, 16\] to"):
            compare(asked("mine.py:Wide?what=crops", tuned=tuned))
    assert not Store(tmp_path / "runs").folders()


def test_what_is_seldom_meant_is_said_once_and_stands_on_the_page(asked: Asked) -> None:
    told: list[Progress] = []
    done = compare(asked("mine.py:Wide?what=detaches"), told.append)
    sentence = "gives no gradient"
    assert len([step for step in told if sentence in step.note]) == 1
    assert len([one for one in done.sentences if sentence in one]) == 1
    assert sentence in done.page.read_text()
    again = compare(asked("mine.py:Wide?what=detaches"))
    assert again.sentences == done.sentences


def test_widths_make_parameters_equal_and_are_kept(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unequal = compare(asked("mine.py:Wide", tuned=False, seeds=(0,)))
    found = networks(unequal)
    assert found["Wide"]["parameters"] > found[REVERSE]["parameters"]
    assert any("--match parameters adjusts the width" in sentence for sentence in unequal.sentences)
    assert "not at equal parameters" in unequal.page.read_text()
    matched = compare(asked("mine.py:Wide", tuned=False, seeds=(0,), match="parameters"))
    near = networks(matched)
    assert near["Wide"]["width"] < near[REVERSE]["width"] == found[REVERSE]["width"]
    target = near[REVERSE]["parameters"]
    assert abs(near["Wide"]["parameters"] - target) < abs(found["Wide"]["parameters"] - target)
    kept = json.loads(
        (tmp_path / "runs/compare/wide-tiny-smoke-equal-parameters-equal-settings/found.json").read_text()
    )
    assert kept["widths"]["denoising"]["widths"] == {"Wide": near["Wide"]["width"]}
    monkeypatch.setattr("converse.workflows.contender.width_for", None)
    assert compare(asked("mine.py:Wide", tuned=False, seeds=(0,), match="parameters")).sentences == matched.sentences


def test_a_width_that_was_found_by_time_stays(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked("mine.py:Wide", tuned=False, seeds=(0,), match="time")
    done = compare(request)
    widths = {name: row["width"] for name, row in networks(done).items()}
    assert widths[REVERSE] == 4
    assert all(row["psnr"] is not None for row in networks(done).values())
    kept = json.loads((tmp_path / "runs/compare/wide-tiny-smoke-equal-time-equal-settings/found.json").read_text())
    found = kept["widths"]["denoising"]["widths"]
    assert {name: found.get(name, 4) for name in widths} == widths
    monkeypatch.setattr("converse.workflows.contender.width_for", None)  # another time would be another width
    monkeypatch.setattr(Learner, "step", None)
    assert compare(request).sentences == done.sentences


def test_it_stops_and_goes_on(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, steps = Learner.step, []

    def stop(self: Learner, number: int, batch: Any) -> torch.Tensor:
        steps.append(number)
        if len(steps) == 5:
            raise Stopped
        return step(self, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", stop)
        with pytest.raises(KeyboardInterrupt):
            compare(asked("converse"))
    done = sum(folder.status().state == "done" for folder in Store(tmp_path / "runs").folders())
    assert done == 2
    assert compare(asked("converse")).tasks["denoising"].tuning.run.fresh == 6 - done  # type: ignore[union-attr]


def test_what_it_takes_is_known_before(asked: Asked, tmp_path: Path) -> None:
    ahead = forecast(asked())
    tuning, comparison = ahead.lines[:8], ahead.lines[8:]
    assert {(line["seed"], line["steps"], line["images"]) for line in tuning} == {(7, 2, 1)}
    assert [(line["entry"].rpartition(": ")[2], line["seed"], line["trial"]) for line in comparison[:2]] == [
        ("Again", 0, None),
        ("Converse-Tiny", 0, None),
    ]
    assert len(comparison) == 8
    assert not (tmp_path / "runs").exists()
    without = forecast(asked(tuned=False, seeds=(3,)))
    assert [line["seed"] for line in without.lines] == [3] * 4
    assert all(line["trial"] for line in without.lines)


def test_all_tasks_are_those_whose_base_the_budget_trains(tmp_path: Path) -> None:
    quick = CompareRequest(operator="converse", task="all", store=tmp_path)
    assert list(quick.suites()) == ["denoising", "super_resolution"]
    (said,) = quick.left_out
    assert said.startswith("deblurring is not compared: budget quick is without ConverseNet: a blind network")
    standard = replace(quick, budget="standard")
    assert (list(standard.suites()), standard.left_out) == (["denoising", "super_resolution", "deblurring"], ())


@pytest.mark.parametrize(
    ("operator", "changes", "message"),
    [
        ("mine.py:None", {}, "has no class 'None'"),
        ("nowhere.py:Mine", {}, "there is no file .*nowhere.py"),
        ("mine.py:Again", {"task": "deblurring"}, "--task deblurring: the suite tiny.toml is of the task denoising"),
        (
            "mine.py:Again",
            {"suite": None, "task": "denoise"},
            "--task: unknown task 'denoise': did you mean 'denoising'",
        ),
        ("mine.py:Again", {"seeds": (7,)}, "seed 7 is one of the tuning's"),
        ("mine.py:Again", {"seeds": (3,), "other_seeds": (7,)}, "seed 7 is one of the tuning's"),
        ("mine.py:Again", {"other_seeds": (5,)}, "--against-seeds names 1 seed, and --seeds none"),
        ("mine.py:Again", {"seeds": (0, 1), "other_seeds": (5,)}, "--against-seeds names 1 seed, and --seeds 2"),
        ("mine.py:Again", {"bound": 0.0}, "--equivalence must be above 0 dB, got 0"),
        ("mine.py:Again", {"budget": "quick"}, "suite 'tiny': unknown budget 'quick'"),
        (
            "mine.py:Again",
            {"suite": "deblurring", "budget": "quick"},
            "suite 'deblurring': budget quick is without ConverseNet: .*; take another: --budget standard",
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused_before_anything_is_trained(
    asked: Asked, tmp_path: Path, operator: str, changes: dict[str, Any], message: str
) -> None:
    for ask in (compare, forecast):
        with pytest.raises(ConverseError, match=message):
            ask(asked(operator, **changes))
    assert not (tmp_path / "runs" / "trials").exists()
