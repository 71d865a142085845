"""Made-up rounds of speed, of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from converse.analysis.gate.speed_table import SpeedTable
from converse.experiments.speed.cases import YARDSTICK, Case
from converse.experiments.store.speed_rows import speed_frame

CASE = Case("operator", "evaluation", 64, 5, 1, 1, 64, 64)
STEP = Case("block", "step", 1, None, 1, 1, 64, 64)
SECONDS = {YARDSTICK: 4e-3, "converse": 1e-3, "Converse-DnCNN": 20e-3}
BYTES = {YARDSTICK: 6_000_000, "converse": 5_000_000, "Converse-DnCNN": 20_000_000}
SUBJECTS = ((CASE, "converse"), (STEP, "Converse-DnCNN"))


def rounds(
    count: int = 5,
    *,
    slower: Mapping[str, float] | None = None,
    larger: Mapping[str, float] | None = None,
    spread: float = 0.01,
    beside: str = YARDSTICK,
    subjects: tuple[tuple[Case, str], ...] = SUBJECTS,
    seed: int = 0,
) -> pd.DataFrame:
    """Rows of rounds, in which each process has a speed of its own and each turn some noise.

    Args:
        count: of rounds.
        slower: subject → factor of its time.
        larger: subject → factor of its memory.
        spread: standard deviation of the logarithm of a process's time.
        beside: the name of what they are held against, which is there twice.
        subjects: cases, each with the subject beside it.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(count):
        for case, subject in subjects:
            for name, twin in ((beside, False), (beside, True), (subject, False)):
                own = SECONDS.get(name, SECONDS[subject]) * (slower or {}).get(name, 1.0)
                turns = own * np.exp(rng.normal(0, spread) + rng.gamma(1, 0.02, 5))
                row: dict[str, Any] = {
                    **case.columns(),
                    "run": f"run-{run}",
                    "subject": name,
                    "kind": "operator",
                    "twin": twin,
                    "status": "ok",
                    "turns_s": turns.tolist(),
                    "median_s": float(np.median(turns)),
                    "repeats": 5,
                    "peak_bytes": round(BYTES.get(name, BYTES[subject]) * (larger or {}).get(name, 1.0)),
                }
                rows.append(row)
    return speed_frame(rows)


SPEED = SpeedTable.model_validate(
    {
        "suite": "gate",
        "budget": "quick",
        "rounds": 12,
        "found": "written by hand",
        "device": "cpu",
        "model": "A CPU",
        "torch": "2.9.0",
        "cases": [
            {
                "subject": "converse",
                "sweep": "operator",
                "pass": name,
                "channels": 64,
                "kernel_size": 5,
                "height": 64,
                "width": 64,
                "ratio": 0.25,
                "floor": 0.05,
                "elsewhere": 0.3,
                "memory_ratio": 0.9,
                "memory_floor": 0.05,
                "memory_elsewhere": 0.06,
            }
            for name in ("evaluation", "forward+backward")
        ],
    }
)
