"""Whether the statistics keep what they promise: crossed seeds × images with known spreads, drawn many times.

``python benchmarks/statistics/interval_coverage.py`` writes the tables of intervals and tests in docs/statistics.md.
Three numbers after it, the standard deviations of seed, image and residual in dB, replace the spreads of the cautionary
example.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special, stats

from converse.analysis import statistics
from converse.analysis.statistics import Array, ImageTest, Interval

SEED: Final = 20251
SEEDS: Final = (3, 5, 10)
IMAGES: Final = (12, 68)
"""As many as Set12 and BSD68 have."""


@dataclass(frozen=True)
class Truth:
    """Standard deviations of the parts of a difference, in dB.

    Attributes:
        seed: of S_i.
        image: of I_j.
        residual: of R_ij.
    """

    seed: float
    image: float
    residual: float


TRUTHS: Final = {
    "alike": Truth(0.03, 0.04, 0.03),
    "images dominate": Truth(0.005, 0.06, 0.03),
    "seeds dominate": Truth(0.05, 0.01, 0.01),
    "seeds weigh as much as images": Truth(0.03, 0.06, 0.0),
    "residual alone": Truth(0.0, 0.0, 0.05),
}
"""What the coverage of intervals is tried on."""

EXAMPLES: Final = (Truth(0.015, 0.04, 0.03), Truth(0.03, 0.04, 0.03))
"""What the naive pooled test is tried on."""


def draw(
    rng: np.random.Generator,
    replications: int,
    seeds: int,
    images: int,
    truth: Truth,
    *,
    mean: float = 0.0,
    these_images: bool = False,
) -> Array:
    """Differences of many imagined experiments.

    Args:
        rng: of the draws.
        replications: how many experiments.
        seeds: of each.
        images: of each.
        truth: the spreads.
        mean: the true mean difference: over seeds and images, or over seeds for the images drawn.
        these_images: whether ``mean`` is that of the images drawn, as it is for a claim about these test images.

    Returns:
        [replications, seeds, images], in dB.
    """
    of_seeds = rng.normal(0, truth.seed, (replications, seeds, 1))
    of_images = rng.normal(0, truth.image, (replications, 1, images))
    if these_images:
        of_images -= of_images.mean(axis=2, keepdims=True)
    return mean + of_seeds + of_images + rng.normal(0, truth.residual, (replications, seeds, images))


def coverage(experiments: Array, method: Callable[[Array], Interval], mean: float = 0.0) -> float:
    """The share of experiments whose interval covers the true mean.

    Args:
        experiments: [replications, seeds, images].
        method: makes the interval from [seeds, images].
        mean: the true one.

    Returns:
        A share in [0, 1].
    """
    found = [method(experiment) for experiment in experiments]
    return float(np.mean([i.low is not None and i.high is not None and i.low <= mean <= i.high for i in found]))


def alarms(samples: Array, test: Callable[[Array], ImageTest | Interval | float | None]) -> float:
    """The share of samples in which a test at 5 % rejects what is true.

    Args:
        samples: [replications, …].
        test: a p value, or what has one, for each.

    Returns:
        A share in [0, 1].
    """
    found = [test(sample) for sample in samples]
    p = [one.p if isinstance(one, ImageTest | Interval) else one for one in found]
    return float(np.mean([value is not None and value <= 0.05 for value in p]))


def pooled_t(experiments: Array) -> float:
    """False alarms of the naive t test, which takes all seeds × images for independent. Don't use it.

    Args:
        experiments: [replications, seeds, images] without a true difference.

    Returns:
        The share of p ≤ 0.05.
    """
    cells = experiments.reshape(len(experiments), -1)
    return float(np.mean(stats.ttest_1samp(cells, 0, axis=1).pvalue <= 0.05))


def pooled_wilcoxon(experiments: Array) -> float:
    """False alarms of the naive Wilcoxon test over all seeds × images. Don't use it.

    Args:
        experiments: [replications, seeds, images] without a true difference.

    Returns:
        The share of p ≤ 0.05.
    """
    cells = experiments.reshape(len(experiments), -1)
    return float(np.mean(stats.wilcoxon(cells, axis=1).pvalue <= 0.05))


def satterthwaite(differences: Array) -> Interval:
    """The interval that :func:`converse.analysis.statistics.crossed_interval` is not, to be held against it.

    The unbiased variance (MS_S + MS_I − MS_R)/(ab), at least MS_R/(ab), with Satterthwaite's degrees of freedom.

    Args:
        differences: [seeds, images].

    Returns:
        The interval, without ``p``.
    """
    a, b = differences.shape
    squares = np.array(statistics.mean_squares(differences))
    parts = squares * (1, 1, -1)
    dfs = np.array([a - 1, b - 1, (a - 1) * (b - 1)])
    variance = max(parts.sum(), squares[2])
    df = float(max(variance**2 / (squares**2 / dfs).sum(), 1))
    mean = float(differences.mean())
    half = -float(special.stdtrit(df, 0.025)) * float(variance / (a * b)) ** 0.5
    return Interval(mean, mean - half, mean + half, df, None, statistics.LIKE_THESE)


def coverage_table(rng: np.random.Generator, replications: int) -> str:
    """Coverage of every interval under its own claim, in Markdown: the least and the most over :data:`TRUTHS`.

    Args:
        rng: of the draws.
        replications: for each cell and truth; a fifth of it for the bootstrap.

    Returns:
        The table, in percent.
    """
    lines = [
        "| seeds × images | t over seeds | crossed | Satterthwaite (not used) | bootstrap |",
        "|---|---|---|---|---|",
    ]
    for seeds in SEEDS:
        for images in IMAGES:
            found: dict[str, list[float]] = {"t": [], "crossed": [], "satterthwaite": [], "bootstrap": []}
            for truth in TRUTHS.values():
                fixed = draw(rng, replications, seeds, images, truth, these_images=True)
                free = draw(rng, replications, seeds, images, truth)
                found["t"].append(coverage(fixed, statistics.seed_interval))
                found["crossed"].append(coverage(free, statistics.crossed_interval))
                found["satterthwaite"].append(coverage(free, satterthwaite))
                if min(seeds, images) >= statistics.BOOTSTRAP_MINIMUM:
                    few = free[: replications // 5]
                    found["bootstrap"].append(
                        coverage(few, lambda d: statistics.bootstrap_interval(d, rng, resamples=1999))
                    )
            lines.append(line(f"{seeds} × {images}", [_range(shares) for shares in found.values()]))
    return "\n".join(lines)


def alarm_table(rng: np.random.Generator, replications: int) -> str:
    """False alarms of every test at 5 % under its own claim, in Markdown: the least and the most over :data:`TRUTHS`.

    Args:
        rng: of the draws.
        replications: for each cell and truth; a fifth of it for the tests on images.

    Returns:
        The table, in percent.
    """
    lines = [
        "| seeds × images | t over seeds | crossed | equivalence at the bound | Wilcoxon | sign flips |",
        "|---|---|---|---|---|---|",
    ]
    bound = statistics.EQUIVALENCE_BOUND
    for seeds in SEEDS:
        for images in IMAGES:
            found: list[list[float]] = [[], [], [], [], []]
            for truth in TRUTHS.values():
                fixed = draw(rng, replications, seeds, images, truth, these_images=True)
                found[0].append(alarms(fixed, statistics.seed_interval))
                found[1].append(alarms(draw(rng, replications, seeds, images, truth), statistics.crossed_interval))
                found[2].append(alarms(fixed + bound, statistics.equivalence))
                # Given the networks, the seed's part is theirs and no accident: without a difference it is 0.
                networks = Truth(0.0, truth.image, truth.residual)
                one = draw(rng, replications // 5, 1, images, networks)[:, 0]
                found[3].append(alarms(one, statistics.wilcoxon))
                found[4].append(alarms(one, lambda d: statistics.sign_flips(d, rng, resamples=999)))
            lines.append(line(f"{seeds} × {images}", [_range(shares) for shares in found]))
    return "\n".join(lines)


def pooled_table(rng: np.random.Generator, replications: int, truths: Sequence[Truth] = EXAMPLES) -> str:
    """False alarms of the naive pooled tests at 5 %, beside the t test over seeds, in Markdown.

    Args:
        rng: of the draws.
        replications: for each line.
        truths: the spreads.

    Returns:
        The table, in percent. The true mean difference over seeds, for the images drawn, is 0.
    """
    lines = [
        "| σ seed, image, residual (dB) | seeds × images | pooled t | pooled Wilcoxon | t over seeds |",
        "|---|---|---|---|---|",
    ]
    for truth in truths:
        for seeds in SEEDS:
            for images in IMAGES:
                drawn = draw(rng, replications, seeds, images, truth, these_images=True)
                shares = (pooled_t(drawn), pooled_wilcoxon(drawn), alarms(drawn, statistics.seed_interval))
                spread = f"{truth.seed:g}, {truth.image:g}, {truth.residual:g}"
                lines.append(line(spread, [f"{seeds} × {images}", *(f"{100 * share:.0f}" for share in shares)]))
    return "\n".join(lines)


def _range(shares: Sequence[float]) -> str:
    return f"{100 * min(shares):.1f} to {100 * max(shares):.1f}" if shares else "refused"


def line(first: str, cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join([first, *cells])} |"


def main(arguments: Sequence[str]) -> None:
    """Write the three tables to standard output.

    Args:
        arguments: none, or three standard deviations in dB for the cautionary example.
    """
    rng = np.random.default_rng(SEED)
    truths = [Truth(*map(float, arguments))] if arguments else EXAMPLES
    for table in (
        coverage_table(rng, 4000),
        alarm_table(rng, 4000),
        pooled_table(rng, 2000, truths),
    ):
        sys.stdout.write(table + "\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
