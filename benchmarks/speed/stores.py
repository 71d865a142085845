"""CPU seconds of the commands that look at a whole store, on one of many finished trials that is made for it.

    python benchmarks/speed/stores.py [--trials 2000] [--rows 24] [--checkout OTHER]

Each command runs in a process of its own; the CPU time is that of the process, user and system, as the operating system
counts it, the least of some repeats. With ``--checkout`` the same store is looked at by the sources in another folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from converse.experiments.store import digests, files, rows
from converse.experiments.store.digests import DIGESTS, Digest, Digests
from converse.experiments.store.schema import SCHEMA
from converse.experiments.store.state import Status
from converse.experiments.trials import Trial

COMMANDS = (("status",), ("store", "list"), ("store", "export"), ("store", "verify"))
STATUS = Status("done", "", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z", 60.0, 1)


def make_store(root: Path, trials: int, rows_each: int) -> None:
    """A store of finished trials, written without waiting for the disk.

    Args:
        root: a folder that is not there.
        trials: how many.
        rows_each: rows of each.
    """
    (root / "trials").mkdir(parents=True)
    (root / "store.json").write_bytes(files.json_bytes({"schema": SCHEMA}))
    configuration = {
        "model": "dncnn",
        "options": {"depth": 17, "channels": 64},
        "training": {"lr": 1e-3, "steps": 1000},
    }
    for seed in range(trials):
        platform = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "threads": 1}
        trial = Trial(
            "denoising", "DnCNN", "trained", seed, "quick", configuration, {"bsd": "0" * 64}, platform=platform
        )
        own = {"trial": trial.id, "task": "denoising", "entry": "DnCNN", "source": "trained", "budget": "quick"}
        measured = [
            {**own, "seed": seed, "dataset": "set12", "image": f"{number:02}.png", "metric": "psnr", "value": 30.0}
            for number in range(rows_each)
        ]
        contents = {
            "trial.json": files.json_bytes({"schema": SCHEMA, "id": trial.id, **trial.ingredients()}),
            "status.json": files.json_bytes(asdict(STATUS)),
            "provenance.json": files.json_bytes({"commit": "c" * 40, "versions": {"torch": "2.14"}, "earlier": []}),
            "rows.parquet": rows.encoded(rows.table(measured)),
            "log.txt": b"2026-01-01T00:00:00.000Z done\n",
        }
        contents[DIGESTS] = digests.encoded(Digests({name: (Digest.of(data),) for name, data in contents.items()}))
        folder = root / "trials" / trial.id
        folder.mkdir()
        for name, data in contents.items():
            (folder / name).write_bytes(data)


def cpu_seconds(command: tuple[str, ...], root: Path, checkout: Path, repeats: int) -> float:
    """The least CPU time of one command, of its process alone."""
    place = [str(root)] if command[-1] == "verify" else ["--store", str(root)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    times = []
    for _ in range(repeats):
        before = os.times()
        subprocess.run(
            [sys.executable, "-c", "from converse.cli.main import main; main()", *command, *place],
            env=environment, cwd=checkout, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(times)


def main() -> None:
    """Make the store, time the commands, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parents[2])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "runs"
        make_store(root, given.trials, given.rows)
        for command in COMMANDS:
            try:
                seconds = cpu_seconds(command, root, given.checkout.resolve(), given.repeats)
            except subprocess.CalledProcessError as error:
                print(f"{' '.join(command)}: not measured, exit status {error.returncode}")
            else:
                print(f"{' '.join(command)}: {seconds:.2f} s of CPU time for {given.trials} trials")


if __name__ == "__main__":
    main()
