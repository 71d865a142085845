"""The error of reverse convolution in float32 against λ, ours and that of the literal formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pandas as pd

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import LEGEND, end_labels, names_below
from converse.reporting.figures.style import Look, in_panels, looks, styled
from converse.reporting.figures.ticks import power_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_NAMES: Final = {"ours": "this package", "literal": "literal formula"}


def operator_error_figure(errors: pd.DataFrame) -> Figure:
    """Error against λ, one panel per scale.

    Args:
        errors: with :data:`converse.experiments.evaluation.operator_error.ERROR_COLUMNS`.

    Returns:
        The figure. Its words round errors to powers of ten, which all machines agree on.
    """
    scales = list(errors["scale"].unique())
    look = dict(zip(_NAMES, looks(["Converse", "Conv-"]).values(), strict=True))
    said = []
    for scale in scales:
        for formula, called in _NAMES.items():
            line = _line(errors, scale, formula)
            first, last = line.iloc[0], line.iloc[-1]
            said.append(
                f"{called} at scale {scale}: about {_power(first['error'])} at λ = {first['lam']:.0e}, "
                f"{_power(last['error'])} at λ = {last['lam']:.0e}"
            )
    return drawn(
        _drawing(errors, scales, look, tall=False),
        tall=_drawing(errors, scales, look, tall=True),
        values=errors[["scale", "lam", "formula", "error"]],
        name="operator-error",
        title="Error of float32 against λ",
        caption=(
            "Largest error relative to the largest value, float32 against the literal formula in float64, on random "
            "input and kernels. The literal formula divides by λ and loses digits as λ becomes small; the form that "
            "this package computes does not divide by it."
        ),
        alt=f"Lines on logarithmic axes. {'; '.join(said)}.",
    )


def _line(errors: pd.DataFrame, scale: int, formula: str) -> pd.DataFrame:
    return errors[(errors["scale"] == scale) & (errors["formula"] == formula)].sort_values("lam")


def _drawing(errors: pd.DataFrame, scales: list[int], look: Mapping[str, Look], *, tall: bool) -> Drawing:
    with styled():
        drawing, grid = in_panels(len(scales), 2.7, 2.2 * len(scales) + LEGEND * len(look), tall=tall)
        for axes, scale in zip(grid, scales, strict=True):
            ends = []
            for formula in _NAMES:
                line = _line(errors, scale, formula)
                line = line[line["error"] > 0]
                colour, marker = look[formula].colour, look[formula].marker
                axes.loglog(line["lam"], line["error"], color=colour, marker=marker, markersize=3.5)
                ends.append(float(line["error"].iloc[-1]))
            axes.set_title(f"scale {scale}")
            power_ticks(axes.xaxis, axes.yaxis)
            axes.set(xlabel="λ", ylabel="largest relative error")
            axes.label_outer()
        if tall:
            names_below(drawing, [(_NAMES[name], one.colour, one.marker, "-") for name, one in look.items()])
        else:
            end_labels(grid[-1], list(_NAMES.values()), ends, [one.colour for one in look.values()], 2.0)
    return drawing


def _power(error: float) -> str:
    return "0" if error <= 0 else f"1e{round(math.log10(error)):d}"
