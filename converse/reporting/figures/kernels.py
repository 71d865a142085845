"""What a network with reverse convolution has learnt: kernels and λ, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import TALL, WIDTH, looks, new_drawing, styled
from converse.reporting.figures.ticks import number_ticks
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from torch import nn

_COLUMNS: Final = 10
_TALL_COLUMNS: Final = 5
_TILE: Final = 70  # pixels of a drawn kernel
_GAP: Final = 10
_QUANTILES: Final = {"smallest λ": 0.0, "median λ": 0.5, "largest λ": 1.0}
_INVERSE: Final = ("inverse filter", "its response")
_GRID: Final = 33
"""Samples of a side on which an inverse filter is computed."""
_SEEN: Final = 15
"""Of them, those around its middle that are drawn."""

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
    low, middle, high = (np.array([np.quantile(lam, q) for _, lam in found]) for q in (0.05, 0.5, 0.95))
    lam = pd.DataFrame(
        {"layer": range(1, len(found) + 1), "lambda_median": middle, "lambda_5_percent": low, "lambda_95_percent": high}
    )
    return drawn(
        _drawing(found, lam, WIDTH, _COLUMNS, "λ of all channels: median, and from the 5 % to the 95 % quantile"),
        tall=_drawing(found, lam, TALL, _TALL_COLUMNS, "λ: median, 5 % to 95 % quantile"),
        values=lam,
        name=name,
        title=f"What {entry} has learnt",
        caption=(
            f"Above: in each of {min(len(found), _COLUMNS)} of {len(found)} layers (fewer on narrow screens), the "
            "kernels of the channels with the smallest, the median and the largest λ; red is positive, blue negative, "
            "each kernel on its own scale. Then, of the channel with the median λ, the regularised inverse filter "
            "K*/(|K|² + λ) in the same colours, and the logarithm of its size by frequency, the lowest in the middle, "
            "from dark to bright. Below: λ of all layers."
        ),
        alt=(
            f"{len(found)} layers with kernels of {found[0][0].shape[-1]}×{found[0][0].shape[-1]}. Median λ goes from "
            f"{middle[0]:.2g} in the first to {middle[-1]:.2g} in the last layer; the smallest median is "
            f"{middle.min():.2g} (layer {int(middle.argmin()) + 1}), the largest {middle.max():.2g} (layer "
            f"{int(middle.argmax()) + 1})."
        ),
    )


def _drawing(found: Sequence[Layer], lam: pd.DataFrame, width: float, columns: int, heading: str) -> Drawing:
    """Kernels of so many layers at most, and λ of all."""
    shown = np.round(np.linspace(0, len(found) - 1, min(len(found), columns))).astype(int).tolist()
    colour = looks(["Converse"])["Converse"].colour
    depth = lam["layer"].to_numpy()
    low, middle, high = (lam[name].to_numpy() for name in ("lambda_5_percent", "lambda_median", "lambda_95_percent"))
    with styled():
        drawing = new_drawing(width, 5.6)
        halves: Any = drawing.subfigures(2, 1, height_ratios=(1.0, 0.55))
        above, below = halves
        axes = above.subplots()
        axes.imshow(_mosaic([found[index] for index in shown]), aspect="equal")
        middle_of = (_TILE - 1) / 2
        axes.set_xticks([middle_of + (_TILE + _GAP) * column for column in range(len(shown))], [i + 1 for i in shown])
        lines = [*_QUANTILES, *_INVERSE]
        axes.set_yticks([middle_of + (_TILE + _GAP) * line for line in range(len(lines))], lines)
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
        axes.set_title(heading)
    return drawing


def inverse_filter(
    kernel: npt.NDArray[np.float64], lam: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The regularised inverse of a kernel: K*/(|K|² + λ).

    Args:
        kernel: [k, k], its middle the origin; k is at most 33.
        lam: λ > 0.

    Returns:
        Its samples and the size of its response, each [33, 33] with the origin, or the lowest frequency, in the middle.
    """
    padded = np.zeros((_GRID, _GRID))
    padded[: len(kernel), : len(kernel)] = kernel
    spectrum = np.fft.fft2(np.roll(padded, -(len(kernel) // 2), (0, 1)))
    response = spectrum.conj() / (np.abs(spectrum) ** 2 + lam)
    return np.fft.fftshift(np.fft.ifft2(response).real), np.fft.fftshift(np.abs(response))


def _mosaic(found: Sequence[Layer]) -> npt.NDArray[np.float64]:
    """Tiles as RGBA, one column per layer, clear between them.

    A line of kernels per quantile of λ; then the inverse filter of the median one, and its response.
    """
    pitch = _TILE + _GAP
    mosaic = np.zeros((pitch * (len(_QUANTILES) + len(_INVERSE)) - _GAP, pitch * len(found) - _GAP, 4))
    edge = (_GRID - _SEEN) // 2
    for column, (kernels, lam) in enumerate(found):
        order = np.argsort(lam if len(lam) == len(kernels) else np.zeros(len(kernels)), kind="stable")
        chosen = [int(order[round(quantile * (len(order) - 1))]) for quantile in _QUANTILES.values()]
        middle = chosen[len(chosen) // 2]
        samples, response = inverse_filter(kernels[middle], float(lam[middle if len(lam) == len(kernels) else 0]))
        size = np.log(response)
        spread = float(size.max() - size.min()) or 1.0
        tiles = [
            *(_tile(_signed(kernels[channel]), "RdBu_r") for channel in chosen),
            _tile(_signed(samples[edge:-edge, edge:-edge]), "RdBu_r"),
            _tile((size - size.min()) / spread, "viridis"),
        ]
        for line, tile in enumerate(tiles):
            top, left = pitch * line, pitch * column
            mosaic[top : top + _TILE, left : left + _TILE] = tile
    return mosaic


def _signed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values as shades in [0, 1], 0 in the middle."""
    shades: npt.NDArray[np.float64] = 0.5 + 0.5 * values / (np.abs(values).max() or 1.0)
    return shades


def _tile(shades: npt.NDArray[np.float64], colours: str) -> npt.NDArray[np.float64]:
    from matplotlib import colormaps

    taps = np.arange(_TILE) * len(shades) // _TILE
    tile: npt.NDArray[np.float64] = colormaps[colours](shades[np.ix_(taps, taps)])
    return tile
