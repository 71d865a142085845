"""From what was measured to complete blocks of paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from converse.analysis.statistics import Array
from converse.counted import counted
from converse.errors import OptionError

UNSEEDED = -1
"""Stands for the seed of a network that has none, such as a released one."""

Image = tuple[str, str]
"""Its file name and its checksum."""

_IMAGE = ("image", "image_sha256")
_NAMED = 3


@dataclass(frozen=True)
class Pairs:
    """Values of two entries in every cell of seeds × images.

    Attributes:
        base: values of the base, [seeds, images], finite; [0, 0] where nothing can be paired.
        other: values of the other, in the same cells.
        seeds: their numbers, ascending; ``-1`` for a network without a seed.
        images: their file names, in the order of their first appearance.
        notes: what was left out, and why.
        infinite: how many images were left out because one of the two restored them without any error.
    """

    base: Array
    other: Array
    seeds: tuple[int, ...]
    images: tuple[str, ...]
    notes: tuple[str, ...]
    infinite: int = 0

    @property
    def differences(self) -> Array:
        """Other − base, [seeds, images]."""
        return self.other - self.base


def pairs(base: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str] = ("the base", "the other")) -> Pairs:
    """Pair two entries by seed and by the image's checksum, and keep a complete block.

    What is missing in one is left out of both, in this order, each with a note:

    1. seeds that one of the two does not have, such as that of a failed trial;
    2. seeds that have both values for fewer than half of the images that some seed has them for;
    3. images without a finite difference in one of the seeds that are left. The difference is not finite where a value
       is missing or NaN, and where an image was restored without any error, so that its PSNR is infinite: ∞ minus a
       number is no number that could be averaged, and ∞ − ∞ is not 0.

    A balanced block is what the analysis of variance needs; and with the same images in every seed, a seed that lacks
    the hardest image does not look better for it.

    Args:
        base: rows of one entry, one dataset, case, metric and signature, with the columns ``entry``, ``seed``,
            ``image``, ``image_sha256`` and ``value``.
        other: rows of the other entry, for the same dataset, case, metric and signature.
        names: of the two, for the notes.

    Returns:
        The block and what it lacks.

    Raises:
        OptionError: an entry has two values for one seed and image: they come from different trials.
    """
    first, second = (_cells(frame) for frame in (base, other))
    if absent := [name for name, cells in zip(names, (first, second), strict=True) if not cells.seeds]:
        return _nothing([f"{name} has no values" for name in absent])
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    notes = [
        *_lacking(first.seeds, second.seeds, names[1]),
        *_lacking(second.seeds, first.seeds, names[0]),
    ]
    images = list(dict.fromkeys((*first.images, *second.images)))
    values = [cells.block(seeds, images) for cells in (first, second)]
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        differences = values[1] - values[0]
    there = ~np.isnan(values[0]) & ~np.isnan(values[1])
    infinite = there & ~np.isfinite(differences)
    finite = there & ~infinite
    # A seed that restores images without any error is none that broke off.
    kept = there.sum(axis=1) >= there.any(axis=0).sum() / 2
    notes += [
        f"{_seed(seed)} left out: fewer than half of the images have a value in both"
        for seed, keep in zip(seeds, kept, strict=True)
        if not keep
    ]
    if not kept.any():
        return _nothing(notes)
    whole = finite[kept].all(axis=0)
    endless = infinite[kept].any(axis=0) & ~whole
    notes += _images(images, endless, "infinite: an output equals the image")
    notes += _images(images, ~whole & ~endless, "without a value in every seed of both")
    if not whole.any():
        return _nothing(notes, int(endless.sum()))
    cells = np.ix_(kept, whole)
    return Pairs(
        values[0][cells],
        values[1][cells],
        tuple(seed for seed, keep in zip(seeds, kept, strict=True) if keep),
        tuple(str(image[0]) for image, keep in zip(images, whole, strict=True) if keep),
        tuple(notes),
        int(endless.sum()),
    )


def _nothing(notes: Iterable[str], infinite: int = 0) -> Pairs:
    return Pairs(np.empty((0, 0)), np.empty((0, 0)), (), (), tuple(notes), infinite)


@dataclass(frozen=True)
class _Cells:
    """Values of one entry.

    Attributes:
        seeds: that have a value, ascending.
        images: name and checksum, in the order of their first appearance.
        values: seed and image → value.
    """

    seeds: tuple[int, ...]
    images: tuple[Image, ...]
    values: Mapping[tuple[int, Image], float]

    def block(self, seeds: Sequence[int], images: Sequence[Image]) -> Array:
        """Values, [seeds, images]; NaN where there is none."""
        lines = [[self.values.get((seed, image), math.nan) for image in images] for seed in seeds]
        return np.array(lines, dtype=np.float64).reshape(len(seeds), len(images))


def _cells(rows: pd.DataFrame) -> _Cells:
    """The values of the rows; a seed without a single value is none."""
    # By hand: pandas needs some milliseconds to turn a dozen rows into a table, and a report has hundreds of them.
    seeds = rows["seed"].astype("Int64").fillna(UNSEEDED).astype("int64").tolist()
    images: list[Image] = list(zip(*(rows[name].astype(object) for name in _IMAGE), strict=True))
    values: dict[tuple[int, Image], float] = {}
    for place in zip(zip(seeds, images, strict=True), rows["value"].to_numpy(np.float64).tolist(), strict=True):
        (seed, image), value = place
        if (seed, image) in values:
            raise OptionError(
                f"entry {rows['entry'].iloc[0]!r} has two values for seed {seed} and image {image[0]}: they come from "
                "different trials, so choose one budget and one device"
            )
        values[seed, image] = value
    valued = {seed for (seed, _), value in values.items() if not math.isnan(value)}
    return _Cells(tuple(sorted(valued)), tuple(dict.fromkeys(images)), values)


def _lacking(have: Iterable[int], others: Sequence[int], entry: str) -> list[str]:
    return [f"{_seed(seed)} left out: {entry} has no values" for seed in have if seed not in others]


def _seed(seed: int) -> str:
    return "the network without a seed" if seed == UNSEEDED else f"seed {seed}"


def _images(images: Iterable[Image], left_out: npt.NDArray[np.bool_], why: str) -> list[str]:
    names = [str(image[0]) for image, out in zip(images, left_out, strict=True) if out]
    if not names:
        return []
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return [f"{counted(len(names), 'image', of=len(left_out))} left out ({shown}): {why}"]
