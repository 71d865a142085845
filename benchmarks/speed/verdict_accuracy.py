"""How often ``converse speed`` is right where the truth is known: ``python benchmarks/speed/verdict_accuracy.py``.

One repetition is one case, measured as the command measures it, in fresh processes: reverse convolution (twice, for the
noise floor), the same again under another name, and the same with a slowdown planted in it
(``planted_slowdowns.py``). The counts
are those of the verdicts beside the first. With ``--keep FILE`` it may be done in pieces, which are counted together.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import platform
import statistics
import time
from pathlib import Path

PLANTED = Path(__file__).resolve().parent / "planted_slowdowns.py"
OPERATORS = {
    "the same again": "converse",
    "a needless copy": f"{PLANTED}:Copy",
    "a sleep of 1 ms": f"{PLANTED}:Sleep",
}


def main() -> None:
    """Measure again and again; print counts as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no repetition begins after so long")
    parser.add_argument("--only", nargs="+", choices=OPERATORS, default=list(OPERATORS))
    parser.add_argument("--keep", type=Path, help="a file of verdicts, which are added to and counted together")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--turn-seconds", type=float, default=0.01)
    parser.add_argument("--case-seconds", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    found = [json.loads(line) for line in _lines(arguments.keep)]
    for verdict in _verdicts(arguments):
        found.append(verdict)
        if arguments.keep:
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(verdict) + "\n")
    _print(found, arguments)


def _lines(path: Path | None) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []


def _verdicts(arguments: argparse.Namespace):
    from converse.analysis.speed import beside_first, settled
    from converse.experiments.speed.cases import Case, Subject
    from converse.experiments.speed.turns import Spending, Workers, measure
    from converse.experiments.speed.workers import Settings
    from converse.experiments.store.speed_rows import speed_frame

    subjects = [
        Subject("converse", "operator", "converse"),
        *(Subject(name, "operator", OPERATORS[name]) for name in arguments.only),
    ]
    case = Case("discernment", "evaluation", arguments.channels, 5, 1, 1, arguments.size, arguments.size)
    settings = Settings("cpu", arguments.threads, arguments.turn_seconds, None)
    spending = Spending(arguments.turns, arguments.case_seconds)
    start = time.monotonic()
    for _ in range(arguments.repetitions):
        if time.monotonic() - start > arguments.seconds:
            return
        began = time.monotonic()
        with Workers(settings) as workers:
            rows = beside_first(speed_frame(measure(case, subjects, workers, spending, settled=settled)))
        common = {"load": os.getloadavg()[0], "seconds": time.monotonic() - began}
        for row in rows.iloc[1:].to_dict("records"):
            names = ("subject", "verdict", "ratio", "ratio_low", "ratio_high", "noise_floor", "repeats")
            yield {**{name: row[name] for name in names}, **common}


def _print(found: list[dict], arguments: argparse.Namespace) -> None:
    import torch

    loads = [one["load"] for one in found]
    print(
        f"{arguments.channels} channels, {arguments.size}², {arguments.threads} thread(s), {arguments.turns} turns or "
        f"more; torch {torch.__version__}, {platform.machine()}; load {min(loads):.1f} to {max(loads):.1f}\n"
    )
    print("| beside reverse convolution | ratio, median | turns, median | equal | slower | faster | inconclusive |")
    print("|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(one["subject"] for one in found):
        lines = [one for one in found if one["subject"] == name]
        counts = collections.Counter(one["verdict"] for one in lines)
        cells = [f"{statistics.median(one['ratio'] for one in lines):.3f}"]
        cells += [f"{statistics.median(one['repeats'] for one in lines):.0f}"]
        cells += [str(counts[verdict]) for verdict in ("equal", "slower", "faster", "inconclusive")]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
