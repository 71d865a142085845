"""What each mean rests on: trials, seeds, images and their values, read off the rows once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converse.data.catalogue import datasets
from converse.reporting.words import case_title

if TYPE_CHECKING:
    import pandas as pd

EvidenceKey = tuple[str, str | None, str | None, str, str | None]
"""Entry, title of the dataset, case, metric, signature."""

_GROUP = ["entry", "dataset", "case", "metric", "signature"]
_UNSEEDED = -1


@dataclass(frozen=True)
class Evidence:
    """What a number rests on.

    Attributes:
        trials: ids, sorted.
        seeds: which, ascending; empty for networks without a seed.
        metric: ``psnr`` …
        signature: what defines the metric; ``None`` for counts.
        dataset: title of the test set, with the blur kernel where there is one; empty where no images are involved.
        images: their file names; cells of the same images share one tuple.
        values: one line per seed (one line for networks without a seed), each with one value per image; ``None`` where
            nothing could be measured.
        devices: where it was computed.
        base: of a difference, those of the trials that are subtracted.
    """

    trials: tuple[str, ...]
    seeds: tuple[int, ...] = ()
    metric: str = ""
    signature: str | None = None
    dataset: str = ""
    images: tuple[str, ...] = ()
    values: tuple[tuple[float | None, ...], ...] = ()
    devices: tuple[str, ...] = ()
    base: tuple[str, ...] = ()


def evidence(rows: pd.DataFrame) -> Mapping[EvidenceKey, Evidence]:
    """What the means of a table rest on.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, of one task, source and budget.

    Returns:
        One :class:`Evidence` per entry, title of the dataset, case, metric and signature. Images are in the order of
        their first appearance in the dataset, whatever the entry; those that an entry lacks are left out of its own.
    """
    import pandas as pd

    by_mean: dict[EvidenceKey, Evidence] = {}
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    rows = rows.assign(seed=rows["seed"].astype("Int64").fillna(_UNSEEDED).astype("int64"))
    order = {image: index for index, image in enumerate(rows["image"].drop_duplicates())}
    for names, group in rows.groupby(_GROUP, dropna=False, sort=False):
        absent = pd.isna(list(names))
        entry, dataset, case, metric, signature = (
            None if is_absent else str(name) for name, is_absent in zip(names, absent, strict=True)
        )
        catalogued = datasets().get(dataset or "")
        title = catalogued.title if catalogued else dataset
        images, seeds, values = _block(group, order) if dataset else ((), _seeds(group), ())
        by_mean[str(entry), title, case, str(metric), signature] = Evidence(
            trials=tuple(sorted(group["trial"].unique())),
            seeds=tuple(seed for seed in seeds if seed != _UNSEEDED),
            metric=str(metric),
            signature=signature,
            dataset=" ".join(filter(None, (title, case_title(case)))),
            images=shared.setdefault(images, images),
            values=values,
            devices=tuple(sorted(str(device) for device in group["device"].dropna().unique())),
        )
    return by_mean


def _block(
    group: pd.DataFrame, order: Mapping[Any, int]
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[float | None, ...], ...]]:
    """Images, seeds, and seeds × images of values."""
    numbers = group["value"].to_numpy(float).tolist()
    keys = zip(group["seed"].tolist(), group["image"].tolist(), strict=True)
    cells = dict(zip(keys, numbers, strict=True))  # of two values for one seed and image the last
    images = sorted(dict.fromkeys(image for _, image in cells), key=lambda image: order[image])
    seeds = sorted({seed for seed, _ in cells})
    found = ([cells.get((seed, image), math.nan) for image in images] for seed in seeds)
    values = tuple(tuple(None if math.isnan(value) else value for value in line) for line in found)
    return tuple(map(str, images)), tuple(seeds), values


def _seeds(group: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted(int(seed) for seed in group["seed"].unique()))
