"""Clean images, and what is made of them before a network sees them: found where they lie, never fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converse.data.catalogue import datasets, sha256_of
from converse.data.degradations import degraded
from converse.data.images import ImageFile, read_image
from converse.data.resize import imresize
from converse.data.resources import Absent, Resources
from converse.data.tasks import Task
from converse.metrics import Image, NotMeasured, as_uint8, metrics_for

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from converse.experiments.store.requests import RequestedSet


@dataclass(frozen=True)
class Given:
    """What a network is given, or what an interpolation makes of it.

    Attributes:
        key: ``input`` or ``bicubic``.
        title: for people.
        image: [H, W, C] or, with fewer pixels, [h, w, C] uint8.
        values: metric → its value on the whole image.
    """

    key: str
    title: str
    image: Image
    values: Mapping[str, float]


class CleanImages:
    """Finds images by name of the test set and checksum.

    Args:
        resources: of the catalogue; should not fetch.
        sets: of requests, which know where folders of the user's lay.
    """

    def __init__(self, resources: Resources, sets: Iterable[RequestedSet]) -> None:
        self._resources = resources
        self._folders: dict[str, Path] = {
            sha256: Path(one.folder) / name for one in sets if one.folder for name, sha256 in one.images
        }

    def find(self, dataset: str, name: str, sha256: str) -> ImageFile | None:
        """The file of an image; ``None`` where it is not at hand, or is another one by now.

        Args:
            dataset: name in the catalogue, or title of a folder.
            name: of the image.
            sha256: of its file.
        """
        if dataset in datasets():
            images = self._resources.images(dataset)
            if isinstance(images, Absent):
                return None
            return next((one for one in images.images if one.sha256 == sha256), None)
        path = self._folders.get(sha256)
        if path is None or not path.is_file() or sha256_of(path) != sha256:
            return None
        return ImageFile(name, path, sha256)


_TITLES = {"denoising": "noisy input", "super_resolution": "input", "deblurring": "blurred input"}


def given(task: Task, file: ImageFile, kernel: npt.NDArray[np.float64] | None) -> tuple[Image, tuple[Given, ...]]:
    """The clean image as it is compared with, and what a network is given of it.

    Args:
        task: how the image is degraded.
        file: of the clean image.
        kernel: the blur kernel of a task with cases.

    Returns:
        The truth, [H, W, C] uint8; the input, and of a smaller one its bicubic enlargement, by MATLAB's rule.

    Raises:
        DataError: the image cannot be read, or is too small.
    """
    small, truth = degraded(task, read_image(file.path, task.colour), kernel)
    layers = [Given("input", _TITLES[task.name], as_uint8(small), _values(task, truth, as_uint8(small)))]
    if task.scale > 1:
        large = as_uint8(imresize(small.astype(float), task.scale).astype("float32"))
        layers.append(Given("bicubic", "bicubic", large, _values(task, truth, large)))
    return truth, tuple(layers)


def _values(task: Task, truth: Image, image: Image) -> dict[str, float]:
    """PSNR and SSIM, as those of networks are measured."""
    values = {}
    if image.shape == truth.shape:
        for metric in metrics_for(task.psnr_colour, task.border, ["psnr", "ssim"], None):
            try:
                values[metric.name] = metric(truth, image)
            except NotMeasured:
                continue
    return values


def degradation(task: Task, case_title: str) -> str:
    """What was done to the images, one sentence: ``Blurred by kernel 1, white Gaussian noise …``."""
    said = [f"blurred by {case_title}"] if case_title else []
    said += [f"reduced to 1/{task.scale} by bicubic interpolation"] if task.scale > 1 else []
    said += [f"white Gaussian noise, σ = {task.noise_level:g} of 255"] if task.noise_level else []
    text = ", ".join(said)
    return f"{text[:1].upper()}{text[1:]}."
