"""Training curves: the mean over seeds, with a band of one deviation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from converse.analysis.curves import BAND_COLUMNS, bands
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import LEGEND, end_labels, names_below
from converse.reporting.figures.style import TALL, WIDTH, Look, looks, new_drawing, styled
from converse.reporting.figures.ticks import number_ticks
from converse.reporting.numbers import number
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

LOSS: Final = "Training loss"
_HEIGHT: Final = 2.7
_AXES: Final = 2.0  # inches of it that the axes are tall, about


@dataclass(frozen=True)
class PlateauLeft:
    """The plateau of the loss in a study, and who has left it (:mod:`converse.analysis.convergence`).

    Attributes:
        loss: its level, as a loss.
        left: entry → of each of its trainings the step at which it left; ``None`` for those that did not.
    """

    loss: float
    left: Mapping[str, Sequence[float | None]]

    def sentences(self) -> Iterator[str]:
        """What the drawing marks, and what the marks cannot show."""
        yield f"Dotted: the plateau, at a loss of {self.loss:.3g}."
        for entry, steps in self.left.items():
            gone = [step for step in steps if step is not None]
            when = f", at step {_median(gone):,} in the median (hollow)" if gone else ""
            yield f"{entry}: left by {len(gone)} of {len(steps)}{when}."


def training_figure(
    curves: pd.DataFrame, *, name: str, base: str | None = None, plateau: PlateauLeft | None = None
) -> Figure | Missing:
    """PSNR of the validation images and the loss, against the steps of training.

    Args:
        curves: with :data:`converse.analysis.curves.CURVE_COLUMNS`, of one study, entries in its order.
        name: of the figure.
        base: name of the base entry of an ablation.
        plateau: what of it is marked, where one is known.

    Returns:
        The figure, or what is missing.
    """
    quality, loss = bands(curves, "psnr"), bands(curves, "loss")
    panels = [
        (title, found)
        for title, found in ((LOSS, loss), ("Validation PSNR (dB)", quality))
        if (found.groupby("entry").size() > 1).any()
    ]
    if not panels:
        return Missing("Training curves: no trial has two points of a curve (training.validate_every of the suite)")
    look = looks(curves["entry"].unique(), base)
    seeds = sorted(curves["seed"].dropna().unique())
    return drawn(
        _drawing(panels, look, plateau, tall=False),
        tall=_drawing(panels, look, plateau, tall=True),
        values=pd.concat([found.assign(quantity=title) for title, found in panels])[["quantity", *BAND_COLUMNS]],
        name=name,
        title="Training curves",
        caption=(
            f"Mean over seeds ({', '.join(map(str, seeds)) or 'none'}) at the steps that all of them reached; the band "
            "is one sample deviation to each side. The loss is the mean since the point before."
            + "".join(f" {said}" for said in (plateau.sentences() if plateau else ()))
        ),
        alt=_alt(panels),
    )


def _drawing(
    panels: list[tuple[str, pd.DataFrame]], look: dict[str, Look], plateau: PlateauLeft | None, *, tall: bool
) -> Drawing:
    below = tall or len(look) > 6
    with styled():
        if tall:
            drawing = new_drawing(TALL, _HEIGHT * len(panels) + LEGEND * len(look))
        else:
            drawing = new_drawing(WIDTH, _HEIGHT * len(panels) if below else _HEIGHT)
        grid = drawing.subplots(len(panels), 1) if below else drawing.subplots(1, len(panels))
        for index, (axes, (title, found)) in enumerate(zip(np.ravel(grid), panels, strict=True)):
            last = not tall and (below or index == len(panels) - 1)
            _panel(axes, found, title, look, labelled=last, log=title == LOSS)
            if plateau is not None and title == LOSS:
                _mark(axes, found, look, plateau)
        if tall:
            names_below(drawing, [(entry, one.colour, one.marker, "-") for entry, one in look.items()])
    return drawing


def _panel(axes: Axes, found: pd.DataFrame, title: str, look: dict[str, Look], *, labelled: bool, log: bool) -> None:
    ends = []
    for entry, line in found.groupby("entry", sort=False):
        colour = look[str(entry)].colour
        steps, mean = line["step"].to_numpy(float), line["mean"].to_numpy(float)
        spread = line["deviation"].fillna(0).to_numpy(float)
        axes.plot(steps, mean, color=colour, marker=look[str(entry)].marker, markersize=4, markevery=[len(steps) - 1])
        axes.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0)
        ends.append((str(entry), float(mean[-1]), colour))
    axes.set_title(title)
    axes.set_xlabel("step")
    if log and (found["mean"] > 0).all():
        axes.set_yscale("log")
        number_ticks(axes.yaxis, found["mean"].to_numpy(float))
    axes.margins(x=0.02)
    if labelled:
        names, heights, colours = zip(*ends, strict=True)
        end_labels(axes, names, heights, colours, _AXES)


def _mark(axes: Axes, found: pd.DataFrame, look: dict[str, Look], plateau: PlateauLeft) -> None:
    """The plateau as a dotted line; on each entry's line the step at which half of those that left had left."""
    axes.axhline(plateau.loss, linestyle=":", linewidth=1, color="0.5", zorder=0)
    for entry, line in found.groupby("entry", sort=False):
        gone = [step for step in plateau.left.get(str(entry), ()) if step is not None]
        if gone:
            at = _median(gone)
            height = np.interp(at, line["step"].to_numpy(float), line["mean"].to_numpy(float))
            colour = look[str(entry)].colour
            axes.plot([at], [height], marker="D", markersize=5, markerfacecolor="none", markeredgecolor=colour)


def _median(steps: Sequence[float]) -> int:
    return round(float(np.median(steps)))


def _alt(panels: list[tuple[str, pd.DataFrame]]) -> str:
    said = []
    for title, found in panels:
        ends = found.groupby("entry", sort=False).last()
        digits = 2 if "PSNR" in title else 4
        values = (
            f"{entry} {number(float(end['mean']), digits)} at step {int(end['step'])}" for entry, end in ends.iterrows()
        )
        said.append(f"{title}, last points: {'; '.join(values)}.")
    return "Lines, one per network. " + " ".join(said)
