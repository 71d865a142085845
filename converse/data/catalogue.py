"""The dataset catalogue: what ``datasets/*.toml`` say of each dataset and of each of its files."""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from converse.content import content
from converse.counted import counted
from converse.errors import DataError, unknown

DATA_DIR_VARIABLE = "CONVERSE_DATA"

FINGERPRINT = "[0-9a-f]{36}"
"""How `converse.data.fingerprints.fingerprint` spells what an image shows."""

_BLOCK = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def _plain_name(name: str) -> str:
    """Refuse a file name that could leave its folder, on any system."""
    if not name or name in (".", "..") or _BLOCK.search(name) or name != name.strip(" ") or name.endswith("."):
        raise ValueError(f"{name!r} is not a plain file name: no folders, '..', drive letters or control characters")
    return name


def _plain_folder(folder: str) -> str:
    """Refuse a folder that is not a relative path made of plain names."""
    for part in folder.split("/"):
        _plain_name(part)
    return folder


def _address(address: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+/(\S*/)?", address):
        raise ValueError(f"{address!r} is not an http(s) address that ends in '/'")
    return address


Name = Annotated[str, AfterValidator(_plain_name)]
Folder = Annotated[str, AfterValidator(_plain_folder)]
Address = Annotated[str, AfterValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(_Strict):
    """One file of a dataset.

    Attributes:
        name: a plain name, without folders.
        sha256: 64 lower-case hex digits.
        bytes: its size.
        download: whether the addresses of the dataset have it; otherwise only a local folder can.
        fingerprint: of an image, what it shows (`converse.data.fingerprints`); empty where nobody has measured it.
        part: ``set12/04.png``: the image of a test set that shows a part of the same picture; no fingerprint tells.
    """

    name: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(gt=0)]
    download: bool = True
    fingerprint: Annotated[str, Field(pattern=rf"^({FINGERPRINT})?$")] = ""
    part: Annotated[str, Field(pattern=r"^([a-z0-9_]+/[^/]+)?$")] = ""


class Contents(_Strict):
    """What a folder holds that the user has, where the catalogue has no checksums and no address of the files.

    Attributes:
        count: how many images.
        suffix: how their names end, ``.png``.
        longer_side: the least number of pixels of the longer side of each.
    """

    count: Annotated[int, Field(gt=0)]
    suffix: Annotated[str, Field(pattern=r"^\.[a-z]+$")]
    longer_side: Annotated[int, Field(gt=0)]


class Dataset(_Strict):
    """What the catalogue says of one dataset.

    Attributes:
        name: lower case; the name of its TOML file.
        title: as tables have it.
        kind: what the files are.
        colour: of the images; a grey file in a colour set is read as colour by repeating its channel.
        source: ``scikit-image`` if that package's wheel ships the files; an address is then the last resort. ``folder``
            if nothing is downloaded: the user has it.
        base_url: where the files are downloaded from, pinned to a revision; of a folder, the page that tells how to get
            it. Ends in ``/``.
        mirrors: addresses tried when `base_url` fails, in order.
        folders: where they lie in a user's data folder, besides folders named by title or name.
        licence: or that there is none.
        citation: whom to cite.
        files: in the order in which they are evaluated; of a folder none.
        contents: of a folder, what must be in it.
        any_one: whether the files are alternatives, of which the first that is found suffices.
        test: whether it is a published test set: none of its images is trained on.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Annotated[str, Field(min_length=1)]
    kind: Literal["images", "kernels", "weights"]
    colour: Literal["grey", "colour"] | None = None
    source: Literal["download", "scikit-image", "folder"]
    base_url: Address
    mirrors: Annotated[tuple[Address, ...], Field(strict=False)] = ()
    folders: Annotated[tuple[Folder, ...], Field(strict=False)] = ()
    licence: Annotated[str, Field(min_length=1)]
    citation: Annotated[str, Field(min_length=1)]
    files: Annotated[tuple[FileEntry, ...], Field(strict=False)] = ()
    contents: Contents | None = None
    any_one: bool = False
    test: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        names = [entry.name.lower() for entry in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"files named twice: {', '.join(twice)}")
        if (self.colour is None) == (self.kind == "images"):
            raise ValueError("colour is given for images, and only for them")
        if not (self.source == "folder") == (self.contents is not None) == (not self.files):
            raise ValueError('a dataset has files, or source = "folder" and contents')
        return self

    @property
    def count(self) -> int:
        """How many files there are; of alternatives one is enough."""
        return self.contents.count if self.contents else 1 if self.any_one else len(self.files)

    @property
    def sha256(self) -> str:
        """The identity of the whole: a digest over names and checksums, in order."""
        return digest((entry.name, entry.sha256) for entry in self.files)

    @property
    def bytes(self) -> int:
        """What a download fetches; of alternatives, the one that can be downloaded."""
        sizes = [entry.bytes for entry in self.files if entry.download]
        return sizes[0] if self.any_one else sum(sizes)


def digest(files: Iterable[tuple[str, str]]) -> str:
    """One SHA-256 over many files.

    Args:
        files: (name, SHA-256) of each, in order.

    Returns:
        64 hex digits.
    """
    whole = hashlib.sha256()
    for name, sha256 in files:
        whole.update(f"{sha256}  {name}\n".encode())
    return whole.hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def read_dataset(path: Path) -> Dataset:
    """Read one file of the catalogue.

    Args:
        path: a TOML file; its stem is the dataset's name.

    Raises:
        DataError: it is not TOML, or says something that it may not say; the message names file, table and key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if "name" in table:
        raise DataError(f"{path}: name: leave it out, the name of the file is the name of the dataset")
    try:
        return Dataset.model_validate({**table, "name": path.stem})
    except ValidationError as error:
        raise DataError(f"{path}: {_mistake(error)}") from error


def _mistake(error: ValidationError) -> str:
    """The first mistake in one line: which key, what was expected, what came."""
    first = error.errors()[0]
    where = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
    if first["type"] == "extra_forbidden":
        known = FileEntry.model_fields if len(first["loc"]) > 1 else set(Dataset.model_fields) - {"name"}
        return where + unknown("key", str(first["loc"][-1]), known)
    got = f", got {first['input']!r}" if isinstance(first["input"], str | int | float) else ""
    return where + first["msg"].removeprefix("Value error, ") + ("" if first["type"] == "value_error" else got)


@functools.cache
def datasets() -> Mapping[str, Dataset]:
    """The whole catalogue, by name.

    Raises:
        DataError: a file of the catalogue is not what it should be.
    """
    found = (read_dataset(path) for path in sorted(content("datasets").glob("*.toml")))
    return MappingProxyType({dataset.name: dataset for dataset in found})


def dataset(name: str) -> Dataset:
    """One dataset of the catalogue.

    Args:
        name: in any case.

    Raises:
        DataError: there is none of that name; the message has the nearest one.
    """
    known = datasets()
    try:
        return known[name.lower()]
    except KeyError:
        raise DataError(unknown("dataset", name, known)) from None


def way_out(dataset: Dataset) -> str:
    """What a user can do to get a dataset."""
    if dataset.contents:
        return (
            f"converse does not download it: get the {counted(dataset.count, 'image')} ({dataset.base_url}) into a "
            f"folder DIR/{dataset.folders[0]}, and name DIR with --data-dir or the variable {DATA_DIR_VARIABLE}"
        )
    return (
        f"where there is a network, get it with 'converse data fetch {dataset.name}', or name a folder that has it "
        f"with --data-dir or the variable {DATA_DIR_VARIABLE}"
    )
