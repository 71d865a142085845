"""CPU seconds of the commands that look at a whole store, on one of many finished trials that is made for it.

    python benchmarks/speed/stores.py [--trials 100 1000 10000] [--images 12] [--only status report] [--checkout OTHER]
        [--output stores.json]

The trials are those of suites of 10 entries with so many seeds (``--seeds``), each held against the first entry. Each
command runs in a process of its own; the CPU time is that of the process and its helpers, user and system, as the
operating system counts it, the least of some repeats. With ``--checkout`` the same store is looked at by the sources in
another folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from converse.experiments.store import Store, digests, files, rows
from converse.experiments.store.digests import DIGESTS, Digest, Digests
from converse.experiments.store.requests import RequestedEntry, RequestedSet, StoredRequest, note
from converse.experiments.store.schema import SCHEMA
from converse.experiments.store.state import Status
from converse.experiments.trials import Trial, cpu_model

COMMANDS = {
    "status": ("status", "--store", "{store}"),
    "explain": ("explain", "{trial}", "--store", "{store}"),
    "list": ("store", "list", "--store", "{store}"),
    "export": ("store", "export", "--store", "{store}"),
    "verify": ("store", "verify", "{store}"),
    "report": ("report", "{store}", "--output", "{store}/report"),
}
ENTRIES = 10
METRICS = ("psnr", "ssim")
STATUS = Status("done", "", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z", 60.0, 1)
PLATFORM = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "threads": 1}


def make_store(root: Path, trials: int, seeds: int, images: int) -> None:
    """A store of finished trials, written without waiting for the disk.

    Args:
        root: a folder that is not there.
        trials: how many.
        seeds: of each entry of a suite.
        images: that each trial was measured on.
    """
    draw = np.random.default_rng(0)
    store = Store(root)
    names = [f"entry {number}" for number in range(ENTRIES)]
    tested = RequestedSet("mine", "/mine", tuple((f"{image:02}.png", f"{image:064}") for image in range(images)))
    for begin in range(0, trials, ENTRIES * seeds):
        suite, asked = f"suite {begin // (ENTRIES * seeds)}", []
        for number in range(begin, min(trials, begin + ENTRIES * seeds)):
            entry, seed = names[number % ENTRIES], (number - begin) // ENTRIES
            configuration = {
                "model": "dncnn",
                "options": {"depth": 17, "channels": 64, "suite": suite, "entry": entry},
                "training": {"lr": 1e-3, "steps": 1000},
            }
            data = {"bsd": "0" * 64}
            trial = Trial("denoising", entry, "trained", seed, "quick", configuration, data, platform=PLATFORM)
            asked.append((trial.id, entry, seed))
            _write(store.root / "trials" / trial.id, trial, tested, draw)
        entries = tuple(RequestedEntry(name, name) for name in names)
        contrasts = tuple((name, names[0], name) for name in names[1:])
        about = ("denoising", "quick", names[0], entries, tuple(asked), contrasts)
        note(store, StoredRequest(suite, suite.title(), "", *about, time=STATUS.started or "", sets=(tested,)))


def _write(folder: Path, trial: Trial, tested: RequestedSet, draw: np.random.Generator) -> None:
    own = {"trial": trial.id, "task": trial.task, "entry": trial.entry, "source": "trained", "budget": trial.budget}
    measured = [
        {
            **own,
            "seed": trial.seed,
            "dataset": tested.name,
            "image": name,
            "image_sha256": sha256,
            "metric": metric,
            "signature": metric,
            "value": 30 + float(draw.normal()),
            "device": "cpu",
            "seconds": 0.1,
        }
        for name, sha256 in tested.images
        for metric in METRICS
    ]
    curve = [{"step": step, "loss": float(1 / step)} for step in range(10, 1001, 10)]
    contents = {
        "trial.json": files.json_bytes({"schema": SCHEMA, "id": trial.id, **trial.ingredients()}),
        "status.json": files.json_bytes(asdict(STATUS)),
        "provenance.json": files.json_bytes({"commit": "c" * 40, "versions": {"torch": "2.14"}, "earlier": []}),
        "rows.parquet": rows.encoded(rows.table(measured)),
        "curve.jsonl": b"".join(files.sealed_line(one) for one in curve),
        "log.txt": b"2026-01-01T00:00:00.000Z done\n",
    }
    contents[DIGESTS] = digests.encoded(Digests({name: (Digest.of(data),) for name, data in contents.items()}))
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def measured(command: list[str], checkout: Path, repeats: int) -> float:
    """The least CPU seconds of one command."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    found = []
    for _ in range(repeats):
        process = subprocess.Popen(
            [sys.executable, "-c", "from converse.cli.main import main; main()", *command],
            env=environment, cwd=checkout, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
        found.append(used.ru_utime + used.ru_stime)
    return min(found)


def main() -> None:
    """Make the stores, measure the commands, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--keep", type=Path, help="a folder for the stores; those that it has are taken as they are")
    parser.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--output", type=Path, help="a JSON file for what was measured")
    given = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        for trials in given.trials:
            root = (given.keep or Path(name)).resolve() / f"runs-{trials}"
            if not root.exists():
                make_store(root, trials, given.seeds, given.images)
            words = {"store": str(root), "trial": Store(root).ids()[0]}
            for title in given.only:
                command = [part.format(**words) for part in COMMANDS[title]]
                try:
                    seconds = measured(command, given.checkout.resolve(), given.repeats)
                except subprocess.CalledProcessError as error:
                    print(f"{title}, {trials} trials: not measured, exit status {error.returncode}", flush=True)
                else:
                    lines.append({"trials": trials, "command": title, "cpu_s": seconds, "load": os.getloadavg()[0]})
                    print(f"{title}, {trials} trials: {seconds:.2f} s of CPU", flush=True)
    if given.output:
        found = {"machine": cpu_model(), "cores": os.cpu_count(), "images": given.images, "commands": lines}
        given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
