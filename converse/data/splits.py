"""What is trained on, watched and tested: no image is two of it, by content.

Images of the published test sets are left out of every training set. So the images of a trial do not depend on which of
these sets are on the machine, or are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from converse.counted import agreeing, counted
from converse.data.catalogue import datasets
from converse.data.fingerprints import alike, fingerprints
from converse.data.images import ImageSet
from converse.errors import DataError

_LISTED = 3


class Picture(NamedTuple):
    """An image of a set, by what it shows.

    Attributes:
        name: of the file.
        title: of the set.
        sha256: of the file.
        fingerprint: ``""`` where it is not known.
    """

    name: str
    title: str
    sha256: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.name} of {self.title}"


Pair = tuple[Picture, Picture]
"""Two images that show the same picture."""


@dataclass(frozen=True)
class Split:
    """What is trained on, and what of the training sets is not.

    Attributes:
        train: the training sets without the others.
        held_out: validation images that were cut from them; ``None`` where none were.
        left_out: images of them that are test images, each with the test image.
    """

    train: tuple[ImageSet, ...]
    held_out: ImageSet | None = None
    left_out: tuple[Pair, ...] = ()

    def plain(self) -> dict[str, list[str]]:
        """All that is not trained on, for the provenance of a trial."""
        held = self.held_out.images if self.held_out else ()
        return {
            "left_out": [f"{ours} is {theirs}" for ours, theirs in self.left_out],
            "held_out": [image.name for image in held],
        }

    def notes(self) -> list[str]:
        """For people: what is not trained on because it is tested on."""
        return [f"not trained on, since they are test images: {listed(self.left_out)}"] if self.left_out else []


@functools.lru_cache(maxsize=8)  # all trials of a suite are trained on the same images
def split(
    train: tuple[ImageSet, ...], *, cut: int = 0, leave_out: tuple[ImageSet, ...] = (), overlap: bool = False
) -> Split:
    """Take out of training sets what is not trained on.

    Args:
        train: training sets, as a suite names them.
        cut: how many images to hold out for validation, see :func:`hold_out`.
        leave_out: sets whose images are not trained on, beside the published test sets.
        overlap: train on test images too.

    Raises:
        DataError: nothing is left to train on.
    """
    pictures = pictures_of(train)
    seen = tuple(shared(pictures, [*published(), *pictures_of(leave_out)]))
    taken = {ours.sha256 for ours, _ in seen}
    rest = train if overlap else tuple(_without(one, taken) for one in train)
    if not any(len(one) for one in rest):
        raise DataError(f"nothing is left to train on: all images are test images: {listed(seen)}")
    held = None
    if cut:
        rest, held = hold_out(rest, cut, never={*taken, *_parts()})
    return Split(rest, held, () if overlap else seen)


@functools.lru_cache(maxsize=8)
def overlaps(
    train: tuple[ImageSet, ...], validation: ImageSet | None, test: tuple[ImageSet, ...]
) -> dict[str, tuple[Pair, ...]]:
    """Images that are two of trained on, watched and tested.

    Args:
        train: what is trained on.
        validation: what is watched, if anything is.
        test: what is tested; for `validation` the published test sets are, too.

    Returns:
        What they are in words → the images.
    """
    trained, watched, tested = pictures_of(train), pictures_of([validation] if validation else []), pictures_of(test)
    found = {
        "trained on and tested on": shared(trained, tested),
        "trained on and validated on": shared(trained, watched),
        "validated on and tested on": shared(watched, [*published(), *tested]),
    }
    return {what: tuple(pairs) for what, pairs in found.items() if pairs}


def parts(train: Sequence[ImageSet], test: Sequence[ImageSet]) -> list[Pair]:
    """Images that are trained on and show a part of the same picture as a test image, as far as the catalogue knows.

    Args:
        train: what is trained on.
        test: what is tested on.
    """
    known = _parts()
    tested = {picture.sha256: picture for picture in pictures_of(test)}
    trained = ((ours, known.get(ours.sha256)) for ours in pictures_of(train))
    return [(ours, tested[sha256]) for ours, sha256 in trained if sha256 in tested]


@functools.cache
def _parts() -> Mapping[str, str]:
    """SHA-256 of an image → that of a test image which shows a part of the same picture."""
    by_place = {f"{known.name}/{one.name}": one.sha256 for known in datasets().values() for one in known.files}
    return {one.sha256: by_place[one.part] for known in datasets().values() for one in known.files if one.part}


def hold_out(
    train: Sequence[ImageSet], count: int, *, never: Collection[str] = ()
) -> tuple[tuple[ImageSet, ...], ImageSet]:
    """Cut validation images from training sets.

    The images with the smallest SHA-256 are taken, over all the sets: as good as drawn at random, and the same for
    every seed, entry and machine. The sets keep the others, without those that show the same pictures.

    Args:
        train: training sets.
        count: how many images to hold out, at least 1.
        never: SHA-256 of images that are not taken.

    Returns:
        The training sets without those images, and the images as a set of their own.

    Raises:
        DataError: nothing would be left to train on.
    """
    images = {image.sha256: image for one in train for image in one.images}
    titles = ", ".join(one.title for one in train)
    held = [images[sha256] for sha256 in sorted(images.keys() - set(never))[:count]]
    validation = ImageSet("validation", f"{counted(count, 'image')} of {titles}", tuple(held))
    taken = {ours.sha256 for ours, _ in shared(pictures_of(train), pictures_of([validation]))}
    if len(held) < count or not images.keys() - taken:
        raise DataError(
            f"validation: cut = {count} leaves nothing to train on: there {agreeing(len(images), 'is', 'are')} "
            f"{counted(len(images), 'different image')} in {titles}; cut fewer, or name a dataset for validation"
        )
    return tuple(_without(one, taken) for one in train), validation


def pictures_of(sets: Iterable[ImageSet]) -> list[Picture]:
    """The images of sets, with their fingerprints."""
    listed_sets = list(sets)
    known = fingerprints(image for one in listed_sets for image in one.images)
    return [
        Picture(image.name, one.title, image.sha256, known.get(image.sha256, ""))
        for one in listed_sets
        for image in one.images
    ]


@functools.cache
def published() -> tuple[Picture, ...]:
    """All images of the published test sets, whether or not they are on this machine."""
    return tuple(
        Picture(entry.name, known.title, entry.sha256, entry.fingerprint)
        for known in datasets().values()
        for entry in known.files
        if known.test
    )


def shared(ours: Sequence[Picture], theirs: Sequence[Picture]) -> list[Pair]:
    """Which images are in both lists: the same file, or the same picture.

    Returns:
        Each of `ours` that is, in their order, with the first of `theirs` that it is.
    """
    by_file = {their.sha256: their for their in reversed(theirs)}
    left, right = ([one for one in several if one.fingerprint] for several in (ours, theirs))
    by_content: dict[Picture, Picture] = {}
    for i, j in alike([one.fingerprint for one in left], [one.fingerprint for one in right]):
        by_content.setdefault(left[i], right[j])
    found = ((our, by_file.get(our.sha256) or by_content.get(our)) for our in ours)
    return [(our, their) for our, their in found if their is not None]


def listed(pairs: Sequence[Pair]) -> str:
    """A few of the pairs in words, and how many there are beside them."""
    more = [f"and {len(pairs) - _LISTED} more"] if len(pairs) > _LISTED else []
    return "; ".join([*(f"{ours} (which is {theirs})" for ours, theirs in pairs[:_LISTED]), *more])


def _without(images: ImageSet, taken: Collection[str]) -> ImageSet:
    """The set with some of its images, by SHA-256, among those that are left out."""
    kept = tuple(image for image in images.images if image.sha256 not in taken)
    left = tuple(image for image in images.images if image.sha256 in taken)
    return replace(images, images=kept, others=(*left, *images.others))
