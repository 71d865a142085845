"""A suite of one small network with its baseline, measured here, for checks from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from converse.analysis.gate.baseline import Baseline, Tolerance, write_baseline
from converse.analysis.gate.making import make_baseline
from converse.workflows.check_measured import measure
from converse.workflows.check_request import GateRun

SUITE = """
schema = 1
name = "gated"
title = "Gated"
task = "denoising"
seeds = [0]

[data]
train = ["./train"]
test = ["./test"]

[training]
start = "torch" # from the authors' start a block adds nothing yet, and no operator could be seen

[budgets.smoke]
steps = 4
lr = 1e-2
patch = 16
batch = 1

[[entries]]
name = "Plain"
model = "dncnn"
options = { features = 2, layers = 2 }

[[entries]]
name = "Reverse"
model = "block-dncnn"
operator = "converse"
options = { features = 4, blocks = 1, kernel_size = 3 }
"""


def gated(folder: Path, only: tuple[str, ...] | None = ("Plain",)) -> Baseline:
    """Write ``gated.toml``, images for it, and ``baseline.toml`` of these entries, as they are measured now."""
    rng = np.random.default_rng(0)
    for name in ("train/t.png", "test/a.png", "test/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 40), dtype=np.uint8)).save(folder / name)
    (folder / "gated.toml").write_text(SUITE)
    run = GateRun(
        suite=str(folder / "gated.toml"), budget="smoke", store=folder / "made", device="cpu", threads=1, entries=only
    )
    found = measure(run, only, lambda progress: None)
    tolerance = Tolerance(same=0.0, mean=0.004, image=0.04, found="stated by a test")
    allowed = {entry: {"psnr": tolerance} for entry in map(str, found.values["entry"])}
    baseline = make_baseline(found, allowed, ["psnr"], {"suite": "gated.toml", "budget": "smoke"})
    write_baseline(folder / "baseline.toml", baseline)
    return baseline


def edited(folder: Path, image: str, change: float) -> Path:
    """Another baseline, in which the last value of an image is better by so many dB: what is measured is worse."""
    lines = (folder / "baseline.toml").read_text().splitlines(keepends=True)
    at = max(index for index, line in enumerate(lines) if line.startswith(f'"{image}" = '))  # values come last
    lines[at] = f'"{image}" = {float(lines[at].partition("=")[2]) + change!r}\n'
    path = folder / "edited.toml"
    path.write_text("".join(lines))
    return path
