"""Reverse convolution as the upsampling of another network: its cost as ratios, on the CPU.

``python benchmarks/speed/upsampling_in_a_network.py`` writes the table of docs/tutorials/own-network.md.

A generator as CycleGAN has it (Zhu et al., 2017: two strided convolutions, residual blocks, two upsampling layers) with
one of three in the place of each upsampling layer. They take turns, each turn gives a ratio to the first, and the
median of these ratios is printed with the quarter below and above it. The CPU time of the process is taken, so that
others on the machine disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from converse import Converse2D


def transposed(inputs: int, outputs: int) -> nn.Module:
    """CycleGAN's own."""
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def nearest(inputs: int, outputs: int) -> nn.Module:
    """As in the feature pyramids of detectors."""
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1))


def reverse(inputs: int, outputs: int) -> nn.Module:
    """Channels are mixed while the image is small; reverse convolution treats each by itself."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), Converse2D(outputs, 3, scale=2))


LAYERS: dict[str, Callable[[int, int], nn.Module]] = {
    "transposed convolution": transposed,
    "nearest neighbour, convolution": nearest,
    "1×1 convolution, reverse convolution": reverse,
}


class Residual(nn.Module):
    """x + f(x) with two convolutions."""

    def __init__(self, features: int) -> None:
        super().__init__()
        part = (nn.Conv2d(features, features, 3, padding=1), nn.InstanceNorm2d(features), nn.ReLU())
        self.inner = nn.Sequential(*part, nn.Conv2d(features, features, 3, padding=1), nn.InstanceNorm2d(features))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W], the same shape."""
        return x + self.inner(x)


def generator(layer: Callable[[int, int], nn.Module], features: int, blocks: int) -> nn.Module:
    """Images [N, 3, H, W] to images of the same size."""
    f = features
    return nn.Sequential(
        *(nn.Conv2d(3, f, 7, padding=3), nn.InstanceNorm2d(f), nn.ReLU()),
        *(nn.Conv2d(f, 2 * f, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * f), nn.ReLU()),
        *(nn.Conv2d(2 * f, 4 * f, 3, stride=2, padding=1), nn.InstanceNorm2d(4 * f), nn.ReLU()),
        *(Residual(4 * f) for _ in range(blocks)),
        *(layer(4 * f, 2 * f), nn.InstanceNorm2d(2 * f), nn.ReLU()),
        *(layer(2 * f, f), nn.InstanceNorm2d(f), nn.ReLU()),
        *(nn.Conv2d(f, 3, 7, padding=3), nn.Tanh()),
    )


def step(network: nn.Module, x: Tensor) -> None:
    """Forward and backward."""
    network.zero_grad()
    network(x).square().mean().backward()


def evaluate(network: nn.Module, x: Tensor) -> None:
    """Forward alone."""
    with torch.inference_mode():
        network(x)


def seconds(call: Callable[[nn.Module, Tensor], None], network: nn.Module, x: Tensor) -> float:
    """CPU time of one call."""
    start = time.process_time()
    call(network, x)
    return time.process_time() - start


def ratios(
    call: Callable[[nn.Module, Tensor], None], networks: dict[str, nn.Module], inputs: dict[str, Tensor], rounds: int
) -> dict[str, str]:
    """Name → median [quarter, three quarters] of the ratios to the first, turn by turn."""
    found: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 2):
        taken = {name: seconds(call, network, inputs[name]) for name, network in networks.items()}
        first = next(iter(taken.values()))
        for name, one in taken.items() if turn > 1 else ():  # two turns warm up
            found[name].append(one / first)
    return {
        name: "{1:.2f} [{0:.2f}, {2:.2f}]".format(*statistics.quantiles(values, n=4)) for name, values in found.items()
    }


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    f, size = arguments.features, arguments.size
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {name: generator(layer, f, arguments.blocks) for name, layer in LAYERS.items()}
    layers = {name: layer(2 * f, f) for name, layer in LAYERS.items()}
    image = dict.fromkeys(LAYERS, torch.rand(1, 3, size, size))
    inner = dict.fromkeys(LAYERS, torch.rand(1, 2 * f, size // 2, size // 2))
    columns = [ratios(step, networks, image, arguments.rounds), ratios(step, layers, inner, arguments.rounds)]
    for network in (*networks.values(), *layers.values()):
        network.eval()
    columns.insert(1, ratios(evaluate, networks, image, arguments.rounds))
    print(f"torch {torch.__version__}, 1 thread, {f} features, {arguments.blocks} blocks, 1 image of {size}×{size}\n")
    print(
        "| upsampling | parameters | step of training | evaluation | the layer alone, a step |\n|---|---|---|---|---|"
    )
    for name, network in networks.items():
        parameters = sum(one.numel() for one in network.parameters())
        print(f"| {name} | {parameters:,} | {' | '.join(column[name] for column in columns)} |")


if __name__ == "__main__":
    main()
