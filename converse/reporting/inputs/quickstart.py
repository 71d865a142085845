"""What stands beside the suite `quickstart`: filters on its photographs, and times of the operators from the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.speed import operator_times
from converse.data.images import image_set
from converse.experiments.evaluation.filters import filter_means

if TYPE_CHECKING:
    import pandas as pd

SUITE: Final = "quickstart"
"""Name of the suite, and of the suite of speed that is measured beside it."""

TEST_SET: Final = "skimage_test"
"""Its photographs, which come with scikit-image and are always at hand."""


def speed_budget(budget: str | None) -> str:
    """The budget of speed that goes with a budget of the suite."""
    return "smoke" if budget == "smoke" else "quick"


def to_beat(checksums: Collection[str]) -> tuple[dict[str, Any], ...]:
    """What any denoiser has to beat on these photographs, measured now; nothing where none is among them.

    Args:
        checksums: SHA-256 of images that networks were measured on.

    Returns:
        As :func:`converse.experiments.evaluation.filters.filter_means`.
    """
    photographs = image_set(TEST_SET)
    measured = tuple(image for image in photographs.images if image.sha256 in checksums)
    return filter_means(replace(photographs, images=measured)) if measured else ()


def newest_times(speed: pd.DataFrame, budget: str) -> list[dict[str, Any]]:
    """Times of the operators in the newest run of the suite of speed.

    Args:
        speed: rows of all runs, the oldest first.
        budget: of the suite.

    Returns:
        As :func:`converse.analysis.speed.operator_times`; empty where there is no run.
    """
    runs = speed[(speed["suite"] == SUITE) & (speed["budget"] == speed_budget(budget))]
    return operator_times(runs[runs["run"] == runs["run"].iloc[-1]]) if len(runs) else []
