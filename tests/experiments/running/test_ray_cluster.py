"""Oracle: the same suite run on this machine, one trial after another. Ray's two machines are two of its nodes here.

The command itself is killed too where ``CONVERSE_CRASHES=all``: another process that loads torch, and its tasks' anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from converse.data.catalogue import sha256_of
from converse.errors import OptionError
from converse.experiments.running import parcels, ray_cluster, ray_run
from converse.experiments.running.jobs import Job
from converse.experiments.running.machines import Stored, machine_part
from converse.experiments.running.parcels import Parcel
from converse.experiments.running.ray_cluster import INSTALL, RayCluster, connected
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.store import Store
from converse.experiments.trials import Trial
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.work import Progress
from tests.experiments.running.played_ray import PlayedNode, PlayedRay, played_cluster

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0, 1, 2]

[data]
train = ["{folder}/train"]
test = ["{folder}/test"]

[budgets.smoke]
steps = 600
patch = 16
batch = 2
checkpoint_every = 30

[[entries]]
name = "Plain"
model = "dncnn"
options = {{ features = 4, layers = 3 }}
"""

WEIGHTS = "checkpoint.safetensors"
MACHINE = """
import os, pathlib
from converse.experiments import trials

if model := os.environ.get("PLAYED_MODEL"):
    trials.cpu_model = lambda: model
is_file = pathlib.Path.is_file
hidden = os.environ["PLAYED_HIDDEN"]
pathlib.Path.is_file = lambda self, **words: not str(self).startswith(hidden) and is_file(self, **words)
"""
"""What each Python process of a machine begins with: it sees no image of the suite, and may play another CPU."""

EVERY = os.environ.get("CONVERSE_CRASHES") == "all"
PATIENCE = 300.0  # seconds, on a machine that has much else to do


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("suite")
    numbers = np.random.default_rng(0)
    for folder in ("train", "test"):
        (place / "data" / folder).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(numbers.integers(0, 256, (20, 22), dtype=np.uint8)).save(
                place / "data" / folder / f"{index}.png"
            )
    path = place / "tiny.toml"
    path.write_text(SUITE.format(folder=place / "data"))
    return path


def machine(suite: Path, name: str, model: str = "") -> dict[str, Any]:
    """A machine with one CPU, a cache of its own, which does not see the suite's images."""
    place = suite.parent / "machines"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(MACHINE)
    paths = [str(place), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "CONVERSE_CACHE": str(cache_of(suite, name)),
        "PLAYED_HIDDEN": str(suite.parent / "data"),
        "PLAYED_MODEL": model,
    }
    return {"num_cpus": 1, "env_vars": variables}


def cache_of(suite: Path, name: str) -> Path:
    return suite.parent / "caches" / name


@pytest.fixture(scope="module")
def cluster(suite: Path) -> Iterator[Any]:
    """Two machines with a CPU each; this process is connected to the first."""
    ray = pytest.importorskip("ray", reason=f"Ray is not installed: {INSTALL}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # What nobody asks here, and processes that would be begun in advance of tasks.
        patch.setenv("RAY_enable_metrics_collection", "0")
        patch.setenv("RAY_enable_worker_prestart", "0")
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        from ray.cluster_utils import Cluster

        first = {**machine(suite, "first"), "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=first)
        try:
            made.add_node(**machine(suite, "second"))
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def request(suite: Path, store: Path, **changes: Any) -> RunRequest:
    return RunRequest(suite=str(suite), store=store, device="cpu", threads=1, **changes)


def states(store: Path) -> list[Path]:
    """Training states that are in the store."""
    return sorted(store.glob("trials/*/resume/step-*.safetensors"))


def until(happened: Any, why: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


def process_on(machine: Any) -> psutil.Process | None:
    """The process of a machine that carries a trial out."""
    raylet = str(machine.all_processes["raylet"][0].process.pid)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            trial = " ".join(process.cmdline()).startswith("ray::Plain seed")
            if trial and process.environ().get("RAY_RAYLET_PID") == raylet:
                return process
    return None


def goes_on(process: psutil.Process, store: Path) -> bool:
    """Whether a training state of the trial that a process carries out has come back."""
    with contextlib.suppress(psutil.Error):
        title = " ".join(process.cmdline())
        return any(path.parent.parent.name in title for path in states(store))
    return False


def kill_the_command(suite: Path, store: Path, cluster: Any) -> None:
    """Begin the suite, and kill the command once the first training state has come back."""
    arguments = ["run", str(suite), "--store", str(store), "--device", "cpu", "--threads", "1"]
    there = ["--engine", "ray", "--address", cluster.address]
    script = (
        "import sys; from converse.experiments.running import parcels; parcels.LOOK_EVERY = 0.02; "
        f"sys.argv = {['converse', *arguments, *there]}; from converse.cli.main import main; main()"
    )
    driver = subprocess.Popen([sys.executable, "-c", script])
    until(lambda: states(store) or driver.poll() is not None, "no training state came back")
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert states(store)
    machines = (cluster.head_node, *cluster.worker_nodes)
    until(lambda: not any(map(process_on, machines)), "a task of a command that was killed lives on")


def test_all_that_is_killed_goes_on_to_the_same_bits(
    suite: Path, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "LOOK_EVERY", 0.02)
    alone, spread = tmp_path / "alone", tmp_path / "spread"

    if EVERY:
        kill_the_command(suite, spread, cluster)

    # A process of the first machine, then the second machine, each while it carries a trial out. One that does is
    # stopped until its time has come, so that it does not get ready before the other machine has begun.
    killed: list[str] = []
    told: list[Progress] = []
    (second,) = cluster.worker_nodes
    held: dict[str, psutil.Process] = {}

    def kill(step: Progress) -> None:
        told.append(step)
        for name, machine in (("process", cluster.head_node), ("machine", second)):
            found = process_on(machine) if name not in killed and name not in held else None
            if found and goes_on(found, spread):
                found.suspend()
                held[name] = found
        if not killed and len(held) == 2:
            held["process"].kill()
            killed.append("process")
        elif killed == ["process"] and any("lost" in one.finished for one in told):
            cluster.remove_node(second, allow_graceful=False)
            held["machine"].kill()  # what is stopped does not see that its machine is gone
            killed.append("machine")

    done = run(request(suite, spread, ray=RayOptions(cluster.address)), kill)
    assert killed == ["process", "machine"]
    assert (done.trials, done.failures) == (3, ())
    assert any("2 machines" in step.note for step in told)

    # Neither machine sees the files where this one has them: they came through Ray, into the cache of each.
    sent = {sha256_of(image) for image in suite.parent.glob("data/*/*.png")}
    assert len(sent) == 4
    for name in ("first", "second"):
        assert {path.stem for path in (cache_of(suite, name) / "by-checksum").iterdir()} == sent

    serial = run(request(suite, alone))
    pd.testing.assert_frame_equal(
        done.rows.drop(columns="seconds"), serial.rows.drop(columns="seconds"), check_exact=True
    )
    for folder in Store(alone).folders():
        other = Store(spread).find(folder.id)
        assert (other.path / WEIGHTS).read_bytes() == (folder.path / WEIGHTS).read_bytes()
        assert other.curve() == folder.curve()
        assert other.status().state == "done"
        other.check_digests()
    assert any("continues after step" in log.read_text() for log in spread.glob("trials/*/log.txt"))

    again = run(request(suite, spread, ray=RayOptions(cluster.address)))
    assert (again.trials, again.fresh) == (3, 0)


def test_trials_that_wait_for_a_class_that_is_gone_begin_anew_on_another(
    suite: Path, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(ray_run, "_GROWTH", 0.5)
    for former in list(cluster.worker_nodes):
        cluster.remove_node(former)
    other = cluster.add_node(**machine(suite, "other", "Another CPU"))
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    told: list[Progress] = []

    def remove(step: Progress) -> None:
        told.append(step)
        found = process_on(other) if other in cluster.worker_nodes else None
        if found and goes_on(found, spread):
            cluster.remove_node(other)

    done = run(request(suite, spread, seeds=(0, 1, 2, 3), ray=RayOptions(cluster.address)), remove)
    assert (done.trials, done.failures) == (4, ())
    assert sum("2 trials carry this platform class" in step.note for step in told) == 2
    assert len({step.name for step in told if step.finished.startswith("left: ")}) == 2
    serial = run(request(suite, alone, seeds=(0, 1, 2, 3)))
    pd.testing.assert_frame_equal(
        done.rows.drop(columns="seconds"), serial.rows.drop(columns="seconds"), check_exact=True
    )
    left = [folder for folder in Store(spread).folders() if folder.trial().platform["model"] == "Another CPU"]
    assert sorted(folder.status().state for folder in left) == ["interrupted", "planned"]


def test_more_threads_than_any_machine_has_are_refused(suite: Path, cluster: Any, tmp_path: Path) -> None:
    asked = request(suite, tmp_path / "runs", ray=RayOptions(cluster.address))
    with pytest.raises(OptionError, match=r"takes 2 CPUs, and no machine .* more than 1: --threads 1"):
        run(RunRequest(**{**vars(asked), "threads": 2}))


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"needs Ray, which is not installed: pip install 'converse-bench\[ray\]'"):
        connected(RayOptions(), "cpu").__enter__()


def test_each_trial_has_a_device_of_its_own() -> None:
    with pytest.raises(OptionError, match="--device cpu, cuda or auto, got 'cuda:1'"):
        connected(RayOptions(), "cuda:1").__enter__()


def two_classes(label: str = "ray.io/node-id", cpus: int = 1) -> PlayedRay:
    """Two real machines of one computer would be of one class."""
    return PlayedRay({"1": PlayedNode("old", cpus), "2": PlayedNode("new", cpus)}, label)


def trial(entry: str, seed: int, **platform: Any) -> Trial:
    platform = {**machine_part("cpu"), "precision": "float32", "threads": 1, **platform}
    return Trial("denoising", entry, "trained", seed, "quick", {"model": entry}, {}, platform=platform)


def test_machines_of_two_platform_classes_are_said_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = machine_part("cpu")["torch"]
    with pytest.raises(OptionError, match=rf"--same-platform: .* 2 platform classes: new with torch {torch}; old"):
        played_cluster(monkeypatch, two_classes(), RayOptions(same_platform=True))
    trials = [trial(entry, seed) for seed in (0, 1) for entry in ("one", "other")]
    placed = played_cluster(monkeypatch, two_classes()).place(
        trials, Stored(lambda _: "planned", lambda asked, there: True), 1
    )
    assert placed.notes[1:] == tuple(
        f"1 machine of {name} with torch {torch}: 2 trials carry this platform class" for name in ("new", "old")
    )
    carried = [placed.platforms[one.id]["model"] for one in trials]
    assert carried[:2] != carried[2:]
    assert all(len(set(of_seed)) == 1 for of_seed in (carried[:2], carried[2:]))


def parcel(one: Trial, **content: bytes) -> Parcel:
    return Parcel(cast(Job, SimpleNamespace(trial=one)), {}, content, "cpu", 3, None, 1.0)


def test_a_trial_takes_several_devices_only_while_it_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = PlayedRay({"1": PlayedNode("old", 5), "2": PlayedNode("old", 6)})
    here, gpu = played_cluster(monkeypatch, ray), played_cluster(monkeypatch, ray, RayOptions(gpus_per_trial=0.5))
    gpu._device = "cuda"  # there is none here
    alone, together = trial("one", 0, model="old", threads=3), trial("one", 0, model="old", threads=3, devices=2)
    sent = [parcel(alone), parcel(together), Parcel(**{**vars(parcel(together)), "content": {WEIGHTS: b""}})]
    for one in sent:
        here.send(one, 1, {}, ())
        gpu.send(one, 1, {}, ())
    asked = [(task.options["num_cpus"], task.options["num_gpus"]) for task in ray.tasks]
    assert asked == [(3, 0), (1, 0.5), (6, 0), (2, 2), (3, 0), (1, 0.5)]
    assert [here.machines_for(one) for one in sent] == [("1", "2"), ("2",), ("1", "2")]


@pytest.mark.parametrize("label", ["ray.io/node-id", "ray.io/node_id"])
def test_machines_are_named_by_the_label_that_they_have(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray 2.40 has the other one, and keeps what asks for a label that no machine has for ever."""
    pytest.importorskip("ray", reason=f"Ray is not installed: {INSTALL}")
    ray = two_classes(label, cpus=3)
    engine = played_cluster(monkeypatch, ray)
    one = parcel(trial("one", 0, model="old"))
    engine.send(one, 1, {}, engine.machines_for(one))
    (task,) = ray.tasks
    assert (task.options["scheduling_strategy"].hard[0].key, task.only_on) == (label, ["1"])


def test_a_cluster_without_gpus_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_survey", lambda *_: {})
    monkeypatch.setattr(RayCluster, "_make_mailbox", lambda _: None)
    monkeypatch.setattr(RayCluster, "letters", lambda _: [])
    with pytest.raises(OptionError, match="no machine of the Ray cluster has a GPU: --device cpu"):
        RayCluster(two_classes(), RayOptions(), "cuda")


def test_nothing_else_imports_ray() -> None:
    package = Path(parcels.__file__).parents[2]
    importing = [
        file.name for file in package.rglob("*.py") if {"import ray", "from ray"} & set(_imports(file.read_text()))
    ]
    assert sorted(importing) == ["ray_cluster.py", "ray_run.py"]


def _imports(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in ("import", "from") and words[1].partition(".")[0] == "ray":
            yield f"{words[0]} ray"
