"""How often each verdict on a difference is given where the truth is known: the paper is right, or nothing differs.

``python benchmarks/statistics/verdict_shares.py`` writes the tables of verdicts in docs/statistics.md. Every imagined
paper trains two networks once and rounds; every imagined study trains the same two with several seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from interval_coverage import SEED, line

from converse.analysis import statistics
from converse.analysis.differences import DifferenceVerdict, judge
from converse.analysis.effects import Settings, shown
from converse.analysis.pairing import Pairs
from converse.analysis.statistics import Array

SEEDS: Final = (2, 3, 5, 10, 20, 40)
GAPS: Final = (0.0, 0.02, 0.06, 0.3)
"""True mean differences, in dB."""

ROWS: Final = 40
"""Of a table without any true difference."""

AGREE: Final[tuple[DifferenceVerdict, ...]] = ("reproduced", "consistent")
DECIDED: Final = ("reproduced", "same direction", "contradicted")
VERDICTS: Final[tuple[DifferenceVerdict, ...]] = (*AGREE, "same direction", "undecided", "contradicted")


@dataclass(frozen=True)
class Networks:
    """How the mean PSNR of two networks varies between seeds.

    Attributes:
        base: standard deviation, in dB.
        other: the same of the other network.
        shared: correlation of the two in our study, where a pair shares its seed. Those of the paper share nothing.
    """

    base: float
    other: float
    shared: float = 0.0


NETWORKS: Final = {
    "0.005 dB each": Networks(0.005, 0.005),
    "0.03 dB each": Networks(0.03, 0.03),
    "0.1 dB each": Networks(0.1, 0.1),
    "0.03 dB each, correlation 0.8": Networks(0.03, 0.03, 0.8),
    "0.1 dB each, correlation 0.8": Networks(0.1, 0.1, 0.8),
    "0.01 and 0.03 dB": Networks(0.01, 0.03),
    "0.01 and 0.1 dB": Networks(0.01, 0.1),
}


@dataclass(frozen=True)
class Judged:
    """A row of a table: what the paper has, in dB, and what is said of it."""

    published: float
    verdict: DifferenceVerdict


Study = tuple[Judged, ...]


def replications(
    rng: np.random.Generator, studies: int, seeds: int, gap: float, networks: Networks, rows: int = 1
) -> list[Study]:
    """Studies of what a paper has trained, each with a paper of its own.

    Args:
        rng: of the draws.
        studies: how many.
        seeds: of each study, at least 2.
        gap: the true mean difference, in dB.
        networks: their deviations.
        rows: how many differences, independent of each other, are in one table.

    Returns:
        The rows of each study.
    """
    ours = _runs(rng, (studies, rows, seeds), networks)
    theirs = _runs(rng, (studies, rows), Networks(networks.base, networks.other))
    published = (30 + gap + theirs[1]).round(2) - (30 + theirs[0]).round(2)
    return [_judged(*study) for study in zip(ours[0], gap + ours[1], published.round(9), strict=True)]


def share(studies: Iterable[Study], *verdicts: DifferenceVerdict) -> float:
    """The share of rows with one of some verdicts.

    Args:
        studies: from :func:`replications`.
        verdicts: which.

    Returns:
        In [0, 1].
    """
    return float(np.mean([row.verdict in verdicts for study in studies for row in study]))


def false_alarms(studies: Iterable[Study]) -> float:
    """The share of studies without a true difference in which some row is decided as if there were one.

    That two networks are equal, where the paper has 0 too, is a decision as well, and a right one.

    Args:
        studies: from :func:`replications`, with a gap of 0.

    Returns:
        In [0, 1].
    """

    def wrong(row: Judged) -> bool:
        return row.verdict in DECIDED and (row.published != 0 or row.verdict != "reproduced")

    return float(np.mean([any(map(wrong, study)) for study in studies]))


def agreement_table(rng: np.random.Generator, studies: int) -> Iterator[str]:
    """How often a perfect replication is called so, and how often contradicted, line by line in Markdown.

    Args:
        rng: of the draws.
        studies: for each number of seeds, gap and pair of networks.

    Yields:
        The table, in percent: of :data:`GAPS`, the least share of agreement and the largest of contradiction.
    """
    yield line("deviation between seeds", [f"{seeds} seeds" for seeds in SEEDS])
    yield "|---" * (1 + len(SEEDS)) + "|"
    for name, networks in NETWORKS.items():
        cells = []
        for seeds in SEEDS:
            found = [replications(rng, studies, seeds, gap, networks) for gap in GAPS]
            agree = min(share(one, *AGREE) for one in found)
            cells.append(f"{100 * agree:.1f} · {100 * max(share(one, 'contradicted') for one in found):.1f}")
        yield line(name, cells)


def verdict_table(rng: np.random.Generator, studies: int) -> Iterator[str]:
    """What a perfect replication is called, line by line in Markdown.

    Args:
        rng: of the draws.
        studies: for each line.

    Yields:
        The table, in percent, for a deviation of 0.03 dB of each network.
    """
    yield line("true difference, seeds", VERDICTS)
    yield "|---" * (1 + len(VERDICTS)) + "|"
    for gap in GAPS[1:]:
        for seeds in SEEDS:
            found = replications(rng, studies, seeds, gap, NETWORKS["0.03 dB each"])
            yield line(f"{gap:g} dB, {seeds}", [f"{100 * share(found, verdict):.1f}" for verdict in VERDICTS])


def alarm_table(rng: np.random.Generator, studies: int, rows: int = ROWS) -> Iterator[str]:
    """How often a table without any true difference has a false decided verdict, line by line in Markdown.

    Args:
        rng: of the draws.
        studies: for each number of seeds and pair of networks.
        rows: of each study's table.

    Yields:
        The table, in percent.
    """
    yield line("deviation between seeds", [f"{seeds} seeds" for seeds in SEEDS])
    yield "|---" * (1 + len(SEEDS)) + "|"
    for name, networks in NETWORKS.items():
        found = [false_alarms(replications(rng, studies, seeds, 0.0, networks, rows)) for seeds in SEEDS]
        yield line(name, [f"{100 * alarms:.1f}" for alarms in found])


def _runs(rng: np.random.Generator, shape: tuple[int, ...], networks: Networks) -> Array:
    """Means of runs around the networks' own, [2, …]."""
    luck = rng.normal(size=(2, *shape))
    luck[1] = networks.shared * luck[0] + (1 - networks.shared**2) ** 0.5 * luck[1]
    runs: Array = luck * np.reshape([networks.base, networks.other], (2, *[1] * len(shape)))
    return runs


def _judged(base: Array, other: Array, published: Array) -> Study:
    """A table: [rows, seeds] of both networks, and [rows] published."""
    table = [Pairs(one[:, None], two[:, None], (), (), ()) for one, two in zip(base, other, strict=True)]
    p = statistics.holm([statistics.seed_interval(row.differences).p or 0.0 for row in table])
    found = [shown(row, float(holm), len(table), Settings()) for row, holm in zip(table, p, strict=True)]
    return tuple(
        Judged(float(gap), judge(one, gap).verdict)
        for one, gap in zip(found, published, strict=True)
        if one is not None
    )


def main() -> None:
    """Write the three tables to standard output."""
    rng = np.random.default_rng(SEED)
    for table in (agreement_table(rng, 2000), verdict_table(rng, 2000), alarm_table(rng, 600)):
        for text in table:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
