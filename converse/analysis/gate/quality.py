"""Quality beside a baseline: each metric image for image, by its mean and by its worst image.

How closely depends on who is compared. On an equal platform every value is the same to the bit. Elsewhere values of
released weights are compared with a tolerance; of networks that are trained the seeds are paired, since all that is
random is a function of the seed, and what is said of the mean difference is an interval over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from converse.analysis.gate.baseline import Baseline, BaselineEntry, Tolerance
from converse.analysis.gate.findings import Finding, OneImage, Outcome
from converse.analysis.gate.measured import Measured
from converse.analysis.power import detectable, seeds_for_equivalence
from converse.analysis.statistics import LEVEL, Array, seed_interval
from converse.counted import agreeing, counted
from converse.data.catalogue import datasets
from converse.metrics import LACKING, METRICS, MetricFacts

if TYPE_CHECKING:
    import pandas as pd

_NAMED: Final = 3
"""Images that a sentence names."""

RENEW: Final = "renew the baseline on purpose with --write"


@dataclass(frozen=True)
class Cell:
    """Values of one entry on one test set, in one case and metric, beside the baseline's.

    Attributes:
        entry: its name.
        dataset: name of the test set.
        case: the blur kernel, where there is one.
        facts: of the metric.
        seeds: of the rows; ``(None,)`` for released weights.
        images: of the columns.
        before: the baseline's values, [seeds, images].
        now: values here, [seeds, images]; NaN where there is none.
    """

    entry: str
    dataset: str
    case: str | None
    facts: MetricFacts
    seeds: tuple[int | None, ...]
    images: tuple[str, ...]
    before: Array
    now: Array

    @property
    def worse(self) -> Array:
        """By how much each value is worse than the baseline's, [seeds, images]; 0 where both are infinite."""
        sign = 1.0 if self.facts.better == "higher" else -1.0
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            difference = sign * (self.before - self.now)
        difference[self.before == self.now] = 0.0
        return difference

    @property
    def place(self) -> str:
        """The test set with its case, in words."""
        return _place(self.dataset, self.case)


class Said(NamedTuple):
    """What is said of one statistic: the outcome, the change with its interval, and how sure that is."""

    outcome: Outcome
    change: float
    low: float
    high: float
    sure: str
    reason: str


def quality(
    baseline: Baseline, measured: Measured, *, only: Iterable[str] | None = None, look: str = ""
) -> list[Finding]:
    """Hold what was measured against a baseline.

    Args:
        baseline: from :func:`converse.analysis.gate.baseline.read_baseline`.
        measured: here.
        only: names of the entries that are asked for, in any case; ``None`` for all of the baseline.
        look: the command that shows more of the run.

    Returns:
        For every entry of the baseline whether it is all there, and for every cell a finding on the mean and one on
        the worst image.

    Raises:
        OptionError: the baseline has no entry of that name.
    """
    chosen = baseline.entries if only is None else tuple(map(baseline.entry, only))
    found = [finding for entry in chosen for finding in _Held(baseline, measured, entry).findings()]
    found += [_extra(name, "", f"{name} is there too, and not in the baseline") for name in measured.others]
    return [replace(one, look=look) if one.outcome in ("regressed", "inconclusive", "better") else one for one in found]


@dataclass
class _Held:
    """One entry, held against the baseline."""

    baseline: Baseline
    measured: Measured
    entry: BaselineEntry
    rows: pd.DataFrame = field(init=False)
    before: pd.DataFrame = field(init=False)
    elsewhere: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        name, frame, values = self.entry.name, self.baseline.frame, self.measured.values
        self.before = frame[frame["entry"] == name]
        rows = values[values["entry"] == name]
        self.rows = rows[rows["seed"].isin(self._seeds()) | rows["seed"].isna()]
        platforms = self.measured.platforms
        self.elsewhere = next(filter(None, (one.differences(self.baseline.platform) for one in platforms)), ())

    def _seeds(self) -> list[int]:
        return [int(seed) for seed in self.before["seed"].dropna().unique()]

    def findings(self) -> Iterator[Finding]:
        """All of them."""
        name = self.entry.name
        if self.rows.empty:
            why = [self.measured.why_not(name, one.name) for one in self.baseline.datasets]
            failed = [reason for (entry, _), reason in self.measured.failures.items() if entry == name]
            if all(why) and not failed:
                yield Finding("presence", name, "", "the entry", "not measured", str(why[0]))
            else:
                reason = f"it failed: {failed[0]}" if failed else "the entry is gone: no trial of it was measured"
                yield Finding("presence", name, "", "the entry", "regressed", reason)
            return
        yield from self._network()
        for images in self.baseline.datasets:
            yield from self._dataset(images.name, images.images)

    def _network(self) -> Iterator[Finding]:
        """Parameters and the shape of the output."""
        name, entry = self.entry.name, self.entry
        now = self.measured.parameters.get(name)
        if now != entry.parameters:
            said = "how many parameters it has was not counted" if now is None else _changed("parameters", entry, now)
            outcome: Outcome = "regressed"
        else:
            said, outcome = "as many as in the baseline", "passed"
        yield Finding(
            *("parameters", name, "", "learnt parameters", outcome, said),
            before=float(entry.parameters),
            now=None if now is None else float(now),
            sure="counted",
        )
        shape = self.measured.shapes.get(name)
        if shape is None:
            return
        same = shape == entry.shape
        yield Finding(
            *("shape", name, "", "shape of the output", "passed" if same else "regressed"),
            "as in the baseline" if same else f"the output of a fixed input had the shape {_sides(entry.shape)}",
            before=_sides(entry.shape),
            now=_sides(shape),
            sure="exact",
        )

    def _dataset(self, dataset: str, images: dict[str, str]) -> Iterator[Finding]:
        """One test set: its images, then each case and metric."""
        name, place = self.entry.name, _place(dataset)
        rows = self.rows[self.rows["dataset"] == dataset]
        known = self.measured.images.get(dataset, {})
        if rows.empty:
            why = self.measured.why_not(name, dataset)
            outcome: Outcome = "not measured" if why else "regressed"
            reason = why or "the test set is gone: no image of it was measured"
            yield Finding("presence", name, place, "the test set", outcome, reason)
            return
        gone = [image for image in images if image not in known]
        other = [image for image in images if known.get(image, images[image]) != images[image]]
        if gone:
            yield Finding(*("presence", name, place, "images", "regressed"), f"{_listed(gone)} gone from the test set")
        if other:
            reason = f"{_listed(other)} not the baseline's, by checksum: values cannot be compared"
            yield Finding("presence", name, place, "images", "regressed", reason)
        if more := [image for image in known if image not in images]:
            yield _extra(name, place, f"{_listed(more)} not in the baseline")
        before = self.before[(self.before["dataset"] == dataset) & ~self.before["image"].isin([*gone, *other])]
        for (case, metric), cells in before.groupby(["case", "metric"], sort=False, dropna=False):
            at = case if isinstance(case, str) else None
            same_case = rows["case"].isna() if at is None else rows["case"] == at
            yield from self._cell(dataset, at, str(metric), cells, rows[same_case & (rows["metric"] == metric)])

    def _cell(
        self, dataset: str, case: str | None, metric: str, before: pd.DataFrame, rows: pd.DataFrame
    ) -> Iterator[Finding]:
        name, place, facts = self.entry.name, _place(dataset, case), METRICS[metric]
        signature = before["signature"].iloc[0]
        now = rows[rows["signature"] == signature]
        if now.empty:
            if rows.empty:
                yield Finding("presence", name, place, facts.title, "regressed", f"{facts.title} is not measured here")
            else:
                yield _signature(name, place, facts, signature, str(rows["signature"].iloc[0]))
            return
        cell, reasons = _paired(name, dataset, case, facts, before, now)
        yield from self._without_value(cell, reasons)
        if np.isnan(cell.now).all():
            return
        tolerance = self.entry.tolerances[metric]
        yield from _compared(cell, tolerance, self.elsewhere)

    def _without_value(self, cell: Cell, reasons: dict[tuple[int | None, str], str]) -> Iterator[Finding]:
        """Seeds that are missing, and values that are none."""
        absent = np.isnan(cell.now)
        for row, seed in enumerate(cell.seeds):
            names = [image for image, lacks in zip(cell.images, absent[row], strict=True) if lacks]
            if not names:
                continue
            under = "" if seed is None else f" under seed {seed}"
            failed = self.measured.failures.get((cell.entry, seed))
            why = failed or reasons.get((seed, names[0])) or "it was not measured"
            lacking: Outcome = "not measured" if why.startswith(LACKING) else "regressed"
            every = len(names) == len(cell.images)
            which = f"no image has a value{under}" if every else f"{_listed(names)} without a value{under}"
            yield Finding(
                *("quality", cell.entry, cell.place, f"{cell.facts.title}, values", lacking),
                f"{which}: {why}",
                unit=cell.facts.unit,
                now="not finite" if "not finite" in why else "none",
                image=None if failed else OneImage(cell.entry, seed, cell.dataset, cell.case, names[0]),
            )


def _compared(cell: Cell, tolerance: Tolerance, elsewhere: Sequence[str]) -> Iterator[Finding]:
    """The mean and the worst image."""
    if not elsewhere:
        mean, (image, row, column) = _same(cell, tolerance.same)
        allowed = tolerance.same, tolerance.same
    elif cell.seeds == (None,):
        mean, (image, row, column) = _by_value(cell, tolerance, elsewhere)
        allowed = tolerance.mean, tolerance.image
    else:
        mean, (image, row, column) = _by_seeds(cell, tolerance, elsewhere)
        allowed = tolerance.mean, tolerance.image
    both = ~np.isnan(cell.now)
    finite = both & np.isfinite(cell.worse)
    if not finite.any():
        finite = both
    many = f"mean of {counted(int(both.any(axis=0).sum()), 'image')}"
    seeds = "" if len(cell.seeds) == 1 else f", {counted(int(both.any(axis=1).sum()), 'seed')}"
    title = cell.facts.title
    yield _finding(
        cell, f"{title}, {many}{seeds}", mean, cell.before[finite].mean(), cell.now[finite].mean(), allowed[0]
    )
    over_seeds = row is None
    here = (slice(None) if row is None else row, column)
    with np.errstate(invalid="ignore"):
        before, now = float(np.nanmean(cell.before[here])), float(np.nanmean(cell.now[here]))
    seed = cell.seeds[0] if row is None else cell.seeds[row]
    under = "" if over_seeds or seed is None else f" under seed {seed}"
    named = f": {cell.images[column]}{under}" if image.change != 0 else ""  # of equal values none is the worst
    worst = _finding(cell, f"{title}, worst image{named}", image, before, now, allowed[1])
    yield replace(worst, image=OneImage(cell.entry, seed, cell.dataset, cell.case, cell.images[column]))


def _finding(cell: Cell, what: str, said: Said, before: float, now: float, allowed: float) -> Finding:
    return Finding(
        *("quality", cell.entry, cell.place, what, said.outcome, said.reason, cell.facts.unit),
        before=float(before),
        now=float(now),
        change=said.change,
        low=said.low,
        high=said.high,
        allowed=allowed,
        sure=said.sure,
    )


def _same(cell: Cell, allowed: float) -> tuple[Said, tuple[Said, int | None, int]]:
    """On an equal platform: every value is what it was."""
    worse = cell.worse
    row, column = _largest(worse)
    change, most, least = _mean(worse), float(worse[row, column]), float(np.nanmin(worse))
    sure = "to the bit" if allowed == 0 else f"within {_number(allowed, cell.facts)}"
    differing = int((np.abs(worse) > allowed).sum())
    many = counted(differing, "value", of=int((~np.isnan(worse)).sum()))
    which = f"{many} {agreeing(differing, 'differs', 'differ')} from those of the same platform"
    if not differing:
        equal = "equal to the bit" if allowed == 0 else f"equal {sure}"
        same = Said("passed", change, change, change, sure, equal)
        return same, (_changed_by(same, most), row, column)
    mean = Said(_outcome(change, allowed), change, change, change, sure, which)
    if most > allowed:
        return mean, (Said("regressed", most, most, most, sure, which), row, column)
    better = Said("better", most, most, most, sure, f"{which}, none for the worse: {RENEW}")
    if mean.outcome == "better":
        mean = mean._replace(reason=better.reason)
    return mean, (better if least < -allowed else better._replace(outcome="passed"), row, column)


def _changed_by(said: Said, change: float) -> Said:
    """The same with another change, which is exact."""
    return said._replace(change=change, low=change, high=change)


def _by_value(cell: Cell, tolerance: Tolerance, elsewhere: Sequence[str]) -> tuple[Said, tuple[Said, int | None, int]]:
    """Released weights on another platform: the same values, but for round-off."""
    worse = cell.worse
    row, column = _largest(worse)
    sure = f"by value, on another platform: {_first(elsewhere)}"
    said = []
    for change, allowed in ((_mean(worse), tolerance.mean), (float(worse[row, column]), tolerance.image)):
        outcome = _outcome(change, allowed)
        said.append(Said(outcome, change, change, change, sure, _in_words(outcome, change, allowed, cell.facts)))
    return said[0], (said[1], row, column)


def _by_seeds(cell: Cell, tolerance: Tolerance, elsewhere: Sequence[str]) -> tuple[Said, tuple[Said, int | None, int]]:
    """Trained networks on another platform: intervals over paired seeds."""
    worse = cell.worse
    kept = ~np.isnan(worse).all(axis=1)
    whole = ~np.isnan(worse[kept]).any(axis=0)
    endless = np.isposinf(worse[kept]).any(axis=0)
    seeds = int(kept.sum())
    finite = whole & np.isfinite(worse[kept]).all(axis=0)
    where = f"on another platform: {_first(elsewhere)}"
    if endless.any():
        column = int(np.argmax(endless))
        lost = Said("regressed", math.inf, math.inf, math.inf, where, "it was restored without any error before")
        rest = _over_seeds(worse[kept][:, finite], tolerance.mean, LEVEL, where, cell.facts) if finite.any() else lost
        return rest, (lost, None, column)
    if not finite.any():
        none = Said("inconclusive", math.nan, math.nan, math.nan, where, "no image has a value under every seed")
        return none, (none, None, 0)
    block = worse[kept][:, finite]
    mean = _over_seeds(block, tolerance.mean, LEVEL, where, cell.facts)
    # Together the intervals of all images are right at the level (Bonferroni).
    level = 1 - (1 - LEVEL) / block.shape[1]
    each = [
        _over_seeds(block[:, [index]], tolerance.image, level, f"{where}; all images together", cell.facts)
        for index in range(block.shape[1])
    ]
    order: dict[Outcome, int] = {"regressed": 0, "inconclusive": 1, "passed": 2, "better": 3}
    worst = min(range(len(each)), key=lambda index: (order[each[index].outcome], -each[index].change))
    column = int(np.flatnonzero(finite)[worst])
    if seeds < len(cell.seeds):
        have = f"{counted(seeds, 'seed', of=len(cell.seeds))} {agreeing(seeds, 'has', 'have')} values"
        mean = mean._replace(reason=f"{mean.reason}; {have}")
    return mean, (each[worst], None, column)


def _over_seeds(block: Array, allowed: float, level: float, where: str, facts: MetricFacts) -> Said:
    """What an interval over seeds says: [seeds, images], finite."""
    interval = seed_interval(block, level)
    change, seeds = interval.difference, len(block)
    if interval.low is None or interval.high is None:
        reason = f"one seed shows no spread between seeds: a check {where} needs three or more"
        return Said("inconclusive", change, math.nan, math.nan, where, reason)
    low, high = interval.low, interval.high
    sure = f"{_percent(level)} interval of {counted(seeds, 'paired seed')}, {where}"
    if low > allowed:
        return Said("regressed", change, low, high, sure, _in_words("regressed", change, allowed, facts))
    if high <= allowed:
        outcome: Outcome = "better" if high < -allowed else "passed"
        return Said(outcome, change, low, high, sure, _in_words(outcome, change, allowed, facts))
    deviation = float(block.mean(axis=1).std(ddof=1))
    seen = allowed + detectable(deviation, seeds)
    needed = seeds_for_equivalence(allowed, deviation) if allowed else None
    more = "" if needed is None else f"; {counted(needed, 'seed')} would do for a baseline of this spread"
    reason = (
        f"seeds differ by {_number(deviation, facts)}, so that {seeds} of them show no loss below "
        f"{_number(seen, facts)}{more}; check on the baseline's platform, or --against a version on this one"
    )
    return Said("inconclusive", change, low, high, sure, reason)


def _outcome(change: float, allowed: float) -> Outcome:
    if change > allowed:
        return "regressed"
    return "better" if change < -allowed else "passed"


def _in_words(outcome: Outcome, change: float, allowed: float, facts: MetricFacts) -> str:
    how = "worse" if change >= 0 else "better"
    said = f"{_number(abs(change), facts)} {how}, and {_number(allowed, facts)} is allowed"
    return f"{said}: {RENEW}" if outcome == "better" else said


def _mean(worse: Array) -> float:
    """Over all pairs that are finite; of images that are infinite in one of both the worst image tells."""
    finite = worse[np.isfinite(worse)]
    return float(finite.mean()) if finite.size else float(np.nanmean(worse))


def _largest(worse: Array) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.nanargmax(worse)), worse.shape)
    return int(row), int(column)


def _paired(
    entry: str, dataset: str, case: str | None, facts: MetricFacts, before: pd.DataFrame, now: pd.DataFrame
) -> tuple[Cell, dict[tuple[int | None, str], str]]:
    """Both sides in one array, in the baseline's order; and why values are none."""
    seeds: list[int | None] = [None if seed is None or seed != seed else int(seed) for seed in _plain(before["seed"])]
    seeds = list(dict.fromkeys(seeds))
    images = [str(name) for name in dict.fromkeys(before["image"])]
    there = dict(zip(_keys(before), before["value"], strict=True))
    here = dict(zip(_keys(now), now["value"], strict=True))
    reasons = {key: str(why) for key, why in zip(_keys(now), now["reason"], strict=True) if isinstance(why, str)}

    def table(values: dict[tuple[int | None, str], float]) -> npt.NDArray[np.float64]:
        return np.array([[values.get((seed, image), math.nan) for image in images] for seed in seeds], dtype=float)

    return Cell(entry, dataset, case, facts, tuple(seeds), tuple(images), table(there), table(here)), reasons


def _keys(frame: pd.DataFrame) -> list[tuple[int | None, str]]:
    return [(seed, str(image)) for seed, image in zip(_plain(frame["seed"]), frame["image"], strict=True)]


def _plain(seeds: pd.Series) -> list[int | None]:
    import pandas as pd

    return [None if pd.isna(seed) else int(seed) for seed in seeds]


def _signature(entry: str, place: str, facts: MetricFacts, before: str, now: str) -> Finding:
    parts = zip(before.split("|"), now.split("|"), strict=False)
    differing = "; ".join(f"{new} and not {old}" for old, new in parts if old != new)
    reason = f"{facts.title} is defined otherwise ({differing or now}): values cannot be compared"
    return Finding("signature", entry, place, f"{facts.title}, signature", "regressed", reason, before=before, now=now)


def _extra(entry: str, place: str, reason: str) -> Finding:
    return Finding("presence", entry, place, "more than in the baseline", "extra", reason)


def _changed(what: str, entry: BaselineEntry, now: int) -> str:
    return f"it has {now:,} {what}, and the baseline {entry.parameters:,}"


def _place(dataset: str, case: str | None = None) -> str:
    known: dict[str, Any] = dict(datasets())
    title = known[dataset].title if dataset in known else dataset
    return title if case is None else f"{title}, {case}"


def _sides(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "none"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return f"{shown} is" if len(names) == 1 else f"{counted(len(names), 'image')} ({shown}) are"


def _first(differences: Sequence[str]) -> str:
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    return f"{differences[0]}{more}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def _number(value: float, facts: MetricFacts) -> str:
    return f"{value:.2g}{' ' + facts.unit if facts.unit else ''}"
