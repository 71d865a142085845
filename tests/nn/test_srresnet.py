"""The super-resolution networks, against torch's functional layers in a row and the ways of upsampling by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from converse.nn.operators import Converse2D, DepthwiseConvTranspose2d
from converse.nn.srresnet import UPSAMPLERS, BlockSRResNet, SRResNet


def test_srresnet_is_the_networks_layers_and_a_bilinear_skip() -> None:
    torch.manual_seed(0)
    network, x = SRResNet(features=6, blocks=2).double(), torch.rand(2, 3, 5, 4, dtype=torch.float64)

    def conv(layer: nn.Module, y: torch.Tensor) -> torch.Tensor:
        return F.conv2d(y, layer.weight, layer.bias, padding=1)  # type: ignore[arg-type]

    y = F.leaky_relu(conv(network.head, x), 0.1)
    for block in network.body:
        y = y + conv(block.conv2, F.relu(conv(block.conv1, y)))  # type: ignore[arg-type]
    for layer in network.upsample:
        y = F.leaky_relu(F.pixel_shuffle(conv(layer, y), 2), 0.1)
    y = conv(network.tail, F.leaky_relu(conv(network.refine, y), 0.1))
    expected = y + F.interpolate(x, size=(20, 16), mode="bilinear")
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("network", [SRResNet, BlockSRResNet])
def test_upsamples_by_any_power_of_two(network: Any, scale: int) -> None:
    assert network(features=4, blocks=1, scale=scale)(torch.rand(1, 3, 5, 6)).shape == (1, 3, 5 * scale, 6 * scale)


@pytest.mark.parametrize("scale", [0, 3, 6, -2])
@pytest.mark.parametrize("network", [SRResNet, BlockSRResNet])
def test_another_scale_is_refused(network: Any, scale: int) -> None:
    with pytest.raises(ValueError, match=f"scale must be a power of 2, got {scale}"):
        network(features=4, blocks=1, scale=scale)


@pytest.mark.parametrize("name", sorted(UPSAMPLERS))
def test_every_upsampler_doubles_the_sides(name: str) -> None:
    upsampler, y = UPSAMPLERS[name](4), torch.rand(2, 4, 5, 6)
    assert upsampler(y).shape == (2, 4, 10, 12)
    assert BlockSRResNet("conv", features=4, blocks=1, upsampler=name)(torch.rand(1, 3, 5, 6)).shape == (1, 3, 20, 24)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operator", "kind"),
    [("converse", Converse2D), ("conv", nn.PixelShuffle), ("convt", DepthwiseConvTranspose2d)],
)
def test_each_operator_upsamples_its_own_way(operator: str, kind: type[nn.Module]) -> None:
    network = BlockSRResNet(operator, features=4, blocks=1)
    for stage in network.upsample:
        assert any(isinstance(module, kind) for module in list(stage.children())[1].modules())


def test_the_reverse_upsampler_is_the_papers_and_starts_as_nearest_neighbour() -> None:
    upsampler = UPSAMPLERS["converse"](3)
    assert isinstance(upsampler, Converse2D)
    assert (upsampler.kernel_size, upsampler.scale, upsampler.padding) == (2, 2, 2)
    assert (upsampler.padding_mode, upsampler.eps) == ("replicate", 1e-3)
    y = torch.rand(1, 3, 5, 6)
    # The kernels start with sum 1: operator.md's special case, whatever λ. float32.
    torch.testing.assert_close(upsampler(y), F.interpolate(y, scale_factor=2, mode="nearest"), rtol=0, atol=1e-5)


def test_the_block_network_is_its_parts_in_a_row() -> None:
    torch.manual_seed(0)
    network, x = BlockSRResNet("conv", features=4, blocks=1), torch.rand(2, 3, 5, 6)
    y = network.body(F.gelu(F.conv2d(x, network.head.weight, network.head.bias)))
    for stage in network.upsample:
        block, upsampler, _ = stage.children()
        y = F.gelu(upsampler(block(y)))
    assert network.tail.bias is None
    y = F.conv2d(F.gelu(network.refine(y)), network.tail.weight)
    expected = y + F.interpolate(x, size=(20, 24), mode="bilinear")
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-5)


def test_an_unknown_upsampler_is_refused() -> None:
    with pytest.raises(ValueError, match=r"upsampler must be one of converse, pixel-shuffle, .* got 'bicubic'"):
        BlockSRResNet(upsampler="bicubic")  # type: ignore[arg-type]
