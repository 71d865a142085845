"""What reverse convolution does to an image: x, y = (k ∗ x)↓s, and y reversed under several λ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import WIDTH, new_drawing, styled
from converse.reporting.numbers import number

if TYPE_CHECKING:
    from converse.experiments.evaluation.operator_shown import OperatorShown

_FORMULA: Final = {1: "y = k ∗ x", 2: "y = (k ∗ x)↓2"}


def operator_shown_figure(shown: OperatorShown) -> Figure:
    """One line of images for each scale; below each its PSNR to x.

    Args:
        shown: from :func:`converse.experiments.evaluation.operator_shown.operator_shown`.
    """
    lines = list(shown.steps.items())
    columns = max(len(steps) for _, steps in lines)
    width = WIDTH / columns
    with styled():
        drawing = new_drawing(WIDTH, len(lines) * (width + 0.5))
        grid = drawing.subplots(len(lines), columns, squeeze=False)
        for line, (scale, steps) in enumerate(lines):
            for axes, step in zip(grid[line], steps, strict=True):
                axes.imshow(step.image[:, :, 0], cmap="gray", vmin=0, vmax=255)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.spines[:].set_visible(False)
                title = _FORMULA.get(scale, step.title) if step.title == "y" else step.title
                axes.set_title(title, loc="center", fontsize=8.5, fontweight="normal", pad=3)
                if step.psnr is not None:
                    axes.set_xlabel(f"{number(step.psnr, 1)} dB", fontsize=8.5, labelpad=3)
    side = len(shown.kernel)
    said = [
        f"{step.title} at scale {scale}: {number(step.psnr, 1)} dB"
        for scale, steps in lines
        for step in steps
        if step.psnr is not None
    ]
    return drawn(
        drawing,
        name="operator-shown",
        title="What reverse convolution does",
        caption=(
            f"A part of {shown.name} (x), blurred by a Gaussian kernel of {side}×{side} taps and, below, reduced by 2 "
            "(y); then reverse convolution of y with that kernel. Nothing is learnt, and there is no noise: the "
            "smaller λ, the closer it comes to x. PSNR to x, before rounding."
        ),
        alt=f"Images in lines. {'; '.join(said)}.",
    )
