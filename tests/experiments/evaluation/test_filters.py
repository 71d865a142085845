"""Oracles: SciPy's filter and scikit-image's PSNR on the noisy image, width by width."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

from converse.data.degradations import degraded
from converse.data.images import image_set, read_image
from converse.data.tasks import TASKS
from converse.experiments.evaluation.filters import GAUSSIAN, NOISY, WIDTHS, classical
from converse.metrics import as_uint8, metrics_for


def test_the_best_width_is_the_best() -> None:
    images = image_set("skimage_test").first(2)
    metrics = metrics_for("grey", 0, ["psnr", "ssim"], None)
    found = {
        (row["entry"], row["image"], row["metric"]): row["value"]
        for row in classical(TASKS["denoising"], images, metrics)
    }
    assert len(found) == 2 * 2 * 2
    for image in images.images:
        clean = read_image(image.path, "grey")[..., 0]
        np.random.seed(0)  # noqa: NPY002 - the protocol's
        noisy = (clean / 255 + np.random.normal(0, 25 / 255, (*clean.shape, 1))[..., 0]).astype(np.float32)  # noqa: NPY002
        values = [
            peak_signal_noise_ratio(clean, np.rint(np.clip(gaussian_filter(noisy, width), 0, 1) * 255).astype(np.uint8))
            for width in WIDTHS[::6]
        ]
        best = found[GAUSSIAN, image.name, "psnr"]
        assert max(values) - 1e-3 <= best <= max(values) + 0.1
        assert found[NOISY, image.name, "psnr"] == pytest.approx(
            peak_signal_noise_ratio(clean, np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)), abs=1e-3
        )
        assert WIDTHS[0] < 0.5 < 2 < WIDTHS[-1]
        assert best > found[NOISY, image.name, "psnr"] + 4


def test_it_is_the_best_of_all_widths() -> None:
    """The oracle tries each of them."""
    (psnr,) = metrics_for("grey", 0, ["psnr"], None)
    images = image_set("skimage_test")
    found = {
        row["image"]: row["value"] for row in classical(TASKS["denoising"], images, [psnr]) if row["entry"] == GAUSSIAN
    }
    for image in images.images:
        noisy, clean = degraded(TASKS["denoising"], read_image(image.path, "grey"))
        widths = ((width, width, 0) for width in WIDTHS)
        assert found[image.name] == max(psnr(clean, as_uint8(gaussian_filter(noisy, width))) for width in widths)


def test_other_tasks_are_refused() -> None:
    metrics = metrics_for("y", 4, ["psnr"], None)
    for name in ("super_resolution", "deblurring"):
        with pytest.raises(ValueError, match=f"the filter undoes noise alone, and {name} does more"):
            next(classical(TASKS[name], image_set("skimage_test"), metrics))
