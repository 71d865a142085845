"""What an image shows, in 144 signs, and which images show the same picture.

The signs are those of the low frequencies of the luminance: a perceptual hash (pHash: C. Zauner, Implementation and
Benchmarking of Perceptual Image Hash Functions, 2010). A copy in grey, turned, mirrored, encoded anew, rescaled or
cropped by a few rows keeps most of them; a copy of a part of the image does not, and is not found.
"""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from converse.data.catalogue import FINGERPRINT, datasets
from converse.data.images import ImageFile, read_image
from converse.data.local import cache_folder
from converse.errors import ConverseWarning, DataError
from converse.progress_bar import progress_bar

SAME: Final = 0.2
"""Up to this share of differing signs, two images show the same picture: docs/data.md says what was measured."""

_SIDE: Final = 12  # frequencies per axis
_SIGNS: Final = _SIDE**2 - 1  # the mean has none
_ROUND_OFF: Final = 1e-6  # of 255; what is smaller has no sign that could be relied on
_FILE: Final = "fingerprints-1.txt"  # of the cache; another kind of fingerprint gets another name
_LINE: Final = re.compile(rf"([0-9a-f]{{64}}) ({FINGERPRINT})")


def fingerprint(grey: npt.NDArray[np.uint8]) -> str:
    """The signs of the low frequencies of an image.

    Args:
        grey: luminance, [H, W, 1].

    Returns:
        36 hex digits: the signs of the 12 × 12 lowest frequencies of the DCT of the image in 48 × 48 pixels, row by
        row. All are 0 where there is nothing but the mean.
    """
    from PIL import Image
    from scipy.fft import dctn

    small = Image.fromarray(grey[:, :, 0]).resize((4 * _SIDE, 4 * _SIDE), Image.Resampling.BOX)
    positive = dctn(np.asarray(small, np.float64), norm="ortho")[:_SIDE, :_SIDE] > _ROUND_OFF
    positive[0, 0] = False
    return np.packbits(positive).tobytes().hex()


def fingerprints(images: Iterable[ImageFile]) -> Mapping[str, str]:
    """The fingerprints of images: the catalogue's, those in the cache folder, or computed now and kept there.

    Args:
        images: on this machine.

    Returns:
        SHA-256 → fingerprint; without images that cannot be read.
    """
    known = {**_kept(), **_catalogued()}
    wanted = {image.sha256: image for image in images}
    missing = [image for sha256, image in wanted.items() if sha256 not in known]
    fresh = _computed(missing) if missing else {}
    return {sha256: found for sha256 in wanted if (found := known.get(sha256) or fresh.get(sha256))}


def _computed(missing: Sequence[ImageFile]) -> dict[str, str]:
    """SHA-256 → fingerprint of those that can be read, which the cache keeps from now on."""
    fresh: dict[str, str] = {}
    with progress_bar("text", "bar", "count", "time left", text="looks at images", total=len(missing)) as (bar, task):
        for image in missing:
            # Whoever reads it for its pixels says what is wrong with it.
            with contextlib.suppress(DataError), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConverseWarning)
                fresh[image.sha256] = fingerprint(read_image(image.path, "grey"))
            bar.advance(task)
    _keep(fresh)
    return fresh


def alike(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Which images show the same picture, also turned by 90° or mirrored.

    Args:
        left: fingerprints.
        right: fingerprints.

    Returns:
        Pairs of places in both lists, sorted.
    """
    if not left or not right:
        return []
    return [(int(i), int(j)) for i, j in np.argwhere(differing(left, right) <= SAME)]


def differing(left: Sequence[str], right: Sequence[str]) -> npt.NDArray[np.float32]:
    """The share of signs in which images differ, in the orientation in which they differ least.

    Args:
        left: N fingerprints, at least one.
        right: M fingerprints, at least one.

    Returns:
        [N, M], in 0…1; 0.5 for an image that shows nothing.
    """
    ours = _signs(left).reshape(len(left), -1)
    agreeing = functools.reduce(
        np.maximum, (ours @ turned.reshape(len(right), -1).T for turned in _orientations(_signs(right)))
    )
    return ((_SIGNS - agreeing) / (2 * _SIGNS)).astype(np.float32)


def _signs(prints: Sequence[str]) -> npt.NDArray[np.float32]:
    """[N, 12, 12] of ±1; all 0 for an image that shows nothing, which is like no other."""
    packed = np.frombuffer(bytes.fromhex("".join(prints)), np.uint8).reshape(len(prints), -1)
    bits = np.unpackbits(packed, axis=1).reshape(-1, _SIDE, _SIDE)
    signs = bits.astype(np.float32) * 2 - 1
    signs[:, 0, 0] = 0
    signs[~bits.any(axis=(1, 2))] = 0
    return signs


def _orientations(signs: npt.NDArray[np.float32]) -> Iterable[npt.NDArray[np.float32]]:
    """The signs of the eight orientations: mirroring an axis changes those of its odd frequencies."""
    odd = np.where(np.arange(_SIDE) % 2, -1, 1).astype(np.float32)
    for turned in (signs, signs.swapaxes(1, 2)):
        for mirrored in (turned, turned * odd[:, None]):
            yield from (mirrored, mirrored * odd)


@functools.cache
def _catalogued() -> Mapping[str, str]:
    return {one.sha256: one.fingerprint for known in datasets().values() for one in known.files if one.fingerprint}


def _kept() -> dict[str, str]:
    """Those in the cache; a line that is torn is passed over."""
    try:
        lines = (cache_folder() / _FILE).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(found.groups() for line in lines if (found := _LINE.fullmatch(line)))  # type: ignore[misc]


def _keep(fresh: Mapping[str, str]) -> None:
    with contextlib.suppress(OSError):  # they are computed anew then
        cache_folder().mkdir(parents=True, exist_ok=True)
        with (cache_folder() / _FILE).open("a", encoding="ascii") as file:
            file.write("".join(f"{sha256} {found}\n" for sha256, found in fresh.items()))
