"""Regressions that are planted by hand, each by an amount that is known; and none where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from converse.analysis.gate.findings import (
    INCONCLUSIVE,
    NOT_MEASURED,
    PASSED,
    REGRESSED,
    Finding,
    OneImage,
    exit_status,
)
from converse.analysis.gate.quality import quality
from converse.errors import OptionError
from tests.analysis.gate import made

RELEASED: tuple[None] = (None,)
PLACES = pytest.mark.parametrize("place", ["same platform", "released, elsewhere", "trained, elsewhere"])


def kept(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What baseline and run are made with."""
    seeds: tuple[int | None, ...] = RELEASED if place.startswith("released") else (0, 1, 2)
    return {"seeds": seeds}, {
        "seeds": seeds,
        "platform": made.PLATFORM if place == "same platform" else made.ELSEWHERE,
    }


def planted(change: Callable[[str, int | None, str, str], float]) -> made.Value:
    """Values of the baseline, less what is planted."""
    return lambda *cell: made.plain(*cell) - change(*cell)


def regressed(findings: list[Finding]) -> dict[str, Finding]:
    return {f"{one.subject}: {one.what}": one for one in findings if one.outcome == "regressed"}


@PLACES
def test_nothing_is_found_where_nothing_has_changed(place: str) -> None:
    before, now = kept(place)
    found = quality(made.baseline(**before), made.run(**now))
    assert {one.outcome for one in found} == {"passed"}
    # Two entries, each with parameters, a shape, and two statistics of two metrics.
    assert len(found) == 2 * (2 + 2 * 2)
    assert exit_status(found) == PASSED
    assert all(one.change == 0 for one in found if one.aspect == "quality")


@PLACES
def test_one_image_of_twelve_that_is_a_tenth_of_a_decibel_worse(place: str) -> None:
    before, now = kept(place)
    value = planted(
        lambda entry, seed, metric, image: 0.1 if (entry, metric, image) == ("Conv", "psnr", "05.png") else 0
    )
    found = quality(made.baseline(**before), made.run(value, **now))
    worst = next(one for one in found if one.subject == "Conv" and "PSNR, worst image" in one.what)
    mean = next(one for one in found if one.subject == "Conv" and "PSNR, mean" in one.what)
    assert (worst.outcome, worst.place) == ("regressed", "Set12")
    assert "05.png" in worst.what
    assert worst.change == pytest.approx(0.1)
    assert worst.image is not None
    assert (worst.image.entry, worst.image.dataset, worst.image.name) == ("Conv", "set12", "05.png")
    assert mean.change == pytest.approx(0.1 / 12)  # 0.008: the mean alone would hide it
    assert exit_status(found) == REGRESSED
    assert all(name.startswith("Conv: PSNR") for name in regressed(found))


@PLACES
def test_all_images_a_hundredth_of_a_decibel_worse(place: str) -> None:
    before, now = kept(place)
    value = planted(lambda entry, seed, metric, image: 0.01 if metric == "psnr" and entry == "Conv" else 0)
    found = quality(made.baseline(**before), made.run(value, **now))
    mean = regressed(found)["Conv: PSNR, mean of 12 images" + ("" if place.startswith("released") else ", 3 seeds")]
    assert mean.change == pytest.approx(0.01)
    assert mean.before is not None
    assert mean.now is not None
    assert float(mean.before) - float(mean.now) == pytest.approx(0.01)
    assert exit_status(found) == REGRESSED


def test_on_the_same_platform_the_last_bit_counts() -> None:
    worse = made.run(
        lambda *cell: np.nextafter(made.plain(*cell), 0) if cell[2:] == ("psnr", "01.png") else made.plain(*cell)
    )
    found = quality(made.baseline(), worse)
    assert {one.what.partition(":")[0] for one in found if one.outcome == "regressed"} >= {"PSNR, worst image"}
    assert all(one.sure == "to the bit" for one in found if one.aspect == "quality")
    better = made.run(
        lambda *cell: np.nextafter(made.plain(*cell), 99) if cell[2:] == ("psnr", "01.png") else made.plain(*cell)
    )
    found = quality(made.baseline(), better)
    assert exit_status(found) == PASSED
    said = next(one for one in found if one.outcome == "better")
    assert "renew the baseline" in said.reason
    assert "3 of 36 values" in said.reason


def test_elsewhere_round_off_is_no_finding() -> None:
    """Half of the tolerance of an image, up and down."""
    rng = np.random.default_rng(0)
    noise = {name: 0.01 * rng.uniform(-1, 1) for name in made.IMAGES}
    for seeds in (RELEASED, (0, 1, 2)):
        value = planted(lambda entry, seed, metric, image: noise[image] if metric == "psnr" else noise[image] / 100)
        mean = sum(noise.values()) / len(noise)
        assert abs(mean) < 0.004
        found = quality(made.baseline(seeds=seeds), made.run(value, seeds=seeds, platform=made.ELSEWHERE))
        assert {one.outcome for one in found} == {"passed"}, [one for one in found if one.outcome != "passed"]
        assert all("model Another CPU and not A CPU" in one.sure for one in found if one.aspect == "quality")


def test_the_interval_over_seeds_is_that_of_a_paired_t_test() -> None:
    lost = {0: 0.006, 1: 0.012, 2: 0.017}
    value = planted(lambda entry, seed, metric, image: lost[seed or 0] if metric == "psnr" else 0)
    found = quality(made.baseline(), made.run(value, platform=made.ELSEWHERE))
    mean = next(one for one in found if one.what.startswith("PSNR, mean"))
    test = stats.ttest_1samp(list(lost.values()), 0.0).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx((test.low, test.high))
    assert mean.low < 0.004 < mean.change  # not surely above what is allowed
    assert mean.outcome == "inconclusive"
    assert exit_status(found) == INCONCLUSIVE


def test_what_cannot_be_told_says_what_could() -> None:
    lost = {0: -0.2, 1: 0.3, 2: 0.1}
    value = planted(lambda entry, seed, metric, image: lost[seed or 0] if metric == "psnr" else 0)
    mean = next(
        one
        for one in quality(made.baseline(), made.run(value, platform=made.ELSEWHERE))
        if one.what.startswith("PSNR, mean")
    )
    assert mean.outcome == "inconclusive"
    assert f"seeds differ by {np.std(list(lost.values()), ddof=1):.2g} dB" in mean.reason
    assert "--against" in mean.reason


def test_one_seed_elsewhere_says_nothing_of_seeds() -> None:
    found = quality(made.baseline(seeds=(0,)), made.run(seeds=(0,), platform=made.ELSEWHERE))
    assert exit_status(found) == INCONCLUSIVE
    assert any("one seed" in one.reason for one in found)


def test_a_better_value_elsewhere_passes_and_is_said() -> None:
    value = planted(lambda entry, seed, metric, image: -0.5 if metric == "psnr" else 0)
    for seeds in (RELEASED, (0, 1, 2)):
        found = quality(made.baseline(seeds=seeds), made.run(value, seeds=seeds, platform=made.ELSEWHERE))
        assert exit_status(found) == PASSED
        assert {one.outcome for one in found if "PSNR" in one.what} == {"better"}


def test_an_entry_that_is_gone() -> None:
    found = quality(made.baseline(), made.run(entries=("Conv",)))
    assert list(regressed(found)) == ["Converse: the entry"]
    assert exit_status(found) == REGRESSED


def test_an_image_that_is_gone() -> None:
    found = quality(made.baseline(), made.run(images=made.IMAGES[1:]))
    assert set(regressed(found)) == {"Conv: images", "Converse: images"}
    assert "01.png is gone" in regressed(found)["Conv: images"].reason
    # The others are compared all the same.
    assert {one.outcome for one in found if one.aspect == "quality"} == {"passed"}
    assert any(one.what.startswith("PSNR, mean of 11 images") for one in found)


def test_another_image_under_the_same_name() -> None:
    images = {"set12": {name: "another" if name == "03.png" else f"sha-{name}" for name in made.IMAGES}}
    found = quality(made.baseline(), replace(made.run(), images=images))
    assert "03.png is not the baseline's" in regressed(found)["Conv: images"].reason


def test_a_test_set_that_is_gone_or_not_at_hand() -> None:
    two = made.baseline()
    bare = made.run()
    elsewhere = replace(bare, rows=bare.rows.assign(dataset="bsd68"), images={"bsd68": bare.images["set12"]})
    found = quality(two, elsewhere)
    assert set(regressed(found)) == {"Conv: the test set", "Converse: the test set"}
    found = quality(two, replace(elsewhere, lacking={(None, "set12"): "Set12 is not on this machine"}))
    assert {one.outcome for one in found if one.aspect == "presence"} == {"not measured"}
    assert exit_status(found) == NOT_MEASURED


def test_nothing_at_hand_is_not_measured() -> None:
    found = quality(made.baseline(), made.run(entries=(), lacking={(None, None): "no training images"}))
    assert [one.outcome for one in found] == ["not measured", "not measured"]
    assert exit_status(found) == NOT_MEASURED


def test_output_that_is_not_finite() -> None:
    value = planted(lambda entry, seed, metric, image: math.nan if (seed, image) == (1, "07.png") else 0)
    found = quality(made.baseline(), made.run(value, reason="output is not finite"))
    one = regressed(found)["Conv: PSNR, values"]
    assert "07.png is without a value under seed 1: output is not finite" in one.reason
    assert one.now == "not finite"
    assert one.image == OneImage("Conv", 1, "set12", None, "07.png")


def test_a_trial_that_failed() -> None:
    value = planted(lambda entry, seed, metric, image: math.nan if (entry, seed) == ("Conv", 2) else 0)
    run = made.run(value, failures={("Conv", 2): "loss became NaN at step 3"})
    found = quality(made.baseline(), run)
    assert (
        "no image has a value under seed 2: loss became NaN at step 3" in regressed(found)["Conv: PSNR, values"].reason
    )
    every = replace(made.run(entries=("Converse",)), failures={("Conv", 0): "out of memory"})
    assert regressed(quality(made.baseline(), every))["Conv: the entry"].reason == "it failed: out of memory"


def test_a_metric_whose_features_are_not_at_hand_is_not_measured() -> None:
    value = planted(lambda entry, seed, metric, image: math.nan if metric == "ssim" else 0)
    found = quality(made.baseline(), made.run(value, reason="AlexNet's features are not at hand: 230 MB"))
    assert exit_status(found) == NOT_MEASURED


def test_an_output_of_another_shape() -> None:
    run = replace(made.run(), shapes={"Converse": (1, 1, 128, 128), "Conv": (1, 1, 126, 126)})
    found = quality(made.baseline(), run)
    one = regressed(found)["Conv: shape of the output"]
    assert (one.before, one.now) == ("1×1×128×128", "1×1×126×126")


def test_a_network_without_an_output() -> None:
    run = replace(made.run(), shapes={"Converse": (1, 1, 128, 128), "Conv": ()})
    assert regressed(quality(made.baseline(), run))["Conv: shape of the output"].now == "none"


def test_other_parameters() -> None:
    run = made.run()
    rows = run.rows.assign(value=run.rows["value"].where(run.rows["metric"] != "parameters", 1001.0))
    one = regressed(quality(made.baseline(), replace(run, rows=rows)))["Conv: learnt parameters"]
    assert (one.before, one.now) == (1000, 1001)


def test_a_metric_with_another_border() -> None:
    signatures = {**made.SIGNATURES, "psnr": made.SIGNATURES["psnr"].replace("border:0", "border:4")}
    found = quality(made.baseline(), made.run(signatures=signatures))
    one = regressed(found)["Conv: PSNR, signature"]
    assert one.aspect == "signature"
    assert "border:4 and not border:0" in one.reason
    assert not any(one.what.startswith("PSNR, mean") for one in found)


def test_a_metric_that_is_not_measured_any_more() -> None:
    found = quality(made.baseline(), made.run(signatures={"psnr": made.SIGNATURES["psnr"]}))
    assert set(regressed(found)) == {"Conv: SSIM", "Converse: SSIM"}


def test_what_is_more_than_in_the_baseline_is_mentioned() -> None:
    run = made.run()
    run = replace(run, images={"set12": {**run.images["set12"], "13.png": "sha"}}, others=("New",))
    found = quality(made.baseline(), run)
    extra = [one for one in found if one.outcome == "extra"]
    assert {one.subject for one in extra} == {"Conv", "Converse", "New"}
    assert exit_status(found) == PASSED


def test_an_image_that_was_perfect_is_not_any_more() -> None:
    def perfect(entry: str, seed: int | None, metric: str, image: str) -> float:
        return math.inf if (metric, image) == ("psnr", "02.png") else made.plain(entry, seed, metric, image)

    for seeds, platform in (((0, 1, 2), made.PLATFORM), (RELEASED, made.ELSEWHERE), ((0, 1, 2), made.ELSEWHERE)):
        before = made.baseline(value=perfect, seeds=seeds)
        assert exit_status(quality(before, made.run(perfect, seeds=seeds, platform=platform))) == PASSED
        found = quality(before, made.run(seeds=seeds, platform=platform))
        worst = next(one for one in found if one.what.startswith("PSNR, worst image"))
        assert (worst.outcome, worst.change) == ("regressed", math.inf)
        assert (
            exit_status(quality(made.baseline(seeds=seeds), made.run(perfect, seeds=seeds, platform=platform)))
            == PASSED
        )


def test_only_some_entries() -> None:
    found = quality(made.baseline(), made.run(entries=("Conv",)), only=["conv"])
    assert exit_status(found) == PASSED
    with pytest.raises(OptionError, match="unknown entry of the baseline 'Con': did you mean 'Conv'"):
        quality(made.baseline(), made.run(), only=["Con"])


def test_the_command_to_look_closer() -> None:
    found = quality(made.baseline(), made.run(images=made.IMAGES[1:]), look="converse report runs")
    assert {one.look for one in found if one.outcome == "regressed"} == {"converse report runs"}
    assert {one.look for one in found if one.outcome == "passed"} == {""}
