"""USRNet (Zhang et al., CVPR 2020), the original unfolding network: FFT data step, ResUNet prior, two-input MLP."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from converse.nn.functional import converse2d


class USRNet(nn.Module):
    """Non-blind deblurring by unfolding: a closed-form data step and a learnt prior in turn.

    The data step minimises ‖k ⊗ z - y‖² + α‖z - x‖², which is reverse convolution with X0 = x (s = 1), the kernel given
    and λ = α: F(z) = (conj(F_k) F(y) + α F(x)) / (|F_k|² + α). α and the prior's β are produced from the noise level.

    The full size (the defaults) and the small one (``iterations=6, features=(16, 32, 64, 64), hyper_features=32``) are
    those of the authors' ``usrnet`` and ``usrnet_tiny``.

    Args:
        in_channels: channels of the image.
        features: channels at the four levels of the prior.
        blocks: residual blocks per level.
        iterations: number of unfolded iterations.
        hyper_features: width of the hyper-parameter MLP.
    """

    inputs: ClassVar[tuple[str, ...]] = ("input", "kernel", "noise_level")

    def __init__(
        self,
        in_channels: int = 3,
        features: Sequence[int] = (64, 128, 256, 512),
        blocks: int = 2,
        iterations: int = 8,
        hyper_features: int = 64,
    ) -> None:
        super().__init__()
        if len(features) != 4:
            raise ValueError(f"features must name the channels of four levels, got {list(features)}")
        self.iterations = iterations
        self.prior = ResUNet(in_channels + 1, in_channels, features, blocks)
        self.hyper = nn.Sequential(
            nn.Conv2d(2, hyper_features, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hyper_features, hyper_features, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hyper_features, 2 * iterations, 1),
            nn.Softplus(),
        )

    def forward(self, y: Tensor, kernel: Tensor, noise_level: Tensor) -> Tensor:
        """Restore ``y`` [N, C, H, W], blurred circularly with ``kernel`` [N, 1, k, k]; ``noise_level`` [N, 1, 1, 1]."""
        scale = torch.ones_like(noise_level)  # the original also takes the factor of super-resolution; here it is 1
        hyper = self.hyper(torch.cat((noise_level, scale), 1)) + 1e-6  # [N, 2·iterations, 1, 1]
        alpha, beta = hyper.split(self.iterations, dim=1)
        x = y
        for i in range(self.iterations):
            z = data_step(x, y, kernel, alpha[:, i : i + 1])
            noise_map = beta[:, i : i + 1].expand(-1, -1, *z.shape[-2:])
            x = self.prior(torch.cat((z, noise_map.to(z.dtype)), 1))
        return x


def data_step(x: Tensor, y: Tensor, kernel: Tensor, alpha: Tensor) -> Tensor:
    """argmin_z ‖k ⊗ z - y‖² + α‖z - x‖²: reverse convolution from the estimate ``x``.

    Args:
        x: estimate [N, C, H, W].
        y: blurred image [N, C, H, W].
        kernel: blur kernel [N, 1, k, k].
        alpha: α > 0, [N, 1, 1, 1].

    Returns:
        z [N, C, H, W].
    """
    return converse2d(y, kernel.expand(-1, x.shape[1], -1, -1), alpha, initial_estimate=x, validate_lam=False)


class _Residual(nn.Module):
    """x + conv(relu(conv(x))), without normalisation and biases."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(F.relu(self.conv1(x), inplace=True))
        return out


class ResUNet(nn.Module):
    """The prior of USRNet: a U-Net of residual blocks, stride-2 convolutions down, transposed convolutions up.

    Args:
        in_channels: channels of the input (the image and a map of β).
        out_channels: channels of the output.
        features: channels at the four levels.
        blocks: residual blocks per level.
    """

    def __init__(self, in_channels: int, out_channels: int, features: Sequence[int], blocks: int) -> None:
        super().__init__()

        def residuals(width: int) -> list[nn.Module]:
            return [_Residual(width) for _ in range(blocks)]

        pairs = list(itertools.pairwise(features))
        self.head = nn.Conv2d(in_channels, features[0], 3, padding=1, bias=False)
        self.down = nn.ModuleList(
            nn.Sequential(*residuals(fine), nn.Conv2d(fine, coarse, 2, stride=2, bias=False)) for fine, coarse in pairs
        )
        self.body = nn.Sequential(*residuals(features[-1]))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False), *residuals(fine))
            for fine, coarse in reversed(pairs)
        )
        self.tail = nn.Conv2d(features[0], out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` [N, C, H, W] to [N, C', H, W]; sides are continued to multiples of 8 and cropped again."""
        h, w = x.shape[-2:]
        x = self.head(F.pad(x, (0, -w % 8, 0, -h % 8), mode="replicate"))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.body(x)
        for up in self.up:
            x = up(x + skips.pop())
        out: Tensor = self.tail(x + skips.pop())
        return out[..., :h, :w]
