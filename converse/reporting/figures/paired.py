"""Differences of two networks image by image: one dot per image, the mean, and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.pairing import Pairs, pairs
from converse.analysis.statistics import seed_interval
from converse.counted import counted
from converse.data.catalogue import datasets
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import INK, TALL, WIDTH, Look, dot, folded, looks, new_drawing, styled
from converse.reporting.figures.style import label as shortened
from converse.reporting.figures.ticks import few_ticks
from converse.reporting.numbers import number
from converse.reporting.report import Missing
from converse.reporting.words import place_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

DOTS: Final = 300
"""Dots of one comparison; of more images, evenly spaced ones in the order of their differences are drawn."""

_PANELS: Final = 6
_ROW: Final = 0.36
_TALL_ROW: Final = 0.46


@dataclass(frozen=True)
class _Strip:
    label: str
    images: tuple[str, ...]
    differences: npt.NDArray[np.float64]  # per image, mean over seeds, ascending
    infinite: int  # images that are left out, for the PSNR of one of the two is infinite
    mean: float
    low: float | None
    high: float | None


def paired_figure(rows: pd.DataFrame, contrasts: Sequence[tuple[str, str, str]], *, name: str) -> Figure | Missing:
    """PSNR of an entry minus PSNR of the one that it is held against, per image, for each test set and case.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, of one task, source and budget.
        contrasts: entry, base, and what stands for the difference, as
            :class:`converse.experiments.suites.tables.Contrast` has them.
        name: of the figure.

    Returns:
        The figure, or what is missing.
    """
    panels = _panels(rows[rows["metric"] == "psnr"], contrasts)
    if not panels:
        return Missing(
            "Differences per image: no image has a finite PSNR of two networks that are held against each other"
        )
    shown = panels[:_PANELS]
    bases = list(dict.fromkeys(base for _, base, _ in contrasts))
    against = bases[0] if len(bases) == 1 else "the other"
    look = looks([label for _, _, label in contrasts])
    rest = [title for title, _ in panels[_PANELS:]]
    return drawn(
        _drawing(shown, look, against),
        tall=_tall(shown, look, against),
        values=pd.DataFrame(
            [
                {"place": title, "label": strip.label, "image": image, "difference_db": difference}
                for title, strips in shown
                for strip in strips
                for image, difference in zip(strip.images, strip.differences, strict=True)
            ]
        ),
        name=name,
        title="Differences image by image",
        caption=(
            f"One dot per image: PSNR of the network that is named minus that of {against}, mean over the seeds that "
            "both have; right of 0 the named network is better. The upright bar is the mean, the line through it its "
            "95 % interval over seeds (Student's t on the per-seed means), which one seed or released weights do not "
            "have."
            + _infinite(shown)
            + (f" Not drawn: {', '.join(rest)}." if rest else "")
            + (
                f" At most {DOTS} dots are drawn in a row."
                if any(len(s.differences) > DOTS for _, p in shown for s in p)
                else ""
            )
        ),
        alt=_alt(shown, against),
    )


def _drawing(shown: Sequence[tuple[str, list[_Strip]]], look: dict[str, Look], against: str) -> Drawing:
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
            _panel(axes, f"{shortened(title, 30)}  ({_images(strips)})", strips, look)
            named = index % columns == 0 or len(strips) < rows_in
            axes.set_yticks(range(len(strips)), [folded(strip.label, 36) for strip in strips] if named else [])
        for axes in grid[-1]:
            axes.set_xlabel(f"PSNR minus that of {shortened(against)} (dB)")
    return drawing


def _tall(shown: Sequence[tuple[str, list[_Strip]]], look: dict[str, Look], against: str) -> Drawing:
    rows_in = [len(strips) for _, strips in shown]
    with styled():
        drawing = new_drawing(TALL, 0.4 + 0.8 * len(shown) + _TALL_ROW * sum(rows_in))
        grid = drawing.subplots(len(shown), 1, squeeze=False, height_ratios=[0.5 + rows for rows in rows_in])[:, 0]
        for axes, (title, strips) in zip(grid, shown, strict=True):
            _panel(axes, f"{shortened(title, 30)}\n({_images(strips)})", strips, look)
            axes.set_yticks(range(len(strips)), [folded(strip.label, 20, 3) for strip in strips])
        drawing.supxlabel(f"PSNR minus that of {shortened(against)} (dB)", fontsize=9)
    return drawing


def _images(strips: list[_Strip]) -> str:
    return counted(len(strips[0].differences), "image")


def _panels(rows: pd.DataFrame, contrasts: Sequence[tuple[str, str, str]]) -> list[tuple[str, list[_Strip]]]:
    panels = []
    groups: list[tuple[Any, pd.DataFrame]] = list(rows.groupby(["dataset", "case"], dropna=False, sort=False))
    for (dataset, case), group in groups:
        of: dict[Any, pd.DataFrame] = dict(list(group.groupby("entry", sort=False)))
        nothing = group.iloc[:0]
        strips = [
            _strip(label, paired)
            for entry, base, label in contrasts
            if (paired := pairs(of.get(base, nothing), of.get(entry, nothing), (base, entry))).differences.size
        ]
        if strips:
            known = datasets().get(str(dataset))
            title = known.title if known else str(dataset)
            panels.append((place_title(title, case), strips))
    return panels


def _strip(label: str, paired: Pairs) -> _Strip:
    interval = seed_interval(paired.differences)
    means = paired.differences.mean(axis=0)
    order = np.argsort(means, kind="stable")
    images = tuple(paired.images[at] for at in order)
    return _Strip(label, images, means[order], paired.infinite, interval.difference, interval.low, interval.high)


def _panel(axes: Axes, title: str, strips: list[_Strip], look: dict[str, Look]) -> None:
    axes.axvline(0, color=INK, linewidth=0.9, alpha=0.7)
    for place, strip in enumerate(strips):
        colour, dots = look[strip.label].colour, thinned(strip.differences, DOTS)
        size = 5 if len(dots) <= 30 else 3
        axes.plot(dots, place + jitter(dots), **dot(colour, size))
        if strip.low is not None and strip.high is not None:
            axes.plot(
                [strip.low, strip.high], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt", zorder=4
            )
        axes.plot(strip.mean, place, "|", color=INK, markersize=13, markeredgewidth=2, zorder=5)
    axes.set_ylim(len(strips) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    few_ticks(axes.xaxis, 5)
    axes.set_title(title)


def thinned(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.float64]:
    """At most so many of ascending values, evenly spaced in order, the ends among them."""
    if len(values) <= most:
        return values
    kept: npt.NDArray[np.float64] = values[np.round(np.linspace(0, len(values) - 1, most)).astype(int)]
    return kept


def jitter(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Offsets across a row, in [-0.28, 0.28], so that dots do not hide each other; the same for the same number."""
    golden = (np.sqrt(5) - 1) / 2  # its multiples are spread evenly, and neighbours lie far apart
    offsets: npt.NDArray[np.float64] = 0.56 * ((np.arange(len(values)) * golden + 0.5) % 1 - 0.5)
    return offsets


def _infinite(panels: list[tuple[str, list[_Strip]]]) -> str:
    """The images without a dot since one of the two networks restores them without any error."""
    counts = [f"{one.infinite} of {one.label} on {title}" for title, strips in panels for one in strips if one.infinite]
    return f" Without a dot, since a PSNR is infinite: {', '.join(counts)}." if counts else ""


def _alt(panels: list[tuple[str, list[_Strip]]], against: str) -> str:
    said = []
    for title, strips in panels:
        for strip in strips:
            better = int((strip.differences > 0).sum())
            words = f"{strip.label} on {title}: mean {number(strip.mean, 3, sign=True)} dB"
            if strip.low is not None and strip.high is not None:
                words += f", interval {number(strip.low, 3, sign=True)} to {number(strip.high, 3, sign=True)}"
            said.append(f"{words}; better on {counted(better, 'image', of=len(strip.differences))}")
    return f"Dots of differences to {against}. {'. '.join(said)}."
