"""Peak memory and CPU time of 2048×2048 output from each network, in a process of its own (docs/performance.md).

``python benchmarks/speed/large_images.py [--side 2048] [--only block-dncnn …]``. The networks have their published
sizes and random weights. The peak is what the process holds at most, above what it held with network and input made.
CPU seconds are those of all threads together, which other processes change less than the time that passes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

SMALL = "usrnet-small"
OPTIONS = {SMALL: {"features": (16, 32, 64, 64), "iterations": 6, "hyper_features": 32}}


def measure(model: str, operator: str | None, side: int, threads: int, results: multiprocessing.Queue) -> None:
    """Put peak (MiB), CPU seconds and the shape of the output into ``results``."""
    import torch

    from converse.nn.models import build_model

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = build_model(model.removesuffix("-small"), operator, **OPTIONS.get(model, {})).eval()
    scale = getattr(network, "scale", 1)
    channels = 1 if model.endswith("dncnn") else 3

    def inputs(size: int) -> list[torch.Tensor]:
        given = {
            "input": torch.rand(1, channels, size // scale, size // scale),
            "kernel": torch.full((1, 1, 7, 7), 7**-2),
            "noise_level": torch.full((1, 1, 1, 1), 0.01),
        }
        return [given[name] for name in network.inputs]

    with torch.inference_mode():
        network(*inputs(64))  # what a first call loads is not the image's
        given = inputs(side)
        before = fresh_peak()
        start = time.process_time()
        output = network(*given)
        results.put((peak_above(before), time.process_time() - start, tuple(output.shape)))


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


def main() -> None:
    """Measure and print the table as Markdown."""
    from converse.nn.models import MODELS, takes_operator

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--only", nargs="+", choices=(*MODELS, SMALL), default=(*MODELS, SMALL))
    parser.add_argument("--operator", default="converse", help="of the networks with blocks")
    arguments = parser.parse_args()

    print("| network | output | peak, MiB | CPU seconds |\n|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for model in arguments.only:
        operator = arguments.operator if model != SMALL and takes_operator(model) else None
        results = context.Queue()
        process = context.Process(target=measure, args=(model, operator, arguments.side, arguments.threads, results))
        process.start()
        while process.is_alive() and results.empty():
            process.join(1)
        if results.empty():
            print(f"| {model} | none: the process ended with {process.exitcode} | | |", flush=True)
            continue
        peak, seconds, shape = results.get()
        process.join()
        print(f"| {model} | {'×'.join(map(str, shape))} | {peak:.0f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
