"""What reverse convolution does to an image: x, y = (k ∗ x)↓s, and y reversed under several λ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import TALL, WIDTH, new_drawing, styled
from converse.reporting.numbers import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from converse.experiments.evaluation.operator_shown import OperatorShown

_TALL_COLUMNS: Final = 3
_FORMULA: Final = {1: "y = k ∗ x", 2: "y = (k ∗ x)↓2"}


def operator_shown_figure(shown: OperatorShown) -> Figure:
    """One line of images for each scale; below each its PSNR to x.

    Args:
        shown: from :func:`converse.experiments.evaluation.operator_shown.operator_shown`.
    """
    lines = list(shown.steps.items())
    side = len(shown.kernel)
    said = [
        f"{step.title} at scale {scale}: {number(step.psnr, 1)} dB"
        for scale, steps in lines
        for step in steps
        if step.psnr is not None
    ]
    return drawn(
        _drawing(shown, WIDTH, max(len(steps) for _, steps in lines), 8.5),
        tall=_drawing(shown, TALL, _TALL_COLUMNS, 7.5),
        values=_values(shown),
        name="operator-shown",
        title="What reverse convolution does",
        caption=(
            f"A part of {shown.name} (x), blurred by a Gaussian kernel of {side}×{side} taps and, below, reduced by 2 "
            "(y); then reverse convolution of y with that kernel. Nothing is learnt, and there is no noise: the "
            "smaller λ, the closer it comes to x. PSNR to x, before rounding. Among the numbers of this figure is the "
            "kernel, with rows and columns from its middle."
        ),
        alt=f"Images in lines. {'; '.join(said)}.",
    )


def _values(shown: OperatorShown) -> pd.DataFrame:
    """PSNR with its λ, and the kernel, a line for each number."""
    nothing = math.nan
    psnr = [
        ("psnr_db", scale, step.title, nothing if step.lam is None else step.lam, nothing, nothing, step.psnr)
        for scale, steps in shown.steps.items()
        for step in steps
    ]
    origin = len(shown.kernel) // 2
    kernel = [
        ("kernel", nothing, None, nothing, row - origin, column - origin, value)
        for (row, column), value in np.ndenumerate(shown.kernel)
    ]
    frame = pd.DataFrame([*psnr, *kernel], columns=["what", "scale", "image", "lambda", "row", "column", "value"])
    return frame.astype({"value": float})


def _drawing(shown: OperatorShown, width: float, columns: int, size: float) -> Drawing:
    """Each scale in as many lines as it needs, words in that size."""
    down = [math.ceil(len(steps) / columns) for steps in shown.steps.values()]
    with styled():
        drawing = new_drawing(width, sum(down) * (width / columns + 0.5))
        grid = drawing.subplots(sum(down), columns, squeeze=False)
        for index, (scale, steps) in enumerate(shown.steps.items()):
            places = grid[sum(down[:index]) : sum(down[: index + 1])].flat
            for axes in places[len(steps) :]:
                axes.set_axis_off()
            for axes, step in zip(places, steps, strict=False):
                axes.imshow(step.image[:, :, 0], cmap="gray", vmin=0, vmax=255)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
                title = _FORMULA.get(scale, step.title) if step.title == "y" else step.title
                axes.set_title(title, loc="center", fontsize=size, fontweight="normal", pad=3)
                if step.psnr is not None:
                    axes.set_xlabel(f"{number(step.psnr, 1)} dB", fontsize=size, labelpad=3)
    return drawing
