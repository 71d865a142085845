"""The operator's time against the side of the image: ``python benchmarks/speed/time_by_image_side.py``.

Prime sides are among them.

Evaluation with the transfer function kept, forward in training mode and the bare FFT pair take turns at each side. The
columns are nanoseconds per pixel and channel: N log N shows as a slow growth, a cliff as a step
(docs/log/performance.md).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

SIDES = (32, 64, 128, 250, 251, 256, 500, 509, 512, 1000, 1021, 1024, 2000, 2039, 2048)
"""Powers of two, smooth sides, and primes: 251, 509, 1021, 2039."""


def turns(subjects: dict, rounds: int, clock: str) -> dict[str, list[float]]:
    """Seconds of each subject, turn by turn, after one call that is not counted."""
    now = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
    for subject in subjects.values():
        subject()
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            start = now()
            subject()
            times[name].append(now() - start)
    return times


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--paddings", type=int, nargs="+", default=(0, 4))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()

    import torch
    from timed_calls import operator

    torch.set_num_threads(arguments.threads)
    kinds = ("evaluation", "forward", "fft-pair")
    print(
        f"torch {torch.__version__}, {arguments.threads} threads, {arguments.channels} channels, k = 5; ns per pixel\n"
    )
    print("| side | p | transformed | evaluation | forward | FFT pair |\n|---|---|---|---|---|---|")
    for padding in arguments.paddings:
        for side in arguments.sides:
            subjects = {kind: operator(kind, size=side, channels=arguments.channels, padding=padding) for kind in kinds}
            times = turns(subjects, arguments.rounds, arguments.clock)
            cells = (1e9 * statistics.median(times[kind]) / (arguments.channels * side**2) for kind in kinds)
            print(
                f"| {side} | {padding} | {side + 2 * padding} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"
            )


if __name__ == "__main__":
    main()
