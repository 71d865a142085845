"""Names beside the lines and points that they belong to, moved apart where they would touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from converse.reporting.figures.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_LINE: Final = 11.5 / 72
"""Inches from one line of text to the next."""

PIECE: Final = 1.6
"""Points that the piece of line beside a name is wide: as much as the line."""

LEGEND: Final = 0.18
"""Inches of a line of :func:`names_below`."""


def spread(places: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """PatchPlaces moved as little as needed, so that neighbours are a gap apart and all lie between the ends.

    Args:
        places: where each would like to be.
        gap: least distance.
        low: end.
        high: other end; where there is no room for all, the gap becomes smaller.

    Returns:
        One place for each, in the same order from low to high as before.
    """
    if not places:
        return []
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    order = np.argsort(np.asarray(places), kind="stable")
    # With the gaps taken out, the nearest places in order are those of an isotonic regression.
    from scipy.optimize import isotonic_regression

    shifted = np.asarray(places, float)[order] - gap * np.arange(len(places))
    fitted = isotonic_regression(shifted).x if len(places) > 1 else shifted
    fitted = np.clip(fitted, low, high - gap * (len(places) - 1))
    moved = np.empty(len(places))
    moved[order] = fitted + gap * np.arange(len(places))
    return [float(place) for place in moved]


@dataclass(frozen=True)
class Box:
    """A rectangle; the unit is that of whoever has it."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: Box) -> bool:
        """Whether they share more than an edge."""
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high

    def inside(self, other: Box) -> bool:
        """Whether no part of it is outside."""
        return (
            self.left >= other.left and self.low >= other.low and self.right <= other.right and self.high <= other.high
        )


def beside(
    points: Sequence[Box], sizes: Sequence[tuple[float, float]], lines: Sequence[Box], within: Box, gap: float
) -> list[Box]:
    """A place beside each point for its name, where neither a line, nor a point, nor another name lies.

    Args:
        points: what each name belongs to, with the lengths that its marker takes.
        sizes: width and height of each name.
        lines: level and upright pieces of lines, as boxes that may have no width or height.
        within: where names should lie.
        gap: between a point and its name.

    Returns:
        One box for each name. Right of the point is the first choice, then the nearest; where all places are taken,
        that which shares least. The line from a name to its point counts as well.
    """
    placed: list[Box] = []
    leads: list[Box] = []
    for point, (width, height) in zip(points, sizes, strict=True):
        taken = [*lines, *placed, *placed, *leads, *(one for one in points if one is not point)]
        ways = _ways(point, width, height, gap)
        shared = [
            sum(map(place.meets, taken)) + sum(map(_lead(place, point).meets, placed)) + (not place.inside(within))
            for place in ways
        ]
        placed.append(ways[shared.index(min(shared))])  # of equal ones the first
        leads.append(_lead(placed[-1], point))
    return placed


def side_towards(name: Box, point: Box) -> tuple[float, float]:
    """Where the line from a name to its point begins, in fractions of the name's width and height."""
    if name.left >= point.right or name.right <= point.left:
        return (-0.02 if name.left >= point.right else 1.02), 0.5
    return 0.5, (-0.05 if name.low >= point.high else 1.05)


def _lead(name: Box, point: Box) -> Box:
    """What the line from a name to the middle of its point spans."""
    across, up = side_towards(name, point)
    x, y = name.left + across * (name.right - name.left), name.low + up * (name.high - name.low)
    middle, level = (point.left + point.right) / 2, (point.low + point.high) / 2
    return Box(min(x, middle), min(y, level), max(x, middle), max(y, level))


def _ways(point: Box, width: float, height: float, gap: float) -> list[Box]:
    """Places for a name, the best first: at its right, its left, above and below, up to four lines off."""
    centre, middle = (point.left + point.right) / 2, (point.low + point.high) / 2
    clear = (point.high - point.low + height + gap) / 2
    ways = []
    for step in range(9):
        for way in (1, -1):
            off = way * step * height / 2
            for left, up, less in (
                (point.right + gap, off, 0.0),
                (point.left - gap - width, off, 1.5 * height),
                (centre - width / 2, off + way * clear, 0.0),
            ):
                ways.append(
                    (abs(up) + less, Box(left, middle + up - height / 2, left + width, middle + up + height / 2))
                )
    return [place for _, place in sorted(ways, key=lambda one: one[0])]


def end_labels(
    axes: Axes, names: Sequence[str], heights: Sequence[float], colours: Sequence[str], inches: float
) -> None:
    """Write each name right of the axes at the height of its line's end, to which a piece of line in its colour leads.

    The name itself has the drawing's ink: colours of data stand out, but are too pale for letters.

    Args:
        axes: whose limits and scales are set.
        names: of the lines.
        heights: of their ends, in data.
        colours: of the lines.
        inches: how tall the axes are, about.
    """
    axes.set_ylim(axes.get_ylim())
    wanted = [axes.transLimits.transform(axes.transScale.transform((1.0, height)))[1] for height in heights]
    for name, colour, at, place in zip(names, colours, wanted, spread(wanted, _LINE / inches), strict=True):
        axes.annotate(
            label(name),
            (1.0, at),
            (10, (place - at) * inches * 72),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
            arrowprops=leader(colour, (-0.02, 0.5), wide=PIECE),
        )


def leader(colour: str, begins: tuple[float, float], *, ends: float = 0.0, wide: float = 0.6) -> dict[str, Any]:
    """Options of ``annotate`` for the line between a text and what it belongs to.

    Args:
        colour: of the line.
        begins: where at the text, in fractions of its width and height: then matplotlib need not look for the place at
            which the line leaves the text, which took longer than all else of a figure.
        ends: points before what it leads to.
        wide: points.
    """
    line = {"arrowstyle": "-", "color": colour, "lw": wide}
    return {**line, "relpos": begins, "patchA": None, "shrinkA": 0, "shrinkB": ends}


def names_below(drawing: Drawing, lines: Sequence[tuple[str, str, str, str]]) -> None:
    """Write the names of lines below all axes, where there is no room beside them.

    Args:
        drawing: with an engine that lays it out, and :data:`LEGEND` inches for each name.
        lines: name, colour, marker and style of each line.
    """
    from matplotlib.lines import Line2D

    looks: list[dict[str, Any]] = [
        {"color": colour, "marker": marker, "markersize": 4, "linestyle": style} for _, colour, marker, style in lines
    ]
    shown = [Line2D([], [], **look) for look in looks]
    drawing.legend(shown, [label(name) for name, *_ in lines], loc="outside lower left", borderpad=0, labelspacing=0.3)
