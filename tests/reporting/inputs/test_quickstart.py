"""What stands beside the quickstart. Oracles: rows written by hand, and means of the single measurements."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest

from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.experiments.evaluation.filters import GAUSSIAN, NOISY, classical
from converse.experiments.store.speed_rows import speed_frame
from converse.metrics import metrics_for
from converse.reporting.inputs.quickstart import TEST_SET, newest_times, to_beat

CASE = {"batch": 1, "channels": 4, "height": 16, "width": 16, "kernel_size": 5, "device": "cpu", "threads": 2}


def row(run: str, subject: str, pass_: str, median_s: float, **changes: Any) -> dict[str, Any]:
    given = {"run": run, "suite": "quickstart", "budget": "quick", "subject": subject, "pass": pass_, **CASE}
    return {**given, "median_s": median_s, "twin": False, "status": "ok", **changes}


def test_times_are_those_of_the_newest_run_of_the_budget() -> None:
    speed = speed_frame(
        [
            row("old", "conv", "evaluation", 0.9),
            row("old", "conv", "forward+backward", 0.9),
            row("new", "conv", "evaluation", 0.002),
            row("new", "conv", "evaluation", 0.7, twin=True),
            row("new", "conv", "forward+backward", 0.005),
            row("new", "convt", "evaluation", 0.003),
            row("new", "convt", "forward+backward", 0.003, status="failed"),
            row("other", "conv", "evaluation", 0.8, budget="smoke"),
            row("another", "conv", "evaluation", 0.8, suite="speed"),
        ]
    )
    (times,) = newest_times(speed, "standard")
    assert times == {
        "operator": "conv",
        "shape": "1x4x16x16",
        "kernel_size": 5,
        "device": "cpu",
        "threads": 2,
        "forward": pytest.approx(2.0),
        "training": pytest.approx(5.0),
    }
    assert newest_times(speed, "smoke") == []  # one pass alone
    assert newest_times(speed.iloc[:0], "quick") == []


def test_filters_are_measured_on_the_images_that_networks_were_measured_on() -> None:
    image = image_set(TEST_SET).first(1)
    assert to_beat(set()) == to_beat({"0" * 64}) == ()
    means = {(record["entry"], record["metric"]): record for record in to_beat({image.images[0].sha256})}
    assert means.keys() == {(entry, metric) for entry in (NOISY, GAUSSIAN) for metric in ("psnr", "ssim")}
    for single in classical(TASKS["denoising"], image, metrics_for("grey", 0, ["psnr", "ssim"], None)):
        mean = means[single["entry"], single["metric"]]
        assert mean["measured"] == fmean([single["value"]])
        assert (mean["images"], mean["infinite"]) == (1, 0)
