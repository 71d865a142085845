"""Images of many sizes in one flat tensor, from which all patches of a batch are gathered at once.

An image is stored as its channels, one plane after another. A patch is a start and two strides, so that cropping,
mirroring and turning are one index computation on the device and no copy of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PatchPlaces:
    """Where the patches of a batch lie; every field has one number per patch.

    Attributes:
        image: which image.
        top: its first row.
        left: its first column.
        turn: 0 to 7, one of the symmetries of the square: bit 0 mirrors rows, bit 1 mirrors columns, bit 2 then
            transposes.
    """

    image: Integers
    top: Integers
    left: Integers
    turn: Integers

    def part(self, wanted: slice) -> PatchPlaces:
        """Some of the patches."""
        return PatchPlaces(self.image[wanted], self.top[wanted], self.left[wanted], self.turn[wanted])


@dataclass(frozen=True)
class PatchSource:
    """Images in one flat tensor.

    Attributes:
        pixels: all of them, [Σ C·H·W].
        channels: C.
        offsets: where each image begins.
        heights: H of each.
        widths: W of each.
    """

    pixels: torch.Tensor
    channels: int
    offsets: Integers
    heights: Integers
    widths: Integers

    @classmethod
    def of(cls, pixels: torch.Tensor, channels: int, sizes: Sequence[tuple[int, int]]) -> PatchSource:
        """Images that lie one after another.

        Args:
            pixels: [Σ C·H·W].
            channels: C.
            sizes: H and W of each.
        """
        heights, widths = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
        ends = np.cumsum(channels * heights * widths)
        if pixels.shape != (int(ends[-1]),):
            raise ValueError(f"pixels must be [{int(ends[-1])}] for images of these sizes, got {tuple(pixels.shape)}")
        return cls(pixels, channels, np.concatenate([[0], ends[:-1]]), heights, widths)

    def __len__(self) -> int:
        return len(self.offsets)

    def to(self, device: str) -> PatchSource:
        """The same images on another device."""
        return replace(self, pixels=self.pixels.to(device))

    def crop(self, places: PatchPlaces, side: int) -> torch.Tensor:
        """Gather square patches.

        Args:
            places: where they lie; each must fit into its image.
            side: p.

        Returns:
            [N, C, p, p], on the device and in the dtype of the pixels.
        """
        height, width = self.heights[places.image], self.widths[places.image]
        mirror_rows, mirror_columns, transpose = (places.turn >> bit & 1 for bit in range(3))
        start = self.offsets[places.image] + places.top * width + places.left
        start += (mirror_rows * width + mirror_columns) * (side - 1)
        down, right = np.where(mirror_rows, -width, width), np.where(mirror_columns, -1, 1)
        strides = (height * width, np.where(transpose, right, down), np.where(transpose, down, right))
        device = self.pixels.device
        table = send(torch.from_numpy(np.stack([start, *strides])), device)[:, :, None, None, None]
        along = torch.arange(side, device=device)
        planes = torch.arange(self.channels, device=device)[:, None, None]
        index = table[0] + table[1] * planes + table[2] * along[:, None] + table[3] * along  # [N, C, p, p]
        return self.pixels[index]


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on another device, without waiting for it where the device is a GPU."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
