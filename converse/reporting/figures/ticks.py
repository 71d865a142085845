"""Ticks of axes in plain letters, for names in drawings are never read as mathematics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axis import Axis

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
