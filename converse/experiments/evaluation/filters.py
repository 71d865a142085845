"""What any denoiser has to beat: the noisy image itself, and the best Gaussian filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from converse.data.degradations import degrade
from converse.data.images import ImageSet, read_image
from converse.data.tasks import Task
from converse.experiments.store.rows import Row
from converse.metrics import Image, Metric, to_uint8

NOISY: Final = "Noisy input"
GAUSSIAN: Final = "Best Gaussian filter"
WIDTHS: Final = tuple(float(width) for width in np.arange(0.4, 2.51, 0.05).round(2))
"""Standard deviations that are tried, in pixels."""


def classical(task: Task, images: ImageSet, metrics: Sequence[Metric]) -> Iterator[Row]:
    """Measure both on noisy images, which are those that the networks are given.

    The width of the filter is chosen for each image by the true image itself: no filter of that kind does better, and
    nobody who has the noisy image alone could choose it so well.

    Args:
        task: one that adds noise and does nothing else.
        images: the test images.
        metrics: the first one chooses the width.

    Yields:
        ``entry, image, metric, signature, value``, one per measurement.

    Raises:
        ValueError: the task does something else.
    """
    if task.cases or task.scale != 1:
        raise ValueError(f"the filter undoes noise alone, and {task.name} does more")
    first = metrics[0]
    sign = 1 if first.higher_is_better else -1
    for image in images.images:
        sample = degrade(task, read_image(image.path, task.colour))
        filtered = (to_uint8(_gaussian(sample.input, width)) for width in WIDTHS)
        best: Image = max(filtered, key=lambda restored: sign * first(sample.target, restored))
        for entry, restored in ((NOISY, to_uint8(sample.input)), (GAUSSIAN, best)):
            for metric in metrics:
                yield {
                    "entry": entry,
                    "image": image.name,
                    "metric": metric.name,
                    "signature": metric.signature,
                    "value": metric(sample.target, restored),
                }


def _gaussian(image: torch.Tensor, width: float) -> torch.Tensor:
    return torch.from_numpy(gaussian_filter(image.numpy(), (0, 0, width, width), mode="reflect"))
