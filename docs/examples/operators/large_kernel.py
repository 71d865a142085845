"""Large-kernel depthwise convolution: one kernel of 13×13 beside one of the usual size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad


class LargeKernel(nn.Module):
    """A large and a small depthwise convolution, added (Ding et al., "Scaling up your kernels to 31×31", CVPR 2022).

    After a training both could be added into one kernel; that is left out here.
    """

    def __init__(
        self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular", large: int = 13
    ) -> None:
        super().__init__()
        if scale != 1:
            raise ValueError(f"LargeKernel has scale 1, got {scale}")
        self.mode = {"zero": "constant"}.get(padding_mode, padding_mode)
        self.large = nn.Conv2d(channels, channels, large, groups=channels)
        self.small = nn.Conv2d(channels, channels, kernel_size, groups=channels, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        """Convolve ``y`` [N, C, H, W], the same shape."""
        return self._same(self.large, y) + self._same(self.small, y)

    def _same(self, convolution: nn.Conv2d, y: Tensor) -> Tensor:
        before = convolution.kernel_size[0] // 2
        after = convolution.kernel_size[0] - 1 - before
        least = {"circular": before, "reflect": before + 1}.get(self.mode, 1)
        if min(y.shape[-2:]) < least:
            raise ValueError(f"the image must be at least {least}×{least}, got {y.shape[-2]}×{y.shape[-1]}")
        return convolution(pad(y, (before, after, before, after), mode=self.mode))
