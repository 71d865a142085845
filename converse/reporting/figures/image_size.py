"""How the time of an operator grows with the image, beside N log N."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from converse.analysis.speed import LEAST_SIZES, growth, of_equal_sizes
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import LEGEND, end_labels, names_below
from converse.reporting.figures.style import INK, Look, in_panels, looks, styled
from converse.reporting.figures.ticks import power_ticks
from converse.reporting.report import Missing
from converse.reporting.words import machine_in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_GROUP: Final = ["kind", "pass", "channels", "kernel_size", "scale", "padding", "batch", "dtype", "compiled"]
_PASSES: Final = {"evaluation": "evaluation", "forward+backward": "forward and backward"}
_ROLES: Final = {"converse": "Converse", "conv": "Conv-", "convt": "ConvT-"}


def image_size_figure(rows: pd.DataFrame) -> Figure | Missing:
    """Time of one call against the number of pixels, on logarithmic axes.

    Of the newest run with three sizes, the case of each pass that was measured at the most sizes is drawn: times of
    several machines never stand in one drawing.

    Args:
        rows: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`, oldest run first.

    Returns:
        The figure, or what is missing.
    """
    good = rows[(rows["status"] == "ok") & ~rows["twin"].astype(bool) & (rows["kind"] == "operator")]
    panels: dict[str, pd.DataFrame] = {}
    for run in reversed(list(dict.fromkeys(good["run"]))):
        of_run = good[good["run"] == run]
        cases = {title: _case(of_run[of_run["pass"] == name_]) for name_, title in _PASSES.items()}
        panels = {title: found for title, found in cases.items() if found is not None}
        if panels:
            break
    if not panels:
        return Missing("Time against image size: no operator was timed at three sizes", "converse speed")
    subjects = list(dict.fromkeys(name for found in panels.values() for name in found["subject"]))
    look = dict(zip(subjects, looks([_ROLES.get(subject, subject) for subject in subjects]).values(), strict=True))
    first = next(iter(panels.values())).iloc[0]
    said = [
        f"{row['subject']}, {_PASSES[row['pass']]}: time grows as N to the {row['exponent']:.2f} between sides of "
        f"{row['smallest']:.0f} and {row['largest']:.0f}, where N log N has {row['n_log_n']:.2f}"
        for row in growth(pd.concat(panels.values())).to_dict("records")
    ]
    return drawn(
        _drawing(panels, look, tall=False),
        tall=_drawing(panels, look, tall=True),
        values=pd.DataFrame(
            [
                {"pass": title, "subject": subject, "pixels": int(n), "milliseconds": seconds * 1e3}
                for title, found in panels.items()
                for subject, line in found.groupby("subject", sort=False)
                for n, seconds in zip(*_line(line), strict=True)
            ]
        ),
        name="image-size",
        title="Time against image size",
        caption=(
            f"Median time of one call, {first['channels']} channels, kernel "
            f"{first['kernel_size']}×{first['kernel_size']}, scale {first['scale']}, batch {first['batch']}, "
            f"{first['dtype']}; {machine_in_words(first)}. The dashed line grows as N log N from the first point of "
            "the first operator."
        ),
        alt=f"Lines on logarithmic axes. {'; '.join(said)}.",
    )


def _drawing(panels: Mapping[str, pd.DataFrame], look: Mapping[str, Look], *, tall: bool) -> Drawing:
    with styled():
        below = 2.4 * len(panels) + LEGEND * (len(look) + 1)
        drawing, grid = in_panels(len(panels), 3.0, below, tall=tall)
        for axes, (title, found) in zip(grid, panels.items(), strict=True):
            ends = []
            for subject, line in found.groupby("subject", sort=False):
                n, seconds = _line(line)
                colour, marker = look[str(subject)].colour, look[str(subject)].marker
                axes.loglog(n, seconds * 1e3, color=colour, marker=marker, markersize=4)
                ends.append((str(subject), float(seconds[-1] * 1e3), colour))
            n, seconds = _line(found[found["subject"] == found["subject"].iloc[0]])
            guide = n * np.log(n) * seconds[0] / (n[0] * np.log(n[0]))
            axes.loglog(n, guide * 1e3, color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6)
            ends.append(("N log N", float(guide[-1] * 1e3), INK))
            axes.set_title(title)
            power_ticks(axes.xaxis, axes.yaxis)
            axes.set(xlabel="pixels of the input, N", ylabel="milliseconds")
            axes.label_outer()
        if tall:
            lines = [(subject, one.colour, one.marker, "-") for subject, one in look.items()]
            names_below(drawing, [*lines, ("N log N", INK, "", "--")])
        else:
            names, heights, colours = zip(*ends, strict=True)
            end_labels(grid[-1], names, heights, colours, 2.2)
    return drawing


def _case(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Of one run, the case with the most sizes, of at least three."""
    best: tuple[int, pd.DataFrame] | None = None
    for _, group in rows.groupby(_GROUP, dropna=False, sort=False):
        sizes = len(group[["height", "width"]].drop_duplicates())
        if sizes >= LEAST_SIZES and (best is None or sizes > best[0]):
            best = sizes, group
    return None if best is None else of_equal_sizes(best[1])


def _line(
    rows: pd.DataFrame,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    pixels = (rows["height"] * rows["width"]).astype("float64")
    seconds = rows.assign(n=pixels).groupby("n")["median_s"].median()
    return seconds.index.to_numpy(np.float64), seconds.to_numpy(np.float64)
