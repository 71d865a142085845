"""CPU seconds of the commands that say what there is to do, beyond those of ``import torch``.

    python benchmarks/speed/previews.py [--repeats 5] [--data-dir DIR] [--checkout OTHER]

Each runs in a process of its own, by turns with a process that imports torch and no more; the CPU time is that of the
process, user and system, as the operating system counts it, and the least of the repeats is taken of both. The store is
empty. With ``--checkout`` the sources in another folder are asked, by turns with these.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
WITHOUT_DATA = (("run", "quickstart", "--dry-run"), ("tune", "quickstart", "--dry-run"))
WITH_DATA = (
    ("run", "denoising", "--dry-run"),
    ("run", "super_resolution", "--budget", "standard", "--dry-run"),
    ("run", "deblurring", "--budget", "paper", "--dry-run"),
    ("reproduce", "--dry-run"),
)
PLANS = tuple(("plan", suite) for suite in ("denoising", "super_resolution", "deblurring"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--checkout", type=Path, help="another folder with the sources of converse")
    arguments = parser.parse_args()
    commands = [*WITHOUT_DATA, *PLANS]
    if arguments.data_dir is not None:
        commands += [(*words, "--data-dir", str(arguments.data_dir.resolve())) for words in WITH_DATA]
    checkouts = [HERE, *([arguments.checkout.resolve()] if arguments.checkout else [])]
    torch_alone: list[float] = []
    found: dict[tuple[Path, tuple[str, ...]], list[float]] = defaultdict(list)
    for _ in range(arguments.repeats):
        for words in commands:
            torch_alone.append(cpu_seconds(["-c", "import torch"], HERE))
            for sources in checkouts:
                found[sources, words].append(cpu_seconds(["-m", "converse", *words], sources))
    least = min(torch_alone)
    print(f"import torch: {least:.2f} s")
    for sources in checkouts:
        print(f"beyond it, {sources}:")
        for words in commands:
            print(f"{min(found[sources, words]) - least:6.2f} s  converse {' '.join(words[:4])}")


def cpu_seconds(arguments: list[str], sources: Path) -> float:
    """Of a Python process with this package, in a folder where nothing is."""
    environment = {**os.environ, "PYTHONPATH": str(sources)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
