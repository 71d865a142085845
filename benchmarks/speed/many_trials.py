"""How a run on Ray grows with the number of its trials, which are empty: what scheduling and the store cost each.

    python benchmarks/speed/many_trials.py --sizes 10 100 1000 --output growth.json

Each trial is a task of Ray's on this machine that comes back at once, as done, with one row. What is measured is this
process, which packs and sends them, takes the answers and writes the store (the main thread, in Python; the others are
those of Ray's library, and heartbeats of locks); then the commands that read such a store.
The tasks' own processes are not counted: on a cluster they are other machines.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from converse.data.images import image_set
from converse.experiments.running import ray_cluster
from converse.experiments.running.engines import Manner
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.parcels import Answer, News
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.running.torch_settings import TorchSettings
from converse.experiments.store import Store
from converse.experiments.store.index import opened
from converse.experiments.store.rows import Row
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.interruption import Stop
from converse.experiments.trials import cpu_model
from converse.metrics import metrics_for

ROW: Row = {"metric": "parameters", "value": 1.0}


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def empty(parcel: bytes, attempt: int, content: Mapping[str, Any], mailbox: Any) -> Answer:
    """In the place of a trial."""
    return Answer("done", "here", news=News(rows=[ROW]))


def jobs(count: int) -> list[Job]:
    """So many trials, by their seeds."""
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=["Conv-DnCNN"])
    train, test = (image_set("skimage_train"),), (image_set("skimage_test").first(1),)
    trial, metrics = trained_trial(plan, train, "cpu", 1), tuple(metrics_for("grey", 0, ["psnr"]))
    return [
        Job(dataclasses.replace(plan, seed=seed), dataclasses.replace(trial, seed=seed), train, None, test, metrics)
        for seed in range(count)
    ]


class Silent:
    """Is told nothing."""

    def report(self, index: int, what: str, done: int = 0, total: int = 0, upcoming: str = "") -> None:
        """Not even this."""

    def lost(self, index: int, why: str) -> None:
        """Nor this."""


def command(*words: str) -> float:
    """CPU seconds of a command of converse."""
    before = cpu(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "converse", *words], check=True, capture_output=True)
    return cpu(resource.RUSAGE_CHILDREN) - before


def measured(count: int, place: Path, engine: ray_cluster.RayCluster) -> dict[str, float]:
    store, work = Store(place), jobs(count)
    before, began, own = cpu(), time.monotonic(), time.thread_time()
    folders = [store.folder(job.trial) for job in work]
    made = cpu() - before
    manner = Manner(TorchSettings("cpu", 1), Stop())
    finished = sum(outcome.state == "done" for _, outcome in engine.outcomes(work, folders, manner, Silent()))
    assert finished == count
    with opened(store.root) as index:  # as a run does at its end
        assert all(index.known(folder.id).state == "done" for folder in folders)
    spent, wall, own = cpu() - before, time.monotonic() - began, time.thread_time() - own
    first = folders[0].id
    return {
        "trials": count,
        "cpu_ms_per_trial": 1000 * spent / count,
        "of_it_python_ms": 1000 * own / count,
        "of_it_folders_ms": 1000 * made / count,
        "wall_s": wall,
        "driver_mb": psutil.Process().memory_info().rss / 1e6,
        "status_cpu_s": command("status", "--store", str(place), "--format", "json"),
        "explain_cpu_s": command("explain", first, "--store", str(place), "--format", "json"),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    words.add_argument("--output", type=Path, help="a JSON file")
    asked = words.parse_args()
    ray_cluster._carry_out = empty
    base = command("status", "--help")
    lines = []
    with ray_cluster.connected(RayOptions(), "cpu") as engine:
        for count in asked.sizes:
            with tempfile.TemporaryDirectory() as place:
                lines.append(measured(count, Path(place) / "runs", engine))
            print(json.dumps(lines[-1]), flush=True)
    if asked.output:
        found = {"machine": cpu_model(), "cores": os.cpu_count(), "status_help_cpu_s": base, "sizes": lines}
        asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
