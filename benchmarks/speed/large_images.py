"""Peak memory and CPU time of 2048×2048 output from each network, in a process of its own (docs/performance.md).

``python benchmarks/speed/large_images.py [--side 2048] [--only block-dncnn …]``. The networks have their published
sizes and random weights. The peak is what the process holds at most, above what it held with network and input made.
CPU seconds are those of all threads together, which other processes change less than the time that passes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def measure(model: str, operator: str | None, side: int, threads: int, results: multiprocessing.Queue) -> None:
    """Put peak (MiB), CPU seconds and the shape of the output into ``results``."""
    import torch
    from ratios import fresh_peak, peak_above

    from converse.nn.models import build_model

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = build_model(model, operator).eval()
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


def main() -> None:
    """Measure and print the table as Markdown."""
    from converse.nn.models import MODELS, takes_operator

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--operator", default="converse", help="of the networks with blocks")
    arguments = parser.parse_args()

    print("| network | output | peak, MiB | CPU seconds |\n|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for model in arguments.only:
        operator = arguments.operator if takes_operator(model) else None
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
