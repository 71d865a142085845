"""What a run needs from outside, found or fetched once: images, kernels, weights; or the reason why it is not here.

A file that is missing and cannot be downloaded is a reason, and the run goes on without it. A file that is here and
corrupt is an error, for what was measured with it would be wrong.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from converse.data.catalogue import Dataset, dataset, datasets, way_out
from converse.data.degradations import blur_kernels
from converse.data.images import ImageSet, image_set
from converse.data.local import data_folder, find, locate, own_folder
from converse.data.opening import check
from converse.errors import ConverseWarning, DataError, OptionError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Absent:
    """Something that is not here and could not be had.

    Attributes:
        reason: for the row.
        fetch: the name that ``converse data fetch`` takes.
    """

    reason: str
    fetch: str


class Resources:
    """Finds and fetches, each thing once; why a download fails is said once.

    Args:
        data_dir: a local folder that is looked in first.
        fetch: whether what is missing may be downloaded.
    """

    def __init__(self, data_dir: Path | None, *, fetch: bool = True) -> None:
        data_folder(data_dir)  # says at once when it is no folder
        self._data_dir = data_dir
        self._fetch = fetch
        self._said = False
        # One instance lives as long as one command.
        self.images = cache(self._images)
        self.training = cache(self._training)
        self.kernels = cache(self._kernels)
        self.weights = cache(self._weights)

    def here(self, name: str) -> bool:
        """Whether all files of the dataset are on this machine, or of alternatives one; contents are not looked at."""
        known = dataset(name)
        if known.contents:
            return own_folder(known, self._data_dir) is not None
        present = (find(known, entry, self._data_dir) is not None for entry in known.files)
        return any(present) if known.any_one else all(present)

    def _images(self, name: str) -> ImageSet | Absent:
        """The image set of that name of the catalogue, or the folder of the user's images."""
        known = datasets().get(name.lower())
        if known is None:
            return _apart(image_set(name))
        if known.kind != "images":
            sets = ", ".join(one.name for one in datasets().values() if one.kind == "images")
            raise OptionError(f"dataset {known.name!r} holds {known.kind}, not images; image sets: {sets}")
        if known.contents and not self.here(known.name):
            return Absent(f"{known.title}: images are not at hand: {way_out(known)}", known.name)
        absent = Absent(f"{known.title}: images are not at hand: converse data fetch {known.name}", known.name)
        return self._get(known, absent, lambda: image_set(known.name, self._data_dir))

    def _training(self, name: str) -> ImageSet | Absent:
        """An image set all of whose images can be opened: training would otherwise end at the first that cannot.

        Raises:
            DataError: an image cannot be opened; the message names it.
        """
        images = self.images(name)
        if not isinstance(images, Absent):
            for image in images.images:
                check(image.path)
        return images

    def _kernels(self) -> Mapping[str, npt.NDArray[np.float64]] | Absent:
        """The five blur kernels."""
        known = dataset("blur_kernels")
        absent = Absent("the blur kernels are not at hand: converse data fetch blur_kernels", known.name)
        return self._get(known, absent, lambda: blur_kernels(self._data_dir))

    def _weights(self, name: str, file: str) -> tuple[Path, str] | Absent:
        """A released checkpoint's verified file and its SHA-256."""
        known = dataset(name)
        entries = tuple(entry for entry in known.files if entry.name == file)
        absent = Absent(f"released weights {file} are not at hand: converse data fetch {name}", name)
        one = known.model_copy(update={"files": entries})
        path = self._get(one, absent, lambda: locate(name, self._data_dir, files=[file])[0])
        return path if isinstance(path, Absent) else (path, entries[0].sha256)

    def backbone(self, *, fetch: bool) -> Path | str:
        """AlexNet's features for LPIPS, or the reason why they are not here.

        Args:
            fetch: whether the 244 MB may be downloaded; who asks for LPIPS by name gets them.
        """
        known = dataset("lpips_alexnet")
        absent = Absent(f"converse data fetch {known.name}", known.name)
        if not fetch and not self.here(known.name):
            return absent.reason
        path = self._get(known, absent, lambda: locate(known.name, self._data_dir)[0])
        return path.reason if isinstance(path, Absent) else path

    def _get(self, known: Dataset, absent: Absent, take: Callable[[], T]) -> T | Absent:
        located = [find(known, entry, self._data_dir) for entry in known.files]
        if any(located) if known.any_one else all(located):
            return take()
        if not self._fetch:
            return absent
        try:
            return take()
        except DataError as error:
            # Some of the files are here: if one of them is corrupt, that is what the user must hear.
            if any(located) and "corrupt" in str(error):
                raise
            if not self._said:  # the first failure tells what is wrong with the network; the rows name the others
                self._said = True
                warnings.warn(str(error), ConverseWarning, stacklevel=2)
            return absent


def _apart(images: ImageSet) -> ImageSet:
    """A folder named like a set of the catalogue, under a name that says that it is a folder."""
    if images.name.lower() not in datasets():
        return images
    name = f"./{images.name}"
    return dataclasses.replace(images, name=name, title=name)
