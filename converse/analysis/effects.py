"""What each value of a study changes: the paired difference to the base entry, with what can be claimed about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from converse.analysis import power, statistics
from converse.analysis.differences import judge
from converse.analysis.pairing import UNSEEDED, Pairs, pairs
from converse.analysis.statistics import Array, Interval
from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.catalogue import datasets
from converse.errors import OptionError
from converse.experiments.rows import ROW_COLUMNS

EFFECT_COLUMNS: Final = (
    "task",
    "suite",
    "budget",
    "dataset",
    "case",
    "metric",
    "signature",
    "base",
    "entry",
    "label",
    "seeds",
    "images",
    "difference",
    "low",
    "high",
    "df",
    "claim",
    "p",
    "p_holm",
    "equivalent",
    "seed_deviation",
    "image_error",
    "dz",
    "published_difference",
    "verdict",
    "seeds_needed",
    "reason",
    "parameters",
    "parameters_base",
    "equal_parameters",
    "multiply_adds",
)
"""What a row of effects says. ``dataset`` is a title; ``seeds`` and ``images`` are how many were paired; what does not
apply is null. ``multiply_adds`` is left to who can count them."""

IMAGE_TEST_COLUMNS: Final = (
    "task",
    "suite",
    "budget",
    "dataset",
    "case",
    "metric",
    "signature",
    "base",
    "entry",
    "label",
    "seed",
    "images",
    "difference",
    "wilcoxon",
    "wilcoxon_holm",
    "sign_flips",
    "sign_flips_holm",
    "claim",
)
"""What a row of tests over images says: one seed each, never several."""

Method = Literal["seeds", "crossed", "bootstrap"]
PublishedValue = Callable[[str, str, str | None], float | None]
"""Entry, title of the dataset, case → the published mean PSNR in dB, ``None`` where there is none."""

Record = dict[str, Any]

_PARAMETERS = "parameters"
_GROUP = ["task", "dataset", "case", "metric", "signature"]


@dataclass(frozen=True)
class Compared:
    """An entry that is held against the base.

    Attributes:
        entry: its name in the rows.
        label: the value that it stands for, in words: ``zero``, ``5x5``.
        reason: why it may have no rows, where that is known.
    """

    entry: str
    label: str
    reason: str | None = None


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


def effects(
    rows: pd.DataFrame,
    *,
    suite: str,
    base: str,
    entries: Sequence[Compared],
    published: PublishedValue | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """One row for each dataset, case, metric and entry: its difference to the base, entry − base.

    Differences are paired by seed and image; what is missing in one is left out of both, and ``reason`` says so.
    ``p_holm`` is Holm's adjustment over all rows of the same metric in the frame, which is one table. ``seeds_needed``
    is how many seeds the published difference would need at the observed seed deviation; for a published difference of
    0, how many it would take to state equivalence. An entry or a base without rows is ``not run``.

    Args:
        rows: with :data:`ROW_COLUMNS`, of one suite at one budget; entries that are not named are ignored.
        suite: its name.
        base: name of the base entry.
        entries: what is held against it, in the order of the table.
        published: the paper's values; ``None`` where it has none.
        settings: ``None`` for a 95 % t interval over seeds and a bound of 0.02 dB.

    Returns:
        A frame with :data:`EFFECT_COLUMNS`; datasets in the order of their first appearance.

    Raises:
        ValueError: ``rows`` lacks a column.
        OptionError: the rows have several budgets, or two values for one entry, seed and image; or a bootstrap was
            asked for with fewer than 10 seeds or images.
    """
    _check(rows)
    settings = settings or Settings()
    counts = _parameters(rows, [base, *(one.entry for one in entries)])
    found = []
    for names, one, paired in _comparisons(rows, suite, base, entries):
        record = {**dict.fromkeys(EFFECT_COLUMNS), **names, "base": base, "entry": one.entry, "label": one.label}
        record |= _counted(counts.get(one.entry), counts.get(base))
        record |= _measured(paired, names["metric"], settings)
        gap = _gap(published, base, one.entry, names)
        found.append(record | _judged(record, paired, gap, one, settings))
    for metric in {record["metric"] for record in found}:
        family = [record for record in found if record["metric"] == metric]
        for record, adjusted in zip(family, _holm([record["p"] for record in family]), strict=True):
            record["p_holm"] = adjusted
    return pd.DataFrame(found, columns=list(EFFECT_COLUMNS), dtype=object)


def image_tests(rows: pd.DataFrame, *, suite: str, base: str, entries: Sequence[Compared]) -> pd.DataFrame:
    """Tests over images, one row for each seed: what they find holds given these trained networks.

    Args:
        rows: with :data:`ROW_COLUMNS`, of one suite at one budget.
        suite: its name.
        base: name of the base entry.
        entries: what is held against it, in the order of the table.

    Returns:
        A frame with :data:`IMAGE_TEST_COLUMNS`; Holm's adjustments are over all rows of the same metric.

    Raises:
        ValueError: ``rows`` lacks a column.
        OptionError: the rows have several budgets, or two values for one entry, seed and image.
    """
    _check(rows)
    found: list[Record] = []
    for names, one, paired in _comparisons(rows, suite, base, entries):
        for seed, differences in zip(paired.seeds, paired.differences, strict=True):
            signed, flipped = statistics.wilcoxon(differences), statistics.sign_flips(differences)
            found.append(
                {
                    **names,
                    "base": base,
                    "entry": one.entry,
                    "label": one.label,
                    "seed": None if seed == UNSEEDED else seed,
                    "images": signed.images,
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


def _check(rows: pd.DataFrame) -> None:
    if lacking := [name for name in ROW_COLUMNS if name not in rows.columns]:
        raise ValueError(f"rows must have the columns {', '.join(ROW_COLUMNS)}; missing: {', '.join(lacking)}")


def _comparisons(
    rows: pd.DataFrame, suite: str, base: str, entries: Sequence[Compared]
) -> Iterator[tuple[Record, Compared, Pairs]]:
    """Every table cell: what names it, the entry, the paired differences."""
    rows = rows[rows["entry"].isin([base, *(one.entry for one in entries)])]
    budgets = sorted(str(budget) for budget in rows["budget"].dropna().unique())
    if len(budgets) > 1:
        raise OptionError(f"the rows of {suite} have several budgets ({', '.join(budgets)}): choose one to compare")
    rows = rows[rows["metric"] != _PARAMETERS]
    nothing = rows.iloc[:0]
    groups: list[tuple[Any, pd.DataFrame]] = list(rows.groupby(_GROUP, dropna=False, sort=False))
    for values, group in groups or [((None,) * len(_GROUP), nothing)]:
        names = {name: None if pd.isna(value) else value for name, value in zip(_GROUP, values, strict=True)}
        known = datasets().get(names["dataset"] or "")
        names |= {"suite": suite, "budget": budgets[0] if budgets else None}
        names["dataset"] = known.title if known else names["dataset"]
        of_base = group[group["entry"] == base]
        for one in entries:
            yield names, one, pairs(of_base, group[group["entry"] == one.entry], (base, one.entry))


def _parameters(rows: pd.DataFrame, entries: Sequence[str]) -> dict[str, int]:
    """Entry → its number of parameters, where the rows agree on one."""
    counted = rows[(rows["metric"] == _PARAMETERS) & rows["entry"].isin(entries) & rows["value"].notna()]
    return {
        str(entry): int(group["value"].iloc[0])
        for entry, group in counted.groupby("entry")
        if group["value"].nunique() == 1
    }


def _counted(entry: int | None, base: int | None) -> Record:
    equal = None if entry is None or base is None else entry == base
    return {"parameters": entry, "parameters_base": base, "equal_parameters": equal}


def _measured(paired: Pairs, metric: str | None, settings: Settings) -> Record:
    """What the differences themselves say."""
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
        "equivalent": _equivalent(differences, settings) if metric == PUBLISHED_METRIC else None,
        "seed_deviation": spread.seed_deviation,
        "image_error": spread.image_error,
        "dz": statistics.effect_size(differences),
        "reason": interval.reason,
    }


def _judged(record: Record, paired: Pairs, gap: float | None, one: Compared, settings: Settings) -> Record:
    """The published difference, the verdict, the seeds needed and all reasons in one text."""
    if not paired.differences.size:
        return {"published_difference": gap, "verdict": "not run", "reason": _text([*paired.notes, one.reason])}
    if gap is None:
        return {"reason": _text([record["reason"], *paired.notes])}
    interval = Interval(*(record[name] for name in ("difference", "low", "high", "df", "p", "claim", "reason")))
    judgement = judge(interval, gap, equivalent=record["equivalent"], bound=settings.bound)
    return {
        "published_difference": gap,
        "verdict": judgement.verdict,
        "seeds_needed": _seeds_needed(gap, record["seed_deviation"], settings),
        "reason": _text([judgement.reason, record["reason"], *paired.notes]),
    }


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


def _gap(published: PublishedValue | None, base: str, entry: str, names: Record) -> float | None:
    """The published difference, without the round-off of subtracting two decimals."""
    if published is None or names["metric"] != PUBLISHED_METRIC:
        return None
    first, second = (published(name, names["dataset"], names["case"]) for name in (base, entry))
    return None if first is None or second is None else round(second - first, 9)


def _seeds_needed(gap: float, deviation: float | None, settings: Settings) -> int | None:
    if deviation is None:
        return None
    if gap == 0:
        return power.seeds_for_equivalence(settings.bound, deviation, settings.chance, settings.level)
    return power.seeds_needed(gap, deviation, settings.chance, settings.level)


def _holm(p: Sequence[float | None]) -> list[float | None]:
    adjusted = statistics.holm([np.nan if value is None else value for value in p])
    return [None if np.isnan(value) else float(value) for value in adjusted]


def _text(parts: Sequence[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(part for part in parts if part)) or None
