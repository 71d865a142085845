"""What a network with reverse convolution has learnt: kernels and λ, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import WIDTH, looks, new_drawing, styled
from converse.reporting.figures.ticks import number_ticks
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from torch import nn

_COLUMNS: Final = 10
_TILE: Final = 70  # pixels of a drawn kernel
_GAP: Final = 10
_QUANTILES: Final = {"smallest λ": 0.0, "median λ": 0.5, "largest λ": 1.0}

Layer = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Kernels [C, k, k] and λ [C] (or [1] where it is shared)."""


def layers(network: nn.Module) -> list[Layer]:
    """The reverse convolutions of a network, in the order in which they stand in it."""
    from converse.nn.operators import Converse2D

    return [
        (
            module.weight.detach().double().cpu().numpy()[0],
            module.lam.detach().double().cpu().numpy().reshape(-1),
        )
        for module in network.modules()
        if isinstance(module, Converse2D)
    ]


def kernels_figure(found: Sequence[Layer], *, entry: str, name: str) -> Figure | Missing:
    """Kernels of three channels per layer, and λ of all, from the input to the output.

    Args:
        found: from :func:`layers`.
        entry: name of the network.
        name: of the figure.

    Returns:
        The figure, or what is missing.
    """
    if not found:
        return Missing(f"Kernels by depth: {entry} has no reverse convolution")
    shown = np.round(np.linspace(0, len(found) - 1, min(len(found), _COLUMNS))).astype(int).tolist()
    colour = looks(["Converse"])["Converse"].colour
    low, middle, high = (np.array([np.quantile(lam, q) for _, lam in found]) for q in (0.05, 0.5, 0.95))
    depth = np.arange(1, len(found) + 1)
    with styled():
        drawing = new_drawing(WIDTH, 4.4)
        halves: Any = drawing.subfigures(2, 1, height_ratios=(1.0, 0.95))
        above, below = halves
        axes = above.subplots()
        axes.imshow(_mosaic([found[index] for index in shown]), aspect="equal")
        middle_of = (_TILE - 1) / 2
        axes.set_xticks([middle_of + (_TILE + _GAP) * column for column in range(len(shown))], [i + 1 for i in shown])
        axes.set_yticks([middle_of + (_TILE + _GAP) * line for line in range(len(_QUANTILES))], list(_QUANTILES))
        axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes = below.subplots()
        axes.fill_between(depth, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(depth, middle, color=colour, marker="o", markersize=3.5)
        axes.set_yscale("log")
        number_ticks(axes.yaxis, np.concatenate([low, high]))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("reverse convolution, from input to output")
        axes.set_ylabel("λ")
        axes.set_title("λ of all channels: median, and from the 5 % to the 95 % quantile")
    return drawn(
        drawing,
        name=name,
        title=f"What {entry} has learnt",
        caption=(
            f"Above: in each of {len(shown)} of {len(found)} layers, the kernels of the channels with the smallest, "
            "the median and the largest λ; red is positive, blue negative, each kernel on its own scale. Below: λ of "
            "all layers."
        ),
        alt=(
            f"{len(found)} layers with kernels of {found[0][0].shape[-1]}×{found[0][0].shape[-1]}. Median λ goes from "
            f"{middle[0]:.2g} in the first to {middle[-1]:.2g} in the last layer; the smallest median is "
            f"{middle.min():.2g} (layer {int(middle.argmin()) + 1}), the largest {middle.max():.2g} (layer "
            f"{int(middle.argmax()) + 1})."
        ),
    )


def _mosaic(found: Sequence[Layer]) -> npt.NDArray[np.float64]:
    """Tiles with the kernels, one column per layer, one line per quantile of λ, as RGBA; clear between them."""
    from matplotlib import colormaps

    pitch = _TILE + _GAP
    mosaic = np.zeros((pitch * len(_QUANTILES) - _GAP, pitch * len(found) - _GAP, 4))
    for column, (kernels, lam) in enumerate(found):
        order = np.argsort(lam if len(lam) == len(kernels) else np.zeros(len(kernels)), kind="stable")
        for line, quantile in enumerate(_QUANTILES.values()):
            kernel = kernels[order[round(quantile * (len(order) - 1))]]
            taps = np.arange(_TILE) * len(kernel) // _TILE
            shade = 0.5 + 0.5 * kernel / (np.abs(kernel).max() or 1.0)
            tile = colormaps["RdBu_r"](shade[np.ix_(taps, taps)])
            top, left = pitch * line, pitch * column
            mosaic[top : top + _TILE, left : left + _TILE] = tile
    return mosaic
