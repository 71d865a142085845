"""The one place where image files are opened: regular files, in a few formats, up to a number of pixels.

A file is what its first bytes say, not what its name says. Pillow by itself would try all the formats that it knows,
and start other programs for some.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from converse.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

FORMATS: Final = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""What files may be, as Pillow calls it."""

EXPECTED: Final = "expected a PNG, JPEG, BMP, TIFF or WebP"
"""Said of files that are something else."""

EXPECTED_TIFF: Final = "expected grey, RGB or RGB with alpha, of 8 or 16 bits without sign"
"""Said of TIFFs that hold something else."""

LIMIT_VARIABLE: Final = "CONVERSE_IMAGE_MEGAPIXELS"
MEGAPIXELS: Final = 100
"""Images of more pixels (in millions) are not read; the variable changes it."""

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "begins as a PNG, but its header is damaged"),
    (b"\xff\xd8\xff", "begins as a JPEG, but its header is damaged"),
    (b"BM", "begins as a BMP, but its header is damaged or of a kind that is not read"),
    (b"RIFF", "begins as a WebP, but its header is damaged"),
    (b"%!PS", "is PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "is PostScript (EPS)"),
    (b"%PDF", "is a PDF"),
    (b"GIF8", "is a GIF"),
    (b"8BPS", "is a file of Photoshop (PSD)"),
    (b"\x00\x00\x00\x0cjP  ", "is a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "is a JPEG 2000"),
    (b"<svg", "is an SVG"),
    (b"<?xml", "is XML"),
    (b"<!DOCTYPE", "is a page of the web"),
    (b"<html", "is a page of the web"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the image itself (git lfs pull gets it)"),
)
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_PILLOW: Final = threading.Lock()  # its limit is a global of its module


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file and read its header; pixels are decoded when they are asked for.

    Args:
        path: a regular file, or a link to one.

    Yields:
        Pillow's image, whose ``fp`` is the open file.

    Raises:
        DataError: there is no such file; it is a pipe, a device or a folder; it is in none of :data:`FORMATS`, or its
            header is damaged; it has more pixels than :func:`pixel_limit`. The message says which file, and what it is.
        OptionError: the variable is not a number.
    """
    from PIL import UnidentifiedImageError

    with _file(path) as file:
        try:
            image = _header(file)
        except UnidentifiedImageError as error:
            raise DataError(f"{path} {_what(file)}") from error
        except Exception as error:  # decoders raise anything on damaged files: SyntaxError, struct.error, KeyError …
            raise DataError(f"the image file {path} cannot be read: {error or type(error).__name__}") from error
        with image:
            _check_pixels(path, image.width, image.height)
            if image.format == "PNG" and not image.tile:  # type: ignore[attr-defined]
                raise DataError(f"{path} has a header but no image data: it was cut short, or never written whole")
            yield image


def own_png(content: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a PNG that this program wrote and holds in memory.

    Args:
        content: of the file, whose checksum its reader has compared.

    Returns:
        uint8, [H, W, C], C = 1, 3, or 4 with alpha.

    Raises:
        ValueError, OSError, SyntaxError: it is no PNG, or is damaged.
    """
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        array = np.asarray(image)
    return array if array.ndim == 3 else array[:, :, None]


def check(path: Path) -> None:
    """Look whether a file can be opened as an image, by its header.

    Args:
        path: the file.

    Raises:
        DataError: as :func:`opened`.
        OptionError: as :func:`opened`.
    """
    with opened(path):
        pass


def pixel_limit() -> int:
    """How many pixels an image may have.

    Raises:
        OptionError: the variable is not a number above 0.
    """
    text = os.environ.get(LIMIT_VARIABLE, str(MEGAPIXELS))
    with contextlib.suppress(ValueError, OverflowError):
        if (pixels := int(float(text) * 1e6)) > 0:
            return pixels
    raise OptionError(f"{LIMIT_VARIABLE} must be a number of megapixels above 0, got {text!r}")


def what_else(path: Path) -> str | None:
    """What a path leads to where that is no regular file: opening a pipe would wait for a writer, for ever.

    Args:
        path: of anything; links are followed.

    Returns:
        ``is a named pipe``, ``is a link that leads nowhere`` …; ``None`` for a regular file.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            return f"is a link that leads nowhere ({error.strerror})"
        return f"cannot be read ({error.strerror})"
    return _kind(mode)


def tiff_kind(file: IO[bytes]) -> str:
    """What a TIFF that is not read holds, and what is read: ``is a TIFF of grey with alpha, 16 bits: expected …``.

    Args:
        file: open for reading.
    """
    import tifffile

    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            colour = tifffile.PHOTOMETRIC(page.photometric).name
            alpha = " with alpha" if page.extrasamples else ""
            number = {2: " with sign", 3: ", floating point"}.get(int(page.sampleformat), "")
            bits = page.bitspersample
    except Exception:  # on damaged files it raises anything, too
        return "begins as a TIFF, but its header is damaged"
    name = {"MINISBLACK": "grey", "MINISWHITE": "grey, white first", "RGB": "RGB"}.get(colour, colour.lower())
    return f"is a TIFF of {name}{alpha}, {bits} bits{number}: {EXPECTED_TIFF}"


@contextlib.contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    if not path.exists() and not path.is_symlink():
        raise DataError(f"there is no image file {path}")
    if wrong := what_else(path):
        raise DataError(f"{path} {wrong}, not an image file")
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise DataError(f"the image file {path} cannot be read: {error.strerror}") from error
    with file:
        if wrong := _kind(os.fstat(file.fileno()).st_mode):
            raise DataError(f"{path} {wrong}, not an image file")
        yield file


def _without_waiting(name: str, flags: int) -> int:
    """Should the file have become a pipe since it was looked at, opening it does not wait."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "is a folder"
    if stat.S_ISFIFO(mode):
        return "is a named pipe"
    return "is a socket" if stat.S_ISSOCK(mode) else "is a device"


def _header(file: IO[bytes]) -> Image.Image:
    # The plugins of our formats, which Pillow then need not look for among all that it has.
    from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    del BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of damage it says without the file's name
        theirs = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None  # ours holds, which names the file and the way out
        try:
            return Image.open(file, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = theirs


def _check_pixels(path: Path, width: int, height: int) -> None:
    limit = pixel_limit()
    if width * height > limit:
        raise DataError(
            f"{path} has {width}×{height} pixels, {width * height / 1e6:,.4g} megapixels: at most {limit / 1e6:,.6g} "
            f"are read. Cut or scale it, or raise the limit: {LIMIT_VARIABLE}={-(-width * height // 10**6)}"
        )


def _what(file: IO[bytes]) -> str:
    """What a file is that is in none of the formats, by its first bytes."""
    file.seek(0)
    head = file.read(64)
    if not head:
        return f"is empty: {EXPECTED}"
    if head.startswith(_TIFF):
        return tiff_kind(file)
    if head[4:8] == b"ftyp":
        return f"is a HEIC, an AVIF or a film: {EXPECTED}"
    known = (words for beginning, words in _BEGINNINGS if head.lstrip().startswith(beginning))
    return f"{next(known, 'is no image of a format that is read')}: {EXPECTED}"
