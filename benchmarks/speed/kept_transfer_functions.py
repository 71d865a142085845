"""What kept transfer functions save of a network's evaluation, and what they take: Converse-DnCNN as it was released.

``python benchmarks/speed/kept_transfer_functions.py --size 128``: each row has a process of its own. The peak is that
of its first evaluation, above what it held before; times are processor time of one thread, the median of those after
it. The last row is the network with the half-spectrum formula and plain blocks.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LIMITS = ("0", "48", "1024", "half-spectrum")


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--row", choices=LIMITS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(row(arguments.row, arguments.size, arguments.calls))
        return
    print(f"| at most kept, MiB; image {arguments.size}² | kept, MiB | peak, MiB | s |\n|---|---|---|---|", flush=True)
    for limit in LIMITS:
        words = ["--row", limit, "--size", str(arguments.size), "--calls", str(arguments.calls)]
        subprocess.run([sys.executable, __file__, *words], check=True)


def row(limit: str, size: int, calls: int) -> str:
    """One row of the table."""
    import torch

    from converse.experiments.devices import peak_memory
    from converse.nn.half_spectrum import make_half_spectrum
    from converse.nn.models import create_model
    from converse.nn.transfer_cache import TRANSFERS

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = create_model("block-dncnn", "converse", kernel_size=7).eval()
    if limit == "half-spectrum":
        make_half_spectrum(network)
    else:
        TRANSFERS.limit = int(limit) * 2**20
    image = torch.rand(1, 1, size, size)

    def call() -> None:
        with torch.inference_mode():
            network(image)

    peak = peak_memory(call, "cpu").allocated or 0
    seconds = []
    for _ in range(calls):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    found = f"{TRANSFERS.nbytes / 2**20:.0f} | {peak / 2**20:.0f} | {statistics.median(seconds):.2f}"
    return f"| {limit} | {found} |"


if __name__ == "__main__":
    main()
