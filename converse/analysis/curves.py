"""Training curves: the losses of trials, and mean and deviation over seeds at the steps that all of an entry have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from converse.analysis.convergence import Curve
from converse.experiments.store.folder import TrialFolder

CURVE_COLUMNS: Final = ("entry", "seed", "step", "loss", "lr", "psnr")
"""A point of a training curve: mean loss since the point before, learning rate, and mean PSNR in dB of the validation
images, NaN where there are none and infinite where each is restored without any error."""

BAND_COLUMNS: Final = ("entry", "step", "seeds", "mean", "deviation")


def losses(folders: Iterable[TrialFolder]) -> dict[str, Curve]:
    """Trial → the loss of its training, of those that have one.

    Raises:
        StoreError: a trial's description is damaged.
    """
    found = {}
    for folder in folders:
        points = folder.curve()
        if points:
            training = folder.description()["configuration"].get("training", {})
            values = [point.get("loss") for point in points]
            squared = training.get("loss") == "l2"
            found[folder.id] = Curve.of([point["step"] for point in points], values, squared=squared)
    return found


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
