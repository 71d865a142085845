"""Ticks of axes in plain letters, for names in drawings are never read as mathematics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Drawing

INTERVALS: Final = 6
"""Of a linear axis, at most."""
STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Between ticks, as matplotlib has them."""
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_ticks(*logarithmic: Axis) -> None:
    """Ticks of logarithmic axes at powers of ten, 10⁻³."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in logarithmic:
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
        axis.set_minor_locator(NullLocator())  # the style gives them no length, and they take most of the time


def number_ticks(axis: Axis, values: npt.NDArray[Any]) -> None:
    """Ticks as numbers in few letters, on a linear axis or a logarithmic one over few decades.

    Args:
        axis: with its scale set.
        values: that it shows, > 0 on a logarithmic axis.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if axis.get_scale() == "log":
        decades = math.log10(values.max() / values.min())
        subs = (1.0,) if decades > 2 else (1.0, 2.0, 5.0) if decades > 0.7 else tuple(map(float, range(1, 10)))
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def few_ticks(axis: Axis, most: int = INTERVALS, steps: Sequence[float] = STEPS) -> None:
    """Ticks of a linear axis, fewer than there is room for: panels are small, and ticks are most of what is drawn.

    Args:
        axis: with its scale set.
        most: intervals between them.
        steps: between ticks, in [1, 10], times any power of ten.
    """
    from matplotlib.ticker import MaxNLocator

    class Few(MaxNLocator):
        def tick_values(self, vmin: float, vmax: float) -> Any:
            self.set_params(nbins=min(most, max(1, axis.get_tick_space())))
            return super().tick_values(vmin, vmax)

    axis.set_major_locator(Few(steps=list(steps)))


def few_everywhere(drawing: Drawing) -> None:
    """The same on all linear axes of a drawing whose ticks nobody has chosen."""
    from matplotlib.ticker import AutoLocator

    for axes in drawing.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_locator(), AutoLocator):
                few_ticks(axis)


def power(value: float) -> str:
    """A power of ten: ``10⁻³``; other numbers in few digits."""
    exponent = math.log10(value) if value > 0 else math.nan
    if exponent == exponent and abs(exponent - round(exponent)) < 1e-9:
        return f"10{str(round(exponent)).translate(_SUPERSCRIPTS)}"
    return f"{value:g}"


def compact(value: float) -> str:
    """A number in few letters: ``200 k``, ``1 M``, ``0.5``."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"
