"""What may be opened as an image. Oracles: files written byte by byte, and what the operating system calls them."""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import converse
from converse.data.images import image_set, read_image
from converse.data.opening import EXPECTED, EXPECTED_TIFF, LIMIT_VARIABLE, check, opened, pixel_limit
from converse.errors import DataError, OptionError


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *, data: bool = True) -> bytes:
    """One bit per pixel: of 200 megapixels 25 kB are left."""
    lines = zlib.compress(bytes((width + 7) // 8 + 1) * height) if data else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + (chunk(b"IDAT", lines) if data else b"") + chunk(b"IEND", b"")


def tiff(array: Any, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        tifffile.imwrite(path, array, **options)

    return write


GREY_ALPHA = {"photometric": "minisblack", "extrasamples": ["unassalpha"]}
OTHERS: dict[str, tuple[bytes | Callable[[Path], None], str]] = {
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", f"is PostScript (EPS): {EXPECTED}"),
    "gif": (b"GIF89a", f"is a GIF: {EXPECTED}"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
    "svg": (b"<svg/>", f"is an SVG: {EXPECTED}"),
    "heic": (b"\0\0\0\x18ftypheic", "is a HEIC"),
    "empty": (b"", f"is empty: {EXPECTED}"),
    "text": (b"hello", f"is no image of a format that is read: {EXPECTED}"),
    "no-data": (png(8, 8, data=False), "has a header but no image data"),
    "torn-tiff": (b"II*\0\x08\0\0\0", "begins as a TIFF, but its header is damaged"),
    "grey-alpha": (
        tiff(np.zeros((4, 5, 2), np.uint16), **GREY_ALPHA),
        f"is a TIFF of grey with alpha, 16 bits: {EXPECTED_TIFF}",
    ),
    "float16": (
        tiff(np.zeros((4, 5), np.float16)),
        f"is a TIFF of grey, 16 bits, floating point: {EXPECTED_TIFF}",
    ),
    "float32": (tiff(np.zeros((4, 5), np.float32)), "is a TIFF of grey, 32 bits, floating point"),
    "signed8": (tiff(np.zeros((4, 5), np.int8)), "is a TIFF of grey, 8 bits with sign"),
    "deep": (tiff(np.zeros((4, 5, 3), np.uint32), photometric="rgb"), "is a TIFF of RGB, 32 bits"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_something_else_says_what_it_is(name: str, tmp_path: Path) -> None:
    made, said = OTHERS[name]
    path = tmp_path / "x.png"
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made(path)
    with pytest.raises(DataError) as error:
        read_image(path, "grey")
    assert str(error.value).startswith(f"{path} {said}")


def test_only_our_formats_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import EpsImagePlugin, GifImagePlugin

    def tried(*arguments: object) -> None:
        raise AssertionError("a format that is not ours was tried")

    Image.init()
    for plugin, name in ((EpsImagePlugin.EpsImageFile, "EPS"), (GifImagePlugin.GifImageFile, "GIF")):
        monkeypatch.setitem(Image.OPEN, name, (tried, None))
        assert plugin.format == name
    path = tmp_path / "x.png"
    path.write_bytes(OTHERS["eps"][0])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="PostScript"):
        check(path)


def test_no_more_pixels_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(png(20_000, 10_000))
    theirs = Image.MAX_IMAGE_PIXELS
    with pytest.raises(DataError) as error:
        read_image(path, "grey")
    for said in (str(path), "20000×10000 pixels", "200 megapixels", "at most 100", f"{LIMIT_VARIABLE}=200"):
        assert said in str(error.value)
    monkeypatch.setenv(LIMIT_VARIABLE, "200")  # beyond Pillow's own limit
    with opened(path) as image:
        assert image.size == (20_000, 10_000)
    assert theirs == Image.MAX_IMAGE_PIXELS
    monkeypatch.setenv(LIMIT_VARIABLE, "0.0001")
    small = tmp_path / "small.png"
    small.write_bytes(png(10, 10))
    assert read_image(small, "grey").shape == (10, 10, 1)
    small.write_bytes(png(10, 11))
    with pytest.raises(DataError, match="10×11 pixels"):
        read_image(small, "grey")


@pytest.mark.parametrize("text", ["many", "0", "-1", "nan", "inf"])
def test_a_limit_is_a_number(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(OptionError, match=f"{LIMIT_VARIABLE} must be a number of megapixels above 0, got '{text}'"):
        pixel_limit()
    (tmp_path / "x.png").write_bytes(png(8, 8))
    with pytest.raises(OptionError):  # no fault of the image
        read_image(tmp_path / "x.png", "grey")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


NO_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (pipe, "is a named pipe"),
    "link-to-pipe": (lambda path: (pipe(path.parent / "pipe"), path.symlink_to("pipe")), "is a named pipe"),  # type: ignore[dict-item,func-returns-value]
    "dead-link": (lambda path: path.symlink_to("nowhere"), "is a link that leads nowhere"),
    "loop": (lambda path: path.symlink_to(path.name), "is a link that leads nowhere"),
    "socket": (listening, "is a socket"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_refused_and_never_waited_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    make, said = NO_FILES[name]
    make(Path("x.png"))
    found: list[str] = []

    def look() -> None:
        for read in (lambda: image_set("./"), lambda: read_image(Path("x.png"), "grey")):
            with pytest.raises(DataError, match=r"x\.png") as error:
                read()
            found.append(str(error.value))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(60)
    assert not looking.is_alive(), "it waits"
    assert len(found) == 2
    assert all(f"x.png {said}" in text for text in found)


def test_links_to_images_are_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "kept" / "a.png").write_bytes(png(9, 7))
    (tmp_path / "set" / "b.png").symlink_to(tmp_path / "kept" / "a.png")
    (image,) = image_set(tmp_path / "set").images
    assert (image.name, read_image(image.path, "colour").shape) == ("b.png", (7, 9, 3))


def test_image_files_are_opened_here_alone() -> None:
    package = Path(converse.__file__).parent
    opens = re.compile(r"\b(?:Image|Pillow|PIL)\.open\(|\bimread\(|\bTiffFile\((?!file\))")
    found = [str(path.relative_to(package)) for path in package.rglob("*.py") if opens.search(path.read_text("utf-8"))]
    assert found == [str(Path("data", "opening.py"))]
