"""What a network with reverse convolution has learnt: kernels and λ, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_LEAST: Final = 1e-6
"""Of the largest response: what is smaller, such as where a kernel has none, is drawn as this."""
_CHANNELS: Final = 64
"""Of a layer with more, so many λ are among the figure's numbers."""
_EVERY: Final = 2
"""Of the frequencies, which of them are among the figure's numbers."""
_DIGITS: Final = 4
"""Of those numbers: more than shades show."""

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


@dataclass(frozen=True)
class _Column:
    """What is drawn of a layer.

    Attributes:
        channels: one for each of :data:`_QUANTILES`.
        kernels: theirs, each [k, k].
        samples: around the middle of the inverse filter of the median one.
        response: of that filter, its size by frequency, the lowest in the middle.
    """

    channels: tuple[int, ...]
    kernels: tuple[npt.NDArray[np.float64], ...]
    samples: npt.NDArray[np.float64]
    response: npt.NDArray[np.float64]

    @classmethod
    def of(cls, layer: Layer) -> _Column:
        """What is drawn of this layer."""
        kernels, lam = layer
        shared = len(lam) != len(kernels)
        order = np.argsort(np.zeros(len(kernels)) if shared else lam, kind="stable")
        chosen = tuple(int(order[round(quantile * (len(order) - 1))]) for quantile in _QUANTILES.values())
        middle = chosen[len(chosen) // 2]
        samples, response = inverse_filter(kernels[middle], float(lam[0 if shared else middle]))
        edge = (_GRID - _SEEN) // 2
        return cls(chosen, tuple(kernels[one] for one in chosen), samples[edge:-edge, edge:-edge], response)


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
    columns = {
        index: _Column.of(found[index]) for many in (_COLUMNS, _TALL_COLUMNS) for index in _spaced(len(found), many)
    }
    return drawn(
        _drawing(columns, lam, WIDTH, _COLUMNS, "λ of all channels: median, and from the 5 % to the 95 % quantile"),
        tall=_drawing(columns, lam, TALL, _TALL_COLUMNS, "λ: median, 5 % to 95 % quantile"),
        values=_values(found, lam, columns),
        name=name,
        title=f"What {entry} has learnt",
        caption=(
            f"Above: in each of {min(len(found), _COLUMNS)} of {len(found)} layers (fewer on narrow screens), the "
            "kernels of the channels with the smallest, the median and the largest λ; red is positive, blue negative, "
            "each kernel on its own scale. Then, of the channel with the median λ, the regularised inverse filter "
            "K*/(|K|² + λ) in the same colours, and the logarithm of its size by frequency, the lowest in the middle, "
            "from dark to bright. Below: λ of all layers. In this figure's numbers, layers and channels count from "
            f"1, rows and columns from the middle, those of the response in 1/{_GRID} cycles per pixel: every second "
            f"frequency of one half, to which the other is equal. Of λ there are {_CHANNELS} channels of a layer at "
            "most, evenly from the smallest to the largest."
        ),
        alt=(
            f"{len(found)} layers with kernels of {found[0][0].shape[-1]}×{found[0][0].shape[-1]}. Median λ goes from "
            f"{middle[0]:.2g} in the first to {middle[-1]:.2g} in the last layer; the smallest median is "
            f"{middle.min():.2g} (layer {int(middle.argmin()) + 1}), the largest {middle.max():.2g} (layer "
            f"{int(middle.argmax()) + 1})."
        ),
    )


def _spaced(length: int, most: int) -> list[int]:
    """So many places at most, evenly from the first to the last."""
    return [round(place) for place in np.linspace(0, length - 1, min(length, most)).tolist()]


def _values(found: Sequence[Layer], lam: pd.DataFrame, columns: dict[int, _Column]) -> pd.DataFrame:
    """What is drawn, a line for each number."""
    lines = [
        *_lambdas(found, lam),
        *(line for index in sorted(columns) for line in _grids(index + 1, columns[index])),
    ]
    frame = pd.DataFrame(lines, columns=["what", "layer", "channel", "row", "column", "value"])
    return frame.astype(dict.fromkeys(("channel", "row", "column"), float))


_Line = tuple[str, int, int | None, int | None, int | None, float]


def _lambdas(found: Sequence[Layer], lam: pd.DataFrame) -> Iterator[_Line]:
    for name in lam.columns.drop("layer"):
        yield from (
            (name, layer, None, None, None, value) for layer, value in zip(lam["layer"], lam[name], strict=True)
        )
    for layer, (kernels, each) in enumerate(found, start=1):
        order = np.argsort(each, kind="stable")[_spaced(len(each), _CHANNELS)]
        for channel in sorted(order.tolist()):
            yield "lambda", layer, channel + 1 if len(each) == len(kernels) else None, None, None, _short(each[channel])


def _grids(layer: int, column: _Column) -> Iterator[_Line]:
    middle = column.channels[len(column.channels) // 2]
    for what, channel, kernel in zip(_QUANTILES, column.channels, column.kernels, strict=True):
        yield from _grid(f"kernel, {what}", layer, channel, kernel)
    yield from _grid(_INVERSE[0], layer, middle, column.samples)
    yield from _grid(_INVERSE[1], layer, middle, column.response, _EVERY, half=True)


def _grid(
    what: str, layer: int, channel: int, values: npt.NDArray[np.float64], every: int = 1, *, half: bool = False
) -> Iterator[_Line]:
    """Values with their rows and columns from the middle; of rows that are the same on both sides, one half."""
    origin = len(values) // 2
    for row in range(origin if half else 0, len(values), every):
        for column in range(0, len(values), every):
            yield what, layer, channel + 1, row - origin, column - origin, _short(values[row, column])


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _drawing(columns: dict[int, _Column], lam: pd.DataFrame, width: float, most: int, heading: str) -> Drawing:
    """Kernels of so many layers at most, and λ of all."""
    shown = _spaced(len(lam), most)
    colour = looks(["Converse"])["Converse"].colour
    depth = lam["layer"].to_numpy()
    low, middle, high = (lam[name].to_numpy() for name in ("lambda_5_percent", "lambda_median", "lambda_95_percent"))
    with styled():
        drawing = new_drawing(width, 5.6)
        halves: Any = drawing.subfigures(2, 1, height_ratios=(1.0, 0.55))
        above, below = halves
        axes = above.subplots()
        axes.imshow(_mosaic([columns[index] for index in shown]), aspect="equal")
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


def _mosaic(columns: Sequence[_Column]) -> npt.NDArray[np.float64]:
    """Tiles as RGBA, one column per layer, clear between them.

    A line of kernels per quantile of λ; then the inverse filter of the median one, and its response.
    """
    pitch = _TILE + _GAP
    mosaic = np.zeros((pitch * (len(_QUANTILES) + len(_INVERSE)) - _GAP, pitch * len(columns) - _GAP, 4))
    for place, one in enumerate(columns):
        size = np.log(np.maximum(one.response, _LEAST * one.response.max() or 1.0))
        spread = float(size.max() - size.min()) or 1.0
        tiles = [
            *(_tile(_signed(kernel), "RdBu_r") for kernel in (*one.kernels, one.samples)),
            _tile((size - size.min()) / spread, "viridis"),
        ]
        for line, tile in enumerate(tiles):
            top, left = pitch * line, pitch * place
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
