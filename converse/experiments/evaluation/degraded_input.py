"""What a network is given, measured as if a network had made it: any network has to be above it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from converse.data.resize import imresize


class DegradedInput(nn.Module):
    """Gives what it is given, enlarged by MATLAB's bicubic rule where networks of the task enlarge.

    Args:
        scale: output side over input side.
    """

    inputs = ("input",)

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        """[1, C, h, w] float32 → [1, C, s·h, s·w] float32, not clipped."""
        if self.scale == 1:
            return image
        rows = image[0].permute(1, 2, 0).cpu().numpy().astype(np.float64)  # [h, w, C]
        large = imresize(rows, self.scale).astype(np.float32)  # [s·h, s·w, C]
        return torch.from_numpy(large.transpose(2, 0, 1)[None].copy()).to(image.device)
