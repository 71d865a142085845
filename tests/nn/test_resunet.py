"""The original unfolding network: its data step as the published formula in NumPy, its prior as torch's layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.resunet import ResUNet, USRNet, data_step


def inputs(n: int = 2, size: tuple[int, int] = (11, 9), dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    torch.manual_seed(3)
    kernel = torch.rand(n, 49, dtype=dtype).softmax(1).view(n, 1, 7, 7)
    return torch.rand(n, 3, *size, dtype=dtype), kernel, torch.full((n, 1, 1, 1), 0.02, dtype=dtype)


@pytest.mark.parametrize("size", [(11, 9), (8, 8), (12, 7)], ids=str)
def test_the_data_step_is_the_published_formula(size: tuple[int, int]) -> None:
    y, kernel, _ = inputs(size=size)
    x, alpha = torch.rand_like(y), torch.tensor([1e-3, 2.0], dtype=torch.float64).view(2, 1, 1, 1)
    image = np.zeros((2, 1, *size))
    image[..., :7, :7] = kernel.numpy()
    fk = np.fft.fft2(np.roll(image, (-3, -3), (-2, -1)))
    above = fk.conj() * np.fft.fft2(y.numpy()) + alpha.numpy() * np.fft.fft2(x.numpy())
    expected = np.fft.ifft2(above / (np.abs(fk) ** 2 + alpha.numpy())).real
    # The amplification is at most 1/√α = 32.
    np.testing.assert_allclose(data_step(x, y, kernel, alpha).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(16, 8), (11, 9), (1, 17)], ids=str)
def test_the_prior_is_a_u_net_of_residual_blocks_on_a_continued_image(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    prior = ResUNet(4, 3, (4, 5, 6, 7), 2).double()
    x = torch.rand(2, 4, *size, dtype=torch.float64)

    def residual(block: nn.Module, y: Tensor) -> Tensor:
        first, second = block.conv1.weight, block.conv2.weight  # type: ignore[union-attr]
        return y + F.conv2d(F.relu(F.conv2d(y, first, padding=1)), second, padding=1)  # type: ignore[arg-type]

    below, right = -size[0] % 8, -size[1] % 8
    continued = np.pad(x.numpy(), ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    levels = [F.conv2d(torch.from_numpy(continued), prior.head.weight, padding=1)]
    for down in prior.down:
        y = residual(down[1], residual(down[0], levels[-1]))  # type: ignore[index]
        levels.append(F.conv2d(y, down[2].weight, stride=2))  # type: ignore[index]
    y = levels[-1]
    for block in prior.body:
        y = residual(block, y)
    for up in prior.up:
        y = F.conv_transpose2d(y + levels.pop(), up[0].weight, stride=2)  # type: ignore[index]
        y = residual(up[2], residual(up[1], y))  # type: ignore[index]
    y = F.conv2d(y + levels.pop(), prior.tail.weight, padding=1)
    assert not levels
    torch.testing.assert_close(prior(x), y[..., : size[0], : size[1]], rtol=0, atol=1e-12)
    assert not any(name.endswith("bias") for name, _ in prior.named_parameters())


def test_the_network_unfolds_with_its_own_alpha_and_beta_in_each_iteration() -> None:
    torch.manual_seed(0)
    network = USRNet(features=(4, 4, 4, 4), blocks=1, iterations=3, hyper_features=5).double()
    y, kernel, noise = inputs()
    first, second, third = (network.hyper[i] for i in (0, 2, 4))

    def layer(module: nn.Module, x: Tensor) -> Tensor:
        return F.linear(x, module.weight[:, :, 0, 0], module.bias)  # type: ignore[arg-type,index]

    hidden = F.relu(layer(first, torch.stack((noise.flatten(), torch.ones(2, dtype=torch.float64)), 1)))
    hyper = F.softplus(layer(third, F.relu(layer(second, hidden)))) + 1e-6
    x = y
    for i in range(3):
        z = data_step(x, y, kernel, hyper[:, i].view(2, 1, 1, 1))
        beta = hyper[:, 3 + i].view(2, 1, 1, 1) * torch.ones(2, 1, 11, 9, dtype=torch.float64)
        x = network.prior(torch.cat((z, beta), 1))
    torch.testing.assert_close(network(y, kernel, noise), x, rtol=0, atol=1e-10)


def test_other_than_four_levels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features must name the channels of four levels, got \[8, 8\]"):
        USRNet(features=[8, 8])
