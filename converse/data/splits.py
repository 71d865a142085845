"""Which images are trained on: those that are held out of the training sets, to watch and to tune by, are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from converse.data.images import ImageSet
from converse.errors import DataError


def hold_out(train: Sequence[ImageSet], count: int) -> tuple[tuple[ImageSet, ...], ImageSet]:
    """Cut validation images from training sets.

    The images with the smallest SHA-256 are taken, over all the sets: as good as drawn at random, and the same for
    every seed, entry and machine. The sets keep the others.

    Args:
        train: training sets.
        count: how many images to hold out, at least 1.

    Returns:
        The training sets without those images, and the images as a set of their own.

    Raises:
        DataError: nothing would be left to train on.
    """
    images = {image.sha256: image for one in train for image in one.images}
    if count >= len(images):
        names = ", ".join(one.title for one in train)
        raise DataError(
            f"validation: cut = {count} leaves nothing to train on: there are {len(images)} different images in "
            f"{names}; cut fewer, or name a dataset for validation"
        )
    held = [images[sha256] for sha256 in sorted(images)[:count]]
    title = f"{count} images of {', '.join(one.title for one in train)}"
    taken = {image.sha256 for image in held}
    return tuple(_without(one, taken) for one in train), ImageSet("validation", title, tuple(held))


def _without(images: ImageSet, taken: Collection[str]) -> ImageSet:
    """The set with some of its images, by SHA-256, among those that are left out."""
    kept = tuple(image for image in images.images if image.sha256 not in taken)
    left = tuple(image for image in images.images if image.sha256 in taken)
    return replace(images, images=kept, others=(*left, *images.others))
