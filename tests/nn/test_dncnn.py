"""The denoisers, against torch's functional layers in a row."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from converse.nn.dncnn import BlockDnCNN, DnCNN
from converse.nn.operators import Converse2D, DepthwiseConv2d


@pytest.mark.parametrize("normalisation", [True, False], ids=["with-normalisation", "folded"])
def test_dncnn_is_seventeen_convolutions_whose_sum_is_subtracted(normalisation: bool) -> None:
    torch.manual_seed(0)
    network = DnCNN(features=8, normalisation=normalisation).double().eval()
    x = torch.rand(2, 1, 9, 8, dtype=torch.float64)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert (len(convolutions), len(norms)) == (17, 15 if normalisation else 0)
    for norm in norms:
        nn.init.uniform_(norm.running_mean)  # type: ignore[arg-type]
        nn.init.uniform_(norm.running_var, 1, 2)  # type: ignore[arg-type]
    noise = x
    for index, convolution in enumerate(convolutions):
        noise = F.conv2d(noise, convolution.weight, convolution.bias, padding=1)
        if norms and 0 < index < 16:
            norm = norms[index - 1]
            noise = F.batch_norm(noise, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5)
        noise = F.relu(noise) if index < 16 else noise
    torch.testing.assert_close(network(x), x - noise, rtol=0, atol=1e-12)


def test_the_block_network_has_no_global_skip() -> None:
    torch.manual_seed(0)
    network, x = BlockDnCNN(blocks=0, features=8, in_channels=3), torch.rand(2, 3, 6, 7)
    head, tail = network.head, network.tail
    expected = F.conv2d(F.conv2d(x, head.weight, head.bias), tail.weight, tail.bias)
    torch.testing.assert_close(network(x), expected)


def test_the_operator_acts_on_twice_the_channels_with_the_options_given() -> None:
    network = BlockDnCNN("converse", blocks=3, features=8, kernel_size=4, operator_options={"lam_shared": True})
    operators = [module for module in network.modules() if isinstance(module, Converse2D)]
    assert len(operators) == 3
    for operator in operators:
        assert (operator.channels, operator.kernel_size, operator.padding) == (16, 4, 3)
        assert operator.lam.shape == (1, 1, 1, 1)
        assert operator.padding_mode == "circular"
    changed = BlockDnCNN("conv", blocks=1, features=8, padding_mode="zero", design={"position": "after"})
    (convolution,) = (module for module in changed.modules() if isinstance(module, DepthwiseConv2d))
    assert (convolution.in_channels, convolution.continuation) == (8, "zero")


def test_a_network_of_one_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="layers must be at least 2, got 1"):
        DnCNN(layers=1)
