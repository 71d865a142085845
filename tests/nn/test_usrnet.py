"""The deblurring networks, against their parts in a row and the data steps by hand (NumPy, SciPy)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F

from converse.experiments.training.learner import initialised
from converse.nn.operators import Converse2D
from converse.nn.usrnet import BlockNet, BlockUSRNet, ForwardDataStep, ReverseDataStep


def kernels(n: int, c: int, k: int = 7) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(n, c, k * k, dtype=torch.float64).softmax(-1).view(n, c, k, k)


def test_the_reverse_step_is_the_wiener_filter_pulled_to_the_identity() -> None:
    step, y, taps = ReverseDataStep(3).double(), torch.rand(2, 3, 9, 8, dtype=torch.float64), kernels(2, 3)
    torch.nn.init.normal_(step.bias, 3)
    image = np.zeros((2, 3, 9, 8))
    image[..., :7, :7] = taps.numpy()
    fk = np.fft.fft2(np.roll(image, (-3, -3), (-2, -1)))
    lam = 1 / (1 + np.exp(9 - step.bias.detach().numpy())) + 1e-3
    expected = np.fft.ifft2(np.fft.fft2(y.numpy()) * (fk.conj() + lam) / (np.abs(fk) ** 2 + lam)).real
    np.testing.assert_allclose(step(y, taps).detach().numpy(), expected, atol=1e-11)


def test_the_forward_step_is_scipys_convolution() -> None:
    y, taps = torch.rand(2, 3, 9, 8, dtype=torch.float64), kernels(2, 3)
    result = ForwardDataStep()(y, taps).numpy()
    expected = scipy.ndimage.convolve(y[1, 2].numpy(), taps[1, 2].numpy(), mode="wrap")
    np.testing.assert_allclose(result[1, 2], expected, atol=1e-12)


def test_the_blind_network_runs_the_same_blocks_several_times() -> None:
    torch.manual_seed(0)
    network, x = BlockNet(features=4, blocks=2, iterations=3), torch.rand(2, 3, 8, 9)
    y = F.conv2d(x, network.head.weight, network.head.bias)
    for _ in range(3):
        y = network.body(y)
    expected = F.conv2d(y, network.tail.weight, network.tail.bias)
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-5)
    count = sum(p.numel() for p in network.parameters())
    assert count == sum(p.numel() for p in BlockNet(features=4, blocks=2, iterations=9).parameters())
    assert all(m.padding == 2 for m in network.modules() if isinstance(m, Converse2D))


@pytest.mark.parametrize("operator", ["converse", "conv"])
def test_the_unfolding_network_makes_kernels_inverts_and_runs_the_same_blocks(operator: str) -> None:
    torch.manual_seed(0)
    network = BlockUSRNet(operator, features=4, blocks=1, iterations=3, kernels=5)
    for parameter in network.body.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # α, too, away from its start
    x, kernel = torch.rand(2, 3, 9, 8), kernels(2, 1).float()
    first, second, third = (network.kernel_mlp[i] for i in (0, 2, 4))
    hidden = F.gelu(F.linear(kernel.reshape(2, 49), first.weight, first.bias))  # type: ignore[arg-type]
    hidden = F.gelu(F.linear(hidden, second.weight, second.bias))  # type: ignore[arg-type]
    bank = F.linear(hidden, third.weight, third.bias).reshape(2, 5, 7, 7)  # type: ignore[arg-type]
    y = F.conv2d(x, network.head.weight, network.head.bias)
    for mix in network.kernel_mix:
        taps = torch.einsum("oi,nihw->nohw", mix.weight[:, :, 0, 0], bank) + mix.bias[:, None, None]  # type: ignore[index]
        y = network.body(network.data_step(y, taps))
    expected = F.conv2d(y, network.tail.weight, network.tail.bias)
    torch.testing.assert_close(network(x, kernel), expected, rtol=0, atol=1e-4 * float(expected.detach().abs().max()))


def test_the_data_steps_share_one_lambda_and_the_iterations_their_blocks() -> None:
    few, many = (BlockUSRNet(features=4, blocks=1, kernels=5, iterations=i) for i in (1, 4))
    added = sum(p.numel() for p in many.parameters()) - sum(p.numel() for p in few.parameters())
    assert added == 3 * (4 * 5 + 4)  # the 1×1 convolutions that mix the kernels
    assert many.data_step.get_parameter("bias").shape == (1, 4, 1, 1)


def test_at_the_start_the_blocks_pass_everything_on() -> None:
    torch.manual_seed(0)
    network, x = BlockUSRNet(features=4, blocks=2, iterations=1, kernels=5), torch.rand(1, 4, 8, 8)
    assert torch.equal(network.body(x), x)  # α = 0


def test_under_the_start_of_impulses_the_first_kernels_are_means_of_them_that_can_part() -> None:
    build = partial(BlockUSRNet, features=4, blocks=1, iterations=2, kernels=5, blur_size=4)
    network: Any = initialised(build, 0, "impulses")
    impulse = torch.zeros(4, 4)
    impulse[2, 2] = 1  # ⌊k/2⌋
    bank = network.kernel_mlp(torch.rand(3, 16)).view(3, 5, 4, 4)
    assert torch.equal(bank, impulse.expand(3, 5, 4, 4))
    for mix in network.kernel_mix:
        weight = mix.weight[:, :, 0, 0].detach()
        assert (weight > 0).all()
        torch.testing.assert_close(weight.sum(1), torch.ones(4))
        # Equal weights would give every kernel of the bank the same gradient, and all would stay one.
        assert torch.linalg.matrix_rank(weight) == 4


def test_the_kernel_changes_the_result() -> None:
    torch.manual_seed(0)
    network, x = BlockUSRNet(features=4, blocks=1, iterations=2, kernels=5).eval(), torch.rand(1, 3, 9, 9)
    torch.nn.init.normal_(network.kernel_mlp[4].weight, std=0.1)  # type: ignore[arg-type]
    first, second = kernels(2, 1).float().split(1)
    with torch.no_grad():
        assert not torch.allclose(network(x, first), network(x, second))
        # Samples of one batch have each their own kernel.
        both = network(x.expand(2, -1, -1, -1), torch.cat((first, second)))
        torch.testing.assert_close(both[1:], network(x, second), rtol=0, atol=1e-4)


def test_another_operator_has_no_data_step() -> None:
    with pytest.raises(ValueError, match="got operator 'convt'"):
        BlockUSRNet("convt")
