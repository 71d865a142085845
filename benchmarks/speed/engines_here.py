"""Ways to run several trials at once on one machine: helper processes, and Ray. What each takes beside the trials.

    python benchmarks/speed/engines_here.py --seeds 20 60 --repeats 3 --output engines.json

The same trials, of the suite `quickstart` at the budget `smoke`, are run by one process, by as many helpers as there
are cores, and by Ray, each time in a store of its own; the ways take turns. From two numbers of trials follow what is
taken once, and what by each trial; the smaller has to last until all processes have begun. CPU time is that of every
process that comes of the command, also of Ray's workers and of those that outlive their parent (Linux): the times of
each are read ten times in a second, and what it used after the last reading is lost, less than 0.1 s of each.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from converse.experiments.trials import cpu_model, default_threads

CODE = """
import sys
from pathlib import Path
from converse.experiments.running.ray_options import RayOptions
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest

way, seeds, store, processes = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
if __name__ == "__main__":
    done = run(RunRequest(
        "quickstart", budget="smoke", seeds=tuple(range(seeds)), entries=("Conv-DnCNN",), store=store, device="cpu",
        threads=1, processes=processes if way == "helpers" else 1, ray=RayOptions() if way == "ray" else None,
    ))
    assert (done.trials, done.failures) == (seeds, ())
"""
WAYS = ("one process", "helpers", "ray")
_SUBREAPER = 36  # of prctl: orphans of a child become children of this process, which then sees them
_EVERY = 0.1  # seconds between two readings


class Descendants:
    """The CPU seconds of all processes that came of this one, as they were last seen."""

    def __init__(self) -> None:
        self._used: dict[psutil.Process, float] = {}
        self.most = 0  # processes at the same time

    def read(self) -> bool:
        """Look at them; whether there are any."""
        found = psutil.Process().children(recursive=True)
        for process in found:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._used[process] = times.user + times.system
        self.most = max(self.most, len(found))
        return bool(found)

    @property
    def used(self) -> float:
        """Of all of them."""
        return sum(self._used.values())


def measured(way: str, seeds: int, script: Path) -> dict[str, float]:
    """Seconds of wall and CPU time of a run, and how many processes there were."""
    seen, began = Descendants(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        words = [way, str(seeds), f"{place}/runs", str(default_threads())]
        command = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.DEVNULL)
        while command.poll() is None:
            seen.read()
            time.sleep(_EVERY)
        wall = time.monotonic() - began
        assert command.returncode == 0
        while seen.read():  # those that outlive it
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(_EVERY)
    return {"wall": wall, "cpu": seen.used, "processes": seen.most}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, nargs=2, default=[20, 60], help="few and many trials")
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--output", type=Path, help="a JSON file")
    asked = words.parse_args()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    few, many = asked.seeds
    times: dict[tuple[str, int], list[dict[str, float]]] = {(way, seeds): [] for way in WAYS for seeds in asked.seeds}
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "run.py"
        script.write_text(CODE, encoding="utf-8")
        for _ in range(asked.repeats):
            for (way, seeds), taken in times.items():
                taken.append(measured(way, seeds, script))
                print(way, seeds, json.dumps(taken[-1]), flush=True)
    lines = []
    for way in WAYS:
        line: dict[str, object] = {"way": way, "processes": max(one["processes"] for one in times[way, many])}
        for name in ("wall", "cpu"):
            found = {seeds: statistics.median(one[name] for one in times[way, seeds]) for seeds in asked.seeds}
            each = (found[many] - found[few]) / (many - few)
            line |= {f"{name}_of_{seeds}_s": found[seeds] for seeds in asked.seeds}
            line |= {f"{name}_each_s": each, f"{name}_once_s": found[few] - few * each}
        lines.append(line)
        print(json.dumps(line), flush=True)
    if asked.output:
        measured_here = {
            "machine": cpu_model(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "seeds": asked.seeds,
            "repeats": asked.repeats,
            "ways": lines,
        }
        asked.output.write_text(json.dumps(measured_here, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
