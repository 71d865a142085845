"""The same place of one image by every network, beside the input and the truth, with the PSNR under each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import TALL, WIDTH, label, new_drawing, styled
from converse.reporting.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

SIDE: Final = 64
"""Pixels of a crop's side."""

_WHOLE: Final = 220  # pixels of the longer side of the whole image, which only shows where the crops lie
_FRAME: Final = "#d55e00"

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """One image of a comparison.

    Attributes:
        title: ``input``, name of a network, ``truth``.
        image: all of it, [H, W, C]; the input of super-resolution is smaller by the scale.
        psnr: in dB, of the whole image; ``None`` where there is none.
    """

    title: str
    image: Image
    psnr: float | None = None


def comparison_figure(
    shown: Sequence[Shown],
    window: tuple[int, int, int],
    *,
    name: str,
    image: str,
    where: str,
    rule: str,
) -> Figure:
    """Crops side by side.

    Args:
        shown: the input first, the truth last.
        window: top, left and side, in pixels of the truth.
        name: of the figure.
        image: name of the image.
        where: test set and case, in words.
        rule: by which image and place were chosen, in sentences.

    Returns:
        The figure. Its pixels are the networks' own, enlarged without smoothing.
    """
    top, left, side = window
    values = ", ".join(f"{one.title} {number(one.psnr, 2)} dB" for one in shown if one.psnr is not None)
    return drawn(
        _drawing(shown, window, image),
        tall=_tall(shown, window, image),
        values=pd.DataFrame(
            [{"image": one.title, "psnr_db": math.nan if one.psnr is None else one.psnr} for one in shown]
        ),
        name=name,
        title=f"{where}: {image}",
        caption=f"PSNR is that of the whole image. {rule}",
        alt=(
            f"Crops of {side}×{side} pixels of {image} ({where}), {left} pixels from the left and {top} from the top: "
            f"{', '.join(one.title for one in shown)}. PSNR of the whole image: {values}."
        ),
    )


def _drawing(shown: Sequence[Shown], window: tuple[int, int, int], image: str) -> Drawing:
    """The whole image on the left, crops beside it in one line or two."""
    columns = -(-len(shown) // 2) if len(shown) > 4 else len(shown)
    lines = -(-len(shown) // columns)
    crop_width = WIDTH * 0.7 / columns
    with styled():
        drawing = new_drawing(WIDTH, lines * (crop_width + 0.42) + 0.05)
        grid = drawing.add_gridspec(lines, columns + 1, width_ratios=[columns * 0.3 / 0.7, *[1] * columns])
        axes = drawing.add_subplot(grid[:, 0])
        _whole(axes, shown[-1].image, window, image)
        axes.set_anchor("N")
        for index, one in enumerate(shown):
            axes = drawing.add_subplot(grid[index // columns, index % columns + 1])
            _crop(axes, one, shown, window)
    return drawing


def _tall(shown: Sequence[Shown], window: tuple[int, int, int], image: str) -> Drawing:
    """Crops in two columns below the whole image."""
    lines = -(-len(shown) // 2)
    high, wide = shown[-1].image.shape[:2]
    whole = min(TALL * high / wide, TALL)
    with styled():
        drawing = new_drawing(TALL, whole + 0.3 + lines * (TALL / 2 + 0.42))
        grid = drawing.add_gridspec(lines + 1, 2, height_ratios=[whole, *[TALL / 2 + 0.2] * lines])
        _whole(drawing.add_subplot(grid[0, :]), shown[-1].image, window, image)
        for index, one in enumerate(shown):
            _crop(drawing.add_subplot(grid[index // 2 + 1, index % 2]), one, shown, window)
    return drawing


def _whole(axes: Axes, truth: Image, window: tuple[int, int, int], image: str) -> None:
    from matplotlib.patches import Rectangle

    top, left, side = window
    factor = max(1, -(-max(truth.shape[:2]) // _WHOLE))
    _picture(axes, _reduced(truth, factor))
    corner, length = (left / factor - 0.5, top / factor - 0.5), side / factor
    axes.add_patch(Rectangle(corner, length, length, fill=False, edgecolor=_FRAME, linewidth=1.6))
    axes.set_xlabel(label(image, 26), fontsize=8)


def _crop(axes: Axes, one: Shown, shown: Sequence[Shown], window: tuple[int, int, int]) -> None:
    top, left, side = window
    best = max((other.psnr for other in shown if other.psnr is not None), default=None)
    scale = shown[-1].image.shape[0] // one.image.shape[0]
    rows, cols = slice(top // scale, (top + side) // scale), slice(left // scale, (left + side) // scale)
    _picture(axes, one.image[rows, cols])
    axes.set_title(
        label(one.title, 22),
        loc="center",
        fontsize=8.5,
        fontweight="normal",
        pad=3,
    )
    if one.psnr is not None:
        axes.set_xlabel(
            f"{number(one.psnr, 2)} dB",
            fontsize=8.5,
            fontweight="bold" if one.psnr == best else "normal",
            labelpad=3,
        )


def _reduced(image: Image, factor: int) -> Image:
    from PIL import Image as Pillow

    smaller = np.asarray(Pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).reduce(factor))
    return smaller if smaller.ndim == 3 else smaller[:, :, None]


def _picture(axes: Axes, image: Image) -> None:
    if image.shape[2] == 1:
        axes.imshow(image[:, :, 0], cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
