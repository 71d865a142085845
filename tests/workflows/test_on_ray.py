"""Commands on Ray that is started on this machine. Oracle: the same request without Ray, one trial after another.

One Ray serves all tests: the one that is started where no address is named.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

import converse
from converse.experiments.running import ray_cluster
from converse.experiments.running.ray_cluster import INSTALL
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.workflows.compare import compare
from converse.workflows.compare_request import CompareRequest
from converse.workflows.reproduce import reproduce
from converse.workflows.reproduce_plan import ReproduceRequest
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.tune import TuneRequest, tune
from converse.workflows.work import Progress
from tests.photographs import write_photographs

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0, 1, 2]

[data]
train = ["{place}/train"]
test = ["{place}/test"]
validation = {{ cut = 1 }}

[tuning]
seeds = [7]
grid = {{ "training.lr" = [1e-3, 1e-2] }}

[budgets.smoke]
steps = 2
patch = 16
batch = 2

[budgets.quick]
steps = 300
patch = 16
batch = 2
checkpoint_every = 20

[[entries]]
name = "Converse-Tiny"
model = "block-dncnn"
operator = "converse"
options = {{ features = 4, blocks = 1, kernel_size = 3 }}
"""

PATIENCE = 300.0  # seconds, on a machine that has much else to do


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("suite")
    write_photographs(place, train=3, test=2)
    path = place / "tiny.toml"
    path.write_text(SUITE.format(place=place))
    return path


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[Any]:
    """Ray with two CPUs, as `--engine ray` starts it without an address."""
    ray = pytest.importorskip("ray", reason=f"Ray is not installed: {INSTALL}")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_enable_metrics_collection", "0")
        patch.setattr(ray_cluster, "default_threads", lambda: 2)
        try:
            with ray_cluster.connected(RayOptions(), "cpu"):
                yield ray
        finally:
            ray.shutdown()


def by_trial(store: Path) -> dict[str, TrialFolder]:
    return {folder.id: folder for folder in Store(store, create=False).folders()}


def assert_equal_stores(one: Path, other: Path) -> None:
    """The same trials, each done, with the same rows, curve and weights, to the bit."""
    found, expected = by_trial(one), by_trial(other)
    assert found.keys() == expected.keys()
    for trial, folder in found.items():
        assert folder.status().state == "done"
        rows, there = folder.rows(), expected[trial].rows()
        assert len(rows)
        pd.testing.assert_frame_equal(rows.drop(columns="seconds"), there.drop(columns="seconds"))
        assert folder.curve() == expected[trial].curve()
        for weights in expected[trial].path.glob("checkpoint.safetensors"):
            assert (folder.path / weights.name).read_bytes() == weights.read_bytes()
        folder.check_digests()


def test_without_an_address_trials_run_on_ray_of_this_machine(suite: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    request = RunRequest(str(suite), budget="smoke", store=tmp_path / "ray", device="cpu", threads=1, ray=RayOptions())
    done = run(request, told.append)
    assert (done.trials, done.fresh, done.failures, done.gaps) == (3, 3, (), ())
    assert "the Ray cluster has 1 machine and runs 2 trials at once" in [step.note for step in told]
    assert run(request).fresh == 0
    run(RunRequest(str(suite), budget="smoke", store=tmp_path / "here", device="cpu", threads=1))
    assert_equal_stores(tmp_path / "ray", tmp_path / "here")


def test_a_tuning_has_the_same_winners(suite: Path, tmp_path: Path) -> None:
    scores = {}
    for name, ray in (("ray", RayOptions()), ("here", None)):
        request = TuneRequest(
            suite=str(suite), budget="smoke", store=tmp_path / name, output=tmp_path / f"{name}.toml", device="cpu",
            threads=1, ray=ray,
        )  # fmt: skip
        scores[name] = tune(request).scores
    assert scores["ray"] == scores["here"]
    assert any(row["chosen"] for row in scores["ray"])
    assert_equal_stores(tmp_path / "ray", tmp_path / "here")


def test_a_comparison_gives_the_same_answers(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sketched: None
) -> None:
    monkeypatch.setattr("converse.workflows.compare.network_times", lambda *given: None)
    sentences = {}
    for name, ray in (("ray", RayOptions()), ("here", None)):
        request = CompareRequest(
            operator="converse", suite=str(suite), budget="smoke", store=tmp_path / name, device="cpu", threads=1,
            tuned=False, seeds=(0,), ray=ray,
        )  # fmt: skip
        sentences[name] = compare(request).sentences
    assert sentences["ray"] == sentences["here"]
    assert_equal_stores(tmp_path / "ray", tmp_path / "here")


def reproduced_alike(suite: Path, tmp_path: Path, entry: str, data: Path | None) -> None:
    measured = {}
    for name, ray in (("ray", RayOptions()), ("here", None)):
        request = ReproduceRequest(
            task="denoising", entries=(entry,), datasets=(str(suite.parent / "test"),), metrics=("psnr",),
            data_dir=data, store=tmp_path / name, device="cpu", threads=1, ray=ray,
        )  # fmt: skip
        done = reproduce(request)
        assert (done.fresh, done.failures) == (2, ())
        measured[name] = done.results
    pd.testing.assert_frame_equal(measured["ray"], measured["here"])
    assert_equal_stores(tmp_path / "ray", tmp_path / "here")


def test_what_networks_are_given_is_reproduced(suite: Path, tmp_path: Path) -> None:
    reproduced_alike(suite, tmp_path, "Noisy input", None)


def test_released_weights_are_reproduced(suite: Path, tmp_path: Path, shared: Path) -> None:
    reproduced_alike(suite, tmp_path, "DnCNN", shared)


def test_two_processes_train_each_trial(suite: Path, tmp_path: Path) -> None:
    """By the function of the package, which gives the same here and on Ray; and with one process nearly so."""
    stores = {}
    for name, given in (
        ("ray", {"engine": "ray", "devices": 2}),
        ("here", {"devices": 2}),
        ("alone", {}),
    ):  # type: tuple[str, dict[str, Any]]
        stores[name] = tmp_path / name
        done = converse.run(
            str(suite), budget="smoke", seeds=[0], store=stores[name], device="cpu", threads=1, progress=False, **given
        )
        assert (done.trials, done.fresh, done.failures) == (1, 1, ())
    assert_equal_stores(stores["ray"], stores["here"])
    (two,), (one,) = by_trial(stores["here"]).values(), by_trial(stores["alone"]).values()
    assert two.trial().platform == {**one.trial().platform, "devices": 2}
    by_two, by_one = (folder.rows().query("metric == 'psnr'")["value"].to_numpy() for folder in (two, one))
    np.testing.assert_allclose(by_two, by_one, atol=0.05)  # float32 sums in another order, rounded to grey levels


# Commands that are stopped


class Command:
    """`converse run` of the longer budget on the Ray of this module, in a process of its own."""

    def __init__(self, suite: Path, store: Path, ray: Any) -> None:
        self.store = store
        given = ["run", str(suite), "--budget", "quick", "--store", str(store), "--device", "cpu", "--threads", "1"]
        there = ["--engine", "ray", "--address", ray.get_runtime_context().gcs_address]
        code = (
            "import sys; from converse.experiments.running import parcels; parcels.LOOK_EVERY = 0.02; "
            f"sys.argv = {['converse', *given, *there]}; from converse.cli.main import main; main()"
        )
        self.process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)

    def until(self, happened: Any, why: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, "the command ended by itself"
            assert time.monotonic() < deadline, why
            time.sleep(0.02)

    def states(self) -> set[str]:
        """Trials of which a training state lies in the store."""
        return {path.parts[-3] for path in self.store.glob("trials/*/resume/step-*.safetensors")}

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said

    def worker(self) -> psutil.Process | None:
        """A process of Ray's that carries a trial of this store out."""
        trials = set(by_trial(self.store)) if self.store.exists() else set()
        for process in psutil.process_iter():
            try:
                title = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if title.startswith("ray::") and any(trial in title for trial in trials):
                return process
        return None


def state_of(store: Path) -> dict[str, str]:
    return {trial: folder.written_status().state for trial, folder in by_trial(store).items()}


def test_a_command_that_is_stopped_or_killed_goes_on_and_nothing_counts_twice(
    suite: Path, ray_here: Any, tmp_path: Path
) -> None:
    store = tmp_path / "ray"

    # Ctrl-C once: each trial after its step, and the command says how to go on.
    asked = Command(suite, store, ray_here)
    asked.until(asked.states, "no training state came back")
    asked.process.send_signal(signal.SIGINT)
    status, said = asked.ended()
    assert status == 130
    assert "the same command continues" in said
    assert "Traceback" not in said
    assert set(state_of(store).values()) <= {"interrupted", "done", "planned"}
    assert "interrupted" in state_of(store).values()
    assert not any(folder.owner() for folder in by_trial(store).values())
    steps = {path.name for path in store.glob("trials/*/resume/step-*.safetensors")}
    assert steps

    # Ctrl-C twice: at once, though a trial's process does nothing, not even stop.
    insisted = Command(suite, store, ray_here)
    insisted.until(lambda: (store / "trials").exists() and insisted.worker(), "no trial began")
    held = insisted.worker()
    assert held is not None
    held.suspend()
    try:
        insisted.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            insisted.process.wait(timeout=2)  # the first waits for that trial
        insisted.process.send_signal(signal.SIGINT)
        status, said = insisted.ended()
    finally:
        if held.is_running():
            held.kill()
    assert status == 130
    assert "Traceback" not in said

    # Killed once a trial is finished: that one is kept, and the others go on.
    killed = Command(suite, store, ray_here)
    killed.until(lambda: "done" in state_of(store).values(), "no trial was finished")
    killed.process.kill()
    killed.ended()
    finished = {trial for trial, state in state_of(store).items() if state == "done"}
    kept = {trial: (by_trial(store)[trial].path / "status.json").read_bytes() for trial in finished}
    assert 1 <= len(finished) < 3

    request = RunRequest(str(suite), budget="quick", store=store, device="cpu", threads=1, ray=RayOptions())
    done = run(request)
    assert (done.trials, done.fresh, done.failures, done.gaps) == (3, 3 - len(finished), (), ())
    for trial, status_then in kept.items():
        assert (by_trial(store)[trial].path / "status.json").read_bytes() == status_then
    assert any("continues after step" in log.read_text() for log in store.glob("trials/*/log.txt"))
    run(RunRequest(str(suite), budget="quick", store=tmp_path / "here", device="cpu", threads=1))
    assert_equal_stores(store, tmp_path / "here")
    assert os.environ.get("RAY_ADDRESS") is None
