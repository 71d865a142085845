"""Training images, decoded once: small sets on the device as uint8, large ones in a file that is mapped into memory."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from converse.data.catalogue import sha256_of
from converse.data.degradations import crop
from converse.data.images import ImageSet, read_image
from converse.data.local import cache_folder
from converse.data.opening import opened
from converse.data.patches import PatchSource
from converse.data.resize import imresize
from converse.data.tasks import Task
from converse.errors import ConverseWarning, DataError, OptionError

LIMIT_VARIABLE: Final = "CONVERSE_RESIDENT_MB"
RESIDENT_MB: Final = 1024
"""Sets up to this size (megabytes, decoded) lie on the device; the variable changes it."""

_LAYOUT: Final = 2  # of the files below; another layout gets other names


@dataclass(frozen=True)
class TrainingImages:
    """The clean images, and for super-resolution the small ones made of them.

    Attributes:
        names: of the files, for messages.
        target: uint8; sides cropped to the task's multiple.
        input: float32 in [0, 1], not clipped; ``None`` unless the task downsamples.
    """

    names: tuple[str, ...]
    target: PatchSource
    input: PatchSource | None


@functools.lru_cache(maxsize=2)  # all trials of a suite train on the same images
def training_images(task: Task, sets: tuple[ImageSet, ...], device: str = "cpu") -> TrainingImages:
    """Decode images for training.

    Args:
        task: says how they are read and cropped, and whether they are downsampled, which is done to the whole image, by
            the function that makes the test images.
        sets: image sets, taken together.
        device: where small sets are kept.

    Returns:
        The images; in memory on the device up to :data:`RESIDENT_MB`, beyond it mapped from a file in the cache folder.

    Raises:
        DataError: an image cannot be read or is too small for the task, or the cache cannot be written.
        OptionError: the variable is not a number.
    """
    images = [image for one in sets for image in one.images]
    names = tuple(image.name for image in images)
    if _decoded_bytes(task, [image.path for image in images]) > resident_bytes():
        return _mapped(task, sets, names)
    decoded = list(_decode(task, sets))
    target = PatchSource.of(*_joined([one for one, _ in decoded]), [one.shape[1:] for one, _ in decoded]).to(device)
    small = [one for _, one in decoded if one is not None]
    small_planes = PatchSource.of(*_joined(small), [one.shape[1:] for one in small]).to(device) if small else None
    return TrainingImages(names, target, small_planes)


def resident_bytes() -> int:
    """Up to how many bytes a training set is kept on the device."""
    text = os.environ.get(LIMIT_VARIABLE, str(RESIDENT_MB))
    try:
        return int(float(text) * 1e6)
    except (ValueError, OverflowError):
        raise OptionError(f"{LIMIT_VARIABLE} must be a number of megabytes, got {text!r}") from None


def _decoded_bytes(task: Task, paths: Sequence[Path]) -> int:
    """Size of the decoded images, by their headers."""
    pixels = 0
    for path in paths:
        with opened(path) as image:
            pixels += image.width * image.height
    small = 4 / task.scale**2 if task.scale > 1 else 0  # float32
    return int(pixels * task.channels * (1 + small))


def _decode(
    task: Task, sets: Sequence[ImageSet]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]]:
    """Each image as planes [C, H, W], and what the network gets of it where that is smaller."""
    for image in (image for one in sets for image in one.images):
        try:
            pixels = crop(read_image(image.path, task.colour), task.multiple)
        except DataError as error:
            raise DataError(f"training image {image.path}: {error}") from error
        small = imresize(pixels / 255.0, 1 / task.scale).astype(np.float32) if task.scale > 1 else None
        yield _planar(pixels), None if small is None else _planar(small)


def _planar(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def _joined(images: Sequence[npt.NDArray[Any]]) -> tuple[torch.Tensor, int]:
    return torch.from_numpy(np.concatenate([image.ravel() for image in images])), images[0].shape[0]


def _mapped(task: Task, sets: tuple[ImageSet, ...], names: tuple[str, ...]) -> TrainingImages:
    """The images out of a file in the cache, which is made if need be."""
    said = json.dumps([_LAYOUT, task.colour, task.multiple, task.scale, [one.sha256 for one in sets]])
    key = hashlib.sha256(said.encode()).hexdigest()[:16]
    folder = cache_folder() / "decoded"
    layout_file = folder / f"{key}.json"
    try:
        layout = _checked(folder, key)
        if layout is None:
            folder.mkdir(parents=True, exist_ok=True)
            if layout_file.exists():
                said = f"{layout_file.with_suffix('')}.* are not what was written: they are decoded anew"
                warnings.warn(said, ConverseWarning, stacklevel=2)
            _write(task, sets, folder, key)
            layout = json.loads(layout_file.read_bytes())
        target = _map(folder / f"{key}.target", np.uint8, task.channels, layout["target"])
        small = _map(folder / f"{key}.input", np.float32, task.channels, layout["input"]) if layout["input"] else None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"the decoded training images in {folder} cannot be written or read ({error}): free some space there, "
            f"remove {key}.*, or raise {LIMIT_VARIABLE} to keep them in memory"
        ) from error
    return TrainingImages(names, target, small)


def _checked(folder: Path, key: str) -> Any:
    """The layout of files that have the digests they were written with; ``None`` where they have not, or are missing.

    All of them are read, at the speed of the disk or of SHA-256: they are read for training anyway, and numbers depend
    on each of their bits.
    """
    try:
        layout = json.loads((folder / f"{key}.json").read_bytes())
        for part in ("target", "input"):
            if layout[part] and sha256_of(folder / f"{key}.{part}") != layout["sha256"][part]:
                return None
        said = {"target": layout["target"], "input": layout["input"], "sha256": layout["sha256"]}
        return layout if layout["own"] == _digest(said) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, DataError):
        return None


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _map(path: Path, dtype: type[np.generic], channels: int, sizes: list[tuple[int, int]]) -> PatchSource:
    # Copy-on-write, for torch wants memory that it may write; nobody writes.
    return PatchSource.of(torch.from_numpy(np.memmap(path, dtype=dtype, mode="c")), channels, sizes)


def _write(task: Task, sets: Sequence[ImageSet], folder: Path, key: str) -> None:
    """Decode image by image into files; the layout comes last, so that with it the others are whole."""
    sizes: dict[str, list[tuple[int, ...]]] = {"target": [], "input": []}
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as name:
        temporary = Path(name)
        with (temporary / "target").open("wb") as target, (temporary / "input").open("wb") as small:
            for clean, downsampled in _decode(task, sets):
                clean.tofile(target)
                sizes["target"].append(clean.shape[1:])
                if downsampled is not None:
                    downsampled.tofile(small)
                    sizes["input"].append(downsampled.shape[1:])
        digests = {part: sha256_of(temporary / part) for part in ("target", "input")}
        layout = {**sizes, "sha256": digests}
        (temporary / "json").write_text(json.dumps({**layout, "own": _digest(layout)}), encoding="utf-8")
        for part in ("target", "input", "json"):
            with (temporary / part).open("rb+") as written:
                os.fsync(written.fileno())  # so that no name stands for bytes that a power cut has taken
            (temporary / part).replace(folder / f"{key}.{part}")
