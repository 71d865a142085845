"""What is done to a clean image before a network sees it.

One pipeline serves all tasks: crop, blur, downsample, add noise; a task says which of these it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from converse.data.local import locate
from converse.data.resize import imresize
from converse.data.tasks import Task
from converse.errors import DataError

if TYPE_CHECKING:
    import torch

Image = npt.NDArray[np.uint8]
_SEED = 0  # the protocol sets it anew for every image


@dataclass(frozen=True)
class Sample:
    """What a network gets and what it should have given.

    Attributes:
        input: the degraded image, [1, C, h, w] float32; in [0, 1] but for noise and overshoot, which are not clipped.
        target: the clean image, [H, W, C] uint8.
        kernel: the blur kernel, [1, 1, k, k] float32, where there is one.
        noise_level: the noise's standard deviation, [1, 1, 1, 1] float32 in [0, 1], where there is noise.
    """

    input: torch.Tensor
    target: Image
    kernel: torch.Tensor | None = None
    noise_level: torch.Tensor | None = None


def degrade(task: Task, image: Image, kernel: npt.NDArray[np.float64] | None = None) -> Sample:
    """Degrade by the paper's test protocol, to the bit: the noise is the stream of ``numpy.random.seed(0)``.

    Args:
        task: says what is done.
        image: [H, W, C] uint8.
        kernel: [k, k] blur kernel that sums to one; given exactly if the task has cases.

    Returns:
        The sample; its target is the cropped image.

    Raises:
        DataError: the image is smaller than the multiple that the task crops to, or than the kernel.
        ValueError: channels do not fit the task, or a kernel is missing or too much.
    """
    import torch

    given, target = degraded(task, image, kernel)
    return Sample(
        input=torch.from_numpy(np.ascontiguousarray(given.transpose(2, 0, 1))[None]),  # [1, C, h, w]
        target=target,
        kernel=None if kernel is None else torch.from_numpy(kernel.astype(np.float32))[None, None],
        noise_level=torch.full((1, 1, 1, 1), task.noise_level / 255) if task.noise_level else None,
    )


def degraded(
    task: Task, image: Image, kernel: npt.NDArray[np.float64] | None = None
) -> tuple[npt.NDArray[np.float32], Image]:
    """The images of :func:`degrade`, without torch being loaded.

    Args:
        task: says what is done.
        image: [H, W, C] uint8.
        kernel: [k, k] blur kernel that sums to one; given exactly if the task has cases.

    Returns:
        The degraded image, [h, w, C] float32, and the clean one, [H, W, C] uint8.

    Raises:
        DataError: the image is smaller than the multiple that the task crops to, or than the kernel.
        ValueError: channels do not fit the task, or a kernel is missing or too much.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != task.channels:
        raise ValueError(f"image must be uint8 [H, W, {task.channels}], got {image.dtype} {image.shape}")
    if (kernel is None) == bool(task.cases):
        raise ValueError(f"{task.name} {'needs a' if task.cases else 'takes no'} blur kernel")
    target = crop(image, task.multiple)
    if kernel is not None:
        clean = to_unit(blur(target, kernel))
    elif task.scale > 1:
        clean = imresize(target / 255.0, 1 / task.scale).astype(np.float32)
    else:
        clean = to_unit(target)
    if task.noise_level:
        clean = add_noise(clean, task.noise_level / 255, np.random.RandomState(_SEED))
    return clean, target


def blur_kernels(data_dir: Path | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """The blur kernels of the deblurring table.

    Args:
        data_dir: a local folder to look in first.

    Returns:
        ``kernel_1`` to ``kernel_5``, each [7, 7] float64, summing to one.

    Raises:
        DataError: they are not here and cannot be downloaded, or a file is corrupt.
    """
    return {path.stem: np.load(path, allow_pickle=False) for path in locate("blur_kernels", data_dir)}


def crop(image: Image, multiple: int) -> Image:
    """Crop at the bottom and the right so that `multiple` divides both sides.

    Args:
        image: [H, W, C].
        multiple: at least 1.

    Returns:
        [H - H mod multiple, W - W mod multiple, C].

    Raises:
        DataError: a side is shorter than `multiple`.
    """
    height, width = image.shape[:2]
    if min(height, width) < multiple:
        raise DataError(f"the image is {height}×{width} pixels, at least {multiple}×{multiple} are needed")
    return image[: height - height % multiple, : width - width % multiple]


def to_unit(image: Image) -> npt.NDArray[np.float32]:
    """Bring 0…255 to [0, 1]: divided in float64, then rounded to float32, as the reference implementation does."""
    return (image / 255.0).astype(np.float32)


def add_noise(image: npt.NDArray[np.float32], level: float, random: np.random.RandomState) -> npt.NDArray[np.float32]:
    """Add white Gaussian noise without clipping.

    Args:
        image: [H, W, C] in [0, 1].
        level: standard deviation, in [0, 1].
        random: where the noise is drawn from, [H, W, C] float64 at once.

    Returns:
        [H, W, C] float32; summed in float64, then rounded.
    """
    return (image + random.normal(0, level, image.shape)).astype(np.float32)


def blur(image: Image, kernel: npt.NDArray[np.float64]) -> Image:
    """Convolve circularly with a kernel, on uint8 as the protocol does: sums are truncated to uint8, not rounded.

    Args:
        image: [H, W, C].
        kernel: [k, k], not negative, its origin at ⌊k/2⌋.

    Returns:
        [H, W, C] uint8.

    Raises:
        DataError: the image is smaller than the kernel.
    """
    if min(image.shape[:2]) < max(kernel.shape):
        raise DataError(
            f"the image is {image.shape[0]}×{image.shape[1]} pixels, at least "
            f"{kernel.shape[0]}×{kernel.shape[1]} (the blur kernel) are needed"
        )
    import scipy.ndimage

    blurred: Image = scipy.ndimage.convolve(image, kernel[:, :, None], mode="wrap")
    return blurred
