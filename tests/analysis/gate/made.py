"""A baseline of made-up numbers, and runs that differ from it in one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from converse.analysis.gate.baseline import Baseline, Platform, Tolerance
from converse.analysis.gate.making import make_baseline
from converse.analysis.gate.measured import Measured
from converse.experiments.store.rows import ROW_COLUMNS

IMAGES = [f"{number:02}.png" for number in range(1, 13)]
SIGNATURES = {
    "psnr": "psnr|colour:grey(uint8)|border:0|impl:scikit-image",
    "ssim": "ssim|colour:grey(uint8)|border:0|impl:scikit-image",
}
PLATFORM = Platform(
    device="cpu", model="A CPU", system="Linux x86_64", threads=1, numerics=5, versions={"torch": "2.9.0"}
)
ELSEWHERE = PLATFORM.model_copy(update={"model": "Another CPU"})
TOLERANCES = {
    "psnr": Tolerance(same=0.0, mean=0.004, image=0.04, found="stated by a test"),
    "ssim": Tolerance(same=0.0, mean=0.0001, image=0.001, found="stated by a test"),
}

Value = Callable[[str, int | None, str, str], float]


def plain(entry: str, seed: int | None, metric: str, image: str) -> float:
    """A number of its own for each cell, as a metric might give it."""
    number = 25 + IMAGES.index(image) / 3 + (seed or 0) / 7 + len(entry) / 11
    return number if metric == "psnr" else number / 40


def run(
    value: Value = plain,
    *,
    entries: tuple[str, ...] = ("Converse", "Conv"),
    seeds: tuple[int | None, ...] = (0, 1, 2),
    platform: Platform = PLATFORM,
    images: list[str] = IMAGES,
    signatures: Mapping[str, str] = SIGNATURES,
    reason: str | None = None,
    **changes: Any,
) -> Measured:
    """What a run measured; a value of NaN has the reason."""
    empty = dict.fromkeys(ROW_COLUMNS)
    rows = [
        {
            **empty,
            "trial": f"{entry}{seed}",
            "entry": entry,
            "seed": seed,
            "dataset": "set12",
            "image": image,
            "image_sha256": f"sha-{image}",
            "metric": metric,
            "signature": signature,
            "value": (number := value(entry, seed, metric, image)),
            "reason": reason if number != number else None,
        }
        for entry in entries
        for seed in seeds
        for metric, signature in signatures.items()
        for image in images
    ]
    rows += [
        {**empty, "entry": entry, "seed": seed, "metric": "parameters", "signature": "parameters", "value": 1000.0}
        for entry in entries
        for seed in seeds
    ]
    frame = pd.DataFrame(rows, columns=list(ROW_COLUMNS)).astype({"seed": "Int64", "value": "float64"})
    given: dict[str, Any] = {
        "platforms": (platform,),
        "settings": {entry: {"model": "a", "training.steps": 4} for entry in entries},
        "shapes": dict.fromkeys(entries, (1, 1, 128, 128)),
        "images": {"set12": {image: f"sha-{image}" for image in images}},
    }
    return Measured(frame, **{**given, **changes})


def baseline(**changes: Any) -> Baseline:
    """The baseline of :func:`run` with these changes."""
    measured = run(**changes)
    allowed = dict.fromkeys(map(str, measured.values["entry"]), TOLERANCES)
    metrics = [name for name in SIGNATURES if name in set(measured.values["metric"])]
    return make_baseline(measured, allowed, metrics, {"suite": "gate", "budget": "smoke"})
