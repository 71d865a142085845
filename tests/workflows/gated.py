"""A suite of one small network with its baseline, measured here, for checks from end to end."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from converse.analysis.gate.baseline import Baseline, Tolerance, read_baseline, write_baseline
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


def gated(folder: Path, only: tuple[str, ...] = ("Plain",)) -> Baseline:
    """Write ``gated.toml``, images for it, and ``baseline.toml`` of these entries, as they were measured here.

    They are measured once in a session: what a test does to its copies is nothing to the others.
    """
    for name in ("gated.toml", "train", "test"):
        source = Path(_project().name) / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    whole = read_baseline(Path(_project().name) / "baseline.toml")
    kept = {
        "entries": tuple(entry for entry in whole.entries if entry.name in only),
        "values": tuple(values for values in whole.values if values.entry in only),
    }
    write_baseline(folder / "baseline.toml", whole.model_copy(update=kept))
    return read_baseline(folder / "baseline.toml")


@functools.cache
def _project() -> tempfile.TemporaryDirectory[str]:
    """The suite, its images, and a baseline of all of its entries; it goes with the session."""
    place = tempfile.TemporaryDirectory(prefix="gated-")
    folder = Path(place.name)
    rng = np.random.default_rng(0)
    for name in ("train/t.png", "test/a.png", "test/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 40), dtype=np.uint8)).save(folder / name)
    (folder / "gated.toml").write_text(SUITE)
    run = GateRun(suite=str(folder / "gated.toml"), budget="smoke", store=folder / "made", device="cpu", threads=1)
    found = measure(run, None, lambda progress: None)
    tolerance = Tolerance(same=0.0, mean=0.004, image=0.04, found="stated by a test")
    allowed = {entry: {"psnr": tolerance} for entry in map(str, found.values["entry"])}
    write_baseline(
        folder / "baseline.toml",
        make_baseline(found, allowed, ["psnr"], {"suite": "gated.toml", "budget": "smoke"}),
    )
    return place


def edited(folder: Path, image: str, change: float) -> Path:
    """Another baseline, in which the last value of an image is better by so many dB: what is measured is worse."""
    lines = (folder / "baseline.toml").read_text().splitlines(keepends=True)
    at = max(index for index, line in enumerate(lines) if line.startswith(f'"{image}" = '))  # values come last
    lines[at] = f'"{image}" = {float(lines[at].partition("=")[2]) + change!r}\n'
    path = folder / "edited.toml"
    path.write_text("".join(lines))
    return path
