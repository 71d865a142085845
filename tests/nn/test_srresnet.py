"""The super-resolution networks, against torch's functional layers in a row and SciPy."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from torch import nn

from converse.nn.blocks import Block
from converse.nn.operators import Converse2D
from converse.nn.srresnet import UPSAMPLERS, BlockSRResNet, SRResNet

Array = npt.NDArray[np.float64]


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
    upsampler, y = UPSAMPLERS[name].double(4), torch.rand(2, 4, 5, 6)
    assert upsampler(y).shape == (2, 4, 10, 12)
    assert BlockSRResNet("conv", features=4, blocks=1, upsampler=name)(torch.rand(1, 3, 5, 6)).shape == (1, 3, 20, 24)  # type: ignore[arg-type]


def filled(y: Array) -> Array:
    """A sample in each second place of each second row, zeros between."""
    zeros = np.zeros((2 * y.shape[0], 2 * y.shape[1]))
    zeros[::2, ::2] = y
    return zeros


@pytest.mark.parametrize(("operator", "k"), [("conv", 2), ("convt", 5)])
def test_the_twins_upsample_as_their_authors_wrote_them(operator: str, k: int) -> None:
    torch.manual_seed(0)
    network = BlockSRResNet(operator, features=2, blocks=1).double()
    upsampler, y = cast("nn.Sequential", network.upsample[0]), torch.rand(1, 2, 3, 4, dtype=torch.float64)
    result = upsampler(y).detach().numpy()[0]
    (weight, bias), image = (p.detach().numpy() for p in upsampler.parameters()), y.numpy()[0]
    assert weight.shape == (2, 1, k, k)
    for c in range(2):
        if operator == "conv":  # nearest neighbour, a zero row and column after the last, correlation
            larger = np.pad(image[c].repeat(2, 0).repeat(2, 1), (0, 1))
            expected = scipy.signal.correlate2d(larger, weight[c, 0], mode="valid") + bias[c]
        else:  # stride 2, two rows cropped on each side, GELU, a zero row and column before the first
            whole = scipy.signal.convolve2d(filled(image[c])[:-1, :-1], weight[c, 0])
            expected = np.pad(whole[2:-2, 2:-2] + bias[c], ((1, 0), (1, 0)))
        np.testing.assert_allclose(result[c], F.gelu(torch.from_numpy(expected)).numpy(), atol=1e-12)


def test_the_twins_have_no_block_ahead_of_an_upsampler_and_a_bias_in_the_tail() -> None:
    for operator in ("conv", "convt"):
        network = BlockSRResNet(operator, features=4, blocks=1)
        assert sum(isinstance(module, Block) for module in network.modules()) == 2
        assert network.tail.bias is not None


@pytest.mark.parametrize("upsampler", ["converse", "transposed", "nearest"])
def test_srresnet_with_another_upsampler_differs_in_it_alone(upsampler: Any) -> None:
    torch.manual_seed(0)
    network, x = SRResNet(features=4, blocks=1, upsampler=upsampler), torch.rand(1, 3, 5, 6)
    y = network.body(F.leaky_relu(network.head(x), 0.1))
    for stage in cast("list[Any]", network.upsample):
        up = stage.up
        if upsampler == "converse":
            assert (up.kernel_size, up.scale, up.padding, up.padding_mode, up.eps) == (2, 2, 2, "circular", 1e-5)
        elif upsampler == "transposed":
            y = F.conv_transpose2d(y, up.weight, up.bias, stride=2, groups=4)
        else:
            y = F.interpolate(y, scale_factor=2)
        y = F.conv2d(y, stage.conv.weight, stage.conv.bias, padding=1)
        y = F.gelu(up(y) if upsampler == "converse" else y)
    y = network.tail(F.leaky_relu(network.refine(y), 0.1))
    expected = y + F.interpolate(x, size=(20, 24), mode="bilinear")
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-5)


def test_the_reverse_upsampler_is_the_papers_and_starts_as_nearest_neighbour() -> None:
    upsampler = UPSAMPLERS["converse"].double(3)
    assert isinstance(upsampler, Converse2D)
    assert (upsampler.kernel_size, upsampler.scale, upsampler.padding) == (2, 2, 2)
    assert (upsampler.padding_mode, upsampler.eps) == ("replicate", 1e-3)
    y = torch.rand(1, 3, 5, 6)
    # The kernels start with sum 1: operator.md's special case, whatever λ. float32.
    torch.testing.assert_close(upsampler(y), F.interpolate(y, scale_factor=2, mode="nearest"), rtol=0, atol=1e-5)


def test_the_block_network_is_its_parts_in_a_row() -> None:
    torch.manual_seed(0)
    network, x = BlockSRResNet(features=4, blocks=1), torch.rand(2, 3, 5, 6)
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
