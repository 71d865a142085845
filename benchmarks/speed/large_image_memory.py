"""Peak memory and CPU time of 2048×2048 output from each network, in a process of its own (docs/log/performance.md).

``python benchmarks/speed/large_image_memory.py [--side 2048] [--only block-dncnn …]``. The networks have
their published
sizes and random weights. The peak is what the process holds at most, above what it held with network and input made.
CPU seconds are those of all threads together, which other processes change less than the time that passes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

SMALL = "usrnet-small"
"""The smaller size of usrnet, an entry of the suite for deblurring."""


def measure(model: str, operator: str | None, side: int, threads: int, results: multiprocessing.Queue) -> None:
    """Put peak (MiB), CPU seconds and the shape of the output into ``results``."""
    import torch

    from converse.experiments.devices import peak_memory
    from converse.experiments.suites.suite import load_suite
    from converse.nn.models import create_model

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    options = {}
    if model == SMALL:
        entry = next(entry for entry in load_suite("deblurring").entries if entry.name == "USRNet-small")
        model, options = entry.model, entry.options
    network = create_model(model, operator, **options).eval()
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
        given, found = inputs(side), []

        def restore():
            start = time.process_time()
            output = network(*given)
            found.extend((time.process_time() - start, tuple(output.shape)))

        results.put((peak_memory(restore, "cpu").allocated, *found))


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
        taken, seconds, shape = results.get()
        process.join()
        print(f"| {model} | {'×'.join(map(str, shape))} | {taken / 2**20:.0f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
