"""Blur kernels as small pictures for the heads of tables."""

from __future__ import annotations

from collections.abc import Mapping

from converse.data.resources import Absent, Resources
from converse.reporting.tables.sheet import Picture

_STEPS = 255


def kernel_pictures(resources: Resources) -> Mapping[str, Picture]:
    """The blur kernels of the deblurring table, each divided by its largest value, in steps of 1/255.

    Args:
        resources: where they are looked for.

    Returns:
        By case; empty where they are not at hand.
    """
    kernels = resources.kernels()
    if isinstance(kernels, Absent):
        return {}
    return {
        case: tuple(tuple(round(float(value) * _STEPS / kernel.max()) / _STEPS for value in row) for row in kernel)
        for case, kernel in kernels.items()
    }
