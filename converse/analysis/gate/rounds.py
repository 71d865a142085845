"""From rows of speed to ratios: one subject beside another with which it took turns, round for round.

In one *round* everything is built anew, in processes of its own, and takes turns; it is a run of its own. A ratio of a
round is one number, and how far those of some rounds lie apart is what chance does on this machine now.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from converse.analysis.speed import SHARE
from converse.analysis.tables import or_none
from converse.experiments.store.speed_rows import CASE_COLUMNS, case_label

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal["time", "memory"]
QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)

LEAST_BYTES: Final = 2**20
"""Less counts as so much: Linux counts a process's pages in batches, one for each processor, and is not so exact."""

Record = Mapping[str, Any]
"""A row of speed; what is not there is ``None``."""


@dataclass(frozen=True)
class Pair:
    """One subject beside another in one round.

    Attributes:
        seconds: of one call of the subject: ``beside_seconds`` and what the median turn has more or less. Turns are
            compared one by one, each with that of the other which followed or preceded it, for a machine that is shared
            changes its pace from one second to the next.
        beside_seconds: of one call of the other: the quantile of its turns that :func:`converse.analysis.speed.compare`
            has; where it is there twice, the geometric mean of both.
        bytes: of one call of the subject, :data:`LEAST_BYTES` at least; ``None`` where it, or that of the other, is not
            known.
        beside_bytes: of the other: the least of its copies, for a peak is never smaller than what a call takes.
        twin: the logarithm of the ratio of the other's two copies, of each quantity in which both are known: what equal
            processes differed by in this round.
    """

    seconds: float
    beside_seconds: float
    bytes: int | None
    beside_bytes: int | None
    twin: Mapping[Quantity, float]


@dataclass(frozen=True)
class Series:
    """What rounds have of one subject in one case, beside another.

    Attributes:
        pairs: one for each round in which both were timed.
        trouble: what went wrong with the subject in some round.
        skipped: whether it was not timed for the only reason that it takes longer than the budget has.
        beside_trouble: what went wrong with the other.
        gone: whether no round has the case.
    """

    pairs: tuple[Pair, ...]
    trouble: str | None = None
    skipped: bool = False
    beside_trouble: str | None = None
    gone: bool = False

    def ratios(self, quantity: Quantity) -> tuple[float, ...]:
        """The logarithm of the ratio of each round in which both are known."""
        return tuple(math.log(own / other) for other, own in self._known(quantity))

    def means(self, quantity: Quantity) -> tuple[float, float]:
        """Of the other and of the subject, seconds or bytes: geometric means over the rounds that have ratios.

        The ratio of these is the geometric mean of the ratios. Both are ``nan`` without any.
        """
        known = self._known(quantity)
        return _mean(other for other, _ in known), _mean(own for _, own in known)

    def equal_differ(self, quantity: Quantity) -> float:
        """By how much two copies of the other differed, a share: the mean over rounds; 0 where there is one copy.

        This is an A/A run inside of each: what the two copies differ by steadily, the subject may differ by as well.
        """
        found = [pair.twin[quantity] for pair in self.pairs if quantity in pair.twin]
        return math.expm1(abs(statistics.fmean(found))) if found else 0.0

    def _known(self, quantity: Quantity) -> list[tuple[float, float]]:
        if quantity == "time":
            return [(pair.beside_seconds, pair.seconds) for pair in self.pairs]
        return [(pair.beside_bytes, pair.bytes) for pair in self.pairs if pair.bytes and pair.beside_bytes]


def series(records: Sequence[Record], subject: str, beside: str, case: Record) -> Series:
    """One subject of a case beside another, which may be there twice.

    Args:
        records: rows of rounds, each a run of its own, from :func:`records_of`.
        subject: its name.
        beside: the name of the other.
        case: any mapping with :data:`converse.experiments.store.speed_rows.CASE_COLUMNS`.
    """
    here = [row for row in records if case_of(row) == case_of(case)]
    mine, others = ([row for row in here if row["subject"] == name] for name in (subject, beside))
    pairs = []
    for row in mine:
        copies = [one for one in others if one["run"] == row["run"]]
        if copies and all(one["status"] == "ok" for one in (row, *copies)):
            known = all(one["peak_bytes"] is not None for one in (row, *copies))
            beside_seconds = _mean(map(_seconds, copies))
            pairs.append(
                Pair(
                    beside_seconds * math.exp(_median_turn(row, copies)),
                    beside_seconds,
                    _bytes([row]) if known else None,
                    _bytes(copies) if known else None,
                    _twin(copies, known),
                )
            )
    skipped = any(row["status"] == "skipped" for row in mine)
    return Series(tuple(pairs), _trouble(mine), skipped, _trouble(others), gone=not here)


def records_of(rows: pd.DataFrame) -> list[Record]:
    """Rows as mappings in which what is not there is ``None``.

    Args:
        rows: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.
    """
    plain = rows.drop(columns="turns_s").to_dict("records")
    return [
        {**{str(name): or_none(value) for name, value in row.items()}, "turns_s": turns}
        for row, turns in zip(plain, rows["turns_s"], strict=True)
    ]


def case_of(row: Record) -> tuple[Any, ...]:
    """The case of a row, without padding, which follows from the rest."""
    return tuple(row[name] for name in CASE_COLUMNS if name != "padding")


def key_of(row: Record) -> tuple[Any, ...]:
    """The subject of a row, and its case."""
    return (row["subject"], *case_of(row))


def subjects_of(records: Sequence[Record]) -> list[Record]:
    """For each subject in each case the first row, in the order of the rows."""
    first: dict[tuple[Any, ...], Record] = {}
    for row in records:
        first.setdefault(key_of(row), row)
    return list(first.values())


def place(case: Record) -> str:
    """A case in words: ``evaluation, 1×64×64×64 k=5``."""
    return f"{case['pass']}, {case_label(case)}"


def _seconds(row: Record) -> float:
    return float(np.exp(np.quantile(_turns(row), SHARE)))


def _median_turn(row: Record, copies: Sequence[Record]) -> float:
    """The median over turns of the logarithm of the ratio to the other, whose copies take part in each turn."""
    count = min(len(one["turns_s"]) for one in (row, *copies))  # a budget that is over ends amid a turn of all
    beside = np.mean([_turns(one)[:count] for one in copies], axis=0)
    return float(np.median(_turns(row)[:count] - beside))


def _twin(copies: Sequence[Record], memory_known: bool) -> dict[Quantity, float]:
    if len(copies) != 2:
        return {}
    one, other = copies
    found: dict[Quantity, float] = {"time": _median_turn(other, [one])}
    if memory_known:
        found["memory"] = math.log(_bytes([other]) / _bytes([one]))
    return found


def _turns(row: Record) -> npt.NDArray[np.float64]:
    return np.log(np.asarray(row["turns_s"], dtype=np.float64))


def _bytes(rows: Sequence[Record]) -> int:
    return max(LEAST_BYTES, min(int(row["peak_bytes"]) for row in rows))


def _mean(values: Iterable[float]) -> float:
    """The geometric mean; ``nan`` of none."""
    found = list(values)
    return statistics.geometric_mean(found) if found else math.nan


def _trouble(rows: Sequence[Record]) -> str | None:
    if not rows:
        return "it was not measured"
    return next((str(row["reason"] or row["status"]) for row in rows if row["status"] != "ok"), None)
