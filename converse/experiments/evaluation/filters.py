"""What any denoiser has to beat: the noisy image itself, and the best Gaussian filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import inf
from statistics import fmean
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from converse.data.degradations import degraded
from converse.data.images import ImageSet, read_image
from converse.data.tasks import TASKS, Task
from converse.experiments.store.rows import Row
from converse.metrics import Image, Metric, as_uint8, averaged, metrics_for

NOISY: Final = TASKS["denoising"].given
GAUSSIAN: Final = "Best Gaussian filter"
WIDTHS: Final = tuple(float(width) for width in np.arange(0.4, 2.51, 0.05).round(2))
"""Standard deviations among which is chosen, in pixels."""
_COARSE: Final = 6
"""Every so many widths are tried first, then those around the best: a filter that is too narrow leaves noise, one that
is too wide takes detail, and quality has one maximum between the two."""


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
    for image in images.images:
        noisy, clean = degraded(task, read_image(image.path, task.colour))
        best = _best_filtered(noisy, clean, first)
        for entry, restored in ((NOISY, as_uint8(noisy)), (GAUSSIAN, best)):
            for metric in metrics:
                yield {
                    "entry": entry,
                    "image": image.name,
                    "metric": metric.name,
                    "signature": metric.signature,
                    "value": metric(clean, restored),
                }


def _best_filtered(noisy: npt.NDArray[np.float32], clean: Image, metric: Metric) -> Image:
    sign = 1 if metric.higher_is_better else -1

    @cache
    def filtered(at: int) -> Image:
        return as_uint8(gaussian_filter(noisy, (WIDTHS[at], WIDTHS[at], 0), mode="reflect"))

    @cache
    def quality(at: int) -> float:
        return sign * metric(clean, filtered(at))

    near = max(range(0, len(WIDTHS), _COARSE), key=quality)
    return filtered(max(range(max(0, near - _COARSE), min(len(WIDTHS), near + _COARSE + 1)), key=quality))


@cache
def filter_means(images: ImageSet) -> tuple[dict[str, Any], ...]:
    """Means of :func:`classical` over the images of a denoiser's test set, computed once.

    Args:
        images: at least one.

    Returns:
        ``entry, metric, signature, measured, images, infinite``, as result rows have them.
    """
    task = TASKS["denoising"]
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in classical(task, images, metrics_for(task.psnr_colour, task.border, ["psnr", "ssim"], None)):
        values.setdefault((row["entry"], row["metric"], row["signature"]), []).append(row["value"])
    return tuple(
        {
            "entry": entry,
            "metric": metric,
            "signature": signature,
            "measured": fmean(averaged(of_images)),
            "images": len(of_images),
            "infinite": of_images.count(inf),
        }
        for (entry, metric, signature), of_images in values.items()
    )
