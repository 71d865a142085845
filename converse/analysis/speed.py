"""From rows of speed to statements: throughput, cost per pixel, the fraction of the limit, growth, and who is faster.

A time is compared with another where both took turns in one case of one run. The second copy of a case's first subject
says what difference equal subjects show there: the noise floor, below which no difference is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from converse.analysis.tables import or_none
from converse.errors import OptionError, unknown
from converse.experiments.store.speed_rows import CASE_COLUMNS, SPEED_KEY

SpeedVerdict = Literal["equal", "faster", "slower", "inconclusive"]

LEVEL: Final = 0.99
"""Of the intervals for ratios."""

LEAST_TURNS: Final = 8
"""From fewer, no interval is given."""

SHARE: Final = 0.1
"""Subjects are compared by the quantile of their turns with this share below it. Other work on the machine makes turns
longer, most of them where there is much of it: what a subject takes by itself shows in the shorter turns. The minimum
would hang on one of them."""

SMALLEST_FLOOR: Final = 0.05
"""No smaller difference is claimed: two processes that run the same code may differ by so much, each steadily."""

EQUAL_WITHIN: Final = 0.1
"""Subjects are called equal where their difference is known to be smaller than this."""

_RESAMPLES: Final = 999

DERIVED_COLUMNS: Final = (
    *("noise_floor", "images_per_s", "mpixel_per_s", "ns_per_pixel", "bytes_per_pixel", "fraction_of_limit"),
)

BESIDE_COLUMNS: Final = ("baseline", "verdict", "ratio", "ratio_low", "ratio_high", "verdict_reason")

MACHINE_COLUMNS: Final = ("device", "model", "threads", "torch")
"""Times that differ in one of these are not compared without a warning."""

LEAST_SIZES: Final = 3
"""Of a fit of how the time grows."""

GROWTH_COLUMNS: Final = (
    *("run", "subject", "kind", "pass", "channels", "kernel_size", "scale", "padding", "batch", "dtype", "compiled"),
    *("sizes", "smallest", "largest", "exponent", "low", "high", "n_log_n"),
)

_CASE: Final = ["run", *CASE_COLUMNS]


@dataclass(frozen=True)
class Comparison:
    """How long one subject takes beside another.

    Attributes:
        verdict: of the second beside the first.
        ratio: of the second's time to the first's; ``nan`` where there is none.
        low: lower end of its interval at :data:`LEVEL`; ``nan`` with fewer than :data:`LEAST_TURNS`.
        high: upper end.
        floor: relative difference below which none is claimed.
        turns: how many ratios there were; of two runs, the smaller number of turns.
        reason: why it is inconclusive.
    """

    verdict: SpeedVerdict
    ratio: float
    low: float
    high: float
    floor: float
    turns: int
    reason: str | None = None


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with what follows from them; the twins are used and left out.

    - ``noise_floor``: relative difference that the case's two copies of one subject showed (:func:`noise_floor`).
    - ``images_per_s``, ``mpixel_per_s``, ``ns_per_pixel``: of images and pixels that go out, batch·(s·H)·(s·W).
    - ``bytes_per_pixel``: peak memory per pixel that goes out.
    - ``fraction_of_limit``: median of the case's limit over the subject's: 1 is as fast as the limit.

    Args:
        rows: with the columns of :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`, of one or more runs.

    Returns:
        A frame with these columns and :data:`DERIVED_COLUMNS`, in the order of the rows.
    """
    frame = rows[~rows["twin"].astype(bool)].reset_index(drop=True)
    floors = {case: noise_floor(first["turns_s"], twin["turns_s"]) for case, first, twin in _twins(rows)}
    limits = {
        _case(row): row["median_s"] for row in _records(frame) if row["kind"] == "limit" and row["status"] == "ok"
    }
    cases = [_case(row) for row in _records(frame)]
    images = frame["batch"].astype("float64")
    pixels = images * frame["height"].astype("float64") * frame["width"].astype("float64")
    pixels = pixels * frame["scale"].astype("float64") ** 2
    seconds = frame["median_s"]
    return frame.assign(
        noise_floor=pd.Series([floors.get(case, math.nan) for case in cases], dtype="float64"),
        images_per_s=images / seconds,
        mpixel_per_s=pixels / seconds / 1e6,
        ns_per_pixel=seconds / pixels * 1e9,
        bytes_per_pixel=frame["peak_bytes"].astype("float64") / pixels,
        fraction_of_limit=pd.Series([limits.get(case, math.nan) for case in cases], dtype="float64") / seconds,
    )


def noise_floor(turns: Sequence[float], twin: Sequence[float]) -> float:
    """The relative difference that two copies of one subject showed.

    It is the end of their ratio's interval that lies farther from 1, and at least :data:`SMALLEST_FLOOR`. It is the
    uncertainty of a ratio, which shrinks as turns are added, and not the spread of turns.

    Args:
        turns: seconds of each turn.
        twin: those of the other copy, in the same turns.

    Returns:
        A relative difference > 0; ``nan`` with fewer than :data:`LEAST_TURNS`.
    """
    interval = _paired(turns, twin)
    if math.isnan(interval.low):
        return math.nan
    return max(math.expm1(max(-interval.low, interval.high)), SMALLEST_FLOOR)


def compare(first: Sequence[float], second: Sequence[float], floor: float) -> Comparison:
    """Hold one subject against another that took turns with it.

    The ratio is that of the two subjects' quantiles at :data:`SHARE`. Its interval comes from drawing turns anew, the
    same for both (percentile bootstrap), so that what hits a whole turn hits both. In the logarithm of the ratio and
    of the floor:

    - ``faster`` or ``slower``: the whole interval lies beyond the floor.
    - ``equal``: the ratio lies within the floor, and its interval within :data:`EQUAL_WITHIN`.
    - ``inconclusive``: all else, and where there is no interval or no floor.

    Args:
        first: seconds of each turn of the subject that is held against.
        second: those of the other, in the same turns.
        floor: of the noise, from :func:`noise_floor` of the same case.

    Returns:
        The second beside the first.

    Raises:
        ValueError: the two have different numbers of turns.
    """
    return _judged(_paired(first, second), floor, min(len(first), len(second)))


def compare_runs(first: Sequence[float], second: Sequence[float], floor: float) -> Comparison:
    """Hold a subject against itself in another run, where no turns were taken.

    Turns of the two runs are drawn apart. What changed between the runs beside the subject, the machine's clock or its
    other work, is not told from the subject.

    Args:
        first: seconds of each turn in the run that is held against.
        second: those in the other.
        floor: the larger of the two runs' noise floors.

    Returns:
        The second beside the first, as in :func:`compare`.
    """
    return _judged(_interval(first, second, paired=False), floor, min(len(first), len(second)))


def settled(turns: Sequence[Sequence[float]]) -> bool:
    """Whether more turns of a case would decide nothing that is not decided.

    Args:
        turns: seconds of each turn: of the first subject, of its second copy, of the others.

    Returns:
        Whether every other subject has a verdict that is not ``inconclusive``.
    """
    if len(turns) < 2:
        return True
    first, twin, *others = turns
    floor = noise_floor(first, twin)
    return all(compare(first, other, floor).verdict != "inconclusive" for other in others)


def comparisons(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Every subject beside one of them, in each case that both were measured in.

    Args:
        rows: with the columns of :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.
        baseline: the subject that the others are held against.

    Returns:
        One line per run, case and subject: the key, ``baseline``, ``verdict``, ``ratio`` (subject's time over the
        baseline's), ``low``, ``high``, ``floor``, ``turns``, ``reason``.

    Raises:
        OptionError: no row has that subject.
    """
    if baseline not in set(rows["subject"]):
        raise OptionError(unknown("subject", baseline, set(rows["subject"])))
    frame = measured(rows)
    good = [row for row in _records(frame) if row["status"] == "ok"]
    bases = {_case(row): row for row in good if row["subject"] == baseline}
    lines = []
    for row in good:
        base = bases.get(_case(row))
        if base is None or base is row:
            continue
        found = compare(base["turns_s"], row["turns_s"], row["noise_floor"])
        lines.append({**_named(row), "baseline": baseline, **vars(found)})
    return pd.DataFrame(lines, columns=[*_NAMES, "baseline", *Comparison.__dataclass_fields__])


def beside_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with what follows from them, and each subject held against the first of its case.

    Args:
        rows: with the columns of :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        What :func:`measured` gives, with :data:`BESIDE_COLUMNS`: the first subject's name, and of the row's subject
        beside it ``verdict``, ``ratio`` of times, its interval from ``ratio_low`` to ``ratio_high``, and the
        ``verdict_reason``. They are missing for the first subject itself.
    """
    frame = measured(rows)
    records = _records(frame)
    firsts = {_case(row): row["subject"] for row in _records(rows) if row["twin"]}
    good = {(_case(row), row["subject"]): row for row in records if row["status"] == "ok"}
    lines: list[dict[str, Any]] = []
    for row in records:
        name = firsts.get(_case(row))
        base = good.get((_case(row), name))
        line: dict[str, Any] = dict.fromkeys(BESIDE_COLUMNS) | {"baseline": name}
        if base is not None and row["status"] == "ok" and row["subject"] != name:
            found = compare(base["turns_s"], row["turns_s"], row["noise_floor"])
            line |= {"verdict": found.verdict, "ratio": found.ratio, "verdict_reason": found.reason}
            line |= {"ratio_low": found.low, "ratio_high": found.high}
        lines.append(line)
    beside = pd.DataFrame(lines, columns=list(BESIDE_COLUMNS), index=frame.index)
    numbers = ["ratio", "ratio_low", "ratio_high"]
    return pd.concat([frame, beside.astype(dict.fromkeys(numbers, "float64"))], axis=1)


TIMED_PASSES: Final = {"evaluation": "forward", "forward+backward": "training"}
"""Passes that the quickstart times → what its records call them."""


def operator_times(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Medians of a run in milliseconds, one record per operator that has both.

    Args:
        rows: of one run, with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        ``operator, shape, kernel_size, device, threads, forward, training``: forward is that of evaluation, training
        is forward and backward.
    """
    timed: dict[str, dict[str, Any]] = {}
    for row in _records(rows[~rows["twin"].astype(bool) & (rows["status"] == "ok")]):
        case = {
            "operator": row["subject"],
            "shape": "x".join(str(row[side]) for side in ("batch", "channels", "height", "width")),
            "kernel_size": int(row["kernel_size"]),
            "device": row["device"],
            "threads": int(row["threads"]),
        }
        if row["pass"] in TIMED_PASSES:
            timed.setdefault(row["subject"], case)[TIMED_PASSES[row["pass"]]] = 1e3 * row["median_s"]
    return [record for record in timed.values() if record.keys() >= set(TIMED_PASSES.values())]


def run_comparisons(rows: pd.DataFrame, before: str, after: str) -> tuple[pd.DataFrame, str | None]:
    """Every subject in one run beside itself in another.

    Args:
        rows: of both runs.
        before: id of the run that is held against.
        after: id of the other.

    Returns:
        One line per measurement that both runs have, as in :func:`comparisons` (``run`` is the later one,
        ``baseline`` the former), and the warning of :func:`different_machines`.
    """
    frame = measured(rows[rows["run"].isin([before, after])])
    good = [row for row in _records(frame) if row["status"] == "ok"]
    earlier = {_key(row): row for row in good if row["run"] == before}
    lines = []
    for row in good:
        base = earlier.get(_key(row)) if row["run"] == after else None
        if base is not None:
            floor = max(base["noise_floor"], row["noise_floor"])
            found = compare_runs(base["turns_s"], row["turns_s"], floor)
            lines.append({**_named(row), "baseline": before, **vars(found)})
    table = pd.DataFrame(lines, columns=[*_NAMES, "baseline", *Comparison.__dataclass_fields__])
    return table, different_machines(frame)


def different_machines(rows: pd.DataFrame) -> str | None:
    """A warning where rows were measured on different devices, or with other numbers of threads or versions of torch.

    Args:
        rows: with :data:`MACHINE_COLUMNS`.

    Returns:
        One sentence, or ``None`` where all rows are from one machine with the same settings.
    """
    found = rows[list(MACHINE_COLUMNS)].drop_duplicates()
    if len(found) < 2:
        return None
    differing = [name for name in MACHINE_COLUMNS if found[name].nunique(dropna=False) > 1]
    said = [f"{name}: {', '.join(str(value) for value in found[name].drop_duplicates())}" for name in differing]
    return f"times of different machines or settings are not comparable ({'; '.join(said)})"


def of_equal_sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the sizes at which all subjects of a run and case were measured, where these are three at least.

    Some sides are slow for some subjects alone, such as those whose transforms they do not suit: a subject that was
    measured there too would seem to grow otherwise than one that was not.

    Args:
        rows: with the columns of :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        Those rows; of a case without three such sizes, and of subjects with fewer than three, all.
    """
    kept = pd.Series(True, index=rows.index)
    pixels = rows["height"].astype("float64") * rows["width"].astype("float64")
    names = [name for name in GROWTH_COLUMNS[:11] if name not in ("subject", "kind")]
    for _, case in rows.groupby(names, dropna=False, sort=False):
        sizes = [set(pixels[own.index]) for _, own in case.groupby(["subject", "kind"], dropna=False, sort=False)]
        several = [one for one in sizes if len(one) >= LEAST_SIZES]
        common = set.intersection(*several) if several else set()
        if len(common) < LEAST_SIZES:
            continue
        for _, own in case.groupby(["subject", "kind"], dropna=False, sort=False):
            if pixels[own.index].nunique() >= LEAST_SIZES:
                kept[own.index] = pixels[own.index].isin(common)
    return rows[kept]


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """How the time grows with the number of pixels N: the exponent a of t ∝ Nᵃ, by least squares in logarithms.

    Subjects of one run and case are fitted over :func:`of_equal_sizes`.

    Args:
        rows: with the columns of :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        One line per run, subject and case but for the size, with three sizes at least: how many ``sizes``, the
        ``smallest`` and ``largest`` side √N, the ``exponent`` with the ends of its 95 % interval, and ``n_log_n``, the
        exponent that N·log N itself has over these sizes. Columns: :data:`GROWTH_COLUMNS`.
    """
    frame = measured(rows)
    good = of_equal_sizes(frame[frame["status"] == "ok"])
    names = list(GROWTH_COLUMNS[:11])
    lines = []
    for key, group in good.groupby(names, dropna=False, sort=False):
        # the same size in two sweeps is one point
        sizes = group.assign(n=(group["height"] * group["width"]).astype("float64")).groupby("n")["median_s"].median()
        if len(sizes) < LEAST_SIZES:
            continue
        n = sizes.index.to_numpy(dtype=np.float64)
        fit = stats.linregress(np.log(n), np.log(sizes.to_numpy()))
        half = float(fit.stderr) * float(stats.t.ppf(0.975, len(n) - 2))
        ideal = stats.linregress(np.log(n), np.log(n * np.log(n)))
        slope = float(fit.slope)
        spread = (len(n), math.sqrt(n.min()), math.sqrt(n.max()), slope, slope - half, slope + half, float(ideal.slope))
        lines.append((*key, *spread))
    return pd.DataFrame(lines, columns=list(GROWTH_COLUMNS))


_NAMES: Final = ["run", *(name for name in SPEED_KEY if name != "twin")]


@dataclass(frozen=True)
class _Interval:
    """The logarithm of a ratio with its interval."""

    ratio: float
    low: float
    high: float


def _paired(first: Sequence[float], second: Sequence[float]) -> _Interval:
    if len(first) != len(second):
        raise ValueError(f"subjects that take turns have as many each, got {len(first)} and {len(second)}")
    return _interval(first, second, paired=True)


def _interval(first: Sequence[float], second: Sequence[float], *, paired: bool) -> _Interval:
    one, other = (np.log(np.asarray(turns, dtype=np.float64)) for turns in (first, second))
    if min(len(one), len(other)) < LEAST_TURNS:
        ratio = _difference(one, other) if len(one) and len(other) else math.nan
        return _Interval(float(ratio), math.nan, math.nan)
    found = stats.bootstrap(
        (one, other),
        _difference,
        paired=paired,
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return _Interval(float(_difference(one, other)), float(found.low), float(found.high))


def _difference(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], axis: int = -1
) -> npt.NDArray[np.float64]:
    difference: npt.NDArray[np.float64] = np.quantile(other, SHARE, axis=axis) - np.quantile(one, SHARE, axis=axis)
    return difference


def _judged(interval: _Interval, floor: float, turns: int) -> Comparison:
    ratio, low, high = (math.exp(value) for value in (interval.ratio, interval.low, interval.high))
    edge = math.log1p(floor)
    verdict: SpeedVerdict = "inconclusive"
    reason = None
    if math.isnan(low) or math.isnan(floor):
        reason = "too few turns for an interval, or no noise floor"
    elif interval.low > edge:
        verdict = "slower"
    elif interval.high < -edge:
        verdict = "faster"
    elif abs(interval.ratio) <= edge and max(-interval.low, interval.high) <= math.log1p(EQUAL_WITHIN):
        verdict = "equal"
    else:
        reason = "the interval reaches too far: measure longer, or on a quieter machine"
    return Comparison(verdict, ratio, low, high, floor, turns, reason)


def _twins(rows: pd.DataFrame) -> list[tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]]:
    """Case, subject and second copy, for each case that has one."""
    good = [row for row in _records(rows) if row["status"] == "ok"]
    firsts = {(_case(row), row["subject"]): row for row in good if not row["twin"]}
    return [
        (_case(row), firsts[_case(row), row["subject"]], row)
        for row in good
        if row["twin"] and (_case(row), row["subject"]) in firsts
    ]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _case(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(or_none(row[name]) for name in _CASE)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(or_none(row[name]) for name in SPEED_KEY)


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _NAMES}
