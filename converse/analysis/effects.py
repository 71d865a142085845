"""What each value of a study changes: the paired difference to the base entry, with what can be claimed about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypedDict, cast

import numpy as np
import pandas as pd

from converse.analysis import power, statistics
from converse.analysis.differences import ROUNDING, Shown, judge
from converse.analysis.noise_floor import NOISE_FLOOR
from converse.analysis.pairing import UNSEEDED, Pairs, pairs
from converse.analysis.published import PublishedValue, Trust
from converse.analysis.qualification import Grounds, Qualification, here
from converse.analysis.statistics import Array, Interval
from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.catalogue import datasets
from converse.errors import OptionError
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.suites.tables import Contrast
from converse.metrics import PARAMETERS


class ComparedRow(TypedDict):
    """Which two entries are held against each other, and on what; what does not apply is null."""

    task: str
    suite: str
    budget: str
    dataset: str | None
    case: str | None
    metric: str | None
    signature: str | None
    base: str
    entry: str
    label: str


class EffectRow(ComparedRow):
    """What a row of effects says; what does not apply is null.

    ``dataset`` is a title; ``seeds`` and ``images`` are how many were paired; ``infinite`` how many images were left
    out because one of the two restored them without any error, so that its PSNR is infinite; ``family`` is how many
    rows of the metric have a test; ``prediction_low`` and ``prediction_high`` bound the rounded difference of two other
    single runs, such as the published ones, of all rows of the family together; ``judged`` is whether the trainings may
    judge the paper, and ``lacking`` what they lack, as text that
    :class:`converse.analysis.qualification.Qualification` reads; ``same_class`` is true where both are the same class
    of functions, so that their difference is the noise floor; ``multiply_adds`` are per pixel of the output;
    ``seconds`` is the time of restoring one image of the dataset, as the evaluation took it (of an image the least over
    seeds, then the median), and no benchmark: what else the machine did is in it.
    """

    seeds: int | None
    images: int | None
    infinite: int | None
    difference: float | None
    low: float | None
    high: float | None
    df: float | None
    claim: str | None
    p: float | None
    p_holm: float | None
    family: int | None
    equivalent: bool | None
    seed_deviation: float | None
    image_error: float | None
    dz: float | None
    published_difference: float | None
    published_trust: Trust | None
    prediction_low: float | None
    prediction_high: float | None
    verdict: str | None
    judged: bool | None
    lacking: str | None
    seeds_needed: int | None
    reason: str | None
    same_class: bool | None
    parameters: int | None
    parameters_base: int | None
    equal_parameters: bool | None
    multiply_adds: float | None
    multiply_adds_base: float | None
    seconds: float | None
    seconds_base: float | None


class ImageTestRow(ComparedRow):
    """What a row of tests over images says: one seed each, never several; ``infinite`` is as in :class:`EffectRow`."""

    seed: int | None
    images: int
    infinite: int | None
    difference: float | None
    wilcoxon: float | None
    wilcoxon_holm: float | None
    sign_flips: float | None
    sign_flips_holm: float | None
    claim: str


COMPARED_COLUMNS: Final = tuple(ComparedRow.__annotations__)
EFFECT_COLUMNS: Final = tuple(EffectRow.__annotations__)
"""The columns of a table of differences: the keys of :class:`EffectRow`, in their order."""
IMAGE_TEST_COLUMNS: Final = tuple(ImageTestRow.__annotations__)
"""The columns of a table of tests over images: the keys of :class:`ImageTestRow`, in their order."""

Method = Literal["seeds", "crossed", "bootstrap"]
ITSELF: Final = "the base entry itself"
"""The reason of a value that the base entry has anyway: there is nothing to compare."""

Record = dict[str, Any]

_GROUP = ["task", "dataset", "case", "metric", "signature"]


@dataclass(frozen=True)
class Settings:
    """How differences are judged.

    Attributes:
        method: of the interval: ``seeds`` claims something for these test images, ``crossed`` and ``bootstrap`` for
            seeds and images like these.
        level: of confidence, in (0.5, 1).
        bound: of practical equivalence of PSNR, in dB, > 0. Other metrics have none.
        chance: that the seeds needed should have of finding the published difference, in (0, 1).

    Raises:
        OptionError: a value is outside of its range.
    """

    method: Method = "seeds"
    level: float = statistics.LEVEL
    bound: float = statistics.EQUIVALENCE_BOUND
    chance: float = power.CHANCE

    def __post_init__(self) -> None:
        if not (0.5 < self.level < 1 and self.bound > 0 and 0 < self.chance < 1):
            raise OptionError(
                f"expected 0.5 < level < 1, bound > 0 and 0 < chance < 1, got {self.level}, {self.bound}, {self.chance}"
            )

    def over(self, family: int | None) -> Settings:
        """The same, with the level at which so many intervals are right together (Bonferroni)."""
        return replace(self, level=1 - (1 - self.level) / max(family or 0, 1))


def effects(
    rows: pd.DataFrame,
    *,
    suite: str,
    contrasts: Sequence[Contrast],
    floor: Sequence[Contrast] = (),
    published: PublishedValue | None = None,
    reasons: Mapping[str, str] | None = None,
    multiply_adds: Mapping[str, float] | None = None,
    grounds: Grounds | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """One row for each dataset, case, metric and contrast: its difference, entry − base.

    Differences are paired by seed and image; what is missing in one is left out of both, and ``reason`` says so.
    ``low`` and ``high`` are of the row alone. All that a verdict rests on is adjusted over the rows of the same metric
    in the frame, which is one table: ``p_holm``, the prediction interval and equivalence. ``seeds_needed`` is how many
    seeds the published difference would need to be found so at the observed seed deviation; for a published difference
    of 0, how many it would take to state equivalence. An entry or a base without rows is ``not run``. An entry that is
    its base, trial for trial, has the difference 0, no claim, and :data:`ITSELF` as its reason.

    Args:
        rows: with :data:`ROW_COLUMNS`, of one suite at one budget; entries that are not named are ignored.
        suite: its name.
        contrasts: what is held against what, in the order of the table.
        floor: pairs of the same class of functions (:func:`converse.analysis.noise_floor.noise_floor`): neither tested
            nor judged, and shown below the others where no contrast has the same two.
        published: the paper's values; ``None`` where it has none.
        reasons: entry → why it may have no rows, where that is known.
        multiply_adds: entry → multiply-adds per pixel of its output, where they were counted.
        grounds: what is known of the trainings; without them none may judge the paper.
        settings: ``None`` for a 95 % t interval over seeds and a bound of 0.02 dB.

    Returns:
        A frame with :data:`EFFECT_COLUMNS`; datasets in the order of their first appearance.

    Raises:
        ValueError: ``rows`` lacks a column.
        OptionError: the rows have several budgets, or two values for one entry, seed and image; or a bootstrap was
            asked for with fewer than 10 seeds or images.
    """
    _check(rows)
    settings, reasons, multiply_adds = settings or Settings(), reasons or {}, multiply_adds or {}
    measured = set(rows["entry"])
    told = {frozenset((one.entry, one.base)) for one in contrasts}
    of_floor = {frozenset((one.entry, one.base)) for one in floor if {one.entry, one.base} <= measured}
    contrasts = [*contrasts, *(one for one in floor if frozenset((one.entry, one.base)) in of_floor - told)]
    counts = _parameters(rows, _names(contrasts))
    grounds = grounds or Grounds()
    found: list[Record] = []
    compared: list[tuple[Record, Pairs, Qualification]] = []
    for names, one, place in _comparisons(rows, suite, contrasts, beside=grounds.baselines):
        base, entry = (place[place["entry"] == name] for name in (one.base, one.entry))
        record = {**dict.fromkeys(EFFECT_COLUMNS), **names, "base": one.base, "entry": one.entry, "label": one.label}
        record |= _counted(counts.get(one.entry), counts.get(one.base))
        record |= {"multiply_adds": multiply_adds.get(one.entry), "multiply_adds_base": multiply_adds.get(one.base)}
        record |= {"seconds": _seconds(entry), "seconds_base": _seconds(base)}
        paired = pairs(base, entry, (one.base, one.entry))
        record |= {"infinite": paired.infinite}
        found.append(record)
        if paired.differences.size and set(base["trial"]) == set(entry["trial"]):
            seeds, images = paired.differences.shape
            record |= {"seeds": seeds, "images": images, "difference": 0.0, "reason": ITSELF}
            continue
        record |= _measured(paired, settings)
        why = dict.fromkeys(reasons.get(name) for name in (one.base, one.entry))
        record |= {"reason": _text([record["reason"], *paired.notes, *(() if paired.differences.size else why)])}
        if frozenset((one.entry, one.base)) in of_floor:
            record |= {"same_class": True, "p": None, "reason": _text([NOISE_FLOOR, record["reason"]])}
            continue
        record |= _gap(published, one, names)
        qualification = Qualification()
        if published is not None and record["published_difference"] is not None and paired.differences.size:
            pair = (one.entry, one.base)
            qualification = grounds.qualification(place, pair, len(paired.seeds), published, len(paired.images))
            record |= {"judged": qualification.judged, "lacking": str(qualification) or None}
        compared.append((record, paired, qualification))
    _adjust_over_tables(found)
    for record, paired, qualification in compared:
        record |= _judged(record, paired, qualification.judged, settings)
    return pd.DataFrame(found, columns=list(EFFECT_COLUMNS), dtype=object)


def shown(paired: Pairs, p_holm: float | None, family: int | None, settings: Settings) -> Shown | None:
    """What a verdict on a difference rests on: tests and intervals that are adjusted over their table.

    Args:
        paired: values of both entries, in dB.
        p_holm: of "the mean difference is 0", adjusted over the table by Holm.
        family: how many rows of the table have a test.
        settings: of which all intervals get the level at which those of the family are right together.

    Returns:
        Nothing where there is no interval, as with one seed.

    Raises:
        OptionError: a bootstrap was asked for with fewer than 10 seeds or images.
    """
    together = settings.over(family)
    interval = _interval(paired.differences, together.method, together.level)
    # With half of the errors: what lies beyond its two ends is as rare as what lies beyond one end of the others.
    prediction = statistics.prediction_interval(paired.base, paired.other, (1 + together.level) / 2, ROUNDING)
    if p_holm is None or prediction is None or interval.low is None or interval.high is None:
        return None
    sign = int(np.sign(interval.difference)) if p_holm <= 1 - settings.level else 0
    equivalent = bool(_equivalent(paired.differences, together))
    return Shown(interval.difference, sign, interval.low, interval.high, prediction, equivalent)


def image_tests(rows: pd.DataFrame, *, suite: str, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Tests over images, one row for each seed: what they find holds given these trained networks.

    Args:
        rows: with :data:`ROW_COLUMNS`, of one suite at one budget.
        suite: its name.
        contrasts: what is held against what, in the order of the table; what is its own base is left out.

    Returns:
        A frame with :data:`IMAGE_TEST_COLUMNS`; Holm's adjustments are over all rows of the same metric.

    Raises:
        ValueError: ``rows`` lacks a column.
        OptionError: the rows have several budgets, or two values for one entry, seed and image.
    """
    _check(rows)
    found: list[Record] = []
    for names, one, place in _comparisons(rows, suite, contrasts):
        base, entry = (place[place["entry"] == name] for name in (one.base, one.entry))
        if set(base["trial"]) == set(entry["trial"]):
            continue
        paired = pairs(base, entry, (one.base, one.entry))
        for seed, differences in zip(paired.seeds, paired.differences, strict=True):
            signed, flipped = statistics.wilcoxon(differences), statistics.sign_flips(differences)
            found.append(
                {
                    **names,
                    "base": one.base,
                    "entry": one.entry,
                    "label": one.label,
                    "seed": None if seed == UNSEEDED else seed,
                    "images": signed.images,
                    "infinite": paired.infinite,
                    "difference": float(differences.mean()),
                    "wilcoxon": signed.p,
                    "sign_flips": flipped.p,
                    "claim": signed.claim,
                }
            )
    for metric in {record["metric"] for record in found}:
        family = [record for record in found if record["metric"] == metric]
        for test in ("wilcoxon", "sign_flips"):
            for record, adjusted in zip(family, _holm([record[test] for record in family]), strict=True):
                record[f"{test}_holm"] = adjusted
    return pd.DataFrame(found, columns=list(IMAGE_TEST_COLUMNS), dtype=object)


def effect_records(frame: pd.DataFrame) -> list[EffectRow]:
    """Rows of effects, ``None`` for what does not apply.

    Args:
        frame: from :func:`effects`.
    """
    return [
        cast(EffectRow, {str(name): None if pd.isna(value) else value for name, value in record.items()})
        for record in frame.astype(object).to_dict("records")
    ]


def _check(rows: pd.DataFrame) -> None:
    if lacking := [name for name in ROW_COLUMNS if name not in rows.columns]:
        raise ValueError(f"rows must have the columns {', '.join(ROW_COLUMNS)}; missing: {', '.join(lacking)}")


def _names(contrasts: Sequence[Contrast]) -> list[str]:
    return list(dict.fromkeys(name for one in contrasts for name in (one.base, one.entry)))


def _comparisons(
    rows: pd.DataFrame, suite: str, contrasts: Sequence[Contrast], beside: Collection[str] = ()
) -> Iterator[tuple[Record, Contrast, pd.DataFrame]]:
    """Every table cell: what names it, the contrast, and the rows of that place, those of entries beside them too."""
    compared = set(_names(contrasts))
    rows = rows[rows["entry"].isin({*compared, *beside})]
    budgets = sorted(str(budget) for budget in rows["budget"].dropna().unique())
    if len(budgets) > 1:
        raise OptionError(f"the rows of {suite} have several budgets ({', '.join(budgets)}): choose one to compare")
    rows = rows[rows["metric"] != PARAMETERS]
    nothing = rows.iloc[:0]
    groups: list[tuple[Any, pd.DataFrame]] = [
        (values, group)
        for values, group in rows.groupby(_GROUP, dropna=False, sort=False)
        if not compared.isdisjoint(group["entry"])
    ]
    for values, group in groups or [((None,) * len(_GROUP), nothing)]:
        names = {name: None if pd.isna(value) else value for name, value in zip(_GROUP, values, strict=True)}
        known = datasets().get(names["dataset"] or "")
        names |= {"suite": suite, "budget": budgets[0] if budgets else None}
        names["dataset"] = known.title if known else names["dataset"]
        for one in contrasts:
            yield names, one, group


def _parameters(rows: pd.DataFrame, entries: Sequence[str]) -> dict[str, int]:
    """Entry → its number of parameters, where the rows agree on one."""
    counted = rows[(rows["metric"] == PARAMETERS) & rows["entry"].isin(entries) & rows["value"].notna()]
    return {
        str(entry): int(group["value"].iloc[0])
        for entry, group in counted.groupby("entry")
        if group["value"].nunique() == 1
    }


def _seconds(rows: pd.DataFrame) -> float | None:
    """Of an image the least that a seed took, which is the least disturbed; then the median over images."""
    least = rows.groupby("image_sha256")["seconds"].min()
    return float(least.median()) if least.notna().any() else None


def _counted(entry: int | None, base: int | None) -> Record:
    equal = None if entry is None or base is None else entry == base
    return {"parameters": entry, "parameters_base": base, "equal_parameters": equal}


def _measured(paired: Pairs, settings: Settings) -> Record:
    """What the differences themselves say, whatever else is in the table."""
    differences = paired.differences
    if not differences.size:
        return {"seeds": 0, "images": 0}
    interval = _interval(differences, settings.method, settings.level)
    spread = statistics.spreads(differences)
    return {
        "seeds": len(paired.seeds),
        "images": len(paired.images),
        "difference": interval.difference,
        "low": interval.low,
        "high": interval.high,
        "df": interval.df,
        "claim": interval.claim,
        "p": interval.p,
        "seed_deviation": spread.seed_deviation,
        "image_error": spread.image_error,
        "dz": statistics.effect_size(differences),
        "reason": interval.reason,
    }


def _adjust_over_tables(records: Sequence[Record]) -> None:
    """Write Holm's p, and over how many rows it is adjusted, into the records; those of one metric are a table."""
    for metric in {record["metric"] for record in records}:
        table = [record for record in records if record["metric"] == metric]
        tested = [record for record in table if record["p"] is not None]
        for record, adjusted in zip(tested, _holm([record["p"] for record in tested]), strict=True):
            record |= {"p_holm": adjusted, "family": len(tested)}


def _judged(record: Record, paired: Pairs, judged: bool, settings: Settings) -> Record:
    """What is said of the published difference; of trainings that may not judge it, of this budget."""
    gap = record["published_difference"]
    if not paired.differences.size:
        # It was measured, and has only infinities: a published difference is neither found nor refuted.
        measured = None if gap is None else "undecided here"
        return {"verdict": measured if paired.infinite else "not run"}
    if record["metric"] != PUBLISHED_METRIC:
        return {}
    found = shown(paired, record["p_holm"], record["family"], settings)
    if found is None:
        return {"verdict": None if gap is None else here(None)}
    low, high = found.prediction
    known: Record = {"equivalent": found.equivalent, "prediction_low": low, "prediction_high": high}
    if gap is None:
        return known
    needed = (gap, record["seed_deviation"], settings.bound, settings.chance, settings.over(record["family"]).level)
    known |= {"seeds_needed": power.seeds_to_judge(*needed)}
    if not judged:
        return known | {"verdict": here(found)}
    judgement = judge(found, gap, settings.bound)
    return known | {"verdict": judgement.verdict, "reason": _text([judgement.reason, record["reason"]])}


def _interval(differences: Array, method: Method, level: float) -> Interval:
    if method == "crossed":
        return statistics.crossed_interval(differences, level)
    if method == "bootstrap":  # the same draws for the same data
        return statistics.bootstrap_interval(differences, np.random.default_rng(0), level)
    return statistics.seed_interval(differences, level)


def _equivalent(differences: Array, settings: Settings) -> bool | None:
    """Two one-sided tests, for the claim of the interval: that of twice the error rate lies inside the bound."""
    if settings.method == "seeds":
        p = statistics.equivalence(differences, settings.bound)
        return None if p is None else p <= 1 - settings.level
    inner = _interval(differences, settings.method, 2 * settings.level - 1)
    if inner.low is None or inner.high is None:
        return None
    return -settings.bound < inner.low and inner.high < settings.bound


def _gap(published: PublishedValue | None, one: Contrast, names: Record) -> Record:
    """The published difference, without the round-off of subtracting two decimals, and the lesser trust of the two."""
    if published is None or names["metric"] != PUBLISHED_METRIC:
        return {}
    first, second = (published(name, names["dataset"], names["case"]) for name in (one.base, one.entry))
    if first is None or second is None:
        return {}
    trust: Trust = "primary" if first.trust == second.trust == "primary" else "secondary"
    return {"published_difference": round(second.value - first.value, 9), "published_trust": trust}


def _holm(p: Sequence[float | None]) -> list[float | None]:
    adjusted = statistics.holm([np.nan if value is None else value for value in p])
    return [None if np.isnan(value) else float(value) for value in adjusted]


def _text(parts: Sequence[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(part for part in parts if part)) or None
