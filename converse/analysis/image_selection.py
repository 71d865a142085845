"""Which image and which place of it a visual comparison shows: chosen by rule, never by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.pairing import pairs

Why = Literal["largest", "median"]


@dataclass(frozen=True)
class ChosenImage:
    """An image of a test set.

    Attributes:
        image: its name.
        sha256: its checksum.
        why: it has the difference that is largest in size, or the median one.
        difference: PSNR of the second minus that of the first, in dB, mean over the seeds that both have.
    """

    image: str
    sha256: str
    why: Why
    difference: float


def rivals(rows: pd.DataFrame, base: str | None = None) -> tuple[str, str] | None:
    """The two networks whose difference decides.

    Args:
        rows: of one dataset and case, with the metric PSNR alone.
        base: the first; ``None`` for the best network with reverse convolution, known by its name (``Converse…``).

    Returns:
        The first, and the best of the others, twins and baselines before further networks with reverse convolution;
        ``None`` where there are no two.
    """
    means = rows.dropna(subset=["value"]).groupby("entry", sort=False)["value"].mean()
    means = means.sort_values(ascending=False, kind="stable")
    names = [str(name) for name in means.index]
    if base is None:
        base = next((name for name in names if name.startswith("Converse")), names[0] if names else None)
    others = [name for name in names if name != base]
    if base not in names or not others:
        return None
    return base, next((name for name in others if not name.startswith("Converse")), others[0])


def choose_images(rows: pd.DataFrame, first: str, second: str) -> list[ChosenImage]:
    """The image with the largest difference between two networks, and the one with the median difference.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, of one dataset and case, with the metric PSNR
            alone.
        first: name of an entry.
        second: name of another.

    Returns:
        At most two images; of an even number of differences the lower of the two in the middle; one image if both
        rules choose the same; none where nothing can be paired.
    """
    own, other = (rows[rows["entry"] == name] for name in (first, second))
    paired = pairs(own, other, (first, second))
    if not paired.differences.size:
        return []
    differences = paired.differences.mean(axis=0)
    checksums = own.drop_duplicates("image").set_index("image")["image_sha256"]
    largest = int(np.abs(differences).argmax())
    median = int(np.argsort(differences, kind="stable")[(len(differences) - 1) // 2])
    chosen: dict[int, Why] = {largest: "largest"}
    chosen.setdefault(median, "median")
    return [
        ChosenImage(paired.images[index], str(checksums[paired.images[index]]), why, float(differences[index]))
        for index, why in chosen.items()
    ]


def choose_window(
    truth: npt.NDArray[np.uint8],
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    side: int,
    *,
    multiple: int = 1,
    border: int = 0,
) -> tuple[int, int]:
    """The window where the squared errors of two images differ most, summed over the window.

    Args:
        truth: [H, W, C].
        first: [H, W, C].
        second: [H, W, C].
        side: of the square window, at most that of the image.
        multiple: top and left are multiples of it, so that the window falls on whole pixels of a smaller input.
        border: pixels at each side that are left out, where there is room.

    Returns:
        Top and left; of equal windows the first, row by row.

    Raises:
        ValueError: shapes differ, or the window is larger than the image.
    """
    if not truth.shape == first.shape == second.shape or side > min(truth.shape[:2]):
        raise ValueError(f"expected three images of one shape, at least {side} wide and high, got {truth.shape}")
    exact = [image.astype(np.int64) for image in (truth, first, second)]
    difference = ((exact[1] - exact[0]) ** 2 - (exact[2] - exact[0]) ** 2).sum(axis=2)
    sums = np.zeros((difference.shape[0] + 1, difference.shape[1] + 1), dtype=np.int64)
    sums[1:, 1:] = difference.cumsum(axis=0).cumsum(axis=1)  # whole numbers: no round-off decides
    windows = np.abs(sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side])
    allowed = np.zeros(windows.shape, dtype=bool)
    allowed[::multiple, ::multiple] = True
    inner = allowed.copy()
    if border:
        inner[:border] = inner[windows.shape[0] - border :] = False
        inner[:, :border] = inner[:, windows.shape[1] - border :] = False
    windows = np.where(inner if inner.any() else allowed, windows, -1)
    top, left = divmod(int(windows.argmax()), windows.shape[1])
    return top, left
