"""Statistics against SciPy, cases computed by hand, and simulated experiments whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import interval_coverage
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from interval_coverage import TRUTHS, Truth, alarms, coverage, draw
from scipy import stats

from converse.analysis.statistics import (
    LIKE_THESE,
    THESE_IMAGES,
    THESE_NETWORKS,
    Array,
    ImageTest,
    Interval,
    bootstrap_interval,
    crossed_interval,
    effect_size,
    equivalence,
    holm,
    mean_squares,
    prediction_interval,
    seed_interval,
    sign_flips,
    spreads,
    wilcoxon,
)
from converse.errors import OptionError

BLOCKS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(-5, 5).map(lambda value: round(value, 3)),
)
SIZES = [pytest.param(seeds, images, id=f"{seeds}x{images}") for seeds in (3, 5, 10) for images in (12, 68)]
TRUTH = [pytest.param(truth, id=name.replace(" ", "-")) for name, truth in TRUTHS.items()]


def error(replications: int, share: float) -> float:
    """3.5 standard errors of a simulated share: one in two thousand such bounds is broken by chance."""
    return 3.5 * math.sqrt(share * (1 - share) / replications)


def ends(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


# By hand: the per-seed means are 2, 4, 6, so the mean is 4, the deviation 2, t(2) = 4.302653.
STEPS = np.array([[1.0, 3.0], [3.0, 5.0], [5.0, 7.0]])
# By hand: MS of seeds 9, of images 9, of the residual 1.
SQUARE = np.array([[0.0, 2.0], [2.0, 6.0]])


def test_the_primary_interval_by_hand() -> None:
    interval = seed_interval(STEPS)
    assert (interval.difference, interval.df, interval.claim, interval.reason) == (4.0, 2, THESE_IMAGES, None)
    assert ends(interval) == pytest.approx((4 - 4.968275, 4 + 4.968275), abs=1e-5)


@given(block=BLOCKS)
def test_the_primary_interval_is_scipys(block: Array) -> None:
    means = block.mean(axis=1)
    if means.std(ddof=1) < 1e-6:
        return
    expected = stats.ttest_1samp(means, 0)
    interval = seed_interval(block, 0.9)
    assert interval.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert ends(interval) == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-9, abs=1e-9)


def test_mean_squares_by_hand() -> None:
    assert mean_squares(SQUARE) == pytest.approx((9, 9, 1))


def test_the_crossed_interval_by_hand() -> None:
    # t(1) = 12.7062 for both: √(12.7062² · (9 + 9) / 4)
    interval = crossed_interval(SQUARE)
    assert ends(interval) == pytest.approx((2.5 - 26.9539, 2.5 + 26.9539), abs=1e-3)
    assert (interval.claim, interval.df) == (LIKE_THESE, None)


@given(block=BLOCKS)
def test_p_of_the_crossed_interval_is_the_level_at_which_it_touches_0(block: Array) -> None:
    p = crossed_interval(block).p
    assert p is not None
    if 1e-6 < p < 1 - 1e-6:
        low, high = ends(crossed_interval(block, 1 - p))
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6 * (high - low))


def test_where_one_direction_has_all_the_spread_the_crossed_interval_is_students() -> None:
    seeds = np.repeat([[0.1], [0.3], [0.2]], 4, axis=1)
    assert ends(crossed_interval(seeds)) == pytest.approx(ends(seed_interval(seeds)))
    assert ends(crossed_interval(seeds.T)) == pytest.approx(ends(seed_interval(seeds)))


@given(block=BLOCKS)
def test_turning_signs_turns_intervals(block: Array) -> None:
    for method in (seed_interval, crossed_interval):
        low, high = ends(method(block))
        assert ends(method(-block)) == pytest.approx((-high, -low))


@pytest.mark.parametrize("truth", TRUTH)
@pytest.mark.parametrize(("seeds", "images"), SIZES)
def test_coverage_over_seeds_for_these_images(seeds: int, images: int, truth: Truth) -> None:
    drawn = draw(np.random.default_rng(1), 1500, seeds, images, truth, mean=0.3, these_images=True)
    assert coverage(drawn, seed_interval, 0.3) == pytest.approx(0.95, abs=error(1500, 0.95))
    assert alarms(drawn - 0.3, seed_interval) == pytest.approx(0.05, abs=error(1500, 0.05))


@pytest.mark.parametrize("truth", TRUTH)
@pytest.mark.parametrize(("seeds", "images"), SIZES)
def test_coverage_for_seeds_and_images_like_these(seeds: int, images: int, truth: Truth) -> None:
    drawn = draw(np.random.default_rng(2), 1000, seeds, images, truth, mean=-0.1)
    assert coverage(drawn, crossed_interval, -0.1) >= 0.95 - error(1000, 0.95)
    assert alarms(drawn[:500] + 0.1, crossed_interval) <= 0.05 + error(500, 0.05)


def test_satterthwaite_would_cover_less_than_it_says() -> None:
    drawn = draw(np.random.default_rng(3), 4000, 3, 68, TRUTHS["alike"])
    assert coverage(drawn, interval_coverage.satterthwaite) < 0.95 - error(4000, 0.95)


def test_the_crossed_interval_is_not_wider_than_it_must_be() -> None:
    drawn = draw(np.random.default_rng(3), 2000, 3, 68, Truth(0.0, 0.06, 0.0))
    assert coverage(drawn, crossed_interval) == pytest.approx(0.95, abs=error(2000, 0.95))


@pytest.mark.parametrize(("images", "truth"), [*((12, truth) for truth in TRUTHS.values()), (68, TRUTHS["alike"])])
def test_coverage_of_the_bootstrap(images: int, truth: Truth) -> None:
    rng = np.random.default_rng(4)
    drawn = draw(rng, 250, 10, images, truth)
    assert coverage(drawn, lambda d: bootstrap_interval(d, rng, resamples=999)) >= 0.95 - error(250, 0.95)


def test_the_bootstrap_draws_whole_seeds_and_whole_images() -> None:
    # Its variance is the pigeonhole bootstrap's, known in closed form where the residual is 0 (Owen 2007).
    rng = np.random.default_rng(5)
    block = rng.normal(size=(12, 1)) + rng.normal(size=(1, 15))
    low, high = ends(bootstrap_interval(block, rng, level=0.6, resamples=40_000))
    variance = block.mean(axis=1).var() / 12 + block.mean(axis=0).var() / 15
    quantile = math.sqrt(12 / 11) * stats.t.ppf(0.8, 11)
    assert high - low == pytest.approx(2 * quantile * math.sqrt(variance), rel=0.05)  # percentiles are not quite normal


@pytest.mark.parametrize(("shape", "what"), [((9, 12), "10 seeds, got 9"), ((10, 5), "10 images, got 5")])
def test_a_bootstrap_of_few_is_refused(shape: tuple[int, int], what: str) -> None:
    with pytest.raises(OptionError, match=f"{what}: .* too narrow; use the crossed interval"):
        bootstrap_interval(np.zeros(shape), np.random.default_rng(0))


@given(block=BLOCKS, bound=st.floats(0.01, 3))
def test_equivalence_is_two_of_scipys_one_sided_tests(block: Array, bound: float) -> None:
    means = block.mean(axis=1)
    if means.std(ddof=1) < 1e-6:
        return
    above = stats.ttest_1samp(means, -bound, alternative="greater").pvalue
    below = stats.ttest_1samp(means, bound, alternative="less").pvalue
    assert equivalence(block, bound) == pytest.approx(max(above, below), rel=1e-9)


@given(block=BLOCKS, bound=st.floats(0.01, 3))
def test_equivalence_is_the_90_percent_interval_inside_the_bound(block: Array, bound: float) -> None:
    low, high = ends(seed_interval(block, 0.9))
    inside = -bound < low and high < bound
    p = equivalence(block, bound)
    assert p is not None
    assert inside == (p <= 0.05) or min(abs(low + bound), abs(high - bound)) < 1e-9


@pytest.mark.parametrize("truth", TRUTH)
@pytest.mark.parametrize(("seeds", "images"), SIZES)
def test_false_equivalence(seeds: int, images: int, truth: Truth) -> None:
    drawn = draw(np.random.default_rng(6), 1000, seeds, images, truth, mean=0.02, these_images=True)
    assert alarms(drawn, equivalence) <= 0.05 + error(1000, 0.05)


@pytest.mark.parametrize("images", [5, 12, 68])
@pytest.mark.parametrize("test", [wilcoxon, lambda d: sign_flips(d, resamples=199)], ids=["wilcoxon", "sign-flips"])
def test_false_alarms_of_tests_over_images(test: Callable[[Array], ImageTest], images: int) -> None:
    one = draw(np.random.default_rng(7), 600, 1, images, Truth(0.0, 0.04, 0.03))[:, 0]
    assert alarms(one, test) <= 0.05 + error(600, 0.05)


def test_the_naive_pooled_test_raises_false_alarms_where_the_primary_one_does_not() -> None:
    drawn = draw(np.random.default_rng(8), 1000, 5, 12, Truth(0.03, 0.04, 0.03), these_images=True)
    assert 0.25 < interval_coverage.pooled_t(drawn) < 0.5
    assert 0.25 < interval_coverage.pooled_wilcoxon(drawn) < 0.5
    assert alarms(drawn, seed_interval) <= 0.05 + error(1000, 0.05)


def test_sign_flips_are_scipys() -> None:
    vector = np.random.default_rng(9).normal(0.4, 1, 9)
    expected = stats.permutation_test((vector,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(vector).p == pytest.approx(expected.pvalue)


def test_sign_flips_by_hand() -> None:
    # 2³ ways; only +++ and −−− reach |sum| = 7.
    assert sign_flips([1.0, 2.0, 4.0]).p == 2 / 8
    assert sign_flips([1.0, -2.0, 4.0]).p == 6 / 8  # sums 7, 5, 3 reach 3; 1 does not


def test_sign_flips_of_many_images_repeat_themselves() -> None:
    vector = np.random.default_rng(9).normal(0.2, 1, 68)
    assert sign_flips(vector) == sign_flips(vector)
    assert sign_flips(vector).p == pytest.approx(stats.ttest_1samp(vector, 0).pvalue, abs=0.02)


def test_wilcoxon_by_hand() -> None:
    # All 5 positive: 2 of the 2⁵ ways are as far out.
    test = wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (test.p, test.claim, test.images) == (0.0625, THESE_NETWORKS, 5)


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
def test_seeds_cannot_be_pooled(test: Callable[[Array], object]) -> None:
    with pytest.raises(ValueError, match=r"\[images\] of one seed, got shape \(3, 2\): .* call once for each seed"):
        test(STEPS)


def test_spreads_by_hand() -> None:
    found = spreads(SQUARE)
    assert found.seed_deviation == pytest.approx(math.sqrt(4.5))  # means 1 and 4
    assert found.image_error == pytest.approx(math.sqrt(4.5) / math.sqrt(2))
    assert (found.seed, found.image, found.residual) == pytest.approx((2.0, 2.0, 1.0))  # (9 − 1) / 2 = 2²


def test_spreads_are_found_again() -> None:
    (block,) = draw(np.random.default_rng(10), 1, 400, 300, Truth(0.03, 0.05, 0.02))
    found = spreads(block)
    assert (found.seed, found.image, found.residual) == pytest.approx((0.03, 0.05, 0.02), rel=0.1)


def test_a_negative_component_is_0() -> None:
    found = spreads([[1.0, -1.0], [-1.0, 1.0]])
    assert (found.seed, found.image) == (0, 0)
    assert found.residual == pytest.approx(2)


def test_effect_size_by_hand() -> None:
    assert effect_size(STEPS) == pytest.approx(4 / 2)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        # Holm 1979: 3 · 0.01, 2 · 0.02, then not less than the one before.
        pytest.param([0.01, 0.03, 0.02], [0.03, 0.04, 0.04], id="unsorted"),
        pytest.param([0.01, math.nan, 0.04], [0.02, math.nan, 0.04], id="not-made"),
        pytest.param([0.6, 0.7], [1.0, 1.0], id="at-most-1"),
        pytest.param([0.02, 0.02], [0.04, 0.04], id="ties"),
        pytest.param([], [], id="none"),
    ],
)
def test_holm(p: list[float], expected: list[float]) -> None:
    assert holm(p) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("p", [[1.2], [-0.1], [[0.1]]])
def test_holm_takes_probabilities(p: list[float]) -> None:
    with pytest.raises(ValueError, match=r"p must be \[tests\] in \[0, 1\]"):
        holm(p)


def test_holm_keeps_the_familys_error_rate() -> None:
    rng = np.random.default_rng(11)
    families = [holm(rng.uniform(size=6)).min() <= 0.05 for _ in range(3000)]
    assert np.mean(families) <= 0.05 + error(3000, 0.05)


def test_one_seed_claims_nothing_about_seeds() -> None:
    one = [[0.1, 0.2, 0.3]]
    for interval in (seed_interval(one), crossed_interval(one)):
        assert interval.difference == pytest.approx(0.2)
        assert (interval.low, interval.high, interval.p) == (None, None, None)
        assert interval.reason == "one seed: no claim about seeds"
    assert equivalence(one) is None
    assert effect_size(one) is None
    found = spreads(one)
    assert (found.seed_deviation, found.seed, found.image) == (None, None, None)
    assert found.image_error == pytest.approx(0.1 / math.sqrt(3))
    assert wilcoxon(one[0]).p == 0.25


def test_one_image_claims_nothing_about_images() -> None:
    one = [[0.1], [0.2], [0.3]]
    assert ends(seed_interval(one)) == pytest.approx(ends(seed_interval(np.repeat(one, 3, axis=1))))
    interval = crossed_interval(one)
    assert (interval.low, interval.reason) == (None, "one image: no claim about images")
    assert spreads(one).image_error is None
    assert wilcoxon([0.1]).p == 1
    assert sign_flips([0.1]).p == 1


@pytest.mark.parametrize(
    ("value", "p", "equal"),
    [
        pytest.param(0.0, 1.0, 0.0, id="ties"),
        pytest.param(0.1, 0.0, 1.0, id="far"),
        pytest.param(0.01, 0.0, 0.0, id="near"),
    ],
)
def test_constant_differences_are_the_limit(value: float, p: float, equal: float) -> None:
    # 30.1 − 30 as computed is not 0.1: what is left of it is round-off, not spread.
    block = 30 + value + np.arange(12.0).reshape(3, 4) - np.arange(12.0).reshape(3, 4) - 30
    for interval in (seed_interval(block), crossed_interval(block)):
        assert ends(interval) == pytest.approx((value, value))
        assert interval.p == p
        assert interval.reason is not None
        assert interval.reason.startswith("no spread")
    assert equivalence(block, 0.02) == equal
    assert effect_size(block) is None
    assert spreads(block).seed_deviation == pytest.approx(0, abs=1e-12)


def test_on_the_bound_is_not_inside() -> None:
    assert equivalence([[0.02], [0.02]], 0.02) == 1


def test_images_that_all_tie() -> None:
    assert wilcoxon(np.zeros(12)).p == 1
    assert sign_flips(np.zeros(12)).p == 1


def test_some_ties_are_pratts() -> None:
    vector = [0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, -0.1]
    assert wilcoxon(vector).p == pytest.approx(stats.wilcoxon(vector, zero_method="pratt").pvalue)


@pytest.mark.parametrize("strange", [math.nan, math.inf])
@pytest.mark.parametrize("function", [seed_interval, crossed_interval, equivalence, spreads, effect_size])
def test_values_must_be_finite(function: Callable[[object], object], strange: float) -> None:
    with pytest.raises(ValueError, match="must be finite, got 1 of 4"):
        function([[0.0, 1.0], [2.0, strange]])


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
def test_values_of_a_seed_must_be_finite(test: Callable[[object], object]) -> None:
    with pytest.raises(ValueError, match="must be finite, got 1 of 2"):
        test([0.0, math.nan])


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (2, 2, 2)])
def test_a_block_has_seeds_and_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \[seeds, images\]"):
        seed_interval(np.zeros(shape))


@pytest.mark.parametrize("level", [0, 1, 95, math.nan])
def test_levels_are_probabilities(level: float) -> None:
    with pytest.raises(OptionError, match=r"the level must be in \(0, 1\)"):
        seed_interval(STEPS, level)


@pytest.mark.parametrize("bound", [0, -1, math.nan])
def test_bounds_are_positive(bound: float) -> None:
    with pytest.raises(OptionError, match="bound of equivalence must be above 0"):
        equivalence(STEPS, bound)


def test_the_tables_of_the_documentation_can_be_made() -> None:
    rng = np.random.default_rng(12)
    tables = (
        interval_coverage.coverage_table(rng, 5),
        interval_coverage.alarm_table(rng, 5),
        interval_coverage.pooled_table(rng, 5, [Truth(0.03, 0.04, 0.03)]),
    )
    for table in tables:
        assert len(table.splitlines()) == 2 + 6
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_prediction_interval_by_hand() -> None:
    # Of one sample (the base has no spread): mean 4, deviation 2, n = 3, t(2) = 4.302653, as any textbook has it.
    constant = np.full(STEPS.shape, 30.0)
    half = 4.302653 * 2 * math.sqrt(4 / 3)
    assert prediction_interval(constant, constant + STEPS) == pytest.approx((4 - half, 4 + half), abs=1e-5)
    # Deviations alike: pooled, with 2(n − 1) degrees of freedom; t(4) = 2.776445. They are unpaired: that the
    # differences have no spread at all does not matter.
    half = 2.776445 * math.sqrt(8) * math.sqrt(4 / 3) + 0.01
    found = prediction_interval(constant + STEPS, constant + STEPS + 1, rounding=0.01)
    assert found == pytest.approx((1 - half, 1 + half), abs=1e-5)


def test_predictions_of_one_seed_and_without_spread() -> None:
    constant = np.full((3, 2), 30.0)
    assert prediction_interval(constant[:1], constant[:1] + 1) is None
    assert prediction_interval(constant, constant + 1, rounding=0.25) == (0.75, 1.25)
    with pytest.raises(ValueError, match="base and other must have the same seeds and images"):
        prediction_interval(constant, constant[:2])


@pytest.mark.parametrize("deviations", [(0.03, 0.03), (0.01, 0.03)])
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_coverage_of_single_runs(seeds: int, deviations: tuple[float, float]) -> None:
    rng = np.random.default_rng(13)
    base, other = (rng.normal(0, deviation, (2000, seeds + 1, 1)) for deviation in deviations)
    found = [prediction_interval(b[1:], o[1:]) for b, o in zip(base, other, strict=True)]
    new = (other - base)[:, 0, 0]
    share = np.mean([ends is not None and ends[0] <= one <= ends[1] for ends, one in zip(found, new, strict=True)])
    assert share >= 0.95 - 0.02  # where deviations are unlike, a little less than it says
    assert share <= 0.95 + error(2000, 0.95)


def test_the_bootstrap_s_p_is_where_its_interval_ends() -> None:
    block = draw(np.random.default_rng(14), 1, 10, 12, TRUTHS["alike"], mean=0.02)[0]
    p = bootstrap_interval(block, np.random.default_rng(15)).p
    assert p is not None
    assert 0.001 < p < 0.5
    low, _ = ends(bootstrap_interval(block, np.random.default_rng(15), level=1 - p))
    assert low == pytest.approx(0, abs=1e-3)
    assert bootstrap_interval(np.zeros((10, 10)), np.random.default_rng(0)).p == 1
