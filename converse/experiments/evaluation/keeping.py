"""Which outputs of a trial are kept, and how: all of them, or three windows of each test set, chosen by rule."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from converse.counted import counted
from converse.data.images import ImageFile, ImageSet
from converse.data.tasks import Task
from converse.experiments.store.outputs import Outputs, Window
from converse.metrics import Image

Which = Literal["all", "crops", "none"]

IMAGES: Final = 3
"""Of each test set, where windows are kept."""

SIDE: Final = 256
"""Pixels of a window's sides, where the image has so many."""


@dataclass(frozen=True)
class Keeping:
    """What is to be kept of a trial.

    Attributes:
        which: ``all``, or ``crops``: one window of each of three images of every test set, or ``none``.
        asked: whether somebody asked for it: then what is not kept of a finished trial is computed once more.
        limit: bytes of all outputs of the trial; what does not fit is not kept.
    """

    which: Which = "none"
    asked: bool = False
    limit: int = 0

    def images(self, images: ImageSet) -> tuple[ImageFile, ...]:
        """The images of a test set of which something is kept.

        Three whose files have the smallest SHA-256: nobody has chosen them, and they are the same for every network.

        Args:
            images: those that were asked for.
        """
        if self.which == "all":
            return images.images
        return tuple(sorted(images.images, key=lambda one: one.sha256)[: IMAGES if self.which == "crops" else 0])


class Keeper:
    """Keeps outputs of one trial while they are measured.

    Args:
        keeping: what is to be kept.
        outputs: of the trial, whose lock is held.
        task: of the trial.
    """

    def __init__(self, keeping: Keeping, outputs: Outputs, task: Task) -> None:
        self._keeping = keeping
        self._outputs = outputs
        self._task = task
        self._bytes = sum(one.bytes for one in outputs.kept().values())
        self.left_out = 0
        """How many did not fit."""

    def lacking(self, images: ImageSet) -> Iterator[tuple[str | None, ImageFile]]:
        """Case and image of which something is to be kept and is not."""
        kept = self._outputs.kept()
        if self._bytes + max((one.bytes for one in kept.values()), default=0) > self._keeping.limit:
            return  # another one of that size does not fit: it would be computed again and again
        for case in self._task.cases or (None,):
            for image in self._keeping.images(images):
                one = kept.get((image.sha256, case))
                if one is None or (one.window is not None and self._keeping.which == "all"):
                    yield case, image

    def keep(self, image: ImageFile, case: str | None, target: Image, output: Image) -> None:
        """Keep an output, or its window, if it fits.

        Args:
            image: that was restored.
            case: in which case.
            target: the clean image, [H, W, C] uint8, from which the window follows.
            output: [H, W, C] uint8.

        Raises:
            StoreError: it could not be written.
        """
        if output.shape != target.shape:  # it has no place beside the truth
            return
        window = None
        if self._keeping.which == "crops":
            window = detailed_window(target, SIDE, multiple=self._task.scale)
            output = cut(output, window)
        data = encoded(output)
        if self._bytes + len(data) > self._keeping.limit:
            self.left_out += 1
            return
        height, width = target.shape[:2]
        self._outputs.add(data, image=image.name, place=(image.sha256, case), size=(height, width), window=window)
        self._bytes += len(data)

    @property
    def note(self) -> str:
        """What of it did not fit, in a sentence; empty where all did."""
        if not self.left_out:
            return ""
        limit = self._keeping.limit / 1e6
        return f"{counted(self.left_out, 'output')} not kept: all of this trial may have {limit:g} MB"


def detailed_window(image: Image, side: int, *, multiple: int = 1) -> Window | None:
    """The window that shows most: where the squared differences of neighbouring pixels have the largest sum.

    Args:
        image: [H, W, C] uint8.
        side: of the window, in pixels; where the image is smaller, the window is.
        multiple: top and left are multiples of it, and so are the sides, so that it falls on whole pixels of a smaller
            input.

    Returns:
        Of equal windows the first, row by row; ``None`` where it is the whole image.
    """
    height, width = image.shape[:2]
    high, wide = (min(side, length) // multiple * multiple for length in (height, width))
    if (high, wide) == (height, width):
        return None
    exact = image.astype(np.int64)
    energy = np.zeros((height, width), dtype=np.int64)
    energy[:-1] += (np.diff(exact, axis=0) ** 2).sum(axis=2)
    energy[:, :-1] += (np.diff(exact, axis=1) ** 2).sum(axis=2)
    sums = np.zeros((height + 1, width + 1), dtype=np.int64)
    sums[1:, 1:] = energy.cumsum(axis=0).cumsum(axis=1)  # whole numbers: no round-off decides
    windows = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    windows = windows[::multiple, ::multiple]
    top, left = divmod(int(windows.argmax()), windows.shape[1])
    return Window(top * multiple, left * multiple, high, wide)


def cut(image: Image, window: Window | None) -> Image:
    """The part of an image in a window; all of it where there is none."""
    if window is None:
        return image
    return image[window.top : window.top + window.height, window.left : window.left + window.width]


def encoded(image: Image) -> bytes:
    """An image as PNG, without loss.

    Args:
        image: [H, W, 1 or 3] uint8.
    """
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    array = np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image)
    Pillow.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()
