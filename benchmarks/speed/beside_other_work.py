"""Reverse convolution beside processes that want its cores: ``python benchmarks/speed/beside_other_work.py --busy 2``.

Forward and backward passes by turns in one process: ours with so many threads and with one, and the literal formula
with so many. Ratios are those of turns beside each other.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", type=int, default=2, help="processes that load a core each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--channels", type=int, default=128)
    arguments = parser.parse_args()

    import torch

    from converse import Converse2D
    from converse.nn.literal import LiteralConverse2D

    y = torch.rand(arguments.batch, arguments.channels, arguments.size, arguments.size, requires_grad=True)
    ours, literal = Converse2D(arguments.channels, 5), LiteralConverse2D(arguments.channels, 5)
    several = arguments.threads
    subjects = {
        f"ours, {several} threads": (ours, several),
        "ours, 1 thread": (ours, 1),
        f"literal, {several} threads": (literal, several),
    }

    def call(module, threads):
        torch.set_num_threads(threads)
        x = module(y)
        torch.autograd.grad(x, [y, *module.parameters()], torch.ones_like(x))

    seconds = {name: [] for name in subjects}
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)]
    try:
        for turn in range(arguments.turns + 1):
            for name in list(subjects) if turn % 2 else list(subjects)[::-1]:
                start = time.perf_counter()
                call(*subjects[name])
                if turn:
                    seconds[name].append(time.perf_counter() - start)
    finally:
        for load in loads:
            load.kill()
    first = next(iter(subjects))
    print(f"{arguments.batch}×{arguments.channels}×{arguments.size}², beside {arguments.busy} busy processes\n")
    print(f"| forward + backward | ms | this / {first} | quartiles |\n|---|---|---|---|")
    for name, found in seconds.items():
        ratios = [one / other for one, other in zip(found, seconds[first], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"| {name} | {1e3 * statistics.median(found):.0f} | {middle:.2f} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
