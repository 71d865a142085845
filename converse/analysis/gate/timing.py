"""Whether something takes longer, or more memory, than it did: ratios of some rounds, and two bounds.

The *floor* is what equal runs may differ by: a difference is claimed where the whole interval of the mean lies beyond
it. The other bound is what must not pass unseen: a case passes where the whole interval lies below it. What is neither
needs more rounds, and without them is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from converse.analysis.gate.findings import Finding, Outcome
from converse.analysis.gate.rounds import (
    QUANTITIES,
    Quantity,
    Record,
    Series,
    key_of,
    place,
    records_of,
    series,
    subjects_of,
)
from converse.analysis.gate.speed_table import Expected, SpeedCase, SpeedTable

if TYPE_CHECKING:
    import pandas as pd

LEVEL: Final = 0.99
"""Of the intervals."""

ROUNDS: Final = 5
"""After so many it is looked for the first time whether they are enough."""

LEAST_ROUNDS: Final = 3
"""So many are made where there is no time for more; from them little can be said."""


@dataclass(frozen=True)
class Bounds:
    """By what changes are judged, as shares.

    Attributes:
        floor: no smaller difference is claimed.
        unseen: what is slower, or larger, by so much must not pass.
    """

    floor: float
    unseen: float


BOUNDS: Final[Mapping[Quantity, Bounds]] = {"time": Bounds(0.05, 0.12), "memory": Bounds(0.05, 0.10)}
"""The least floor of time is that of ``converse speed``: two processes that run the same code may differ by so much,
each steadily. Memory has the same one, for a C library may round what it asks the system for."""

ELSEWHERE: Final[Mapping[Quantity, float]] = {"time": 0.05, "memory": 0.25}
"""So much is allowed at least on other machines, as a share. Libraries take other memory beside what they are asked for
on another processor, and by how much is not known of one that cannot be played: less is inconclusive there."""

MARGIN: Final = 1.5
"""What is allowed on other machines is so many times the largest change of a ratio that was seen on one."""


_UNITS: Final[Mapping[Quantity, tuple[str, float]]] = {"time": ("ms", 1e-3), "memory": ("MiB", 2**20)}
"""Of findings, and what one of it is in seconds or bytes."""


@dataclass(frozen=True)
class Judged:
    """What ratios say beside an expected one. Changes are shares: 0.2 is 20 % more.

    Attributes:
        outcome: ``regressed``, ``better``, ``passed`` or ``inconclusive``.
        change: by how much they are larger than expected.
        low: lower end of its interval at :data:`LEVEL`; ``nan`` where there is none.
        high: upper end.
        floor: no smaller difference is claimed.
        rounds: how many ratios there are.
        reason: why, in words.
        open: whether more rounds may say more.
    """

    outcome: Outcome
    change: float
    low: float
    high: float
    floor: float
    rounds: int
    reason: str
    open: bool = False


@dataclass(frozen=True)
class Held:
    """A finding of one subject in one case.

    Attributes:
        finding: what is said.
        key: the subject and its case, as :func:`converse.analysis.gate.rounds.key_of` has it.
        open: whether more rounds may change it.
    """

    finding: Finding
    key: tuple[Any, ...]
    open: bool = False


def judge(ratios: Sequence[float], expected: float, quantity: Quantity, floor: float = 0.0) -> Judged:
    """Hold the ratios of rounds against an expected one.

    Args:
        ratios: logarithms of them.
        expected: the logarithm of that.
        quantity: which bounds there are.
        floor: what equal runs may differ by, a share; that of :data:`BOUNDS` where it is less.

    Returns:
        The outcome, with the interval of the mean: Student's t over rounds at :data:`LEVEL`, none with a single one.
    """
    bounds = BOUNDS[quantity]
    floor = max(floor, bounds.floor)
    middle, low, high = _interval(np.asarray(ratios, dtype=np.float64) - expected)
    given = (math.expm1(middle), math.expm1(low), math.expm1(high), floor, len(ratios))
    more, less = {"time": ("slower", "faster"), "memory": ("more memory", "less memory")}[quantity]
    if math.isnan(low):
        return Judged("inconclusive", *given, "one round has no interval", open=True)
    if low > math.log1p(floor):
        return Judged("regressed", *given, f"{more}, by more than equal runs may differ")
    if high < -math.log1p(floor):
        return Judged("better", *given, f"{less}, by more than equal runs may differ")
    if floor >= bounds.unseen:
        return Judged("inconclusive", *given, f"equal runs may differ by {floor:.0%}: less than that is not seen")
    if high < math.log1p(bounds.unseen):
        return Judged("passed", *given, f"less than {bounds.unseen:.0%}, the whole interval")
    reason = f"the interval reaches beyond {bounds.unseen:.0%}: it needs more --seconds, or a machine with less to do"
    return Judged("inconclusive", *given, reason, open=True)


def expected_ratio(conditions: Sequence[Sequence[float]], quantity: Quantity) -> tuple[float, float]:
    """What equal rounds are held against, and by how much it is uncertain.

    Args:
        conditions: for each condition in which a machine may be the logarithms of the ratios of some rounds, two at
            least.
        quantity: which bounds there are.

    Returns:
        The logarithm of the ratio halfway between the means; and the farthest end of their intervals from it (Student's
        t at :data:`LEVEL`), as a share, at least the floor of :data:`BOUNDS`. The rounds that are held against it have
        an interval of their own.
    """
    intervals = [_interval(np.asarray(ratios, dtype=np.float64)) for ratios in conditions]
    means = [mean for mean, _, _ in intervals]
    middle = (min(means) + max(means)) / 2
    farthest = max(max(high - middle, middle - low) for _, low, high in intervals)
    return middle, max(BOUNDS[quantity].floor, math.expm1(farthest))


def speed_cases(
    rows: pd.DataFrame, yardstick: str, elsewhere: Mapping[str, pd.DataFrame], beside: pd.DataFrame | None = None
) -> tuple[tuple[SpeedCase, ...], tuple[str, ...]]:
    """What a baseline says of rounds: their mean ratios, and by how much others may differ from them.

    Args:
        rows: of some rounds here.
        yardstick: the subject that the others are held against.
        elsewhere: a kind of machine, in words → rows of rounds there.
        beside: of some rounds here while another process computed; ``None`` for none.

    Returns:
        A case for each subject but the yardstick, which on other machines is allowed what any case moved by on these;
        and a sentence for each for which there is none.
    """
    records = records_of(rows)
    busy = [] if beside is None else [records_of(beside)]
    others = [records_of(frame) for frame in elsewhere.values()]
    measured: list[tuple[Record, Series, list[Series]]] = []
    lacking: list[str] = []
    moved: dict[Quantity, float] = dict.fromkeys(QUANTITIES, 0.0)
    for row in subjects_of(records):
        if row["subject"] == yardstick:
            continue
        found = series(records, row["subject"], yardstick, row)
        trouble = found.beside_trouble or found.trouble
        if trouble or len(found.pairs) < ROUNDS:
            lacking.append(f"{row['subject']}, {place(row)}: {trouble or 'too few rounds'}")
            continue
        measured.append((row, found, [series(one, row["subject"], yardstick, row) for one in busy]))
        there = [series(one, row["subject"], yardstick, row) for one in others]
        for quantity in QUANTITIES:
            moved[quantity] = max(moved[quantity], _moved(found, there, quantity))
    return tuple(_case(row, found, shared, moved) for row, found, shared in measured), tuple(lacking)


def against_file(table: SpeedTable, rows: pd.DataFrame, differing: Sequence[str] = (), look: str = "") -> list[Held]:
    """Hold rounds against the ratios that a baseline has.

    Args:
        table: of the baseline.
        rows: of some rounds of its suite of speed, each a run of its own, with the columns
            :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.
        differing: in what this machine differs from the baseline's, in words; empty for an equal one.
        look: the command that shows more.

    Returns:
        For each case of the baseline a finding on time and one on memory, or what went wrong with it; and one for each
        that only the rows have.
    """
    records = records_of(rows)
    held = [one for case in table.cases for one in _against_case(table, case, records, differing, look)]
    known = {one.key for one in held}
    for row in subjects_of(records):
        if row["subject"] != table.yardstick and key_of(row) not in known:
            reason = "the baseline has no such case"
            held.append(Held(Finding("presence", row["subject"], place(row), "speed", "extra", reason), key_of(row)))
    return held


def against_other(rows: pd.DataFrame, beside: Mapping[str, str], other: str, look: str = "") -> list[Held]:
    """Hold rounds of this version against another one that took turns with it.

    Args:
        rows: of some rounds, each a run of its own, with the columns
            :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.
        beside: subject → the name of the same subject in the other version.
        other: the other version, in words.
        look: the command that shows more.

    Returns:
        For each case a finding on time and one on memory, or what went wrong with it. No difference is claimed that is
        smaller than what the two copies of the other version differed by in these rounds.
    """
    records = records_of(rows)
    held = []
    for row in subjects_of(records):
        subject, where = row["subject"], place(row)
        if subject not in beside:
            continue
        found = series(records, subject, beside[subject], row)
        if found.beside_trouble is not None and found.trouble is None:
            reason = f"{other} has nothing to compare: {found.beside_trouble}"
            held.append(Held(Finding("presence", subject, where, "speed", "extra", reason), key_of(row)))
            continue
        if trouble := _trouble(found, subject, where, beside[subject]):
            held.append(Held(trouble, key_of(row)))
            continue
        for quantity in QUANTITIES:
            what = f"{quantity} of a call, beside {other}"
            ratios = found.ratios(quantity)
            if not ratios:
                untold = _untold(quantity, subject, where, what)
                if quantity == "memory" and all(one["peak_bytes"] is None for one in records):
                    untold = replace(untold, outcome="extra")  # of neither: nothing is lost, and it is said
                held.append(Held(untold, key_of(row)))
                continue
            unit, one = _UNITS[quantity]
            before, now = (mean / one for mean in found.means(quantity))
            judged = judge(ratios, 0.0, quantity, found.equal_differ(quantity))
            said = _finding(quantity, subject, where, what, judged, unit, before, now, look)
            held.append(Held(said, key_of(row), judged.outcome == "inconclusive"))
    return held


def _against_case(
    table: SpeedTable, case: SpeedCase, records: Sequence[Record], differing: Sequence[str], look: str
) -> list[Held]:
    where, key = place(case.columns), key_of({**case.columns, "subject": case.subject})
    found = series(records, case.subject, table.yardstick, case.columns)
    if trouble := _trouble(found, case.subject, where, table.yardstick):
        return [Held(trouble, key)]
    held = []
    for quantity in QUANTITIES:
        what = f"{quantity} beside the {table.yardstick}"
        expected = case.expected(quantity)
        if expected is None:
            continue
        ratios = found.ratios(quantity)
        if not ratios:
            held.append(Held(_untold(quantity, case.subject, where, what), key))
            continue
        floor = expected.elsewhere if differing else expected.floor
        judged = judge(ratios, math.log(expected.ratio), quantity, floor)
        now = expected.ratio * (1 + judged.change)
        said = _finding(quantity, case.subject, where, what, judged, "", expected.ratio, now, look)
        if differing:
            said = _elsewhere(said, differing)
        elif quantity == "time" and case.seconds is not None:
            calls = f"a call takes {1e3 * found.means('time')[1]:.3g} ms, and took {1e3 * case.seconds:.3g} ms"
            said = replace(said, reason=f"{said.reason}; {calls}")
        held.append(Held(said, key, judged.open))
    return held


def _elsewhere(finding: Finding, differing: Sequence[str]) -> Finding:
    """The same on another machine: what is known less well there, and what to do about it."""
    advice = "" if finding.outcome == "passed" else ": --against REF lets two versions take turns here"
    return replace(finding, reason=f"{finding.reason}; here is {', '.join(differing)}{advice}")


def _untold(quantity: Quantity, subject: str, where: str, what: str) -> Finding:
    reason = {
        "time": "no round timed both",
        "memory": "this system does not tell how much memory a call takes, or not of each",
    }[quantity]
    return Finding(quantity, subject, where, what, "not measured", reason)


def _trouble(found: Series, subject: str, where: str, beside: str) -> Finding | None:
    """What went wrong in some round; ``None`` where all went well."""
    if found.gone:
        return Finding("presence", subject, where, "speed", "regressed", "the case is gone: no round has it")
    if found.beside_trouble is not None:
        reason = f"{beside}: {found.beside_trouble}"
        return Finding("presence", subject, where, "speed", "not measured", reason)
    if found.trouble is not None:
        outcome: Outcome = "not measured" if found.skipped else "regressed"
        return Finding("presence", subject, where, "speed", outcome, found.trouble)
    return None


def _finding(
    quantity: Quantity,
    subject: str,
    where: str,
    what: str,
    judged: Judged,
    unit: str,
    before: float,
    now: float,
    look: str,
) -> Finding:
    return Finding(
        *(quantity, subject, where, what, judged.outcome, judged.reason),
        unit=unit,
        before=before,
        now=now,
        change=judged.change,
        low=judged.low,
        high=judged.high,
        allowed=judged.floor,
        sure=f"{100 * LEVEL:.0f} % interval of {judged.rounds} rounds",
        look="" if judged.outcome == "passed" else look,
    )


def _case(row: Record, found: Series, shared: Sequence[Series], moved: Mapping[Quantity, float]) -> SpeedCase:
    columns = {name: row[name] for name in SpeedCase.model_fields if name in row and row[name] is not None}
    own: dict[str, float] = {"seconds": _rounded(found.means("time")[1])}
    for quantity in QUANTITIES:
        ratios = found.ratios(quantity)
        if len(ratios) == len(found.pairs):
            busy = [one.ratios(quantity) for one in shared if len(one.ratios(quantity)) >= ROUNDS]
            ratio, floor = expected_ratio([ratios, *busy], quantity)
            # A case that the machines seen here leave alone may move on one not seen: all get what any moved by.
            allowed = max(floor, ELSEWHERE[quantity], math.expm1(MARGIN * moved[quantity]))
            names = [f"memory_{name}" if quantity == "memory" else name for name in Expected._fields]
            own |= dict(zip(names, map(_rounded, (math.exp(ratio), floor, allowed)), strict=True))
    return SpeedCase.model_validate({**columns, "pass": row["pass"], **own})


def _rounded(value: float) -> float:
    """With as many digits as say something of a ratio."""
    return float(f"{value:.5g}")


def _moved(found: Series, there: Sequence[Series], quantity: Quantity) -> float:
    """By how much a logarithm of a ratio is another one on other machines, at most; 0 where that is not known."""
    here = found.ratios(quantity)
    if not here:
        return 0.0
    others = (one.ratios(quantity) for one in there)
    return max((abs(float(np.mean(ratios)) - float(np.mean(here))) for ratios in others if ratios), default=0.0)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean and the ends of its interval; a point where all values are equal."""
    if not len(values):
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan, math.nan
    if np.ptp(values) == 0:
        return mean, mean, mean
    ends = stats.ttest_1samp(values, 0).confidence_interval(LEVEL)
    return mean, float(ends.low), float(ends.high)
