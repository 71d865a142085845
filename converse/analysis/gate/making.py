"""A baseline from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from converse import __version__
from converse.analysis.gate.baseline import Baseline, Tolerance
from converse.analysis.gate.measured import Measured
from converse.errors import OptionError
from converse.experiments.suites.vocabulary import SCHEMA
from converse.metrics import METRICS

_CELL = ["entry", "seed", "dataset", "case", "metric", "signature"]


def make_baseline(
    measured: Measured,
    tolerances: Mapping[str, Mapping[str, Tolerance]],
    metrics: Sequence[str],
    head: Mapping[str, Any],
) -> Baseline:
    """The baseline that says what was measured.

    Args:
        measured: on one platform.
        tolerances: entry → metric → by how much it may be worse.
        metrics: that are kept.
        head: what is measured: the keys of a baseline before its tables.

    Returns:
        The baseline; nothing is written.

    Raises:
        OptionError: something was not measured, has no value, or was measured on several platforms.
    """
    _refuse(measured, metrics)
    rows = measured.values
    rows = rows[rows["metric"].isin(list(metrics))]
    entries = list(dict.fromkeys(rows["entry"]))
    values = [
        {
            **{name: _plain(value) for name, value in zip(_CELL, cell, strict=True)},
            "images": {str(image): float(value) for image, value in zip(own["image"], own["value"], strict=True)},
        }
        for cell, own in rows.groupby(_CELL, sort=False, dropna=False)
    ]
    return Baseline.model_validate(
        {
            "schema": SCHEMA,
            **head,
            **({"seeds": seeds} if (seeds := tuple(sorted({int(seed) for seed in rows["seed"].dropna()}))) else {}),
            "version": __version__,
            "platform": measured.platforms[0].model_dump(),
            "entries": [
                {
                    "name": entry,
                    "parameters": measured.parameters[entry],
                    "shape": measured.shapes[entry],
                    "tolerances": {name: tolerances[entry][name].model_dump() for name in metrics},
                    "settings": dict(measured.settings[entry]),
                }
                for entry in entries
            ],
            "datasets": [
                {"name": name, "images": dict(measured.images[name])} for name in dict.fromkeys(rows["dataset"])
            ],
            "values": values,
        }
    )


def _refuse(measured: Measured, metrics: Sequence[str]) -> None:
    """Refuse what is not whole: a gap in a baseline is a gap in every check.

    Raises:
        OptionError: see :func:`make_baseline`.
    """
    rows = measured.values
    if measured.failures:
        (entry, seed), reason = next(iter(measured.failures.items()))
        under = "" if seed is None else f" under seed {seed}"
        raise OptionError(f"no baseline of what failed: {entry}{under}: {reason}")
    if measured.lacking:
        (entry_, dataset), reason = next(iter(measured.lacking.items()))
        what = ", ".join(filter(None, (entry_, dataset))) or "anything"
        raise OptionError(f"no baseline without {what}: {reason}; leave it out with --only or --datasets")
    rows = rows[rows["metric"].isin(list(metrics))]
    if rows.empty:
        titles = ", ".join(METRICS[name].title for name in metrics)
        raise OptionError(f"no baseline of nothing: no image has a value of {titles}")
    if (absent := rows[rows["value"].isna()]).size:
        row = absent.iloc[0]
        raise OptionError(
            f"no baseline without a value: {row['entry']}, {row['dataset']}, {row['image']}, {row['metric']}: "
            f"{row['reason']}"
        )
    if len(measured.platforms) != 1:
        raise OptionError("no baseline of trials of several platforms: measure all of them on one")
    if shapeless := [entry for entry in dict.fromkeys(rows["entry"]) if not measured.shapes.get(entry)]:
        raise OptionError(f"no baseline of {shapeless[0]}: its network gives no output for a small image")


def _plain(value: Any) -> Any:
    if value is None or pd.isna(value):
        return None
    return value if isinstance(value, str) else int(value)
