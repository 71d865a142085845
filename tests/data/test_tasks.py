"""Oracle: the protocol, written out."""

from __future__ import annotations

from typing import get_args

import pytest

from converse.data.tasks import TASKS, TaskName, task
from converse.errors import OptionError


@pytest.mark.parametrize("name", ["super_resolution", "super-resolution", "Super-Resolution"])
def test_a_task_by_its_name(name: str) -> None:
    assert task(name) is TASKS["super_resolution"]


def test_an_unknown_task_has_a_near_one() -> None:
    with pytest.raises(OptionError, match="did you mean 'deblurring'"):
        task("debluring")


def test_what_the_tasks_say() -> None:
    protocol = {
        name: (t.channels, t.colour, t.scale, t.noise_level, t.border, t.psnr_colour, t.multiple, len(t.cases))
        for name, t in TASKS.items()
    }
    assert protocol == {
        "denoising": (1, "grey", 1, 25.0, 0, "grey", 1, 0),
        "super_resolution": (3, "colour", 4, 0.0, 4, "y", 4, 0),
        "deblurring": (3, "colour", 1, 2.55, 1, "rgb", 8, 5),
    }


def test_a_suite_may_name_each_task() -> None:
    assert get_args(TaskName) == tuple(TASKS)
