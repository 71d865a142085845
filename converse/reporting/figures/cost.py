"""Quality against cost: PSNR against parameters, throughput and what else is known, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from converse.analysis.pareto import pareto_front
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import PIECE, Box, beside, leader, side_towards
from converse.reporting.figures.style import INK, TALL, WIDTH, Look, label, looks, new_drawing, styled, text_width
from converse.reporting.figures.ticks import few_ticks, number_ticks
from converse.reporting.numbers import number
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

POINT_COLUMNS: Final = ("entry", "psnr", "deviation", "parameters", "throughput")
"""A network: mean PSNR in dB and its deviation over seeds, learnt numbers, megapixels per second; NaN where unknown.
The PSNR is infinite where that of an image is: its mean has no place among the others. There may be columns beside
these with other costs: ``multiply_adds`` per pixel, ``milliseconds`` and ``mebibytes`` of one image."""

_FEWEST: Final = 3
"""Networks of which there is a picture; of two each is on the front, or one is not and a sentence says it."""

_LINEAR: Final = 4
"""Costs that differ by no more than this factor stand on a linear axis."""

_AXES: Final = 2.3  # inches that the axes are tall, about
_BESIDE: Final = 0.6  # inches beside axes, about, of which those that share them have a part each
_TICK: Final = 0.65  # inches from one tick to the next, at least: 12.05 k
_LETTERS: Final = 8  # points: the size of names
_NAME: Final = 10.5  # points from one line of them to the next
_MARKER: Final = 4.0  # points from the middle of a marker to its rim, about
_GAP: Final = 4.0  # points from there to a name

_COSTS: Final = (
    ("parameters", "parameters", 1),
    ("multiply_adds", "multiply-adds per pixel", 1),
    ("throughput", "megapixels per second", -1),
    ("milliseconds", "milliseconds per image", 1),
    ("mebibytes", "MiB per image", 1),
)
_ACROSS: Final = 2
"""Panels beside each other."""


def cost_figure(
    points: pd.DataFrame, *, dataset: str, name: str, base: str | None = None, timed: str = ""
) -> Figure | Missing:
    """PSNR against parameters and, where they were measured, other costs.

    Args:
        points: with :data:`POINT_COLUMNS`, and columns of other costs, one line per network, in the order of the
            report.
        dataset: where the PSNR was measured, in words.
        name: of the figure.
        base: name of the base entry of an ablation.
        timed: the one case and machine of all throughputs, in words.

    Returns:
        The figure, or what is missing.
    """
    look = looks(points["entry"], base)
    infinite = list(points["entry"][np.isinf(points["psnr"].astype(float))])
    points = points[~points["entry"].isin(infinite)]
    known_costs = [cost for cost in _COSTS if cost[0] in points.columns]
    panels = [cost for cost in known_costs if _pictured(points.dropna(subset=["psnr", cost[0]])[cost[0]])]
    if not panels:
        return Missing(f"PSNR against cost on {dataset}: it takes {_FEWEST} networks, not all of one cost")
    fronts = {title: list(_on_front(points, column, sign)["entry"]) for column, title, sign in panels}
    fronts_said = " ".join(f"On the front of {title}: {', '.join(map(str, front))}." for title, front in fronts.items())
    said = (
        f"{row['entry']} {number(row['psnr'], 2)} dB"
        + (f", {number(row['parameters'], 0)} parameters" if row["parameters"] == row["parameters"] else "")
        + "".join(
            f", {row[column]:.3g} {title}"
            for column, title, _ in known_costs
            if column != "parameters" and row[column] == row[column]
        )
        for row in points.to_dict("records")
        if row["psnr"] == row["psnr"]
    )
    return drawn(
        _drawing(points, panels, look, f"PSNR on {label(dataset, 48)}", WIDTH, _ACROSS),
        tall=_drawing(points, panels, look, f"PSNR on {label(dataset, 32)}", TALL, 1),
        values=points[["entry", "psnr", "deviation", *(column for column, *_ in panels)]],
        name=name,
        title="Quality against cost",
        caption=(
            f"Mean PSNR on {dataset}, with one deviation over seeds where there are several. The line is the Pareto "
            "front: no other network is at least as good at no more cost."
            + (
                f" Not drawn, since the PSNR of an image is infinite: {', '.join(map(str, infinite))}."
                if infinite
                else ""
            )
            + (f" Throughput: {timed}." if timed and any(column == "throughput" for column, *_ in panels) else "")
        ),
        alt=f"Points, one per network: {'; '.join(said)}. {fronts_said}",
    )


def _pictured(costs: pd.Series) -> bool:
    return len(costs) >= _FEWEST and costs.nunique() > 1


def _on_front(points: pd.DataFrame, column: str, sign: int) -> pd.DataFrame:
    known = points.dropna(subset=["psnr", column])
    return known[pareto_front(sign * known[column].astype(float), known["psnr"].astype(float))]


def _drawing(
    points: pd.DataFrame,
    panels: list[tuple[str, str, int]],
    look: dict[str, Look],
    heading: str,
    width: float,
    across: int,
) -> Drawing:
    with styled():
        down = math.ceil(len(panels) / across)
        drawing = new_drawing(width, 3.0 * down)
        grid = drawing.subplots(down, min(len(panels), across), sharey=True, squeeze=False)
        for spare in grid.flat[len(panels) :]:
            spare.set_axis_off()
        for axes, (column, title, sign) in zip(grid.flat, panels, strict=False):
            known = points.dropna(subset=["psnr", column])
            front = _on_front(points, column, sign).sort_values(column)
            _front(axes, front, column, "post" if sign > 0 else "pre")
            for row in known.to_dict("records"):
                _point(axes, row, column, look[row["entry"]].colour, look[row["entry"]].marker)
            axes.set_xlabel(title)
            axes.margins(x=0.25, y=0.16)
            values = known[column].to_numpy(float)
            inches = (width - _BESIDE) / grid.shape[1]
            if values.max() > _LINEAR * values.min():
                axes.set_xscale("log")
            else:
                few_ticks(axes.xaxis, int(inches / _TICK), (1, 2, 5, 10))
            number_ticks(axes.xaxis, values)
            _names(axes, known, front, column, sign, look, inches)
        for left in grid[:, 0]:
            left.set_ylabel("PSNR (dB)")
        grid[0, 0].set_title(heading)
    return drawing


def _front(axes: Axes, front: pd.DataFrame, column: str, where: Literal["post", "pre"]) -> None:
    x, y = front[column].to_numpy(float), front["psnr"].to_numpy(float)
    if len(x) > 1:
        axes.step(x, y, where=where, color=INK, linewidth=1, alpha=0.6, zorder=1)


def _point(axes: Axes, row: dict[Any, Any], column: str, colour: str, marker: str) -> None:
    deviation = row["deviation"] if row["deviation"] == row["deviation"] else None
    axes.errorbar(
        row[column], row["psnr"], yerr=deviation, color=colour, marker=marker, capsize=2, linewidth=1, zorder=3
    )


def _names(
    axes: Axes, points: pd.DataFrame, front: pd.DataFrame, column: str, sign: int, look: dict[str, Look], across: float
) -> None:
    """Each name beside its point, where neither the front nor another name lies; axes so many inches across.

    A piece of line has the point's colour, which is too pale for letters.
    """
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    size = np.array([across, _AXES]) * 72

    def at(cost: float, psnr: float) -> tuple[float, float]:
        x, y = axes.transLimits.transform(axes.transScale.transform((cost, psnr))) * size
        return float(x), float(y)

    records = points.to_dict("records")
    marks = []
    for row in records:
        x, y = at(row[column], row["psnr"])
        deviation = row["deviation"] if row["deviation"] == row["deviation"] else 0.0
        low, high = (at(row[column], row["psnr"] + way * deviation)[1] for way in (-1, 1))
        marks.append(Box(x - _MARKER, min(low, y - _MARKER), x + _MARKER, max(high, y + _MARKER)))
    names = [label(row["entry"], 24) for row in records]
    places = beside(
        marks,
        [(text_width(name, _LETTERS), _NAME) for name in names],
        list(_steps([at(*map(float, one)) for one in front[[column, "psnr"]].to_numpy()], sign)),
        Box(0, 0, *map(float, size)),
        _GAP,
    )
    for row, name, place, mark in zip(records, names, places, marks, strict=True):
        x, y = at(row[column], row["psnr"])
        axes.annotate(
            name,
            (row[column], row["psnr"]),
            (place.left - x, (place.low + place.high) / 2 - y),
            textcoords="offset points",
            va="center",
            fontsize=_LETTERS,
            arrowprops=leader(look[row["entry"]].colour, side_towards(place, mark), wide=PIECE),
        )


def _steps(front: Sequence[tuple[float, float]], sign: int) -> Iterator[Box]:
    """The pieces of the line through a front, as :func:`_front` draws it."""
    for (x, y), (next_x, next_y) in pairwise(front):
        level, upright = (y, next_x) if sign > 0 else (next_y, x)
        yield Box(x, level, next_x, level)
        yield Box(upright, min(y, next_y), upright, max(y, next_y))
