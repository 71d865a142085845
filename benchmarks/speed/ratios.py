"""The ratios of docs/performance.md, measured in one run: ``python benchmarks/speed/ratios.py``.

The subjects of one comparison take turns, so that a drift of the machine hits them alike; a ratio is the median of the
ratios of the turns, with their quartiles. Peak memory (on a CPU) is that of a process of its own above what it had.
On a GPU: ``python benchmarks/speed/ratios.py --device cuda --parts operator upsampling networks``. On a machine that
others use: ``--threads 1 --clock cpu``, which counts the seconds that the process computed and not those it waited.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


PLANTED = Path(__file__).resolve().parent / "planted.py"
PARTS = ("operator", "upsampling", "networks", "memory")


def turns(subjects: dict, rounds: int, clock: str = "wall") -> dict[str, list[float]]:
    """Seconds of each subject, turn by turn, after one call that is not counted."""
    import torch

    now = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
    wait = torch.accelerator.synchronize if torch.accelerator.is_available() else lambda: None
    for subject in subjects.values():
        subject()
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            wait()
            start = now()
            subject()
            wait()
            times[name].append(now() - start)
    return times


def line(what: str, ours: list[float], other: list[float]) -> str:
    """A row of the table: ours, the other's, and how many times faster ours is."""
    low, middle, high = statistics.quantiles([b / a for a, b in zip(ours, other, strict=True)], n=4)
    a, b = statistics.median(ours), statistics.median(other)
    return f"| {what} | {1e3 * a:.1f} | {1e3 * b:.1f} | {middle:.2f} | {low:.2f} to {high:.2f} |"


def _peak(kind: str, size: int, threads: int, results: multiprocessing.Queue) -> None:
    import torch
    from subjects import operator

    torch.set_num_threads(threads)
    operator(kind, size=32)()  # what a first call loads is not the subject's
    subject = operator(kind, size=size)
    before = fresh_peak()
    subject()
    results.put(peak_above(before))


def fresh_peak() -> int:
    """Let the peak of this process start anew; what is resident now, KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_kib("VmRSS")


def peak_above(before: int) -> float:
    """The peak since :func:`fresh_peak` above what it gave, MiB."""
    return (_status_kib("VmHWM") - before) / 1024


def _status_kib(key: str) -> int:
    """A line of Linux's account of this process, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def peak_mib(kind: str, size: int, threads: int) -> float:
    """Peak resident memory of one call, above what the process had before, MiB."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_peak, args=(kind, size, threads, results))
    process.start()
    mib: float = results.get()
    process.join()
    return mib


def main() -> None:
    """Measure and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 512])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()

    import torch
    from subjects import network, operator

    torch.set_num_threads(arguments.threads)
    device, rounds, clock = arguments.device, arguments.rounds, arguments.clock
    how = f"{arguments.threads} threads, {rounds} rounds, {clock} clock"
    print(f"torch {torch.__version__}, {platform.machine()}, {device}, {how}\n")
    print("| 128 channels, k = 5, p = 4 | ours, ms | other, ms | other / ours | quartiles |")
    print("|---|---|---|---|---|")

    def against_literal(what: str, size: int, scale: int) -> None:
        for kind, name in (("forward", "forward"), ("backward", "forward + backward")):
            pair = {k: operator(k, size=size, scale=scale, device=device) for k in (kind, f"literal-{kind}")}
            times = turns(pair, rounds, clock)
            print(line(f"{name}, {what}; literal formula", times[kind], times[f"literal-{kind}"]), flush=True)

    if "operator" in arguments.parts:
        for size in arguments.sizes:
            against_literal(f"{size}²", size, 1)
            times = turns({k: operator(k, size=size, device=device) for k in ("evaluation", "fft-pair")}, rounds, clock)
            what = f"evaluation, T kept, {size}²; bare FFT pair"
            print(line(what, times["evaluation"], times["fft-pair"]), flush=True)
    if "upsampling" in arguments.parts:
        against_literal("scale 2, 128²", 128, 2)
    if "networks" in arguments.parts:
        for kind, what in (("evaluation", "256×256 image"), ("training", "training step, 8 × 48×48")):
            subjects = {
                "ours": network(kind, device=device),
                "literal": network(kind, literal=True, device=device),
                "conv": network(kind, operator="conv", device=device),
                "nothing": network(kind, operator=f"{PLANTED}:Identity", device=device),
            }
            times = turns(subjects, max(3, rounds // 3), clock)
            print(line(f"Converse-DnCNN, {what}; literal formula", times["ours"], times["literal"]), flush=True)
            print(line(f"Converse-DnCNN, {what}; Conv-DnCNN", times["ours"], times["conv"]), flush=True)
            print(line(f"Converse-DnCNN, {what}; without the operator", times["ours"], times["nothing"]), flush=True)
    if "memory" in arguments.parts:
        print("\n| peak memory of forward + backward | ours, MiB | literal, MiB | ours / literal |\n|---|---|---|---|")
        for size in arguments.sizes:
            ours, other = (peak_mib(kind, size, arguments.threads) for kind in ("backward", "literal-backward"))
            print(f"| 128 channels, k = 5, {size}² | {ours:.0f} | {other:.0f} | {ours / other:.2f} |", flush=True)


if __name__ == "__main__":
    main()
