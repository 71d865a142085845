"""How a run on Ray grows with the number of its trials: what scheduling and the store cost each.

    python benchmarks/speed/many_trials.py --sizes 10 100 1000 --kinds empty short run --output trials.json

Each trial is a task of Ray's on this machine. What is measured is this process, which packs and sends them, takes the
answers and writes the store (the main thread, in Python; the others are those of Ray's library, and heartbeats of
locks). The tasks' own processes are not counted: on a cluster they are other machines. Trials are of three kinds:

- ``empty``: the task comes back at once, as done, with one row; counted from where trials are sent until all are
  written. Then the commands that read such a store.
- ``short``: the smoke trial of a suite, as it is: four steps of training and one image; counted in the same way. Its
  weights, curve, provenance and rows travel back and are written. Ray's processes have loaded torch before.
- ``run``: a whole run of tasks that come back at once with the rows of each image and a curve; counted from the
  request to the results: reading the suite, planning, asking the machines, placing, all of the above, what is missing,
  tables, curves, the noise floor.

With ``--output`` what the file has of other kinds stays in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from converse.data.images import image_set
from converse.experiments.running import ray_cluster
from converse.experiments.running.engines import Manner
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.parcels import CURVE, Answer, News
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.running.torch_settings import TorchSettings
from converse.experiments.store import Store, files
from converse.experiments.store.index import opened
from converse.experiments.store.rows import Row
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.interruption import Stop
from converse.experiments.trials import cpu_model
from converse.metrics import PARAMETERS, metrics_for
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest

ROW: Row = {"metric": PARAMETERS, "value": 1.0}
CURVE_OF_TEN = b"".join(files.sealed_line({"step": step, "loss": 1 / step}) for step in range(1, 11))


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def memory() -> float:
    """Megabytes of this process."""
    return float(psutil.Process().memory_info().rss) / 1e6


def empty(parcel: bytes, attempt: int, content: Mapping[str, Any], mailbox: Any) -> Answer:
    """In the place of a trial."""
    return Answer("done", "here", news=News(rows=[ROW]))


def measured_at_once(parcel: bytes, attempt: int, content: Mapping[str, Any], mailbox: Any) -> Answer:
    """In the place of a trial whose every image is answered."""
    job = pickle.loads(parcel).job
    rows: list[Row] = [
        {
            "dataset": images.name,
            "image": image.name,
            "image_sha256": image.sha256,
            "metric": metric.name,
            "signature": metric.signature,
            "value": 30.0,
            "device": "cpu",
            "seconds": 0.1,
        }
        for images in job.test
        for image in images.images
        for metric in job.metrics
    ]
    return Answer("done", "here", news=News({CURVE: CURVE_OF_TEN}, [ROW, *rows]))


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

    def note(self, text: str) -> None:
        """Nor this."""

    def lost(self, index: int, why: str) -> None:
        """Nor this."""


def command(*words: str) -> float:
    """CPU seconds of a command of converse."""
    before = cpu(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "converse", *words], check=True, capture_output=True)
    return cpu(resource.RUSAGE_CHILDREN) - before


def sent(count: int, place: Path, engine: ray_cluster.RayCluster) -> dict[str, float]:
    """Trials are sent, and their answers written."""
    store, work = Store(place), jobs(count)
    began = Clocks()
    folders = [store.folder(job.trial) for job in work]
    made = cpu() - began.cpu
    manner = Manner(TorchSettings("cpu", 1), Stop())
    finished = sum(outcome.state == "done" for _, outcome in engine.outcomes(work, folders, manner, Silent()))
    assert finished == count
    with opened(store.root) as index:  # as a run does at its end
        assert all(index.known(folder.id).state == "done" for folder in folders)
    return {**began.until_now(count), "of_it_folders_ms": 1000 * made / count}


def empty_trials(count: int, place: Path, engine: ray_cluster.RayCluster) -> dict[str, float]:
    found = sent(count, place, engine)
    return {
        **found,
        "status_cpu_s": command("status", "--store", str(place), "--format", "json"),
        "explain_cpu_s": command("explain", Store(place).ids()[0], "--store", str(place), "--format", "json"),
    }


def whole_run(count: int, place: Path, engine: ray_cluster.RayCluster) -> dict[str, float]:
    request = RunRequest(
        "denoising", budget="smoke", seeds=tuple(range(count)), entries=("Conv-DnCNN",), images=1,
        store=place, device="cpu", threads=1, ray=RayOptions(),
    )  # fmt: skip
    began, sending = Clocks(), 0.0

    def told(_: object) -> None:  # as long as trials are sent; not while the results are put together
        nonlocal sending
        sending = memory()

    done = run(request, told)
    found = {**began.until_now(count), "sending_mb": sending}
    assert (done.trials, done.fresh, done.gaps) == (count, count, ())
    return found


class Clocks:
    """What this process and its main thread have used by now."""

    def __init__(self) -> None:
        self.cpu, self.own, self.wall = cpu(), time.thread_time(), time.monotonic()

    def until_now(self, count: int) -> dict[str, float]:
        """Since then, for so many trials."""
        spent, wall, own = cpu() - self.cpu, time.monotonic() - self.wall, time.thread_time() - self.own
        return {
            "trials": count,
            "cpu_ms_per_trial": 1000 * spent / count,
            "of_it_python_ms": 1000 * own / count,
            "wall_s": wall,
            "driver_mb": memory(),
            "load": os.getloadavg()[0],
        }


Measured = Callable[[int, Path, ray_cluster.RayCluster], dict[str, float]]
KINDS: dict[str, tuple[Callable[..., Answer], Measured]] = {
    "empty": (empty, empty_trials),
    "short": (ray_cluster._carry_out, sent),
    "run": (measured_at_once, whole_run),
}


def of_kind(kind: str, sizes: list[int]) -> list[dict[str, float]]:
    """One line for each number of trials."""
    ray_cluster._carry_out, measure = KINDS[kind]
    lines = []
    with ray_cluster.connected(RayOptions(), "cpu") as engine, tempfile.TemporaryDirectory() as place:
        sent(2 * engine.slots, Path(place) / "first", engine)  # Ray's processes have loaded what they need
        for count in sizes:
            lines.append(measure(count, Path(place) / f"{count}", engine))
            print(kind, json.dumps(lines[-1]), flush=True)
    return lines


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    words.add_argument("--kinds", nargs="+", choices=KINDS, default=["empty"])
    words.add_argument("--output", type=Path, help="a JSON file")
    asked = words.parse_args()
    found = {"machine": cpu_model(), "cores": os.cpu_count(), "status_help_cpu_s": command("status", "--help")}
    found |= {kind: of_kind(kind, asked.sizes) for kind in asked.kinds}
    if asked.output:
        before = json.loads(asked.output.read_text(encoding="utf-8")) if asked.output.exists() else {}
        asked.output.write_text(json.dumps({**before, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
