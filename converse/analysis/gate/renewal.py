"""What a new baseline changes in an old one, line by line: whoever renews it on purpose reads these first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.gate.baseline import Baseline, BaselineEntry, Tolerance
from converse.analysis.gate.findings import Finding
from converse.analysis.gate.rounds import QUANTITIES, key_of, place
from converse.analysis.gate.speed_table import Expected, SpeedTable
from converse.counted import counted
from converse.experiments.trials import ABSENT, differences
from converse.metrics import METRICS

_CELL = ["entry", "dataset", "case", "metric", "signature"]
_VALUE = ["seed", "image"]


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        what: it is: ``DnCNN, skimage_train, psnr``, ``[tolerances.psnr] mean``.
        before: in the old baseline, in words; empty where it was not in it.
        now: in the new one, in words; empty where it is gone.
        loosens: whether a check against the new one lets pass what the old one did not: a worse value, a larger
            tolerance, or something that is checked no more. A value of another platform counts as worse where the old
            tolerances say so.
    """

    what: str
    before: str
    now: str
    loosens: bool


def changes(old: Baseline, new: Baseline) -> tuple[Change, ...]:
    """All that differs, in the order of the file.

    Args:
        old: that is in the file.
        new: that would take its place.

    Returns:
        One for each key, and for the values one for each cell of an entry, a test set and a metric.
    """
    return (
        *_heads(old, new),
        *_speed(old.speed, new.speed),
        *_entries(old, new),
        *_datasets(old, new),
        *_values(old, new),
    )


def slips(findings: Iterable[Finding]) -> tuple[Change, ...]:
    """What a file would let pass that names a newer commit in its ``[speed]``: all in which that one may be worse.

    Args:
        findings: of the newer commit beside the one that the file has.
    """
    return tuple(
        Change(
            f"speed, {one.subject}, {one.place}, {one.aspect}",
            _amount(one.before, one.unit),
            f"{_amount(one.now, one.unit)} {one.outcome}: {one.reason}".strip(),
            one.outcome not in ("better", "extra"),
        )
        for one in findings
        if one.outcome != "passed"
    )


def _heads(old: Baseline, new: Baseline) -> Iterator[Change]:
    kept = {"entries", "datasets", "values", "version", "speed"}
    both = [one.model_dump(mode="json", by_alias=True, exclude=kept, exclude_none=True) for one in (old, new)]
    for one in differences(*both):
        fewer = one.path.startswith("seeds") or one.path == "images"
        yield Change(one.path, _said(one.left), _said(one.right), fewer and _size(one.right) < _size(one.left))


def _tolerances(old: BaselineEntry, new: BaselineEntry) -> Iterator[Change]:
    for name in dict.fromkeys((*old.tolerances, *new.tolerances)):
        before, now = old.tolerances.get(name), new.tolerances.get(name)
        what = f"{new.name}, tolerance of {name}"
        if before is None or now is None:
            yield Change(what, "" if before is None else "stated", "" if now is None else "stated", now is None)
            continue
        for key in ("same", "mean", "image"):
            was, is_ = getattr(before, key), getattr(now, key)
            if was != is_:
                yield Change(f"{what}, {key}", f"{was:g}", f"{is_:g}", is_ > was)


def _speed(old: SpeedTable | None, new: SpeedTable | None) -> Iterator[Change]:
    if old is None or new is None:
        if old is not new:
            yield Change("speed", "held" if old else "", "held" if new else "", new is None)
        return
    both = [one.model_dump(mode="json", by_alias=True, exclude={"cases"}) for one in (old, new)]
    yield from (Change(f"speed, {one.path}", _said(one.left), _said(one.right), False) for one in differences(*both))
    was, is_ = ({key_of({**one.columns, "subject": one.subject}): one for one in table.cases} for table in (old, new))
    for key in dict.fromkeys((*was, *is_)):
        before, now = was.get(key), is_.get(key)
        case = before or now
        assert case is not None
        what = f"speed, {case.subject}, {place(case.columns)}"
        if before is None or now is None:
            yield Change(what, "held" if before else "", "held" if now else "", now is None)
            continue
        for quantity in QUANTITIES:
            yield from _ratios(f"{what}, {quantity}", before.expected(quantity), now.expected(quantity))


def _ratios(what: str, before: Expected | None, now: Expected | None) -> Iterator[Change]:
    if before is None or now is None:
        if before is not now:
            yield Change(what, "held" if before else "", "held" if now else "", now is None)
        return
    if before.ratio != now.ratio:
        # A ratio is measured anew each time; what equal runs may differ by is no change for the worse.
        yield Change(what, f"{before.ratio:.4g}", f"{now.ratio:.4g}", now.ratio > before.ratio * (1 + before.floor))
    if now.floor != before.floor:
        yield Change(f"{what}, floor", f"{before.floor:.1%}", f"{now.floor:.1%}", now.floor > before.floor)
    if now.elsewhere != before.elsewhere:
        looser = now.elsewhere > before.elsewhere + before.floor
        yield Change(f"{what}, elsewhere", f"{before.elsewhere:.1%}", f"{now.elsewhere:.1%}", looser)


def _entries(old: Baseline, new: Baseline) -> Iterator[Change]:
    was, is_ = ({one.name: one for one in baseline.entries} for baseline in (old, new))
    for name in dict.fromkeys((*was, *is_)):
        before, now = was.get(name), is_.get(name)
        if before is None or now is None:
            yield Change(name, "" if before is None else "there", "there" if now else "", now is None)
            continue
        if before.parameters != now.parameters:
            yield Change(f"{name}, parameters", f"{before.parameters:,}", f"{now.parameters:,}", True)
        if before.shape != now.shape:
            yield Change(f"{name}, shape", str(list(before.shape)), str(list(now.shape)), True)
        for one in differences(before.settings, now.settings):
            yield Change(f"{name}, {one.path}", _said(one.left), _said(one.right), False)
        yield from _tolerances(before, now)


def _datasets(old: Baseline, new: Baseline) -> Iterator[Change]:
    sets, others = ({one.name: one.images for one in baseline.datasets} for baseline in (old, new))
    for name in dict.fromkeys((*sets, *others)):
        for one in differences(sets.get(name, {}), others.get(name, {})):
            yield Change(f"{name}, {one.path}", _said(one.left), _said(one.right), one.right is ABSENT)


def _values(old: Baseline, new: Baseline) -> Iterator[Change]:
    exact = not new.platform.differences(old.platform)
    allowed = {one.name: one.tolerances for one in old.entries}
    both = old.frame.merge(new.frame, on=[*_CELL, *_VALUE], how="outer", suffixes=("_old", "_new"), sort=False)
    for (entry, dataset, case, metric, signature), cell in both.groupby(_CELL, sort=False, dropna=False):
        before, now = (cell[name].to_numpy(float) for name in ("value_old", "value_new"))
        facts = METRICS[str(metric)]
        where = ", ".join(str(one) for one in (entry, dataset, case, metric) if isinstance(one, str))
        if np.isnan(before).all() or np.isnan(now).all():
            gone = bool(np.isnan(now).all())
            said = f"{counted(int(max((~np.isnan(before)).sum(), (~np.isnan(now)).sum())), 'value')} as {signature}"
            yield Change(where, said if gone else "", "" if gone else said, gone)
            continue
        there = ~np.isnan(before) & ~np.isnan(now)
        with np.errstate(invalid="ignore"):
            worse = (before - now if facts.better == "higher" else now - before)[there]
        worse[before[there] == now[there]] = 0.0
        lost = int((~np.isnan(before) & np.isnan(now)).sum())
        if not worse.any() and not lost:
            continue
        largest = int(np.argmax(worse))
        of = cell[there].iloc[largest]
        seed = "" if pd.isna(of["seed"]) else f" under seed {of['seed']}"
        least = f"; worst {of['image']}{seed}: {of['value_old']:.{facts.fine_digits + 2}f}"
        tolerance = allowed[str(entry)][str(metric)]
        most = f"; {of['value_new']:.{facts.fine_digits + 2}f}" + (f"; {counted(lost, 'value')} gone" if lost else "")
        means = [f"mean {values[there].mean():.{facts.fine_digits + 2}f}" for values in (before, now)]
        yield Change(
            where, means[0] + least, means[1] + most, bool(lost) or _worse(cell[there], worse, tolerance, exact)
        )


def _worse(cell: pd.DataFrame, worse: npt.NDArray[np.float64], tolerance: Tolerance, exact: bool) -> bool:
    """Whether values are worse than the old ones: on an equal platform any of them, elsewhere beyond round-off."""
    if exact:
        return bool((worse > 0).any())
    of_images = pd.Series(worse).groupby(cell["image"].to_numpy()).mean()  # over seeds
    return bool(of_images.mean() > tolerance.mean or (of_images > tolerance.image).any())


def _amount(value: float | str | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}" if isinstance(value, float) else f"{value} {unit}"


def _said(value: object) -> str:
    return "" if value is ABSENT else str(value)


def _size(value: object) -> float:
    """Of seeds and of a number of images; all images are more than any number of them."""
    if value is ABSENT:
        return float("inf")
    return float(len(value) if isinstance(value, list) else value)  # type: ignore[arg-type]
