"""Image files to arrays of uint8, and sets of them: from the catalogue, or a folder of the user's own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from converse.data import catalogue
from converse.errors import DataError

Colour = Literal["grey", "colour"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class ImageFile:
    """One image on disk, known by its checksum.

    Attributes:
        name: the file's name.
        path: where it lies.
        sha256: of the file's bytes, 64 hex digits.
    """

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class ImageSet:
    """Images in a fixed order.

    Attributes:
        name: the name in the catalogue, or of the folder.
        title: the name as tables have it.
        images: the files.
    """

    name: str
    title: str
    images: tuple[ImageFile, ...]

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int) -> ImageSet:
        """The first n images, or all if there are fewer.

        Raises:
            DataError: n is below 1.
        """
        if n < 1:
            raise DataError(f"at least 1 image of {self.title} must be taken, got {n}")
        return replace(self, images=self.images[:n])

    @property
    def sha256(self) -> str:
        """The identity of the whole set: a digest over names and checksums, in order."""
        return catalogue.digest((image.name, image.sha256) for image in self.images)


def image_set(name_or_folder: str | Path, data_dir: Path | None = None) -> ImageSet:
    """The images of a dataset of the catalogue, or of a folder.

    A name of the catalogue comes first; a folder of the same name is reached as ``./set12``.

    Args:
        name_or_folder: ``set12`` in any case, or a path.
        data_dir: a local folder to look in before downloading, see `catalogue.locate`.

    Returns:
        The files, verified; a folder's own files are taken as they are, sorted by name, subfolders left out.

    Raises:
        DataError: there is neither such a dataset nor such a folder, or it holds no images, or a file is corrupt.
    """
    known = catalogue.datasets()
    dataset = known.get(str(name_or_folder).lower())
    if dataset is None:
        folder = Path(name_or_folder).expanduser()
        if folder.is_dir():
            return _folder(folder)
        if folder.exists():
            raise DataError(f"{folder} is a file: a dataset is a name of the catalogue or a folder of images")
        if len(folder.parts) > 1:
            raise DataError(f"there is no folder {folder}: a dataset is a name of the catalogue or a folder of images")
        dataset = catalogue.dataset(str(name_or_folder))
    if dataset.kind != "images":
        sets = ", ".join(sorted(name for name, one in known.items() if one.kind == "images"))
        raise DataError(f"dataset {dataset.name!r} holds {dataset.kind}, not images; image sets: {sets}")
    paths = catalogue.locate(dataset.name, data_dir)
    files = (ImageFile(entry.name, path, entry.sha256) for entry, path in zip(dataset.files, paths, strict=True))
    return ImageSet(dataset.name, dataset.title, tuple(files))


def _folder(folder: Path) -> ImageSet:
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
        files = tuple(ImageFile(path.name, path, catalogue.sha256_of(path)) for path in paths)
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error}") from error
    if not files:
        raise DataError(f"the folder {folder} holds no images: files are looked for that end in {' '.join(SUFFIXES)}")
    name = folder.resolve().name or str(folder)
    return ImageSet(name, name, files)


def read_image(path: Path, colour: Colour) -> npt.NDArray[np.uint8]:
    """Read an image file of 8 or 16 bits, grey, colour or palette.

    16 bits become 8 by v / 257, rounded. A colour file read as grey becomes its luminance, 0.299 R + 0.587 G + 0.114 B,
    rounded (ITU-R BT.601, the formula of OpenCV's grey reading). A grey file read as colour repeats its channel.
    Transparency is dropped, and a warning names the file. Pixels stay in the order in which they are stored: an
    orientation in the metadata is not applied.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP.
        colour: ``grey`` or ``colour``.

    Returns:
        [H, W, 1] for ``grey``, [H, W, 3] for ``colour``, in 0…255.

    Raises:
        DataError: the file is missing, is not an image, is damaged, holds several images, or has a kind of pixel that
            would lose its meaning (32 bits, floating point).
    """
    try:
        pixels = _decode(path)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"there is no image file {path}") from error
    except Exception as error:  # decoders raise anything on damaged files: SyntaxError, struct.error, KeyError …
        raise DataError(f"the image file {path} cannot be read: {error or type(error).__name__}") from error
    if pixels.shape[2] in (2, 4):
        warnings.warn(f"transparency of {path} is dropped", UserWarning, stacklevel=2)
        pixels = pixels[:, :, :-1]
    eight = _eight_bits(pixels)  # [H, W, 1 or 3]
    if colour == "grey":
        return luminance(eight) if eight.shape[2] == 3 else eight
    return np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight


def _eight_bits(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def luminance(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """0.299 R + 0.587 G + 0.114 B, rounded half up, in integers so that no platform differs.

    Args:
        image: [H, W, 3].

    Returns:
        [H, W, 1].
    """
    weighted = image.astype(np.uint32) @ np.array([299, 587, 114], dtype=np.uint32)
    return ((weighted + 500) // 1000).astype(np.uint8)[:, :, None]


def _decode(path: Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Pixels [H, W, 1 to 4] as uint8 or uint16, an even last axis meaning that alpha is last."""
    with path.open("rb") as file:
        head = file.read(26)
    if head.startswith(_PNG_SIGNATURE) and len(head) > 24 and head[24] == 16:
        return _png16(path)
    return _pillow(path)


def _png16(path: Path) -> npt.NDArray[np.uint16]:
    """Through torchvision, for Pillow reads 16-bit colour as 8 bits, truncated, without a word."""
    from torchvision.io import ImageReadMode, decode_png, read_file

    pixels = decode_png(read_file(str(path)), ImageReadMode.UNCHANGED)  # [C, H, W]
    array: npt.NDArray[np.uint16] = pixels.permute(1, 2, 0).numpy()
    return array


def _pillow(path: Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    from PIL import Image, TiffImagePlugin

    with Image.open(path) as image:
        frames = getattr(image, "n_frames", 1)
        if frames != 1 and image.format != "MPO":  # a camera's JPEG whose further frames are previews
            raise DataError(f"{path} holds {frames} images: save the one that is meant as its own file")
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            bits = {*image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))}
            if bits == {16} and image.mode != "I;16S":
                return _tiff16(path)
            if max(bits) > 8:
                raise DataError(f"{path} has samples of {'/'.join(map(str, sorted(bits)))} bits: expected 8 or 16")
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            raise DataError(f"{path} has pixels of kind {image.mode}: expected 8 or 16 bits, without sign")
        transparent = image.has_transparency_data
        grey = image.mode in ("1", "L", "LA", "La")
        target = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
        pixels = np.asarray(image.convert(target))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _tiff16(path: Path) -> npt.NDArray[np.uint16]:
    """16-bit TIFF through tifffile, for the reason of `_png16`."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        pixels = page.asarray()
        if page.axes.startswith("S"):  # planes stored one after another
            pixels = np.moveaxis(pixels, 0, -1)
        elif pixels.ndim == 2:
            pixels = pixels[:, :, None]
        kind = tifffile.PHOTOMETRIC(page.photometric).name
    if pixels.dtype != np.uint16 or kind not in ("MINISBLACK", "RGB") or pixels.shape[2] > 4:
        raise DataError(
            f"{path} has pixels of kind {kind} {pixels.dtype} {pixels.shape}: expected grey or RGB, 16 bits"
        )
    array: npt.NDArray[np.uint16] = np.ascontiguousarray(pixels)
    return array
