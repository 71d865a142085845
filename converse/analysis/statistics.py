r"""Statistics of paired differences, each with the claim that it supports.

All functions take differences d_ij = other − base of one metric, seed i = 1 … a by image j = 1 … b, [seeds, images].
Both networks of a pair are trained with the same seed and measured on the same image. Seeds and images are *crossed*:
every seed meets every image, so that d_ij = μ + S_i + I_j + R_ij with one observation per cell. The a·b cells are
therefore not a·b independent observations, and no function here treats them as such.

Values must be finite; :mod:`converse.analysis.pairing` makes complete blocks out of what was measured. Spreads below
1e-12 are round-off and count as none; then every interval and test is the limit of its formula: the interval is a
point, p is 0, or 1 where the difference is none either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from converse.counted import counted
from converse.errors import OptionError

Array = npt.NDArray[np.float64]

THESE_IMAGES: Final = "for these test images"
LIKE_THESE: Final = "for seeds and images like these"
THESE_NETWORKS: Final = "given these trained networks"

BOOTSTRAP_MINIMUM: Final = 10
"""Seeds, and images, that a bootstrap must have to draw from."""

EQUIVALENCE_BOUND: Final = 0.02
"""dB: differences below are of no practical importance."""

LEVEL: Final = 0.95
"""Of intervals; tests are two-sided at 1 − 0.95."""

_NO_SPREAD = 1e-12
_SMALLEST_P = 1e-12
_EXACT_FLIPS = 12


@dataclass(frozen=True)
class Interval:
    """What differences say about a mean, and for which claim.

    Attributes:
        difference: the mean over all seeds and images, in units of the metric.
        low: lower end; ``None`` where nothing can be claimed.
        high: upper end; ``None`` where nothing can be claimed.
        df: degrees of freedom; ``None`` where the interval does not rest on one t distribution.
        p: two-sided, of "the mean is 0"; ``None`` where the method has none.
        claim: what the interval is for.
        reason: why there is no interval, or what is odd about it; ``None`` otherwise.
    """

    difference: float
    low: float | None
    high: float | None
    df: float | None
    p: float | None
    claim: str
    reason: str | None = None


@dataclass(frozen=True)
class ImageTest:
    """A test of "no difference" over the images of one pair of trained networks.

    Attributes:
        p: two-sided.
        claim: what a rejection says something about.
        images: that the test has seen.
    """

    p: float
    claim: str
    images: int


@dataclass(frozen=True)
class Spreads:
    """Where differences vary, in units of the metric; ``None`` where one seed or one image can't show it.

    Attributes:
        seed_deviation: sample standard deviation of the per-seed mean differences.
        image_error: standard error of the mean over images: the sample standard deviation of the per-image mean
            differences over √images.
        seed: estimated standard deviation of S_i, freed of the residual's part (0 where that estimate is negative).
        image: estimated standard deviation of I_j, freed of the residual's part (0 where that estimate is negative).
        residual: estimated standard deviation of R_ij.
    """

    seed_deviation: float | None
    image_error: float | None
    seed: float | None
    image: float | None
    residual: float | None


def seed_interval(differences: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """The primary interval: Student's t on the per-seed mean differences.

    Its claim is about the mean difference of networks trained with other seeds, for these test images.

    Args:
        differences: [seeds, images], finite.
        level: of confidence, in (0, 1).

    Returns:
        mean ± t(seeds − 1) · deviation / √seeds. One seed gives no interval, and the reason. Where all seeds give the
        same mean difference, the interval is that point, and a reason says so.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
        OptionError: the level is not in (0, 1).
    """
    means = _block(differences).mean(axis=1)
    tail = _tail(level)
    a = len(means)
    mean = float(means.mean())
    if a < 2:
        return Interval(mean, None, None, None, None, THESE_IMAGES, "one seed: no claim about seeds")
    deviation = float(means.std(ddof=1))
    if deviation <= _NO_SPREAD:
        return _point(mean, a - 1, THESE_IMAGES, f"no spread: all {counted(a, 'seed')} give the same mean difference")
    error = deviation / math.sqrt(a)
    half = error * _quantile(a - 1, tail)
    p = 2 * float(special.stdtr(a - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, a - 1, p, THESE_IMAGES)


def crossed_interval(differences: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """A two-way random-effects interval, for seeds and images like these.

    With the mean squares of the analysis of variance, E[MS_S] = σ_R² + b σ_S² and E[MS_I] = σ_R² + a σ_I², the variance
    of the grand mean, σ_S²/a + σ_I²/b + σ_R²/(ab), is at most E[MS_S + MS_I] / (ab). The half-width is

        √((t²(a − 1) · MS_S + t²(b − 1) · MS_I) / (ab)),

    each mean square with the quantile of its own degrees of freedom (Banerjee 1960). It covers with at least the level,
    whatever the three variances are, because the distribution function of χ²(1) is concave; it covers with exactly the
    level where one of seeds and images has all the spread. Satterthwaite's single number of degrees of freedom is
    narrower, and covers less than it promises with few seeds: docs/statistics.md has the simulation.

    Args:
        differences: [seeds, images], finite.
        level: of confidence, in (0, 1).

    Returns:
        The interval; ``p`` is 1 less the level at which it would touch 0, at least 1e-12. One seed or one image gives
        no interval, and the reason.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
        OptionError: the level is not in (0, 1).
    """
    block = _block(differences)
    tail = _tail(level)
    a, b = block.shape
    mean = float(block.mean())
    if a < 2 or b < 2:
        alone = "one seed: no claim about seeds" if a < 2 else "one image: no claim about images"
        return Interval(mean, None, None, None, None, LIKE_THESE, alone)
    seed, image, _ = mean_squares(block)
    if max(seed, image) <= _NO_SPREAD**2:
        return _point(mean, None, LIKE_THESE, "no spread: neither seeds nor images differ")

    def half(one_tail: float) -> float:
        wide = _quantile(a - 1, one_tail) ** 2 * seed + _quantile(b - 1, one_tail) ** 2 * image
        return math.sqrt(wide / (a * b))

    def beyond(log_p: float) -> float:
        return half(math.exp(log_p) / 2) - abs(mean)

    smallest = math.log(_SMALLEST_P)
    p = _SMALLEST_P if beyond(smallest) < 0 else math.exp(optimize.brentq(beyond, smallest, 0.0))
    return Interval(mean, mean - half(tail), mean + half(tail), None, p, LIKE_THESE)


def prediction_interval(
    base: npt.ArrayLike, other: npt.ArrayLike, level: float = LEVEL, rounding: float = 0.0
) -> tuple[float, float] | None:
    """Where the difference of two single runs falls that someone else has trained, for these test images.

    Their runs need not share a seed, so that a single run's difference has the deviation s = √(s_base² + s_other²) of
    unpaired runs. Around the mean difference of n seeds it falls within ± t · s · √(1 + 1/n). The degrees of freedom
    are Welch's (*Biometrika* 29, 1938), (n + 1) · s⁴ / (s_base⁴ + s_other⁴) − 2, at most 2(n − 1): nearly unbiased,
    where Satterthwaite's are too few with few seeds.

    Args:
        base: values of the base, [seeds, images], finite.
        other: values of the other, in the same cells.
        level: of confidence, in (0, 1).
        rounding: by how much the other's difference may be off, ≥ 0; it is added to both sides.

    Returns:
        Lower and upper end, in units of the metric; ``None`` with one seed.

    Raises:
        ValueError: an array is not [seeds, images] with a finite value in every cell, or their shapes differ.
        OptionError: the level is not in (0, 1).
    """
    ours, theirs = _block(base), _block(other)
    if ours.shape != theirs.shape:
        raise ValueError(f"base and other must have the same seeds and images, got shapes {ours.shape}, {theirs.shape}")
    tail, n = _tail(level), len(ours)
    mean = float((theirs - ours).mean())
    if n < 2:
        return None
    variances = np.var([ours.mean(axis=1), theirs.mean(axis=1)], axis=1, ddof=1)
    square = float(variances.sum())
    if square <= _NO_SPREAD**2:
        return mean - rounding, mean + rounding
    df = min((n + 1) * square**2 / float((variances**2).sum()) - 2, 2 * (n - 1))
    half = _quantile(df, tail) * math.sqrt(square * (1 + 1 / n)) + rounding
    return mean - half, mean + half


def bootstrap_interval(
    differences: npt.ArrayLike, rng: np.random.Generator, level: float = LEVEL, resamples: int = 4999
) -> Interval:
    """A bootstrap that draws seeds and images jointly, for seeds and images like these.

    Each resample draws whole seeds and, for all of them, whole images, with replacement (the pigeonhole bootstrap: Owen
    2007). Percentiles of few draws are too narrow; they are moved outwards to Φ(∓√(n/(n − 1)) · t(n − 1)), n being the
    smaller of seeds and images (Hesterberg 2015).

    Args:
        differences: [seeds, images], finite.
        rng: of the draws.
        level: of confidence, in (0, 1).
        resamples: how many.

    Returns:
        The interval; ``p`` is 1 less the level at which it would touch 0, no smaller than the number of draws can tell.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
        OptionError: fewer than 10 seeds or images, or the level is not in (0, 1).
    """
    block = _block(differences)
    tail = _tail(level)
    for have, what in zip(block.shape, ("seeds", "images"), strict=True):
        if have < BOOTSTRAP_MINIMUM:
            raise OptionError(
                f"a bootstrap needs at least {BOOTSTRAP_MINIMUM} {what}, got {have}: drawing anew from so few does not "
                "show their spread, and the interval would be too narrow; use the crossed interval"
            )
    a, b = block.shape
    n = min(a, b)
    # How often each seed and each image is drawn: multinomial counts are the same thing as indices, in one product.
    seeds = rng.multinomial(a, np.full(a, 1 / a), size=resamples) / a
    images = rng.multinomial(b, np.full(b, 1 / b), size=resamples) / b
    means = np.einsum("ri,ri->r", seeds @ block, images)
    wider = math.sqrt(n / (n - 1))
    outer = float(special.ndtr(-wider * _quantile(n - 1, tail)))
    low, high = np.quantile(means, [outer, 1 - outer])
    beyond = (min((means <= 0).sum(), (means >= 0).sum()) + 1) / (resamples + 1)
    p = min(2 * float(special.stdtr(n - 1, special.ndtri(beyond) / wider)), 1.0)
    return Interval(float(block.mean()), float(low), float(high), None, p, LIKE_THESE)


def equivalence(differences: npt.ArrayLike, bound: float = EQUIVALENCE_BOUND) -> float | None:
    """Two one-sided t tests of "the mean difference is as large as the bound", on the per-seed mean differences.

    The claim is the primary interval's: for these test images. Equivalence at 5 % is the same as the 90 % interval
    lying inside ± bound (Schuirmann 1987).

    Args:
        differences: [seeds, images], finite.
        bound: > 0, in units of the metric.

    Returns:
        The larger p of the two; small means that no practical difference is left. ``None`` with one seed. Without
        spread 0 inside the bound and 1 on or outside of it.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
        OptionError: the bound is not above 0.
    """
    means = _block(differences).mean(axis=1)
    if not bound > 0:
        raise OptionError(f"the bound of equivalence must be above 0, got {bound}")
    if len(means) < 2:
        return None
    margin = bound - abs(float(means.mean()))
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    if error <= _NO_SPREAD:
        return 0.0 if margin > _NO_SPREAD else 1.0
    return float(special.stdtr(len(means) - 1, -margin / error))


def spreads(differences: npt.ArrayLike) -> Spreads:
    """Seed deviation and image standard error, apart, and the variance components behind them.

    Args:
        differences: [seeds, images], finite.

    Returns:
        The spreads; the components by the analysis of variance: (MS_S − MS_R)/b, (MS_I − MS_R)/a and MS_R.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
    """
    block = _block(differences)
    a, b = block.shape
    deviation = float(block.mean(axis=1).std(ddof=1)) if a > 1 else None
    error = float(block.mean(axis=0).std(ddof=1)) / math.sqrt(b) if b > 1 else None
    if a < 2 or b < 2:
        return Spreads(deviation, error, None, None, None)
    seed, image, residual = mean_squares(block)
    return Spreads(
        deviation,
        error,
        math.sqrt(max(seed - residual, 0) / b),
        math.sqrt(max(image - residual, 0) / a),
        math.sqrt(residual),
    )


def mean_squares(differences: npt.ArrayLike) -> tuple[float, float, float]:
    """The mean squares of the two-way analysis of variance with one observation per cell.

    Args:
        differences: [seeds, images], finite, at least two of each.

    Returns:
        Of seeds, of images and of the residual, with a − 1, b − 1 and (a − 1)(b − 1) degrees of freedom.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
    """
    block = _block(differences)
    a, b = block.shape
    mean = block.mean()
    by_seed, by_image = block.mean(axis=1) - mean, block.mean(axis=0) - mean
    residual = block - mean - by_seed[:, None] - by_image
    return (
        float(b * (by_seed**2).sum() / (a - 1)),
        float(a * (by_image**2).sum() / (b - 1)),
        float((residual**2).sum() / ((a - 1) * (b - 1))),
    )


def effect_size(differences: npt.ArrayLike) -> float | None:
    """Cohen's d_z: the mean of the per-seed mean differences over their sample standard deviation.

    It is in units of the spread between seeds, so that d_z = 1 is a difference as large as a seed's luck. It is not
    corrected for few seeds, and not comparable with a d that divides by the spread over images.

    Args:
        differences: [seeds, images], finite.

    Returns:
        d_z; ``None`` with one seed or without spread.

    Raises:
        ValueError: the array is not [seeds, images] with a finite value in every cell.
    """
    means = _block(differences).mean(axis=1)
    if len(means) < 2:
        return None
    deviation = float(means.std(ddof=1))
    return None if deviation <= _NO_SPREAD else float(means.mean()) / deviation


def wilcoxon(differences: npt.ArrayLike) -> ImageTest:
    """Wilcoxon's signed-rank test over the images of one pair of trained networks.

    Its claim is given these trained networks: what other seeds would give, it does not know. It takes one seed, so that
    seeds can't be pooled. SciPy computes it; differences of 0 are ranked and then dropped (Pratt 1959).

    Args:
        differences: [images] of one seed, finite.

    Returns:
        The test; p is 1 where all differences are 0. With 5 images p can't be below 0.0625.

    Raises:
        ValueError: the array is not [images] with finite values.
    """
    vector = _vector(differences)
    if not (np.abs(vector) > _NO_SPREAD).any():
        return ImageTest(1.0, THESE_NETWORKS, len(vector))
    vector = np.where(np.abs(vector) > _NO_SPREAD, vector, 0.0)
    return ImageTest(float(stats.wilcoxon(vector, zero_method="pratt").pvalue), THESE_NETWORKS, len(vector))


def sign_flips(differences: npt.ArrayLike, rng: np.random.Generator | None = None, resamples: int = 9999) -> ImageTest:
    """A permutation test of the mean over the images of one pair of trained networks.

    If the two networks are exchangeable, each difference may as well have the other sign. All 2^images ways up to 12
    images, a random choice of them and the observed one beyond. It takes one seed, so that seeds can't be pooled.

    Args:
        differences: [images] of one seed, finite.
        rng: of the random choice; ``None`` for a generator with seed 0, so that the same data give the same p.
        resamples: how many are drawn where not all are taken.

    Returns:
        The test; p is the share of means at least as large as the observed one in size.

    Raises:
        ValueError: the array is not [images] with finite values.
    """
    vector = _vector(differences)
    n = len(vector)
    if n <= _EXACT_FLIPS:
        signs = _all_signs(n)
    else:
        rng = np.random.default_rng(0) if rng is None else rng
        signs = np.vstack([np.ones(n), rng.integers(0, 2, size=(resamples, n)) * 2.0 - 1])
    sums = np.abs(signs @ vector)
    # The observed sum itself must count, whatever the order of summation did to its last digit.
    return ImageTest(float(np.mean(sums >= abs(vector.sum()) - _NO_SPREAD * n)), THESE_NETWORKS, n)


def holm(p: npt.ArrayLike) -> Array:
    """Holm's adjusted p values: the family's error rate is kept, whatever the dependence (Holm 1979).

    Args:
        p: [tests], in [0, 1]; NaN for a test that could not be made, which is not counted.

    Returns:
        [tests], in [0, 1]; NaN where NaN came.

    Raises:
        ValueError: the array is not one of probabilities.
    """
    values = np.asarray(p, dtype=np.float64)
    made = ~np.isnan(values)
    if values.ndim != 1 or not ((values[made] >= 0) & (values[made] <= 1)).all():
        raise ValueError(f"p must be [tests] in [0, 1] or NaN, got {values}")
    adjusted = np.full(len(values), np.nan)
    order = np.flatnonzero(made)[np.argsort(values[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1) if len(order) else []
    return adjusted


def _block(differences: npt.ArrayLike) -> Array:
    block = np.asarray(differences, dtype=np.float64)
    if block.ndim != 2 or 0 in block.shape:
        raise ValueError(f"differences must be [seeds, images], at least one of each, got shape {block.shape}")
    return _finite(block)


def _vector(differences: npt.ArrayLike) -> Array:
    vector = np.asarray(differences, dtype=np.float64)
    if vector.ndim != 1 or not len(vector):
        raise ValueError(
            f"differences must be the [images] of one seed, got shape {vector.shape}: images of several seeds are not "
            "independent, so call once for each seed"
        )
    return _finite(vector)


def _finite(values: Array) -> Array:
    if strange := int((~np.isfinite(values)).sum()):
        raise ValueError(f"differences must be finite, got {strange} of {values.size} that are NaN or infinite")
    return values


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise OptionError(f"the level must be in (0, 1), got {level}")
    return (1 - level) / 2


def _point(mean: float, df: float | None, claim: str, reason: str) -> Interval:
    return Interval(mean, mean, mean, df, float(abs(mean) <= _NO_SPREAD), claim, reason)


def _quantile(df: float, tail: float) -> float:
    """Student's t that is exceeded with probability ``tail``."""
    return -float(special.stdtrit(df, tail))


@lru_cache(maxsize=_EXACT_FLIPS + 1)
def _all_signs(n: int) -> Array:
    """Every choice of signs, [2^n, n]."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.where(bits == 1, 1.0, -1.0).astype(np.float64)
