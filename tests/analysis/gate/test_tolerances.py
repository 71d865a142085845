"""Tolerances are what was seen on other platforms, times a number, and at least what is far below any importance."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from converse.analysis.gate import tolerances as module
from converse.analysis.gate.tolerances import FLOORS, MULTIPLE, tolerances
from converse.errors import OptionError
from tests.analysis.gate import made

METRICS = tuple(made.SIGNATURES)


def off(amount: float, image: str | None = None, seed: int | None = None) -> made.Value:
    """Values of the baseline, less an amount of the PSNR."""

    def value(entry: str, own: int | None, metric: str, name: str) -> float:
        planted = metric == "psnr" and entry == "Conv" and image in (None, name) and seed in (None, own)
        return made.plain(entry, own, metric, name) - (amount if planted else 0)

    return value


def test_without_any_difference_they_are_the_floors() -> None:
    found = tolerances(made.run(), made.run(), {"2 threads": made.run()}, METRICS)
    assert found.keys() == {"Conv", "Converse"}
    for metric, floor in (("psnr", FLOORS["psnr"]), ("ssim", FLOORS["ssim"])):
        one = found["Conv"][metric]
        assert (one.same, one.mean, one.image) == (0, floor.mean, floor.image)
        assert "two runs on this platform differ by at most 0" in one.found
        assert "2 threads" in one.found


def test_the_least_is_well_below_what_has_to_be_seen() -> None:
    assert FLOORS["psnr"].mean <= 0.01 / 5
    assert FLOORS["psnr"].image <= 0.1 / 5


def test_of_released_weights_it_is_a_multiple_of_the_largest_difference() -> None:
    runs = {
        "one": made.run(off(-0.02), seeds=(None,)),
        "another": made.run(off(0.12, image="04.png"), seeds=(None,)),
    }
    one = tolerances(made.run(seeds=(None,)), None, runs, METRICS)["Conv"]["psnr"]
    assert one.mean == pytest.approx(MULTIPLE * 0.02)
    assert one.image == pytest.approx(MULTIPLE * 0.12)
    assert "0.02 dB of a mean, 0.12 dB of an image" in one.found
    assert "one, another" in one.found


def test_the_other_entry_keeps_its_own() -> None:
    found = tolerances(made.run(seeds=(None,)), None, {"one": made.run(off(1.0), seeds=(None,))}, METRICS)
    assert found["Converse"]["psnr"].mean == FLOORS["psnr"].mean
    assert found["Conv"]["ssim"].mean == FLOORS["ssim"].mean


def test_of_trained_networks_it_is_the_outer_end_of_the_interval_over_seeds() -> None:
    lost = [0.0, 0.0, 0.3]
    run = made.run(off(0.3, seed=2))
    one = tolerances(made.run(), None, {"one": run}, METRICS)["Conv"]["psnr"]
    test = stats.ttest_1samp(lost, 0.0)
    assert one.mean == pytest.approx(MULTIPLE * test.confidence_interval(0.95).high, rel=0.05)
    assert one.mean >= MULTIPLE * test.confidence_interval(0.95).high
    assert one.image == pytest.approx(MULTIPLE * test.confidence_interval(1 - 0.05 / 12).high, rel=0.05)


def test_two_runs_on_one_platform_that_differ() -> None:
    one = tolerances(made.run(), made.run(off(-0.001, image="01.png", seed=1)), {}, METRICS)["Conv"]["psnr"]
    assert one.same == pytest.approx(MULTIPLE * 0.001)
    assert "differ by at most 0.001 dB" in one.found
    assert "no other platform was played" in one.found


def test_infinite_values_are_equal_or_nothing_is_found() -> None:
    def perfect(entry: str, seed: int | None, metric: str, image: str) -> float:
        return math.inf if (metric, image) == ("psnr", "02.png") else made.plain(entry, seed, metric, image)

    equal = tolerances(made.run(perfect), None, {"one": made.run(perfect)}, METRICS)
    assert equal["Conv"]["psnr"].mean == FLOORS["psnr"].mean
    with pytest.raises(OptionError, match=r"Conv.* on set12: PSNR .* infinite one, with one: no tolerance"):
        tolerances(made.run(perfect), None, {"one": made.run()}, METRICS)
    with pytest.raises(OptionError, match="no tolerance"):
        tolerances(made.run(), None, {"one": made.run(images=made.IMAGES[1:])}, METRICS)


@pytest.mark.parametrize(
    ("value", "up"), [(0.0, 0.0), (0.001, 0.001), (0.0012345, 0.0013), (0.3, 0.3), (9.91, 10.0), (123.0, 130.0)]
)
def test_a_tolerance_is_rounded_up(value: float, up: float) -> None:
    assert module._rounded(value) == up
