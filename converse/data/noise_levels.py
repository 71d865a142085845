"""Noise levels of test images beside the one that a task has: each is a case of every test set, as a blur kernel is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from converse.data.tasks import TASKS, Task
from converse.errors import OptionError

LARGEST: Final = 255.0
"""Noise as strong as the whole range of an image; more is a slip of the finger."""

_HEAD: Final = "noise_level_"


def takes_levels(task: Task) -> bool:
    """Whether noise is all that the task does to an image, so that another level of it is the same task again."""
    return bool(task.noise_level) and not task.cases and task.scale == 1


def refused(task: Task) -> str:
    """What to say where levels are asked of a task that takes none."""
    takes = ", ".join(one.name for one in TASKS.values() if takes_levels(one))
    return f"{task.name} has no noise level to change, for it does more to images than add noise; {takes} has one"


def noise_levels(levels: Iterable[float], task: Task, asked: str) -> tuple[float, ...]:
    """The levels beside the task's own, which is measured in any case.

    Args:
        levels: standard deviations, of 255.
        task: whose test images get such noise.
        asked: how messages call what asks: ``--noise-levels``.

    Returns:
        In ascending order.

    Raises:
        OptionError: the task takes no other level, or a level is none or stands there twice.
    """
    found = [float(level) for level in levels]
    if not found:
        return ()
    if not takes_levels(task):
        raise OptionError(f"{asked}: {refused(task)}; leave it out")
    for place, level in enumerate(found):
        if not (math.isfinite(level) and 0 < level <= LARGEST):
            raise OptionError(
                f"{asked} takes standard deviations above 0 and up to {LARGEST:g}, of images in 0…255, "
                f"such as 15,35,50; got {level:g}"
            )
        if level in found[:place]:
            raise OptionError(f"{asked}: {shown(level)} stands there twice; name each level once")
    return tuple(sorted(level for level in found if level != task.noise_level))


def shown(level: float) -> str:
    """A level with all of its digits: ``15``, ``12.5``."""
    return str(int(level)) if float(level).is_integer() else repr(float(level))


def case_of(level: float) -> str:
    """The case of a level, as rows have it: ``noise_level_15``."""
    return f"{_HEAD}{shown(level)}"


def level_of(case: object) -> float | None:
    """The noise level of a case; ``None`` for a blur kernel, and where there is no case."""
    if not isinstance(case, str) or not case.startswith(_HEAD):
        return None
    try:
        return float(case.removeprefix(_HEAD))
    except ValueError:
        return None


def cases_of(task: Task) -> tuple[str | None, ...]:
    """In what each test image is measured: blur kernels, or ``None`` for the task as it is; then further noise levels.

    Args:
        task: with ``noise_levels``, where further ones were asked for.
    """
    return (*(task.cases or (None,)), *map(case_of, task.noise_levels))


def in_case(task: Task, case: str | None) -> Task:
    """The task as it degrades images in a case: with the noise of its level, where that is one.

    Args:
        task: any.
        case: one of :func:`cases_of`.
    """
    level = level_of(case)
    return task if level is None else replace(task, noise_level=level)
