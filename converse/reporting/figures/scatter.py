"""Two networks image by image: the PSNR of one against that of the other; images that stand out are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.pairing import pairs
from converse.counted import counted
from converse.data.catalogue import datasets
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import leader, spread
from converse.reporting.figures.style import (
    INK,
    QUIET,
    TALL,
    WIDTH,
    Look,
    dot,
    folded,
    label,
    looks,
    new_drawing,
    styled,
)
from converse.reporting.numbers import number
from converse.reporting.report import Missing
from converse.reporting.words import place_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_PANELS: Final = 4
_NAMED: Final = 3
_LEAST: Final = 4
"""Images that a panel must have: of fewer, a table says more."""
_HEIGHT: Final = 2.9
"""Inches of a panel."""
_LINE: Final = 11.0 / 72
"""Inches from one name to the next."""


@dataclass(frozen=True)
class _Panel:
    entry: str
    base: str
    place: str
    images: tuple[str, ...]
    x: npt.NDArray[np.float64]  # PSNR of the base, mean over seeds
    y: npt.NDArray[np.float64]  # that of the entry

    @property
    def named(self) -> list[int]:
        """The images with the largest differences, the largest first."""
        return [int(at) for at in np.argsort(-np.abs(self.y - self.x), kind="stable")[:_NAMED]]


def scatter_figure(rows: pd.DataFrame, contrasts: Sequence[tuple[str, str, str]], *, name: str) -> Figure | Missing:
    """PSNR of an entry against that of the one that it is held against, a dot per image.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, of one task, source and budget.
        contrasts: entry, base, and what stands for the difference.
        name: of the figure.

    Returns:
        The figure, a panel for each pair on the test set (and case) of which it has the most images; or what is
        missing.
    """
    panels = [found for entry, base, _ in contrasts if (found := _panel(rows, entry, base)) is not None]
    if not panels:
        return Missing(f"Network against network: no two have the PSNR of {counted(_LEAST, 'image')}")
    shown = panels[:_PANELS]
    look = looks([panel.entry for panel in shown])
    rest = len(panels) - len(shown)
    return drawn(
        _drawing(shown, look, WIDTH if len(shown) > 1 else WIDTH * 0.6, min(len(shown), 2)),
        tall=_drawing(shown, look, TALL, 1),
        values=pd.DataFrame(
            [
                {"place": panel.place, "entry": panel.entry, "base": panel.base}
                | {"image": image, "entry_psnr_db": y, "base_psnr_db": x}
                for panel in shown
                for image, x, y in zip(panel.images, panel.x, panel.y, strict=True)
            ]
        ),
        name=name,
        title="Network against network",
        caption=(
            "One dot per image: its PSNR by the one network and by the other, mean over the seeds that both have. On "
            f"the line both are equal, above it the network on the left is better. The {counted(_NAMED, 'image')} with "
            "the largest differences are named." + (f" {counted(rest, 'further pair')} not drawn." if rest else "")
        ),
        alt=f"Dots around a diagonal. {' '.join(_said(panel) for panel in shown)}",
    )


def _drawing(shown: Sequence[_Panel], look: dict[str, Look], width: float, columns: int) -> Drawing:
    lines = -(-len(shown) // columns)
    with styled():
        drawing = new_drawing(width, lines * _HEIGHT)
        grid = drawing.subplots(lines, columns, squeeze=False)
        for axes, panel in zip(grid.flat, shown, strict=False):
            _draw(axes, panel, look[panel.entry].colour, _HEIGHT - 0.9)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
    return drawing


def _panel(rows: pd.DataFrame, entry: str, base: str) -> _Panel | None:
    best: _Panel | None = None
    mine = rows[(rows["metric"] == "psnr") & rows["entry"].isin([entry, base])]
    groups: list[tuple[Any, pd.DataFrame]] = list(mine.groupby(["dataset", "case"], dropna=False, sort=False))
    for (dataset, case), group in groups:
        found = pairs(group[group["entry"] == base], group[group["entry"] == entry], (base, entry))
        if len(found.images) < max(_LEAST, len(best.images) + 1 if best else 0):
            continue
        known = datasets().get(str(dataset))
        place = place_title(known.title if known else str(dataset), case)
        best = _Panel(entry, base, place, found.images, found.base.mean(axis=0), found.other.mean(axis=0))
    return best


def _draw(axes: Axes, panel: _Panel, colour: str, inches: float) -> None:
    ends = np.array([min(panel.x.min(), panel.y.min()), max(panel.x.max(), panel.y.max())])
    room = 0.06 * (ends[1] - ends[0]) or 0.5
    limits = (float(ends[0] - room), float(ends[1] + room))
    axes.plot(limits, limits, color=INK, linewidth=0.9, alpha=0.7)
    size = 5 if len(panel.x) <= 30 else 3.2
    axes.plot(panel.x, panel.y, **dot(colour, size))
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    axes.set_xlabel(folded(f"{panel.base} (dB)", 24))
    axes.set_ylabel(folded(f"{panel.entry} (dB)", 24))
    axes.set_title(f"{label(panel.place, 26)}  ({counted(len(panel.x), 'image')})")
    # Names stand in the corner that the dots leave free, on the side of the line where their dots are not.
    height = limits[1] - limits[0]
    above = float(np.mean(panel.y - panel.x)) > 0
    wanted = [(panel.y[at] - limits[0]) / height for at in panel.named]
    low, high = (0.05, 0.45) if above else (0.6, 0.95)
    for at, place in zip(panel.named, spread(wanted, _LINE / inches, low, high), strict=True):
        axes.annotate(
            label(panel.images[at], 18),
            (panel.x[at], panel.y[at]),
            (0.98 if above else 0.03, place),
            textcoords="axes fraction",
            ha="right" if above else "left",
            va="center",
            fontsize=8,
            arrowprops=leader(QUIET, (-0.02 if above else 1.02, 0.5), ends=3),
        )


def _said(panel: _Panel) -> str:
    better = int((panel.y > panel.x).sum())
    named = "; ".join(
        f"{panel.images[at]} {number(panel.y[at], 2)} for {number(panel.x[at], 2)} dB" for at in panel.named
    )
    return (
        f"{panel.entry} against {panel.base} on {panel.place}: better on "
        f"{counted(better, 'image', of=len(panel.x))}; furthest apart: {named}."
    )
