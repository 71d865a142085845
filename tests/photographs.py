"""Images for trainings that are over in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_photographs(place: Path, size: tuple[int, int] = (20, 22), **counts: int) -> None:
    """Folders of grey images of noise, ``0.png`` and so on, the same each time.

    Args:
        place: in which the folders are made, where they are not there.
        size: rows and columns.
        counts: folder → how many images.
    """
    numbers = np.random.default_rng(0)
    for folder, count in counts.items():
        (place / folder).mkdir(exist_ok=True)
        for index in range(count):
            pixels = numbers.integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(pixels).save(place / folder / f"{index}.png")
