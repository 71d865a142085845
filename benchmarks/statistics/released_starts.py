"""Which start the released networks fit: singular values of their layers and sums of kernels, beside each start's.

``python benchmarks/statistics/released_starts.py --data-dir ../data`` prints the tables of docs/log/findings.md;
``--figure FILE`` draws the first and the last. Layers at the ends of a network have moved least. What the layers
between them say depends on the singular value that one looks at, as the second table shows: they say nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

import converse
from converse.experiments.training.learner import initialised
from converse.nn.models import create_model
from converse.nn.operators import Converse2D
from converse.nn.released_weights import RELEASED
from converse.nn.starts import Start

SEEDS: Final = range(5)
STARTS: Final[tuple[Start, ...]] = ("authors", "kair", "torch")
COLOURS: Final[Mapping[str, str]] = {"authors": "#0072b2", "kair": "#d55e00", "torch": "#009e73"}
ENDS: Final = ("head", "tail", "kernel_mlp.4")
"""Layers between image or kernel and features; the last has as many outputs as the blur kernel's network gives."""

NETWORKS: Final = tuple(name for name, one in RELEASED.items() if one.operator == "converse")


@dataclass(frozen=True)
class Layer:
    """What there is of a layer that mixes channels.

    Attributes:
        name: in its network.
        released: smallest, median and largest singular value of the released weight, as a matrix [out, in · k · k].
        starts: start → the same three of each seed, [seeds, 3].
    """

    name: str
    released: np.ndarray
    starts: dict[str, np.ndarray]

    def nearest(self, which: int) -> str:
        """The start whose singular value of that place, 0 to 2, is nearest in ratio, by the mean over seeds."""
        here = np.log(self.released[which])
        return min(self.starts, key=lambda start: abs(np.log(self.starts[start][:, which]).mean() - here))


def mixing(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights of layers that mix channels, as matrices [out, in · k · k]."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1):
            yield name, module.weight.detach().double().flatten(1)


def three(matrix: torch.Tensor) -> list[float]:
    """Smallest, median and largest singular value."""
    values = torch.linalg.svdvals(matrix)
    return [float(values.min()), float(values.median()), float(values.max())]


def sums(network: nn.Module) -> np.ndarray:
    """Sums of the kernels of reverse convolution, one for each channel of each layer."""
    found = [one.weight.detach().sum((-2, -1)).flatten() for one in network.modules() if isinstance(one, Converse2D)]
    return torch.cat(found).double().numpy()


def measured(entry: str, data_dir: Path | None) -> tuple[list[Layer], dict[str, np.ndarray]]:
    """Layers of a released network, and sums of kernels: ``"released"`` and each start → [kernels]."""
    description = RELEASED[entry]
    network = converse.load_released(entry, data_dir)
    drawn = {
        start: [
            initialised(
                lambda: create_model(description.model, description.operator, **description.options), seed, start
            )
            for seed in SEEDS
        ]
        for start in STARTS
    }
    matrices = {start: [dict(mixing(one)) for one in networks] for start, networks in drawn.items()}
    layers = [
        Layer(
            name,
            np.array(three(matrix)),
            {start: np.array([three(one[name]) for one in every]) for start, every in matrices.items()},
        )
        for name, matrix in mixing(network)
    ]
    kernels = {"released": sums(network)}
    kernels |= {start: np.concatenate([sums(one) for one in networks]) for start, networks in drawn.items()}
    return layers, kernels


def ends(found: Mapping[str, list[Layer]]) -> list[tuple[str, Layer]]:
    """Layers at the ends of networks, each with what it is called in table and figure."""
    return [
        (f"{entry}, {layer.name}", layer) for entry, layers in found.items() for layer in layers if layer.name in ENDS
    ]


def draw(found: Mapping[str, list[Layer]], kernels: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Two panels: layers at the ends beside what starts give them, and sums of kernels."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "released_starts", "font.size": 9})
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(3, 2))
    rows = ends(found)
    for row, (_, layer) in enumerate(rows):
        for number, start in enumerate(STARTS):
            values, at = layer.starts[start], row + 0.2 * (number - 1)
            ends_at = 0.98 * values[:, 0].min(), 1.02 * values[:, 2].max()  # a point is seen too
            label = f"start {start}" if not row else None
            left.plot(ends_at, (at, at), color=COLOURS[start], linewidth=4, solid_capstyle="butt", label=label)
        left.plot(layer.released, [row] * 3, "k|-", markersize=12, linewidth=1, label=None if row else "released")
    left.set(xscale="log", xlabel="smallest to largest singular value", yticks=range(len(rows)))
    left.set_yticklabels([name for name, _ in rows])
    left.invert_yaxis()
    for row, sums_of in enumerate(kernels.values()):
        low, middle, high = np.percentile(sums_of["released"], (5, 50, 95))
        right.plot((low, middle, high), [row] * 3, "k|-", markersize=12, linewidth=1)
    for start in ("kair", "authors"):
        right.axvline(kernels[NETWORKS[0]][start].mean(), color=COLOURS[start], linewidth=4, alpha=0.7, zorder=0)
    right.set(xlabel="sums of kernels: 5 %, median, 95 %", yticks=range(len(kernels)), xlim=(-1, 3.5))
    right.set_yticklabels(list(kernels))
    right.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Print the tables; draw the figure where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="a local folder that has the released weights")
    parser.add_argument("--figure", type=Path, help="draw it: an SVG, PDF or PNG")
    arguments = parser.parse_args()
    found: dict[str, list[Layer]] = {}
    kernels: dict[str, dict[str, np.ndarray]] = {}
    for entry in NETWORKS:
        found[entry], kernels[entry] = measured(entry, arguments.data_dir)

    rule = "|---" * (2 + len(STARTS))
    print("Singular values of layers at the ends, smallest to largest (of starts: over five seeds):\n")
    print(f"| layer | released | {' | '.join(STARTS)} |\n{rule}|")
    for name, layer in ends(found):
        given = [f"{one[:, 0].min():.3g} to {one[:, 2].max():.3g}" for one in layer.starts.values()]
        print(f"| {name} | {layer.released[0]:.3g} to {layer.released[2]:.3g} | {' | '.join(given)} |")
    print("\nOf all layers that mix channels, those whose smallest / median singular value is nearest to a start's:\n")
    print(f"| network | layers | {' | '.join(STARTS)} |\n{rule}|")
    for entry, layers in found.items():
        nearest = [[layer.nearest(which) for layer in layers] for which in (0, 1)]
        counts = [f"{nearest[0].count(start)} / {nearest[1].count(start)}" for start in STARTS]
        print(f"| {entry} | {len(layers)} | {' | '.join(counts)} |")
    print("\nSums of kernels of reverse convolution, median, and 5th to 95th percentile:\n")
    print(f"| network | released | {' | '.join(STARTS)} |\n{rule}|")
    for entry, sums_of in kernels.items():
        cells = ["{1:.2f} ({0:.2f} to {2:.2f})".format(*np.percentile(one, (5, 50, 95))) for one in sums_of.values()]
        print(f"| {entry} | {' | '.join(cells)} |")
    if arguments.figure is not None:
        draw(found, kernels, arguments.figure)


if __name__ == "__main__":
    main()
