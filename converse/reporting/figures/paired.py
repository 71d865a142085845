"""Differences of two networks image by image: one dot per image, the mean, and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.pairing import UNSEEDED, Pairs, pairs
from converse.analysis.statistics import seed_interval
from converse.data.catalogue import datasets
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import INK, WIDTH, Look, label, looks, new_drawing, styled
from converse.reporting.numbers import number
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS: Final = 300
"""Dots of one comparison; of more images, evenly spaced ones in the order of their differences are drawn."""

_PANELS: Final = 6
_ROW: Final = 0.34


@dataclass(frozen=True)
class _Strip:
    entry: str
    differences: npt.NDArray[np.float64]  # per image, mean over seeds, ascending
    mean: float
    low: float | None
    high: float | None
    seeds: int


def paired_figure(
    rows: pd.DataFrame, base: str, others: Sequence[str], *, name: str, study: str = "", labels: Sequence[str] = ()
) -> Figure | Missing:
    """PSNR of the others minus PSNR of the base, per image, for each test set and case.

    Args:
        rows: with :data:`converse.experiments.rows.ROW_COLUMNS`, of one task, source and budget.
        base: name of the entry that the others are held against.
        others: their names, in the order of the report.
        name: of the figure.
        study: key of the study.
        labels: how the others are called; by default their names.

    Returns:
        The figure, or what is missing.
    """
    panels = _panels(rows[rows["metric"] == "psnr"], base, others)
    if not panels:
        return Missing(f"Differences per image: no image has a PSNR of {base} and of another network")
    shown = panels[:_PANELS]
    called = dict(zip(others, labels or others, strict=True))
    look = looks([base, *others], base)
    columns = min(len(shown), 2)
    lines = -(-len(shown) // columns)
    with styled():
        rows_in = max(len(strips) for _, strips in shown)
        drawing = new_drawing(WIDTH, lines * (0.95 + _ROW * rows_in))
        grid = drawing.subplots(lines, columns, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index >= len(shown):
                axes.set_axis_off()
                continue
            title, strips = shown[index]
            _panel(axes, title, strips, look, called, named=index % columns == 0 or len(strips) < rows_in)
        for axes in grid[-1]:
            axes.set_xlabel(f"PSNR minus that of {label(base)} (dB)")
    rest = [title for title, _ in panels[_PANELS:]]
    return drawn(
        drawing,
        name=name,
        title="Differences image by image",
        caption=(
            f"One dot per image: PSNR minus that of {base}, mean over the seeds that both have; left of 0 {base} is "
            "better. The bar is the mean, the line through it its 95 % interval over seeds (Student's t on the "
            "per-seed means), which one seed or released weights do not have."
            + (f" Not drawn: {', '.join(rest)}." if rest else "")
            + (
                f" At most {DOTS} dots are drawn in a row."
                if any(len(s.differences) > DOTS for _, p in shown for s in p)
                else ""
            )
        ),
        alt=_alt(shown, base, called),
        study=study,
    )


def _panels(rows: pd.DataFrame, base: str, others: Sequence[str]) -> list[tuple[str, list[_Strip]]]:
    found = []
    groups: list[tuple[Any, pd.DataFrame]] = list(rows.groupby(["dataset", "case"], dropna=False, sort=False))
    for (dataset, case), group in groups:
        own = group[group["entry"] == base]
        strips = [
            _strip(other, paired)
            for other in others
            if (paired := pairs(own, group[group["entry"] == other], (base, other))).differences.size
        ]
        if strips:
            known = datasets().get(str(dataset))
            title = known.title if known else str(dataset)
            found.append((title if pd.isna(case) else f"{title}, {str(case).replace('_', ' ')}", strips))
    return found


def _strip(entry: str, paired: Pairs) -> _Strip:
    interval = seed_interval(paired.differences)
    seeds = 0 if UNSEEDED in paired.seeds else len(paired.seeds)
    return _Strip(
        entry, np.sort(paired.differences.mean(axis=0)), interval.difference, interval.low, interval.high, seeds
    )


def _panel(
    axes: Axes, title: str, strips: list[_Strip], look: dict[str, Look], called: dict[str, str], *, named: bool
) -> None:
    axes.axvline(0, color=INK, linewidth=0.9, alpha=0.7)
    for place, strip in enumerate(strips):
        colour, dots = look[strip.entry].colour, thinned(strip.differences, DOTS)
        size = 5 if len(dots) <= 30 else 3
        axes.plot(dots, place + jitter(dots), "o", color=colour, markersize=size, alpha=0.55, markeredgewidth=0)
        if strip.low is not None and strip.high is not None:
            axes.plot(
                [strip.low, strip.high], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt", zorder=4
            )
        axes.plot(strip.mean, place, "|", color=INK, markersize=13, markeredgewidth=2, zorder=5)
    axes.set_ylim(len(strips) - 0.45, -0.55)
    axes.set_yticks(range(len(strips)), [label(called[strip.entry], 26) for strip in strips] if named else [])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_title(f"{label(title, 30)}  ({len(strips[0].differences)} images)")


def thinned(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.float64]:
    """At most so many of ascending values, evenly spaced in order, the ends among them."""
    if len(values) <= most:
        return values
    found: npt.NDArray[np.float64] = values[np.round(np.linspace(0, len(values) - 1, most)).astype(int)]
    return found


def jitter(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Offsets across a row, in [-0.28, 0.28], so that dots do not hide each other; the same for the same number."""
    golden = (np.sqrt(5) - 1) / 2  # its multiples are spread evenly, and neighbours lie far apart
    found: npt.NDArray[np.float64] = 0.56 * ((np.arange(len(values)) * golden + 0.5) % 1 - 0.5)
    return found


def _alt(panels: list[tuple[str, list[_Strip]]], base: str, called: dict[str, str]) -> str:
    said = []
    for title, strips in panels:
        for strip in strips:
            worse = int((strip.differences < 0).sum())
            text = f"{called[strip.entry]} on {title}: mean {number(strip.mean, 3, sign=True)} dB"
            if strip.low is not None and strip.high is not None:
                text += f", interval {number(strip.low, 3, sign=True)} to {number(strip.high, 3, sign=True)}"
            said.append(f"{text}; {base} is better on {worse} of {len(strip.differences)} images")
    return f"Dots of differences to {base}. {'. '.join(said)}."
