"""Two ways to run several trials at once on one machine: helper processes, and Ray. What each takes beside the trials.

    python benchmarks/speed/engines_here.py --seeds 2 10 --repeats 3 --output engines.json

The same trials, of the suite `quickstart` at the budget `smoke`, are run by one process, by as many helpers as there
are cores, and by Ray, each time in a store of its own. From two numbers of trials follow what is taken once, and what
by each trial. CPU time is that of all processes, also of those of Ray's that outlive their parent (Linux); but not of
Ray's workers, for whose end nobody waits, so that Ray's is a lower bound.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from converse.experiments.trials import default_threads

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
_SUBREAPER = 36  # of prctl: orphans of a child become children of this process, which then has their times


def measured(way: str, seeds: int, script: Path) -> tuple[float, float]:
    """Seconds of wall and CPU time of a run."""
    before, began = cpu(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        words = [way, str(seeds), f"{place}/runs", str(default_threads())]
        subprocess.run([sys.executable, str(script), *words], check=True, capture_output=True)
        wall = time.monotonic() - began
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
    return wall, cpu() - before


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, nargs=2, default=[2, 10], help="few and many trials")
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--output", type=Path, help="a JSON file")
    asked = words.parse_args()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    few, many = asked.seeds
    lines = []
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "run.py"
        script.write_text(CODE, encoding="utf-8")
        for way in WAYS:
            times = {seeds: [measured(way, seeds, script) for _ in range(asked.repeats)] for seeds in (few, many)}
            wall, used = (
                {seeds: statistics.median(one[at] for one in times[seeds]) for seeds in times} for at in (0, 1)
            )
            line: dict[str, object] = {"way": way}
            for name, found in (("wall", wall), ("cpu", used)):
                each = (found[many] - found[few]) / (many - few)
                line |= {f"{name}_of_{many}_s": found[many], f"{name}_each_s": each}
                line |= {f"{name}_once_s": found[few] - few * each}
            lines.append(line)
            print(json.dumps(line), flush=True)
    if asked.output:
        asked.output.write_text(json.dumps({"cores": os.cpu_count(), "ways": lines}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
