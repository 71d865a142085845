"""What changed from one store to another: each mean of both, paired by seed and image, and how sure the change is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from converse.analysis.pairing import UNSEEDED, Pairs, pairs
from converse.analysis.set_apart import set_apart
from converse.analysis.statistics import LEVEL, holm, seed_interval, sign_flips
from converse.analysis.tables import or_none
from converse.data.catalogue import datasets
from converse.errors import OptionError
from converse.experiments.trials import Trial
from converse.metrics import METRICS

What = Literal["same", "higher", "lower", "not told apart", "other images", "only before", "only after", "not paired"]

_GROUP: Final = ["study", "task", "entry", "dataset", "case", "metric", "signature"]


@dataclass(frozen=True)
class Change:
    """One mean in both stores.

    Attributes:
        study: a suite with its budget, or the released weights.
        task: ``denoising`` …
        entry: name of the network.
        dataset: title of the test set.
        case: blur kernel, where there is one.
        metric: ``psnr`` …
        before: mean over the seeds and images of the first store; ``None`` where it has none.
        after: of the second one.
        difference: after − before, over the seeds and images that both have; ``None`` where none can be paired.
        low: lower end of the 95 % interval over seeds; ``None`` where one seed, or released weights, have none.
        high: its upper end.
        p: of "nothing changed", adjusted by Holm over all means: over seeds where there are several, otherwise over
            images; ``None`` where nothing differs or nothing is paired.
        seeds: how many both have; 0 for released weights.
        images: how many both have.
        what: ``same`` to the last bit; ``higher`` or ``lower`` where chance does not explain it (p ≤ 0.05).
        reason: what of the trials differs, or why nothing is paired.
        lower_is_better: whether the metric is one of which less is better.
    """

    study: str
    task: str
    entry: str
    dataset: str
    case: str | None
    metric: str
    before: float | None
    after: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    seeds: int = 0
    images: int = 0
    what: What = "not paired"
    reason: str = ""
    lower_is_better: bool = False


def changes(
    before: pd.DataFrame, after: pd.DataFrame, trials: Mapping[str, Trial], later: Mapping[str, Trial]
) -> tuple[Change, ...]:
    """Hold the means of two stores against each other.

    Args:
        before: rows of the first store that count, with :data:`converse.experiments.store.rows.ROW_COLUMNS` and, in
            ``study``, where they belong.
        after: of the second one.
        trials: of the first store, by id.
        later: of the second one.

    Returns:
        One for each task, network, test set, case and metric that one of the two has a value for, in the order of the
        first store.
    """
    groups = [dict(_groups(frame)) for frame in (before, after)]
    keys = list(dict.fromkeys((*groups[0], *groups[1])))
    compared = [_change(key, groups[0].get(key), groups[1].get(key), trials, later) for key in keys]
    found = list(_otherwise_defined(list(zip(keys, compared, strict=True))))
    known = [at for at, one in enumerate(found) if one.p is not None]
    adjusted = holm(np.array([found[at].p for at in known], dtype=np.float64)) if known else ()
    for at, p in zip(known, adjusted, strict=True):
        found[at] = _told(replace(found[at], p=float(p)))
    return tuple(found)


def _groups(rows: pd.DataFrame) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    measured = rows[rows["image"].notna() & rows["metric"].isin(list(METRICS)) & rows["value"].notna()]
    for names, group in measured.groupby(_GROUP, dropna=False, sort=False):
        yield tuple(map(or_none, names)), group


def _change(
    key: tuple[Any, ...],
    before: pd.DataFrame | None,
    after: pd.DataFrame | None,
    trials: Mapping[str, Trial],
    later: Mapping[str, Trial],
) -> Change:
    study, task, entry, dataset, case, metric, _ = key
    known = datasets().get(str(dataset))
    one = Change(
        study,
        task,
        entry,
        known.title if known else str(dataset),
        case,
        metric,
        _mean(before),
        _mean(after),
        lower_is_better=METRICS[metric].better == "lower",
    )
    if before is None or after is None:
        return replace(one, what="only after" if before is None else "only before")
    values = _values(before)
    if len(values) == len(before) == len(after) and values == _values(after):
        seeds = before["seed"].dropna().nunique()
        images = len(before[["image", "image_sha256"]].drop_duplicates())
        reason = _reason(before, after, trials, later)
        return replace(one, difference=0.0, what="same", seeds=seeds, images=images, reason=reason)
    try:
        both = pairs(before, after, ("the first store", "the second store"))
    except OptionError as error:  # two trials of one name in one store, such as those of two machines
        return replace(one, reason=str(error))
    if not both.differences.size:
        return replace(one, reason="; ".join(both.notes))
    return _paired(one, both, _reason(before, after, trials, later))


def _paired(one: Change, both: Pairs, reason: str) -> Change:
    differences = both.differences
    seeds = [seed for seed in both.seeds if seed != UNSEEDED]
    reason = "; ".join(filter(None, (reason, *both.notes)))
    one = replace(one, seeds=len(seeds), images=len(both.images), reason=reason)
    if not differences.any():
        if one.before == one.after:
            return replace(one, difference=0.0, what="same")
        # What was left out of the pairs differs: images that one store lacks, or that one restored without any error.
        return replace(one, difference=0.0, what="not paired" if both.infinite else "other images")
    interval = seed_interval(differences)
    if len(seeds) > 1:
        p = interval.p
    else:
        p = sign_flips(differences.mean(axis=0)).p
    return replace(one, difference=interval.difference, low=interval.low, high=interval.high, p=p)


def _told(one: Change) -> Change:
    if one.p is None or one.difference is None:
        return one
    if one.p > 1 - LEVEL:
        return replace(one, what="not told apart")
    return replace(one, what="higher" if one.difference > 0 else "lower")


def _values(rows: pd.DataFrame) -> dict[tuple[Any, ...], float]:
    """Each value by what it is of; of two of one seed and image the last."""
    names = rows[["seed", "image", "image_sha256"]].astype(object).itertuples(index=False, name=None)
    return {tuple(map(or_none, name)): float(value) for name, value in zip(names, rows["value"], strict=True)}


def _otherwise_defined(found: Sequence[tuple[tuple[Any, ...], Change]]) -> Iterator[Change]:
    """Say of means that one store alone has whether the other has them by another definition of the metric."""
    signatures: dict[tuple[Any, ...], list[tuple[What, str]]] = {}
    for (*place, signature), one in found:
        signatures.setdefault(tuple(place), []).append((one.what, str(signature)))
    for (*place, _), one in found:
        other: What | None = {"only before": "only after", "only after": "only before"}.get(one.what)  # type: ignore[assignment]
        there = [signature for what, signature in signatures[tuple(place)] if what == other]
        yield replace(one, reason=f"the other store has it by another definition: {there[0]}") if there else one


def _reason(before: pd.DataFrame, after: pd.DataFrame, trials: Mapping[str, Trial], later: Mapping[str, Trial]) -> str:
    """What the second store's trials have that the first one's do not."""
    first = {seed: trial for trial, seed in _trials(before)}
    return set_apart(
        (later[trial], trials[first[seed]])
        for trial, seed in _trials(after)
        if seed in first and trial in later and first[seed] in trials
    )


def _trials(rows: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    for trial, seed in rows[["trial", "seed"]].drop_duplicates().itertuples(index=False, name=None):
        yield str(trial), or_none(seed)


def _mean(rows: pd.DataFrame | None) -> float | None:
    """Over images, then over seeds; ``None`` where no value is finite."""
    if rows is None:
        return None
    finite = rows[np.isfinite(rows["value"].to_numpy(np.float64))]
    if finite.empty:
        return None
    by_seed = finite["value"].groupby(finite["seed"].astype("Int64").fillna(UNSEEDED)).mean()
    mean = float(by_seed.mean())
    return mean if math.isfinite(mean) else None
