"""Further noise levels. Oracle: the protocol with numpy alone, and NumPy's standard-normal numbers of seed 0."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.data.degradations import degrade, degraded
from converse.data.noise_levels import LARGEST, case_of, cases_of, in_case, level_of, noise_levels, takes_levels
from converse.data.tasks import TASKS
from converse.errors import OptionError

DENOISING = TASKS["denoising"]
LEVELS = st.floats(0, LARGEST, exclude_min=True)


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 20, 1), dtype=np.uint8)


@pytest.mark.parametrize("level", [5.0, 15.0, 12.5, 50.0, 255.0])
def test_the_noise_is_the_protocols_at_another_level(level: float) -> None:
    """Seed 0 anew, σ of 255, the sum not clipped, in float64 and rounded to float32 once."""
    clean = image()
    expected = (clean / 255.0).astype(np.float32) + np.random.RandomState(0).normal(0, level / 255, clean.shape)
    given_, target = degraded(in_case(DENOISING, case_of(level)), clean)
    assert np.array_equal(given_, expected.astype(np.float32))
    assert np.array_equal(target, clean)
    assert given_.min() < 0 or given_.max() > 1  # nothing is clipped
    sample = degrade(in_case(DENOISING, case_of(level)), clean)
    assert sample.noise_level is not None
    assert sample.noise_level.item() == pytest.approx(level / 255)


@settings(max_examples=30, deadline=None)
@given(LEVELS.filter(lambda level: level > 1e-3))
def test_all_levels_have_the_same_standard_normal_numbers(level: float) -> None:
    clean = image()
    given_, _ = degraded(in_case(DENOISING, case_of(level)), clean)
    drawn = (given_.astype(np.float64) - (clean / 255.0).astype(np.float32)) * 255 / level
    # What float32 keeps of a sum near 1 is 6e-8 of it; in units of σ that is 255 / level times as much.
    assert np.abs(drawn - np.random.RandomState(0).standard_normal(clean.shape)).max() < 6e-8 * 8 * 255 / level


def test_the_tasks_own_level_is_no_case() -> None:
    clean = image()
    assert in_case(DENOISING, None) is DENOISING
    assert cases_of(DENOISING) == (None,)
    assert noise_levels((50, 25, 15.0), DENOISING, "it") == (15.0, 50.0)
    assert np.array_equal(degraded(in_case(DENOISING, case_of(25.0)), clean)[0], degraded(DENOISING, clean)[0])


@given(st.lists(LEVELS, unique=True, max_size=6))
def test_a_case_says_its_level_to_the_last_bit(levels: list[float]) -> None:
    assert [level_of(case_of(level)) for level in levels] == levels
    assert len({case_of(level) for level in levels}) == len(levels)
    assert noise_levels(levels, DENOISING, "it") == tuple(sorted(set(levels) - {25.0}))


@pytest.mark.parametrize("case", [None, math.nan, "kernel_1", "noise_level_", "noise_level_x", "noise"])
def test_other_cases_have_no_level(case: object) -> None:
    assert level_of(case) is None


def test_the_tasks_that_take_levels_are_those_that_add_noise_alone() -> None:
    assert {name for name, task in TASKS.items() if takes_levels(task)} == {"denoising"}
    assert cases_of(TASKS["deblurring"]) == TASKS["deblurring"].cases


WHY = "for it does more to images than add noise; denoising has one; leave it out"


@pytest.mark.parametrize(
    ("levels", "task", "message"),
    [
        ((0,), "denoising", "--it takes standard deviations above 0 and up to 255, of images in 0…255, such as 15"),
        ((0,), "denoising", "; got 0"),
        ((15, -3), "denoising", "got -3"),
        ((256,), "denoising", "got 256"),
        ((math.nan,), "denoising", "got nan"),
        ((math.inf,), "denoising", "got inf"),
        ((15, 50, 15.0), "denoising", "--it: 15 stands there twice; name each level once"),
        ((15,), "deblurring", f"--it: deblurring has no noise level to change, {WHY}"),
        ((15,), "super_resolution", f"--it: super_resolution has no noise level to change, {WHY}"),
    ],
)
def test_what_is_no_level_is_refused(levels: tuple[float, ...], task: str, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        noise_levels(levels, TASKS[task], "--it")


@pytest.mark.parametrize("task", TASKS)
def test_who_asks_for_none_is_never_refused(task: str) -> None:
    assert noise_levels((), TASKS[task], "--it") == ()
