"""From per-image rows to result rows: means over images, deviations over seeds, the published number, a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import numpy as np

from converse.analysis.published import Number, Published, PublishedValue
from converse.analysis.verdicts import Thresholds, verdict
from converse.counted import counted
from converse.data.catalogue import Dataset, datasets
from converse.experiments.store.rows import ROW_COLUMNS
from converse.metrics import METRICS, PARAMETERS

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.statistics import Array


class ResultRow(TypedDict):
    """What a result row says; what does not apply is null.

    ``dataset`` is a title; ``seeds`` is how many; ``images`` is how many have a value, and ``infinite`` how many of
    these have an infinite one in some seed. ``part`` is of how many of its images the mean is, such as ``5 of 100
    images``, null where it is of the whole test set. Of the metric ``parameters``, ``measured``, ``published`` and
    ``difference`` are whole numbers.
    """

    task: str
    entry: str
    source: str
    budget: str | None
    seeds: int | None
    dataset: str | None
    case: str | None
    metric: str
    signature: str | None
    images: int | None
    infinite: int | None
    part: str | None
    measured: float | None
    deviation: float | None
    published: float | None
    difference: float | None
    verdict: str | None
    reason: str | None
    device: str | None


RESULT_COLUMNS: Final = tuple(ResultRow.__annotations__)
"""The columns of a table of results: the keys of :class:`ResultRow`, in their order."""

PUBLISHED_METRIC: Final = "psnr"
"""The paper's tables are PSNR alone."""

_IMAGE: Final = ("image", "image_sha256")
_GROUP: Final = ("task", "entry", "source", "budget", "dataset", "case", "metric", "signature", "device")

Lacking = Callable[["pd.DataFrame", str, int, PublishedValue], str]
"""Rows of a test set, entry, seeds, the paper's values → what its training lacks before it may judge the paper."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """A result that was asked for: where nothing was measured, it appears with its reason.

    Attributes:
        task: ``denoising`` …
        entry: name of the network.
        dataset: title of the test set; ``None`` for parameters.
        case: the blur kernel where there is one.
        metric: ``psnr`` …
        reason: why there may be no value.
        lacks: what is not at hand: ``images`` or ``weights``; empty where nothing is known to lack.
    """

    task: str
    entry: str
    dataset: str | None
    case: str | None
    metric: str
    reason: str
    lacks: str = ""


def results(
    rows: pd.DataFrame,
    *,
    published: Published,
    thresholds: Thresholds | None = None,
    expected: Iterable[Expected] = (),
    whole: Mapping[str, int] | None = None,
    lacking: Lacking | None = None,
) -> pd.DataFrame:
    """One row for each task, entry, source, budget, dataset, case and metric (and signature and device, if they vary).

    ``measured`` is the mean over images, then over seeds; ``deviation`` is the sample standard deviation over seeds.
    A published number is held only against the mean over the whole test set, image for image by checksum.

    An image that is restored without any error has an infinite PSNR, and with it the mean is infinite. ``infinite``
    counts such images, and ``measured`` is the mean of the others: of those that are finite in every seed, so that all
    seeds have the same images. It is infinite where there are no others. No published number is held against it.

    Args:
        rows: with :data:`ROW_COLUMNS`.
        published: the paper's numbers.
        thresholds: of the verdicts; ``None`` for the paper's rounding.
        expected: what appears as ``not measured`` where ``rows`` has nothing.
        whole: dataset → how many images were asked for, where it is a folder of the user's and that is known.
        lacking: of the networks that were trained here; without it none of them is judged.

    Returns:
        A frame with :data:`RESULT_COLUMNS` in the paper's order.

    Raises:
        ValueError: ``rows`` lacks a column.
    """
    if missing := [name for name in ROW_COLUMNS if name not in rows.columns]:
        raise ValueError(f"rows must have the columns {', '.join(ROW_COLUMNS)}; missing: {', '.join(missing)}")
    import pandas as pd

    thresholds = thresholds or Thresholds()
    whole = whole or {}
    found = [
        _judged(
            _summary(dict(zip(_GROUP, map(or_none, names), strict=True)), group),
            group,
            published,
            thresholds,
            whole,
            lambda record, group: _lacking(record, group, rows, published, lacking),
        )
        for names, group in rows.groupby(list(_GROUP), dropna=False, sort=False)
    ]
    present = {tuple(record[name] for name in ("task", "entry", "dataset", "case", "metric")) for record in found}
    for cell in expected:
        if (cell.task, cell.entry, cell.dataset, cell.case, cell.metric) not in present:
            found.append(_unmeasured(cell, published))
    found.sort(key=lambda record: _order(record, published))
    return pd.DataFrame(found, columns=list(RESULT_COLUMNS), dtype=object)


def records(frame: pd.DataFrame) -> list[ResultRow]:
    """Result rows as mappings: ``None`` for what does not apply, counts as integers; ``measured`` may be infinite.

    Args:
        frame: from :func:`results`.

    Returns:
        One per row of the frame.
    """
    rows: list[ResultRow] = []
    for row in frame.to_dict("records"):
        record = {name: or_none(row[name]) for name in RESULT_COLUMNS}
        if record["metric"] == PARAMETERS:
            counts = ("measured", "published", "difference")
            record |= {name: None if record[name] is None else int(record[name]) for name in counts}
        rows.append(cast(ResultRow, record))
    return rows


def or_none(value: Any) -> Any:
    """A frame's NaN and NA as None."""
    import pandas as pd  # which plans do without

    return None if value is None or value is pd.NA or value != value else value


def _summary(names: Record, group: pd.DataFrame) -> Record:
    """The means of one group, nothing yet said about the paper."""
    # With NumPy and sets: a report has some hundreds of groups, in each of which pandas would take most of its time
    # for frames of a dozen rows.
    seeds, pictures = _seed_numbers(group), _pictures(group)
    values = group["value"].to_numpy(np.float64)
    there = ~np.isnan(values)
    endless = {picture for picture, value in zip(pictures, values, strict=True) if value == math.inf}
    exact = there & np.array([picture in endless for picture in pictures], dtype=bool)
    others = there & ~exact
    used = others if others.any() else there
    by_seed = np.array([_over_images(values[used & (seeds == seed)]) for seed in np.unique(seeds[used])])
    number_of_seeds = len(np.unique(seeds)) if (seeds >= 0).all() else None
    known = datasets().get(names["dataset"] or "")
    images = None if names["dataset"] is None else _images(pictures, there)
    return {
        **names,
        "dataset": known.title if known else names["dataset"],
        "seeds": number_of_seeds,
        "images": images,
        "infinite": None if images is None else _images(pictures, exact),
        "part": None,
        "measured": _mean(by_seed) if len(by_seed) else None,
        "deviation": float(by_seed.std(ddof=1)) if len(by_seed) > 1 and np.isfinite(by_seed).all() else None,
        "published": None,
        "difference": None,
        "verdict": None,
        "reason": None,
    }


def _judged(
    record: Record,
    group: pd.DataFrame,
    published: Published,
    thresholds: Thresholds,
    whole: Mapping[str, int],
    lacking: Callable[[Record, pd.DataFrame], str],
) -> Record:
    """The record with the published number, the difference, the verdict and the reason."""
    if record["metric"] == PARAMETERS:
        return _judged_parameters(record, published)
    known = datasets().get(str(group["dataset"].iloc[0]))
    number = _number(record, known, published)
    asked = whole.get(str(group["dataset"].iloc[0]))
    why = "; ".join(filter(None, (partial(group, known, asked), _infinite(record)))) or None
    record |= {"published": number.value if number else None, "part": _part(group, known, asked)}
    if record["measured"] is None:
        return record | {"verdict": "not measured", "reason": why}
    if number is None:
        return record | {"reason": "; ".join(filter(None, ("no published value", why)))}
    if why:
        return record | {"verdict": "not measured", "reason": why}
    record["difference"] = record["measured"] - number.value
    if record["source"] == "trained" and (said := lacking(record, group)):
        return record | {"reason": f"not judged on the paper ({said})"}
    quoted = "the published value is quoted by a third party" if number.trust == "secondary" else None
    return record | {"verdict": verdict(record["measured"], number.value, thresholds), "reason": quoted}


def _lacking(
    record: Record, group: pd.DataFrame, rows: pd.DataFrame, published: Published, lacking: Lacking | None
) -> str:
    if lacking is None:
        return "nothing is known of its training"
    same = (rows["dataset"] == group["dataset"].iloc[0]) & (rows["metric"] == record["metric"])
    same &= rows["case"].isna() if record["case"] is None else rows["case"] == record["case"]

    def value(entry: str, dataset: str, case: str | None) -> Number | None:
        return published.number(record["task"], entry, dataset, case)

    return lacking(rows[same], record["entry"], record["seeds"] or 0, value)


def _judged_parameters(record: Record, published: Published) -> Record:
    number = published.parameters(record["entry"])
    if number is None:
        return record | {"reason": "no published value"}
    record |= {"published": number.value, "difference": record["measured"] - number.value}
    if record["difference"] == 0:
        return record | {"verdict": "match"}
    reason = published.explanation(record["entry"], PARAMETERS, record["measured"])
    return record | {"verdict": "differs", "reason": reason}


def _unmeasured(cell: Expected, published: Published) -> Record:
    number = None
    if cell.metric == PUBLISHED_METRIC and cell.dataset is not None:
        number = published.number(cell.task, cell.entry, cell.dataset, cell.case)
    elif cell.metric == PARAMETERS:
        number = published.parameters(cell.entry)
    return {
        **dict.fromkeys(RESULT_COLUMNS),
        "task": cell.task,
        "entry": cell.entry,
        "dataset": cell.dataset,
        "case": cell.case,
        "metric": cell.metric,
        "published": number.value if number else None,
        "verdict": "not measured",
        "reason": cell.reason,
    }


def _number(record: Record, known: Dataset | None, published: Published) -> Number | None:
    """The published number; a user's folder of a known title has none."""
    if known is None or record["metric"] != PUBLISHED_METRIC:
        return None
    return published.number(record["task"], record["entry"], known.title, record["case"])


def partial(group: pd.DataFrame, known: Dataset | None, asked: int | None = None) -> str | None:
    """How many of the images have a value, and why the others have none; ``None`` when all have.

    Args:
        group: rows of one entry, test set, case and metric.
        known: the test set; ``None`` for a folder of the user's.
        asked: how many images of a folder were asked for, where that is known.
    """
    have = _part(group, known, asked)
    if have is None:
        return None
    failed = group[group["value"].isna()]
    causes = dict.fromkeys(or_none(reason) for reason in failed["reason"])
    said = [cause for cause in causes if cause]
    return "; ".join([have, *said[:2], *(["…"] if len(said) > 2 else [])])


def _part(group: pd.DataFrame, known: Dataset | None, asked: int | None) -> str | None:
    """How many of the images have a value in every seed; ``None`` when all have."""
    pictures = _pictures(group)
    there = group["value"].notna().to_numpy(bool)
    if known is None or known.contents:
        whole, have = asked or _images(pictures), _least(group, pictures, there)
    else:
        checksums = {entry.sha256 for entry in known.files}
        whole = known.count
        own = np.array([sha256 in checksums for _, sha256 in pictures], dtype=bool)
        have = _least(group, pictures, there & own)
    return None if have == whole else counted(have, "image", of=whole)


def _over_images(values: Array) -> float:
    """The mean; of finite values the same on all machines, for their sum is exact."""
    if np.isfinite(values).all():
        return math.fsum(values) / len(values)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        return float(values.mean())


def _mean(values: Array) -> float | None:
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        mean = float(values.mean())
    return None if math.isnan(mean) else mean


def _infinite(record: Record) -> str | None:
    """In how many of the images with a value it is infinite; ``None`` when in none."""
    images, infinite = record["images"], record["infinite"]
    if not infinite:
        return None
    if record["measured"] is None:
        return f"infinite in {counted(infinite, 'image', of=images)}, of both signs"
    return f"infinite in {counted(infinite, 'image', of=images)}" + (
        ", mean of the others" if infinite < images else ""
    )


def _seed_numbers(group: pd.DataFrame) -> Array:
    """The seed of each row; −1 where there is none."""
    return np.asarray(group["seed"].astype("Float64").fillna(-1), dtype=np.float64)


def _pictures(group: pd.DataFrame) -> list[tuple[Any, Any]]:
    """The image of each row: its name and its checksum."""
    return list(zip(*(group[name].astype(object) for name in _IMAGE), strict=True))


def _images(pictures: Sequence[tuple[Any, Any]], kept: Iterable[bool] | None = None) -> int:
    return len(set(pictures) if kept is None else {one for one, keep in zip(pictures, kept, strict=True) if keep})


def _least(group: pd.DataFrame, pictures: Sequence[tuple[Any, Any]], kept: Iterable[bool]) -> int:
    """The number of images that every seed of the group has, of those that are kept."""
    images: dict[float, set[tuple[Any, Any]]] = {}
    for seed, picture, keep in zip(_seed_numbers(group), pictures, kept, strict=True):
        images.setdefault(float(seed), set()).update([picture] if keep else [])
    return min(map(len, images.values()), default=0)


def _order(record: Record, published: Published) -> tuple[Any, ...]:
    """The paper's order; what the paper does not have comes after it, by name."""
    task = record["task"]
    return (
        _place(published.tasks, task),
        _place(published.entries(task), record["entry"]),
        record["source"] or "",
        record["budget"] or "",
        record["dataset"] is None,
        _place(published.datasets(task), record["dataset"] or ""),
        record["case"] or "",
        _place((*METRICS, PARAMETERS), record["metric"]),
    )


def _place(known: Sequence[str], name: str) -> tuple[int, str]:
    return (known.index(name), "") if name in known else (len(known), name)
