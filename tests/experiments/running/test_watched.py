"""Oracles: the files of the trial's folder, and the same trial carried out in this process."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converse.data.images import image_set
from converse.errors import ConverseWarning, OptionError
from converse.experiments.evaluation.costs import multiply_adds
from converse.experiments.running.apart import Ended
from converse.experiments.running.estimates import estimate
from converse.experiments.running.execute import execute
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.outcomes import Outcome
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.running.watched import (
    brings_code,
    counted,
    estimated,
    execute_watched,
    option_names,
    record,
    rehearsed,
)
from converse.experiments.store import Store
from converse.experiments.store.locks import Busy
from converse.experiments.suites.suite import parse_suite
from converse.experiments.training.interruption import Stop, Stopped
from converse.metrics import metrics_for

OPERATOR = """
import os, time
import torch
from torch import nn

print("imported")

class Mine(nn.Conv2d):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", step=None, what=None):
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        print("made")
        self.step, self.what, self.steps = step, what, 0

    def forward(self, x):
        self.steps += self.training
        if self.steps == self.step:
            if self.what == "leaves":
                os._exit(0)
            if self.what == "hangs":
                time.sleep(3600)
        if self.what == "leaks":
            self.kept = [*getattr(self, "kept", []), torch.ones(2**26)]
        y = super().forward(x)
        return y.detach() if self.what == "detaches" else y
"""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Job]:
    numbers = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    Image.fromarray(numbers.integers(0, 256, (20, 22), dtype=np.uint8)).save(tmp_path / "images" / "one.png")
    (tmp_path / "mine.py").write_text(OPERATOR)
    images = image_set(str(tmp_path / "images"))

    def made(what: str = "works", step: int = 3, **changes: Any) -> Job:
        options = {"features": 4, "blocks": 1, "kernel_size": 3, "operator_options": {"step": step, "what": what}}
        document = {
            "schema": 1,
            "name": "tiny",
            "title": "Tiny",
            "task": "denoising",
            "seeds": [0],
            "data": {"train": ["./images"], "test": ["skimage_test"]},
            "budgets": {"smoke": {"steps": 4, "patch": 16, "batch": 2, "checkpoint_every": 2}},
            "entries": [{"name": "Own", "model": "block-dncnn", "operator": "mine.py:Mine", "options": options}],
        }
        (plan,) = parse_suite(document, folder=tmp_path, networks=False).resolve("smoke")
        trial = trained_trial(plan, [images], "cpu", 1)
        metrics = tuple(metrics_for("grey", 0, ["psnr", "lpips"], "no backbone here"))
        found = Job(plan, trial, (images,), None, (images,), metrics)
        return dataclasses.replace(found, **changes)

    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def carry_out(store: Store, work: Job, **options: Any) -> Outcome:
    with torch_settings("cpu", 1) as here:
        return execute_watched(work, store.folder(work.trial), here, **options)


def test_it_gives_what_the_same_trial_gives_in_this_process(
    make: Callable[..., Job], store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    assert brings_code(make())
    assert carry_out(store, make(), report=lambda *what: told.append(what)) == Outcome("done", True)
    assert "made" not in capfd.readouterr().out  # standard output is for documents
    assert ("training", 4, 4, "") in told
    assert carry_out(store, make()) == Outcome("done", False)
    other = Store(tmp_path / "other")
    with torch_settings("cpu", 1) as here:
        execute(make(), other.folder(make().trial), here)
    (one,), (two,) = store.folders(), other.folders()
    assert one.id == two.id
    for name in ("checkpoint.safetensors", "curve.jsonl"):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()
    assert one.rows().drop(columns="seconds").equals(two.rows().drop(columns="seconds"))


@pytest.mark.parametrize(
    ("what", "limit", "reason"),
    [
        ("leaves", None, r"its process ended with status 0, while training (1 of 4)"),
        ("hangs", 2.0, r"took longer than 2 s, while training (1 of 4)"),
    ],
)
def test_leaving_and_hanging_are_failures_on_record(
    make: Callable[..., Job], store: Store, what: str, limit: float | None, reason: str
) -> None:
    outcome = carry_out(store, make(what, step=2), limit=limit)
    assert outcome == Outcome("failed", True, reason)
    (folder,) = store.folders()
    status = folder.status()
    assert (status.state, status.reason, status.attempts) == ("failed", reason, 1)
    assert reason in (folder.path / "failure.txt").read_text()
    assert carry_out(store, make(what, step=2)) == Outcome("failed", False, reason)
    assert carry_out(store, make(what, step=2), limit=limit, retry_failed=True) == Outcome("failed", True, reason)
    assert folder.status().attempts == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_leak_ends_as_a_failure_and_not_with_the_machine(make: Callable[..., Job], store: Store) -> None:
    outcome = carry_out(store, make("leaks"), memory=600 * 2**20)
    assert (outcome.state, outcome.fresh) == ("failed", True)
    assert outcome.reason.startswith("out of memory")
    (folder,) = store.folders()
    assert (folder.status().state, folder.status().reason) == ("failed", outcome.reason)
    assert (folder.path / "failure.txt").exists()


def test_it_stops_when_asked_and_goes_on(make: Callable[..., Job], store: Store) -> None:
    stop = Stop()

    def report(what: str, done: int, total: int, upcoming: str) -> None:
        stop.asked = True

    with pytest.raises(Stopped):
        carry_out(store, make(), stop=stop, report=report)
    (folder,) = store.folders()
    assert folder.status().state == "interrupted"
    assert carry_out(store, make()) == Outcome("done", True)


def test_what_another_process_works_on_is_left(make: Callable[..., Job], store: Store) -> None:
    folder = store.folder(make().trial)
    with folder.lock():
        with pytest.raises(Busy):
            carry_out(store, make())
        with pytest.raises(Busy):
            record(Ended("gone", "nowhere"), store.folder(make().trial))
    record(Ended("gone", "nowhere"), folder)
    assert (folder.status().state, folder.status().reason, folder.status().attempts) == ("failed", "gone", 1)


def test_each_network_is_tried_once(make: Callable[..., Job], capfd: pytest.CaptureFixture[str]) -> None:
    other = make("leaves", step=1)
    again = dataclasses.replace(other, trial=dataclasses.replace(other.trial, seed=1))
    works = [make(), make("detaches"), other, again]
    told: list[Job] = []
    with torch_settings("cpu", 1) as here, pytest.warns(ConverseWarning, match="'mine.py:Mine' gives no gradient"):
        found = rehearsed(works, here, tell=told.append)
    assert told == works[:3]
    assert found.keys() == {other.trial.id, again.trial.id}
    assert str(found[other.trial.id]) == "its process ended with status 0, when it was tried before training"
    assert "made" not in capfd.readouterr().out
    with torch_settings("cpu", 1) as here:
        hanging = rehearsed([make("hangs", step=1)], here, limit=1.0)
    assert [str(ended) for ended in hanging.values()] == ["took longer than 1 s, when it was tried before training"]


def test_costs_are_those_that_are_counted_here(make: Callable[..., Job]) -> None:
    plan = make().plan
    assert counted([plan, plan], 1) == multiply_adds([plan])
    assert counted([], 1) == {}
    assert estimated(plan, 1) == estimate(plan)
    with pytest.raises(OptionError, match="entry 'Own': its process ended with status 0, when it was tried"):
        estimated(make("leaves", step=1).plan, 1)


def test_the_arguments_of_an_operator_are_asked_elsewhere(
    make: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    operator = str(make().plan.operator)
    found = option_names(operator)
    assert found == ("channels", "kernel_size", "scale", "padding_mode", "step", "what")
    assert "imported" not in capfd.readouterr().out
    with pytest.raises(OptionError, match="has no class 'Yours'"):
        option_names(operator.replace(":Mine", ":Yours"))
    file = Path(operator.rpartition(":")[0])
    file.write_text("import os; os._exit(3)")
    with pytest.raises(OptionError, match=r"mine.py cannot be imported: its process ended with status 3"):
        option_names(operator)


def test_networks_that_differ_in_learning_rate_alone_are_tried_once(make: Callable[..., Job]) -> None:
    one, told = make(), list[Job]()
    faster = dataclasses.replace(one.plan, training=one.plan.training.model_copy(update={"lr": 0.01}))
    starts = dataclasses.replace(one.plan, training=one.plan.training.model_copy(update={"start": "authors"}))
    jobs = [dataclasses.replace(one, plan=plan) for plan in (one.plan, faster, starts)]
    with torch_settings("cpu", 1) as here:
        rehearsed(jobs, here, tell=told.append)
    assert told == [jobs[0], jobs[2]]
