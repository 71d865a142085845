"""How often ``converse speed`` is right where the truth is known: ``python benchmarks/speed/discernment.py``.

One repetition is one case, measured as the command measures it, in fresh processes: reverse convolution (twice, for the
noise floor), the same again under another name, and the same with a slowdown planted in it (``planted.py``). The counts
are those of the verdicts beside the first.
"""

from __future__ import annotations

import argparse
import collections
import math
import os
import platform
import statistics
import time
from pathlib import Path

PLANTED = Path(__file__).resolve().parent / "planted.py"


def main() -> None:
    """Measure again and again; print counts as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--turn-seconds", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()

    import torch

    from converse.analysis.speed import beside_first
    from converse.experiments.speed_rows import speed_frame
    from converse.experiments.speed_subjects import Case, Subject
    from converse.experiments.speed_turns import Spending, Workers, measure
    from converse.experiments.speed_workers import Settings

    subjects = [
        Subject("converse", "operator", "converse"),
        Subject("the same again", "operator", "converse"),
        Subject("a needless copy", "operator", f"{PLANTED}:Copy"),
        Subject("a sleep of 1 ms", "operator", f"{PLANTED}:Sleep"),
    ]
    case = Case("discernment", "evaluation", arguments.channels, 5, 1, 1, arguments.size, arguments.size)
    settings = Settings("cpu", arguments.threads, arguments.turn_seconds, None)
    spending = Spending(arguments.turns, math.inf)
    verdicts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    ratios: dict[str, list[float]] = collections.defaultdict(list)
    floors, loads = [], []
    start = time.monotonic()
    for _ in range(arguments.repetitions):
        with Workers(settings) as workers:
            found = beside_first(speed_frame(measure(case, subjects, workers, spending)))
        floors.append(found["noise_floor"].iloc[0])
        loads.append(os.getloadavg()[0])
        for row in found.iloc[1:].to_dict("records"):
            verdicts[row["subject"]][row["verdict"]] += 1
            ratios[row["subject"]].append(row["ratio"])
    low, middle, high = statistics.quantiles(floors, n=4)
    print(
        f"{arguments.channels} channels, {arguments.size}², {arguments.turns} turns, {arguments.threads} thread(s); "
        f"torch {torch.__version__}, {platform.machine()}; load {min(loads):.1f} to {max(loads):.1f}; "
        f"{time.monotonic() - start:.0f} s\n"
        f"noise floor: median {100 * middle:.1f} %, quartiles {100 * low:.1f} to {100 * high:.1f} %\n"
    )
    print("| beside reverse convolution | ratio, median | equal | slower | faster | inconclusive |")
    print("|---|---|---|---|---|---|")
    for name, counts in verdicts.items():
        cells = [f"{statistics.median(ratios[name]):.3f}"]
        cells += [str(counts[verdict]) for verdict in ("equal", "slower", "faster", "inconclusive")]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
