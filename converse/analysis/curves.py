"""Training curves over seeds: mean and deviation at the steps that all seeds of an entry have."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

CURVE_COLUMNS: Final = ("entry", "seed", "step", "loss", "lr", "psnr")
"""A point of a training curve: mean loss since the point before, learning rate, and mean PSNR in dB of the validation
images, NaN where there are none and infinite where each is restored without any error."""

BAND_COLUMNS: Final = ("entry", "step", "seeds", "mean", "deviation")


def bands(curves: pd.DataFrame, value: str) -> pd.DataFrame:
    """Mean and sample deviation over seeds.

    Args:
        curves: with :data:`CURVE_COLUMNS`.
        value: the column: ``loss`` or ``psnr``.

    Returns:
        A frame with :data:`BAND_COLUMNS`, entries in the order of their first appearance, steps ascending. Steps that
        a seed of the entry lacks, such as those after its failure, or where its value is infinite, are left out; the
        deviation of one seed is NaN.
    """
    points = curves[np.isfinite(curves[value].astype(float))]
    parts = []
    for entry, group in points.groupby("entry", sort=False):
        over = group.groupby("step")[value].agg(["count", "mean", "std"]).reset_index()
        over = over[over["count"] == group["seed"].nunique(dropna=False)]
        parts.append(
            pd.DataFrame(
                {
                    "entry": entry,
                    "step": over["step"],
                    "seeds": over["count"],
                    "mean": over["mean"],
                    "deviation": over["std"],
                }
            )
        )
    if not parts:
        return pd.DataFrame(columns=list(BAND_COLUMNS))
    return pd.concat(parts, ignore_index=True)
