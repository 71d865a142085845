"""Training batch number t, a pure function of (seed, t): there is no sampler, so there is no state to lose.

Two streams decide a batch: ``batches`` says which patches and how they are turned, ``degradation`` draws the noise and
chooses the blur kernel. All is drawn on the CPU by NumPy's counter-based generator, noise too, so that every entry of a
seed sees the same batches, on a CPU and on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from converse.data.degradations import to_unit
from converse.data.patches import PatchPlaces, send
from converse.data.streams import generator
from converse.data.tasks import Task
from converse.data.training_images import TrainingImages
from converse.errors import DataError

_ROUND_OFF = 1e-3  # of 255; a blurred sum this close below a whole number is that number


@dataclass(frozen=True)
class Batch:
    """What a network gets and what it should give.

    Attributes:
        input: degraded patches, [N, C, p/s, p/s] float32; noise is not clipped.
        target: clean patches, [N, C, p, p] float32 in [0, 1].
        kernel: [N, 1, k, k] float32, where there is blur.
        noise_level: standard deviation of the noise, [N, 1, 1, 1] float32 in [0, 1], where there is noise.
    """

    input: torch.Tensor
    target: torch.Tensor
    kernel: torch.Tensor | None = None
    noise_level: torch.Tensor | None = None


@dataclass(frozen=True)
class Draw:
    """All that is random about a batch, still on the CPU.

    Attributes:
        places: of the patches, in pixels of the input.
        kernel: which blur kernel each patch gets, [N], where there is blur.
        noise: [N, C, p/s, p/s] float32, where there is noise.
    """

    places: PatchPlaces
    kernel: npt.NDArray[np.int64] | None
    noise: npt.NDArray[np.float32] | None

    def part(self, wanted: slice) -> Draw:
        """Some of the patches, each as it is in the whole."""
        kernel = None if self.kernel is None else self.kernel[wanted]
        noise = None if self.noise is None else self.noise[wanted]
        return Draw(self.places.part(wanted), kernel, noise)


class Batches:
    """The batches of one seed.

    Each patch comes from an image drawn uniformly, from a place drawn uniformly, turned by one of the eight symmetries
    of the square. For super-resolution patches are aligned with the low-resolution image, which is made of the whole
    image beforehand. For deblurring a patch is blurred circularly, by itself, and cut to whole grey levels, as whole
    images are for the test.

    Args:
        task: the degradation.
        images: what patches are cut from.
        patch: p, side of the target patch.
        batch: N.
        seed: of both streams.
        device: where batches are wanted.
        kernels: blur kernels by case, for a task that has cases.
        share: which part of each batch is wanted, and of how many equal ones: (0, 1) is all of it.

    Raises:
        DataError: an image is smaller than the patch.
        ValueError: the task's multiple does not divide the patch, blur kernels are missing, or a batch has no such
            equal parts.
    """

    def __init__(
        self,
        task: Task,
        images: TrainingImages,
        *,
        patch: int,
        batch: int,
        seed: int,
        device: str = "cpu",
        kernels: Mapping[str, npt.NDArray[np.float64]] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if batch % share[1]:
            raise ValueError(f"batch must be a multiple of the {share[1]} parts that it is divided into, got {batch}")
        if patch % task.multiple:
            raise ValueError(f"patch must be a multiple of {task.multiple} for {task.name}, got {patch}")
        for name, height, width in zip(images.names, images.target.heights, images.target.widths, strict=True):
            if min(height, width) < patch:
                raise DataError(
                    f"training image {name} is {height}×{width} pixels, smaller than the patch of {patch}×{patch}: "
                    "leave it out, or set a smaller patch"
                )
        self.task, self.images = task, images
        self.patch, self.batch, self.seed, self.device = patch, batch, seed, torch.device(device)
        self._side = patch // task.scale
        self._source = images.target if images.input is None else images.input
        self._units = torch.from_numpy(to_unit(np.arange(256, dtype=np.uint8))).to(device)
        self._kernels: torch.Tensor | None = None
        if task.cases:
            if kernels is None:
                raise ValueError(f"{task.name} needs blur kernels")
            stacked = np.stack([kernels[case] for case in task.cases])[:, None]
            self._kernels = torch.from_numpy(stacked.astype(np.float32)).to(device)  # [cases, 1, k, k]
        part = batch // share[1]
        self._wanted = slice(share[0] * part, (share[0] + 1) * part)
        level = torch.full((part, 1, 1, 1), task.noise_level / 255, dtype=torch.float32, device=self.device)
        self._level = level if task.noise_level else None

    def __call__(self, step: int) -> Batch:
        """Batch number `step`, from 0."""
        return self.assemble(self.draw(step))

    def draw(self, step: int) -> Draw:
        """What is random about batch number `step`; may be called from another thread."""
        choose = generator(self.seed, "batches", step)
        image = choose.integers(len(self._source), size=self.batch)
        top = choose.integers(self._source.heights[image] - self._side + 1)
        left = choose.integers(self._source.widths[image] - self._side + 1)
        places = PatchPlaces(image, top, left, choose.integers(8, size=self.batch))
        degrade = generator(self.seed, "degradation", step)
        kernel = degrade.integers(len(self.task.cases), size=self.batch) if self.task.cases else None
        noise = None
        if self.task.noise_level:
            shape = (self.batch, self.task.channels, self._side, self._side)
            noise = degrade.standard_normal(shape, dtype=np.float32)
            noise *= np.float32(self.task.noise_level / 255)
        return Draw(places, kernel, noise).part(self._wanted)

    def assemble(self, draw: Draw) -> Batch:
        """Gather and degrade the patches of a draw, on the device."""
        places, scale = draw.places, self.task.scale
        at_target = PatchPlaces(places.image, places.top * scale, places.left * scale, places.turn)
        grey_levels = self.images.target.crop(at_target, self.patch).to(self.device)  # uint8
        target = self._units[grey_levels.int()]
        clean, kernel = target, None
        if self.images.input is not None:
            clean = self.images.input.crop(places, self._side).to(self.device)
        if draw.kernel is not None and self._kernels is not None:
            kernel = self._kernels[torch.from_numpy(draw.kernel).to(self.device)]
            clean = self._units[(blur(grey_levels.float(), kernel) + _ROUND_OFF).int()]
        if draw.noise is not None:
            clean = clean + send(torch.from_numpy(draw.noise), self.device)
        return Batch(clean, target, kernel, self._level)


def blur(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolve each image circularly with its kernel, whose origin is at ⌊k/2⌋.

    Args:
        images: [N, C, H, W].
        kernels: [N, 1, k, k], k odd.

    Returns:
        [N, C, H, W].
    """
    n, c, h, w = images.shape
    k = kernels.shape[-1]
    padded = F.pad(images, (k // 2,) * 4, mode="circular").reshape(1, n * c, h + k - 1, w + k - 1)
    flipped = kernels.flip(-2, -1).expand(n, c, k, k).reshape(n * c, 1, k, k)  # torch correlates
    return F.conv2d(padded, flipped, groups=n * c).view(n, c, h, w)
