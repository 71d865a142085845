"""Evaluation beside its limit, the bare pair of transforms in cache-sized groups, by turns in one process.

``python benchmarks/speed/beside_the_limit.py --threads 1 --processor-time``. Ratios are those of turns beside each
other.
"""

from __future__ import annotations

import argparse
import statistics
import time


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--kernel-size", type=int, default=5)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--processor-time", action="store_true", help="of all threads, whatever else the machine does")
    arguments = parser.parse_args()

    import torch

    from converse import Converse2D
    from converse.experiments.speed.subjects import TransformPair

    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.processor_time else time.perf_counter
    c = arguments.channels
    print(f"| {c} channels, {arguments.threads} threads | ours, ms | pair, ms | ratio | quartiles |")
    print("|---|---|---|---|---|")
    for size in arguments.sizes:
        side = size + 2 * (arguments.kernel_size - 1)
        subjects = (
            (Converse2D(c, arguments.kernel_size).eval(), torch.rand(1, c, size, size)),
            (TransformPair(), torch.rand(1, c, side, side)),
        )
        calls = max(1, round(1e5 / size**2))
        seconds = [], []
        for turn in range(arguments.turns):
            for index in (0, 1) if turn % 2 else (1, 0):
                module, tensor = subjects[index]
                with torch.inference_mode():
                    module(tensor)
                    start = clock()
                    for _ in range(calls):
                        module(tensor)
                seconds[index].append((clock() - start) / calls)
        low, middle, high = statistics.quantiles([a / b for a, b in zip(*seconds, strict=True)], n=4)
        ours, pair = (1e3 * statistics.median(found) for found in seconds)
        print(f"| {size}² | {ours:.2f} | {pair:.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


if __name__ == "__main__":
    main()
