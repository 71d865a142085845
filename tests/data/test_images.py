"""Reading: formats, bit depths and kinds of pixel against the arrays that were written; sets and their errors."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from converse.data.images import (
    ImageFile,
    ImageSet,
    folder_titles,
    image_set,
    luminance,
    read_image,
    told_apart,
)
from converse.errors import ConverseWarning, DataError

BT601 = np.array([0.299, 0.587, 0.114])


def pixels(channels: int, bits: int = 8) -> npt.NDArray[np.uint16]:
    """[11, 13, channels], all values of the range likely, both ends certain."""
    array = np.random.default_rng(channels + bits).integers(0, 1 << bits, (11, 13, channels))
    array[0, 0], array[0, 1] = 0, (1 << bits) - 1
    return array.astype(np.uint16)


def png(array: npt.NDArray[np.uint16], bits: int, interlaced: bool = False) -> bytes:
    """A PNG written from its specification, for Pillow cannot write 16-bit colour."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[array.shape[2]]
    samples = array.astype(">u2" if bits == 16 else "u1")
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    images = [samples[y::v, x::h] for y, x, v, h in passes] if interlaced else [samples]
    step = array.shape[2] * bits // 8
    lines = b""
    for line in (line for image in images if image.size for line in image):
        plain = np.frombuffer(line.tobytes(), np.uint8)
        left = np.concatenate([np.zeros(step, np.uint8), plain[:-step]])
        lines += b"\1" + (plain - left).tobytes()  # filter "Sub": the difference to the pixel on the left

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], bits, kind, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def as_eight(array: npt.NDArray[np.uint16], bits: int) -> npt.NDArray[np.float64]:
    return np.rint(array / 257.0) if bits == 16 else array.astype(np.float64)


def expect(array: npt.NDArray[np.uint16], bits: int, colour: str) -> npt.NDArray[np.float64]:
    """What reading must give: alpha dropped, 16 bits rounded, grey repeated or colour weighed."""
    eight = as_eight(array, bits)
    eight = eight[:, :, :-1] if eight.shape[2] in (2, 4) else eight
    if colour == "grey":
        return eight if eight.shape[2] == 1 else np.floor(eight @ BT601 + 0.5 + 1e-9)[:, :, None]  # a half goes up
    return np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight


MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MATRIX = [
    *((suffix, 8, channels) for suffix in ("png", "tif") for channels in (1, 2, 3, 4)),
    *(("bmp", 8, channels) for channels in (1, 3)),
    *(("webp", 8, channels) for channels in (3, 4)),
    *(("png", 16, channels) for channels in (1, 2, 3, 4)),
    *(("tif", 16, channels) for channels in (1, 3, 4)),
]


@pytest.mark.parametrize("colour", ["grey", "colour"])
@pytest.mark.parametrize(("suffix", "bits", "channels"), MATRIX, ids=lambda v: str(v))
def test_reads_what_was_written(tmp_path: Path, suffix: str, bits: int, channels: int, colour: str) -> None:
    # Oracle: the array itself; written by Pillow, tifffile or byte by byte, never by the code under test.
    array = pixels(channels, bits)
    path = tmp_path / f"image.{suffix}"
    if channels in (2, 4):
        array[..., -1] |= 1  # lossless WebP forgets the colour of pixels that are wholly transparent
    if suffix == "png":
        path.write_bytes(png(array, bits))
    elif bits == 16:
        tifffile.imwrite(path, array if channels > 1 else array[..., 0], photometric="rgb" if channels > 1 else None)
    else:
        image = Image.fromarray(array.astype(np.uint8).squeeze(), MODES[channels])
        options: dict[str, Any] = {"lossless": True, "exact": True} if suffix == "webp" else {}
        image.save(path, **options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = read_image(path, colour)  # type: ignore[arg-type]
    assert read.dtype == np.uint8
    assert read.shape == (11, 13, 1 if colour == "grey" else 3)
    np.testing.assert_array_equal(read, expect(array, bits, colour))
    told = [str(w.message) for w in said if "transparency" in str(w.message)]
    assert told == ([f"transparency of {path} is dropped"] if channels in (2, 4) else [])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.filterwarnings("ignore:transparency")
def test_reads_interlaced_16_bit_png(tmp_path: Path, channels: int) -> None:
    array = pixels(channels, 16)
    (tmp_path / "a.png").write_bytes(png(array, 16, interlaced=True))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "colour"), expect(array, 16, "colour"))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_every_layout_of_16_bit_tiff(tmp_path: Path, planar: str, order: Literal["<", ">"]) -> None:
    array = pixels(3, 16)
    stored = array if planar == "contig" else array.transpose(2, 0, 1)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, byteorder=order, compression="zlib"
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", "colour"), as_eight(array, 16))


def test_reads_jpeg(tmp_path: Path) -> None:
    # Oracle: a smooth picture survives JPEG within a few grey levels.
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(32, 0)
    Image.fromarray(ramp).save(tmp_path / "a.jpg", quality=98)
    grey = read_image(tmp_path / "a.jpg", "grey")
    assert np.abs(grey[:, :, 0].astype(int) - ramp).max() <= 4
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", "colour"), grey.repeat(3, axis=2))


def test_reads_palettes_and_one_bit(tmp_path: Path) -> None:
    rgb = pixels(3).astype(np.uint8)
    rgb[...] = rgb[:1, :1] // 2 + 40 * (np.arange(11) % 5)[:, None, None].astype(np.uint8)
    palette = Image.fromarray(rgb).quantize(16)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png", "colour"), np.asarray(palette.convert("RGB")))
    palette.save(tmp_path / "t.png", transparency=0)
    with pytest.warns(ConverseWarning, match=r"transparency of .*t\.png"):
        read = read_image(tmp_path / "t.png", "colour")
    np.testing.assert_array_equal(read, np.asarray(palette.convert("RGB")))
    bits = np.random.default_rng(0).random((9, 10)) > 0.5
    Image.fromarray(bits).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", "grey")[:, :, 0], np.where(bits, 255, 0))


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=40))
def test_luminance_is_the_weighted_sum(colours: list[tuple[int, int, int]]) -> None:
    # Oracle: BT.601 in floating point, a tie going either way; and Pillow's own fixed-point grey, within one level.
    image = np.array(colours, dtype=np.uint8)[None]
    grey = luminance(image)
    assert np.abs(grey[:, :, 0] - image @ BT601).max() <= 0.5 + 1e-9
    assert np.abs(grey[:, :, 0].astype(int) - np.asarray(Image.fromarray(image).convert("L"))).max() <= 1


def write_pages(path: Path) -> None:
    first = pixels(3).astype(np.uint8)
    Image.fromarray(first).save(path, save_all=True, append_images=[Image.fromarray(255 - first)])


BROKEN = {
    "empty.png": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("this is not an image"),
    "half.png": lambda path: path.write_bytes(png(pixels(3), 8)[:200]),
    "half16.png": lambda path: path.write_bytes(png(pixels(3, 16), 16)[:300]),
    "float.tif": lambda path: tifffile.imwrite(path, np.zeros((4, 5), np.float32)),
    "floats.tif": lambda path: tifffile.imwrite(path, np.zeros((4, 5, 3), np.float32), photometric="rgb"),
    "signed.tif": lambda path: tifffile.imwrite(path, np.zeros((4, 5), np.int16)),
    "deep.tif": lambda path: tifffile.imwrite(path, np.zeros((4, 5, 3), np.uint32), photometric="rgb"),
    "inverse.tif": lambda path: tifffile.imwrite(path, np.zeros((4, 5), np.uint16), photometric="miniswhite"),
    "pages.tif": write_pages,
    "pages.webp": write_pages,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    BROKEN[name](path)
    with pytest.raises(DataError, match=name):
        read_image(path, "colour")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image file"):
        read_image(tmp_path / "none.png", "grey")


@settings(max_examples=150)
@given(data=st.data())
def test_damage_ends_in_an_image_or_in_our_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = bytearray(png(pixels(3, 16), 16) if data.draw(st.booleans()) else png(pixels(3), 8))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.png"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(DataError):
            read = read_image(path, "colour")
            assert read.dtype == np.uint8
            assert read.shape[2] == 3


def test_a_folder_is_a_set(tmp_path: Path) -> None:
    folder = tmp_path / "My photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.png", "a.PNG", "c.jpeg", "d.webp", "e.tiff", "f.bmp"):
        Image.fromarray(pixels(3).astype(np.uint8)).save(folder / name)
    Image.fromarray(pixels(3).astype(np.uint8)).save(folder / "sub" / "z.png")
    (folder / "notes.txt").write_text("no image")
    (folder / "._a.png").write_text("left behind by a file system")
    found = image_set(folder)
    assert [image.name for image in found.images] == ["a.PNG", "b.png", "c.jpeg", "d.webp", "e.tiff", "f.bmp"]
    assert (found.name, found.title, len(found)) == ("My photos", "My photos", 6)
    assert all(image.sha256 == hashlib.sha256(image.path.read_bytes()).hexdigest() for image in found.images)
    assert image_set(str(folder)) == found


def test_the_first_images_and_identity() -> None:
    images = tuple(ImageFile(f"{i}.png", Path(f"{i}.png"), f"{i:064x}") for i in range(4))
    whole = ImageSet("x", "X", images)
    assert whole.first(2).images == images[:2]
    assert whole.first(9) == whole
    # Oracle: what `sha256sum` prints for these files, hashed.
    text = "".join(f"{i:064x}  {i}.png\n" for i in range(4))
    assert whole.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert whole.sha256 != whole.first(3).sha256
    with pytest.raises(DataError, match="at least 1 image"):
        whole.first(0)


def test_the_first_images_leave_the_identity_of_the_whole_set() -> None:
    images = tuple(ImageFile(f"{i}.png", Path(f"{i}.png"), f"{i:064x}") for i in range(4))
    whole = ImageSet("x", "X", images)
    assert whole.first(3).first(1).others == images[1:]
    assert whole.first(3).first(1).whole_sha256 == whole.sha256


def test_folders_are_told_apart_by_the_shortest_ends_of_their_paths() -> None:
    def titles(*places: str) -> list[str]:
        return folder_titles([(place, "0123456789") for place in places])

    assert titles("/x/site_a/photos") == ["photos"]
    assert titles("/x/site_a/photos", "/x/site_b/photos", "/x/other") == ["site_a/photos", "site_b/photos", "other"]
    assert titles("/1/a/photos", "/2/a/photos", "/1/b/photos") == ["1/a/photos", "2/a/photos", "b/photos"]
    assert titles("/photos", "/x/photos") == ["/photos", "x/photos"]
    assert titles("/x/Set12", "/x/photos") == ["./Set12", "photos"]  # neither is a set of the catalogue
    two = folder_titles([("/x/photos", "0123456789"), ("/x/photos", "abcdef0123")])
    assert two == ["photos (01234567)", "photos (abcdef01)"]


@given(st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))))
def test_no_two_folders_have_one_title(places: set[str]) -> None:
    titles = folder_titles([(place, "0") for place in places])
    assert len(set(titles)) == len(places)
    assert all(place.endswith(title) for place, title in zip(places, titles, strict=True))


def test_two_folders_with_the_same_images_are_one_set(tmp_path: Path) -> None:
    for site, value in (("a", 1), ("b", 2), ("c", 1)):
        (tmp_path / site / "photos").mkdir(parents=True)
        Image.new("L", (8, 8), value).save(tmp_path / site / "photos" / "one.png")
    found, twice = told_apart([image_set(tmp_path / site / "photos") for site in "abca"])
    assert [(one.name, one.title) for one in found] == [("photos", "a/photos"), ("photos", "b/photos")]
    (said,) = twice
    assert said == (
        f"{tmp_path / 'c' / 'photos'} has the same images as {tmp_path / 'a' / 'photos'}, and is shown as a/photos"
    )


def test_what_is_no_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    for name, message in {
        "empty": "holds no images",
        "./nowhere": "there is no folder nowhere",
        "some/where": "there is no folder some/where",
        "file.png": "is a file",
        "sett12": "did you mean 'set12'.*nor is there a folder",
        "blur_kernels": "holds kernels, not images",
    }.items():
        with pytest.raises(DataError, match=message):
            image_set(name)


def test_sets_of_the_catalogue(shared: Path) -> None:
    found = image_set("SET14", shared)
    assert (found.name, found.title, len(found)) == ("set14", "Set14", 14)
    bridge = next(image for image in found.images if image.name == "bridge.bmp")
    read = read_image(bridge.path, "colour")  # a grey file in a colour set
    assert read.shape == (512, 512, 3)
    assert (read == read[:, :, :1]).all()


def test_embedded_images_need_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path))
    train, test = image_set("skimage_train"), image_set("skimage_test")
    assert not {image.sha256 for image in train.images} & {image.sha256 for image in test.images}
    for image in (*train.images, *test.images):
        assert read_image(image.path, "colour").shape[2] == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_name_that_is_not_utf8_is_shown_with_its_byte(tmp_path: Path) -> None:
    """Oracle: the name's bytes. The digest of the set is made of that text."""
    folder = os.fsencode(tmp_path) + b"/b\xff"
    Path(os.fsdecode(folder)).mkdir()
    for name in (b"caf\xe9.png", "café.png".encode(), b"\x1b[2J.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(os.fsdecode(folder + b"/" + name))
    found = image_set(os.fsdecode(folder))
    assert sorted(image.name for image in found.images) == [r"\x1b[2J.png", r"caf\xe9.png", "café.png"]
    assert (found.name, found.title) == (r"b\xff", r"b\xff")
    assert all(read_image(image.path, "grey").shape == (8, 8, 1) for image in found.images)
    assert len(found.sha256) == 64
