"""How busy a GPU is while `converse run` trains: the share of time in which a kernel runs, as ``nvidia-smi`` counts it.

``python benchmarks/speed/gpu_utilisation.py --data-dir ../data`` runs the suite `denoising` under the budget
`standard` and
seed 0, and prints a line per entry. The first tenth of each training is left out: there memory is allocated and kernels
are loaded. Trials that are done already are not run again, and have no line.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.work import Progress

PERIOD_MS = 200
QUERY = "utilization.gpu,memory.used"


@dataclass
class Span:
    """When a trial trained, without its first tenth."""

    begin: float = 0.0
    end: float = 0.0
    steps: int = 0


@dataclass
class Watch:
    """Notes when each trial trains."""

    spans: dict[str, Span] = field(default_factory=dict)

    def __call__(self, progress: Progress) -> None:
        """Take note of one report of progress."""
        if progress.finished:
            print(f"{progress.name}: {progress.finished}", file=sys.stderr)
        elif progress.what == "training" and progress.done > progress.total // 10:
            span = self.spans.setdefault(progress.name, Span(begin=time.monotonic()))
            span.end = time.monotonic()
            span.steps += 1


@contextmanager
def sampled(device: str) -> Iterator[list[tuple[float, float, float]]]:
    """Samples of time (s), utilisation (%) and memory (MiB), as they come."""
    if shutil.which("nvidia-smi") is None:
        sys.exit("there is no nvidia-smi on this machine: nothing can be measured")
    # By its number it would be another one where CUDA_VISIBLE_DEVICES hides some.
    identity = torch.cuda.get_device_properties(device).uuid
    command = ["nvidia-smi", f"--id=GPU-{identity}", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    samples: list[tuple[float, float, float]] = []
    with subprocess.Popen([*command, f"--loop-ms={PERIOD_MS}"], stdout=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for line in process.stdout or ():
                busy, memory = line.split(",")
                samples.append((time.monotonic(), float(busy), float(memory)))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield samples
        finally:
            process.terminate()
            reader.join()


def main() -> None:
    """Run, and print utilisation per trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="denoising")
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--only", nargs="*", metavar="ENTRY")
    parser.add_argument("--store", type=Path, default=Path("runs"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    only = tuple(arguments.only) if arguments.only else None
    request = RunRequest(
        arguments.suite,
        arguments.budget,
        (0,),
        entries=only,
        store=arguments.store,
        data_dir=arguments.data_dir,
        device=arguments.device,
    )
    watch = Watch()
    with sampled(arguments.device) as samples:
        run(request, watch)
    for name, span in watch.spans.items():
        within = [(busy, memory) for moment, busy, memory in samples if span.begin <= moment <= span.end]
        if len(within) < 2:
            print(f"{name}: too short to be sampled every {PERIOD_MS} ms")
            continue
        busy = [one for one, _ in within]
        print(
            f"{name}: {statistics.fmean(busy):.1f} % busy (a tenth of the samples below "
            f"{statistics.quantiles(busy, n=10)[0]:.0f} %), "
            f"{1e3 * (span.end - span.begin) / span.steps:.2f} ms a step, "
            f"{max(memory for _, memory in within):.0f} MiB, {len(within)} samples"
        )


if __name__ == "__main__":
    main()
