"""One subject in two checkouts that take turns.

``python benchmarks/speed/compare_checkouts.py BEFORE AFTER network training``

Each checkout has a process of its own; a turn is some calls, of which the median counts, and a ratio is that of two
turns beside each other. What is compared by two runs one after the other is the machine's mood as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

WORKER = """
import statistics, sys, time
sys.path.insert(0, "benchmarks/speed")
import torch
torch.set_num_threads({threads})
import timed_calls
call = timed_calls.{what}({kind!r}, **{options})
call(), call()
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.{clock}()
        call()
        times.append(time.{clock}() - start)
    print(statistics.median(times), flush=True)
"""


def main() -> None:
    """Measure and print one row as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout")
    parser.add_argument("after", type=Path, help="another")
    parser.add_argument("what", choices=("network", "operator"))
    parser.add_argument("kind", help="as in timed_calls.py: training, evaluation, forward, backward")
    parser.add_argument("--size", type=int, nargs="+", default=[64], help="side of an operator's input, or both sides")
    parser.add_argument("--channels", type=int, default=128, help="of an operator")
    parser.add_argument("--kernel-size", type=int, default=5, help="of an operator")
    parser.add_argument("--scale", type=int, default=1, help="of an operator")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--calls", type=int, default=3, help="in a turn")
    parser.add_argument("--processor-time", action="store_true", help="of all threads, whatever else the machine does")
    arguments = parser.parse_args()

    clock = "process_time" if arguments.processor_time else "perf_counter"
    of_operators = {name: getattr(arguments, name) for name in ("size", "channels", "kernel_size", "scale")}
    of_operators["size"] = tuple(arguments.size) if len(arguments.size) == 2 else arguments.size[0]
    options = of_operators if arguments.what == "operator" else {}
    code = WORKER.format(
        threads=arguments.threads, what=arguments.what, kind=arguments.kind, options=options, clock=clock
    )
    folders = [arguments.before.resolve(), arguments.after.resolve()]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(arguments.turns):
        for index in (0, 1) if turn % 2 else (1, 0):
            print(arguments.calls, file=workers[index].stdin, flush=True)
            times[index].append(float(workers[index].stdout.readline()))
    for worker in workers:
        worker.stdin.close()
        worker.wait()
    low, middle, high = statistics.quantiles([a / b for a, b in zip(*times, strict=True)], n=4)
    before, after = (1e3 * statistics.median(found) for found in times)
    print("| | before, ms | after, ms | before / after | quartiles |\n|---|---|---|---|---|")
    named = "".join(f", {name.replace('_', ' ')} {value}" for name, value in options.items())
    what = f"{arguments.what}, {arguments.kind}{named}, {arguments.threads} threads"
    print(f"| {what} | {before:.1f} | {after:.1f} | {middle:.2f} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
