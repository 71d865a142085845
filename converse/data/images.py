"""Image files to arrays of uint8, and sets of them: from the catalogue, or a folder of the user's own."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Literal, cast

import numpy as np
import numpy.typing as npt

from converse.counted import counted
from converse.data import catalogue
from converse.data.local import locate
from converse.data.opening import opened, tiff_kind, what_else
from converse.errors import ConverseError, ConverseWarning, DataError, unknown
from converse.plain_text import visible
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from PIL import Image
    from PIL.TiffImagePlugin import TiffImageFile

Colour = Literal["grey", "colour"]
_LARGE = 500_000_000  # bytes that take longer than two seconds
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class ImageFile:
    """One image on disk, known by its checksum.

    Attributes:
        name: the file's name as text, see `shown_name`.
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
        others: files of the set that are left out, see :meth:`first`.
        folder: absolute path of a folder of the user's; empty for a set of the catalogue.
    """

    name: str
    title: str
    images: tuple[ImageFile, ...]
    others: tuple[ImageFile, ...] = ()
    folder: str = ""

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int) -> ImageSet:
        """The first n images, or all if there are fewer.

        Raises:
            DataError: n is below 1.
        """
        if n < 1:
            raise DataError(f"at least 1 image of {self.title} must be taken, got {n}")
        return replace(self, images=self.images[:n], others=(*self.images[n:], *self.others))

    @property
    def sha256(self) -> str:
        """The identity of these images: a digest over names and checksums, in order."""
        return catalogue.digest((image.name, image.sha256) for image in self.images)

    @property
    def whole_sha256(self) -> str:
        """The identity of the whole set, those that are left out with it."""
        return catalogue.digest((image.name, image.sha256) for image in (*self.images, *self.others))


def image_set(name_or_folder: str | Path, data_dir: Path | None = None) -> ImageSet:
    """The images of a dataset of the catalogue, or of a folder.

    A name of the catalogue comes first; a folder of the same name is reached as ``./set12``.

    Args:
        name_or_folder: ``set12`` in any case, or a path.
        data_dir: a local folder to look in before downloading, see `converse.data.local.locate`.

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
        if folder.is_absolute() or any(separator in str(name_or_folder) for separator in ("/", os.sep)):
            raise DataError(f"there is no folder {folder}: a dataset is a name of the catalogue or a folder of images")
        raise DataError(f"{unknown('dataset', str(name_or_folder), known)}; nor is there a folder of that name")
    if dataset.kind != "images":
        sets = ", ".join(sorted(name for name, one in known.items() if one.kind == "images"))
        raise DataError(f"dataset {dataset.name!r} holds {dataset.kind}, not images; image sets: {sets}")
    paths = locate(dataset.name, data_dir)
    if dataset.contents:
        return ImageSet(dataset.name, dataset.title, _large_enough(_files(paths), dataset.contents.longer_side))
    files = (ImageFile(entry.name, path, entry.sha256) for entry, path in zip(dataset.files, paths, strict=True))
    return ImageSet(dataset.name, dataset.title, tuple(files))


def _folder(folder: Path) -> ImageSet:
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
        )
        files = _files(paths)
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error}") from error
    if not files:
        raise DataError(f"the folder {folder} holds no images: files are looked for that end in {' '.join(SUFFIXES)}")
    place = visible(str(folder.resolve()))
    name = shown_name(folder.resolve()) or place
    return ImageSet(name, folder_titles([(place, "")])[0], files, folder=place)


def _files(paths: Sequence[Path]) -> tuple[ImageFile, ...]:
    """The files with their checksums; on a terminal a bar shows how far a large folder is read."""
    if lost := next((f"{path} {wrong}" for path in paths if (wrong := what_else(path))), None):
        raise DataError(f"{lost}, not an image file: remove it from the folder, or mend it")
    sizes = [path.stat() for path in paths]
    total = sum(one.st_size for one in sizes)
    with progress_bar("text", "bar", "bytes", "time left", text="reads images", total=total, wanted=total > _LARGE) as (
        bar,
        task,
    ):
        files = []
        for path, found in zip(paths, sizes, strict=True):
            files.append(ImageFile(shown_name(path), path, _sha256(path, found.st_size, found.st_mtime_ns)))
            bar.advance(task, found.st_size)
    return tuple(files)


@functools.lru_cache(maxsize=20_000)  # a command asks several times for gigabytes
def _sha256(path: Path, size: int, changed: int) -> str:
    return catalogue.sha256_of(path)


def _large_enough(images: tuple[ImageFile, ...], longer_side: int) -> tuple[ImageFile, ...]:
    """The images, if each has a side that is as long as those of its dataset: smaller copies have the same names."""
    for image in images:
        with opened(image.path) as found:
            if max(found.size) < longer_side:
                raise DataError(
                    f"{image.path} is {found.height}×{found.width} pixels: expected a side of at least {longer_side}; "
                    "is it a smaller copy of the dataset?"
                )
    return images


def told_apart(sets: Sequence[ImageSet]) -> tuple[list[ImageSet], list[str]]:
    """Sets that stand in one table, each under a title of its own, and each folder's content once.

    Args:
        sets: of the catalogue, and folders.

    Returns:
        The sets in their order, of two folders with the same images the first; and which were left out as such.
    """
    kept: dict[tuple[str, str], ImageSet] = {}
    twice: list[tuple[ImageSet, tuple[str, str]]] = []
    for one in sets:
        key = ("", one.whole_sha256) if one.folder else (one.name, "")
        if key in kept and kept[key].folder != one.folder:
            twice.append((one, key))
        kept.setdefault(key, one)
    folders = [one for one in kept.values() if one.folder]
    named = dict(zip((one.folder for one in folders), _titles_of(folders), strict=True))
    said = [
        f"{one.folder} has the same images as {kept[key].folder}, and is shown as {named[kept[key].folder]}"
        for one, key in twice
    ]
    return [replace(one, title=named.get(one.folder, one.title)) for one in kept.values()], said


def _titles_of(folders: Sequence[ImageSet]) -> list[str]:
    return folder_titles([(one.folder, one.whole_sha256) for one in folders])


def folder_titles(folders: Sequence[tuple[str, str]]) -> list[str]:
    """What folders are called where they stand together: the shortest ends of their paths that tell them apart.

    Args:
        folders: path and identity of what is in it, each pair once.

    Returns:
        A title for each: ``photos``, or ``site_a/photos`` where there is another one. One that is called like a set of
        the catalogue gets ``./`` before it; of one folder with different contents, each has the first digits of its
        identity behind it. None of them is a name or a title in the catalogue.
    """
    taken = {text.lower() for name, known in catalogue.datasets().items() for text in (name, known.title)}
    places = {place: PurePath(place).parts for place, _ in folders}
    many = {place: sum(place == other for other, _ in folders) for place in places}
    titles = []
    for place, identity in folders:
        parts = places[place]
        others = [other for known, other in places.items() if known != place]
        length = next(
            (n for n in range(1, len(parts)) if not any(other[-n:] == parts[-n:] for other in others)), len(parts)
        )
        title = "/".join(parts[-length:]) if length < len(parts) else place
        title = f"./{title}" if title.lower() in taken else title
        titles.append(f"{title} ({identity[:8]})" if many[place] > 1 else title)
    return titles


def shown_name(path: Path) -> str:
    r"""The name of a file or folder as all that is stored and shown has it: the one place where it becomes text.

    Args:
        path: of a file or folder; on most systems its name may be any bytes.

    Returns:
        The name read as UTF-8 whatever the locale; bytes that are not, and characters that control, as their numbers:
        ``caf\xe9.png``.
    """
    return visible(path.name)


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
        DataError: the file is missing, is not an image, is damaged, holds several images, has more pixels than
            :func:`converse.data.opening.pixel_limit`, or has a kind of pixel that would lose its meaning (32 bits,
            signed, floating point).
    """
    try:
        pixels, transparent = _decode(path)
    except ConverseError:
        raise
    except Exception as error:  # decoders raise anything on damaged files: SyntaxError, struct.error, KeyError …
        raise DataError(f"the image file {path} cannot be read: {error or type(error).__name__}") from error
    if transparent:
        warnings.warn(f"transparency of {path} is dropped", ConverseWarning, stacklevel=2)
    eight = _eight_bits(pixels)  # [H, W, 1 or 3]
    if colour == "grey":
        return luminance(eight) if eight.shape[2] == 3 else eight
    return np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight


def luminance(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """0.299 R + 0.587 G + 0.114 B, rounded half up, in integers so that no platform differs.

    Args:
        image: [H, W, 3].

    Returns:
        [H, W, 1].
    """
    weighted = image.astype(np.uint32) @ np.array([299, 587, 114], dtype=np.uint32)
    return ((weighted + 500) // 1000).astype(np.uint8)[:, :, None]


def _eight_bits(pixels: Pixels) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _decode(path: Path) -> tuple[Pixels, bool]:
    """Pixels [H, W, 1 or 3] as uint8 or uint16, and whether there was transparency."""
    from PIL import PngImagePlugin, TiffImagePlugin

    with opened(path) as image:
        frames = getattr(image, "n_frames", 1)
        if frames != 1 and image.format != "MPO":  # a camera's JPEG whose further frames are previews
            raise DataError(f"{path} holds {counted(frames, 'image')}: save the one that is meant as its own file")
        transparent = image.has_transparency_data
        pixels: Pixels
        if isinstance(image, PngImagePlugin.PngImageFile) and str(image.tile[0].args).endswith(";16B"):
            pixels = _png16(path, str(image.tile[0].args))
        elif isinstance(image, TiffImagePlugin.TiffImageFile) and _unusual(image):
            raise DataError(f"{path} {tiff_kind(_file_of(image))}")
        elif isinstance(image, TiffImagePlugin.TiffImageFile) and _sample_bits(image) == 16:
            pixels = _tiff16(path, _file_of(image))
        elif image.mode in ("I", "F") or image.mode.startswith("I;"):
            raise DataError(f"{path} has pixels of kind {image.mode}: expected 8 or 16 bits, without sign")
        else:
            grey = image.mode in ("1", "L", "LA", "La")
            # Through alpha where there is any: Pillow drops it only from there without a warning of its own.
            pixels = np.asarray(image.convert(("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return pixels[:, :, : 1 if pixels.shape[2] < 3 else 3], transparent


def _png16(path: Path, raw: str) -> npt.NDArray[np.uint16]:
    """16-bit PNG, whose colour Pillow would give as 8 bits, truncated, without a word.

    So it decodes twice: PNG's samples are big-endian, and the byte it keeps of them is the high one when it takes them
    for what they are, and the low one when it takes them for little-endian. Grey with alpha it takes for four bytes.
    """

    def decode(as_raw: str) -> npt.NDArray[np.uint8]:
        with opened(path) as image:
            image.tile = [image.tile[0]._replace(args=as_raw)]  # type: ignore[attr-defined]
            return np.asarray(image)

    if raw == "I;16B":
        return decode(raw).astype(np.uint16)
    if raw == "LA;16B":
        return decode("RGBA").view(">u2").astype(np.uint16)  # [H, W, 2]
    high, low = decode(raw), decode(raw.removesuffix("B") + "L")
    return np.stack([high, low], axis=-1).view(">u2")[..., 0].astype(np.uint16)  # [H, W, 3 or 4]


def _sample_bits(image: TiffImageFile) -> int:
    """The largest number of bits per sample."""
    return int(max(image.tag_v2.get(258, (1,))))  # 258 is BitsPerSample, by default 1


def _unusual(image: TiffImageFile) -> bool:
    """Whether samples have a sign, are floating-point numbers, or have more than 8 bits and other than 16."""
    formats = image.tag_v2.get(339, (1,))  # SampleFormat: 1 is without sign, the default, and 4 not said
    bits = _sample_bits(image)
    return any(one not in (1, 4) for one in formats) or (bits > 8 and bits != 16)


def _file_of(image: Image.Image) -> IO[bytes]:
    return cast("IO[bytes]", image.fp)  # type: ignore[attr-defined]


def _tiff16(path: Path, file: IO[bytes]) -> npt.NDArray[np.uint16]:
    """16-bit TIFF through tifffile, for Pillow would truncate its colour too."""
    import tifffile

    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        pixels = page.asarray()
        if page.axes.startswith("S"):  # planes stored one after another
            pixels = np.moveaxis(pixels, 0, -1)
        kind = tifffile.PHOTOMETRIC(page.photometric).name
    if pixels.dtype != np.uint16 or kind not in ("MINISBLACK", "RGB"):
        raise DataError(
            f"{path} has pixels of kind {kind} {pixels.dtype}: expected grey or RGB of 16 bits without sign"
        )
    array: npt.NDArray[np.uint16] = np.ascontiguousarray(pixels)
    return array
