"""How long a report takes, from stores of made-up rows.

At most 20 s and 10 MB for 200 trials × 300 images × 3 metrics, and no more than in proportion to the number of trials.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from converse.experiments.store import Store, rows
from converse.experiments.store.requests import RequestedEntry, StoredRequest, note
from converse.experiments.trials import Trial
from converse.workflows.report import report

IMAGES, METRICS, SEEDS = 300, ("psnr", "ssim", "lpips"), 10


def made_up(folder: Path, trials: int) -> Store:
    """A store with an ablation: ``trials / SEEDS`` entries, each with that many seeds, all held against the first."""
    store = Store(folder)
    draw = np.random.default_rng(0)
    names = [f"entry {number}" for number in range(trials // SEEDS)]
    asked = []
    for name in names:
        for seed in range(SEEDS):
            trial = Trial("denoising", name, "trained", seed, "quick", {"net": name}, {}, platform={"device": "cpu"})
            made = store.folder(trial)
            made.set_status("running")
            shared = {"trial": trial.id, "task": "denoising", "entry": name, "source": "trained", "budget": "quick"}
            records = [
                {
                    **shared,
                    "seed": seed,
                    "dataset": "mine",
                    "image": f"image {image:03}.png",
                    "image_sha256": f"{image:064}",
                    "metric": metric,
                    "signature": metric,
                    "value": 30 + float(draw.normal()),
                    "device": "cpu",
                    "seconds": 0.1,
                }
                for image in range(IMAGES)
                for metric in METRICS
            ]
            made.write_bytes("rows.parquet", rows.encoded(rows.table(records)))
            made.set_status("done")
            asked.append((trial.id, name, seed))
    entries = tuple(RequestedEntry(name, name) for name in names)
    contrasts = tuple((name, names[0], name) for name in names[1:])
    note(store, StoredRequest("mine", "Mine", "", "denoising", "quick", names[0], entries, tuple(asked), contrasts))
    return store


@pytest.mark.parametrize("trials", [50, 100, 200])
def test_report(benchmark, tmp_path: Path, trials: int) -> None:
    store = made_up(tmp_path / "runs", trials)
    done = benchmark.pedantic(lambda: report([store.root], tmp_path / "report"), rounds=2, warmup_rounds=1)
    benchmark.extra_info["megabytes"] = done.page.stat().st_size / 1e6
    assert done.page.stat().st_size < 10e6


def test_time_grows_no_worse_than_linearly(tmp_path: Path) -> None:
    seconds = []
    for trials in (100, 200):
        store = made_up(tmp_path / f"runs-{trials}", trials)
        began = time.perf_counter()
        report([store.root], tmp_path / "report")
        seconds.append(time.perf_counter() - began)
    assert seconds[1] < 20
    assert seconds[1] < 2.5 * seconds[0]  # 2 and what the machine does beside it
