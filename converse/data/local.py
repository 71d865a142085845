"""The files of datasets on this machine, verified, and downloaded where they are missing.

A file is looked for in the folder that the user names, then in an installed package that ships it, then in the cache,
and is downloaded last. Wherever it comes from, its SHA-256 must be the catalogue's. Nothing about verified files is
remembered: hashing a whole dataset takes a tenth of a second, far less than reading its images does.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import platformdirs

from converse.counted import agreeing, counted
from converse.data.catalogue import DATA_DIR_VARIABLE, Contents, Dataset, FileEntry, dataset, sha256_of, way_out
from converse.errors import ConverseWarning, DataError, NotAtHand, unknown

CACHE_VARIABLE = "CONVERSE_CACHE"


def cache_folder() -> Path:
    """Where downloads are kept: ``CONVERSE_CACHE``, or the user's cache folder of this system."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_path("converse")).expanduser()


def data_folder(data_dir: Path | None) -> Path | None:
    """The user's data folder: the one given, else ``CONVERSE_DATA``, else none.

    Raises:
        DataError: it is named but is not a folder.
    """
    given = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise DataError(f"the data folder {folder} (--data-dir or {DATA_DIR_VARIABLE}) is not there, or not a folder")
    return folder


Origin = Literal["data-dir", "scikit-image", "cache"]


def places(dataset: Dataset, data_dir: Path | None) -> list[tuple[Origin, Path]]:
    """The folders in which a dataset may lie, in the order of search.

    Args:
        dataset: of the catalogue.
        data_dir: the user's, or None for ``CONVERSE_DATA``.
    """
    folders: list[tuple[Origin, Path]] = []
    root = data_folder(data_dir)
    if root is not None:
        folders += [("data-dir", root / part) for part in (*dataset.folders, dataset.title, dataset.name)]
    if dataset.source == "scikit-image":
        package = importlib.util.find_spec("skimage")
        folders += [
            ("scikit-image", Path(place) / "data") for place in (package and package.submodule_search_locations) or ()
        ]
    folders.append(("cache", cache_folder() / dataset.name))
    return folders


def find(dataset: Dataset, entry: FileEntry, data_dir: Path | None = None) -> tuple[Origin, Path] | None:
    """Where a file lies on this machine; its content is not looked at.

    Args:
        dataset: of the catalogue.
        entry: one of its files.
        data_dir: the user's, or None for ``CONVERSE_DATA``.
    """
    return next(_copies(dataset, entry, data_dir), None)


def _copies(dataset: Dataset, entry: FileEntry, data_dir: Path | None) -> Iterator[tuple[Origin, Path]]:
    paths = ((origin, folder / entry.name) for origin, folder in places(dataset, data_dir))
    return ((origin, path) for origin, path in paths if path.is_file())


def own_folder(dataset: Dataset, data_dir: Path | None = None) -> tuple[Origin, Path] | None:
    """Where the folder of a dataset lies that the user has (`Dataset.contents`); what is in it is not looked at.

    Args:
        dataset: of the catalogue.
        data_dir: the user's, or None for ``CONVERSE_DATA``.
    """
    return next(((origin, folder) for origin, folder in places(dataset, data_dir) if folder.is_dir()), None)


def own_files(contents: Contents, folder: Path) -> list[Path]:
    """The files of such a dataset that are in a folder, sorted by name; hidden ones are left out."""
    return sorted(path for path in folder.glob(f"*{contents.suffix}") if not path.name.startswith("."))


def _own(dataset: Dataset, contents: Contents, data_dir: Path | None) -> list[Path]:
    found = own_folder(dataset, data_dir)
    if found is None:
        looked = ", ".join(str(folder) for _, folder in places(dataset, data_dir))
        raise NotAtHand(f"dataset {dataset.name!r} is not on this machine (looked in {looked}); {way_out(dataset)}")
    paths = own_files(contents, found[1])
    if len(paths) != contents.count:
        raise DataError(
            f"{found[1]} is not {dataset.title}: expected {counted(contents.count, 'file')} whose names end in "
            f"{contents.suffix}, found {len(paths):,}; {way_out(dataset)}"
        )
    return paths


def corruption(path: Path, entry: FileEntry) -> str | None:
    """What is wrong with a local file, or None if it is the catalogue's.

    Raises:
        DataError: it cannot be read.
    """
    size = path.stat().st_size
    if size != entry.bytes:
        return f"{path} is corrupt: expected {counted(entry.bytes, 'byte')}, found {size:,}"
    sha256 = sha256_of(path)
    return None if sha256 == entry.sha256 else f"{path} is corrupt: expected SHA-256 {entry.sha256}, found {sha256}"


def locate(name: str, data_dir: Path | None = None, *, files: Sequence[str] | None = None) -> list[Path]:
    """The verified files of a dataset, downloaded if they are not here.

    A corrupt file in the user's data folder is an error; one in a package or in the cache is said and downloaded anew.

    Args:
        name: of a dataset, in any case.
        data_dir: a folder to look in first, None for ``CONVERSE_DATA``; it may hold ``data/Set12``, ``Set12`` or
            ``set12``.
        files: only these, by name; None for all.

    Returns:
        One path per file, in the catalogue's order; of alternatives (`Dataset.any_one`) a single one.

    Raises:
        DataError: unknown dataset or file, a corrupt file, or one that is missing and cannot be had.
    """
    wanted = dataset(name)
    if files is not None:
        entries = {entry.name: entry for entry in wanted.files}
        if strange := [file for file in files if file not in entries]:
            raise DataError(unknown(f"file of dataset {wanted.name!r}", strange[0], entries))
        wanted = wanted.model_copy(update={"files": tuple(entries[file] for file in entries if file in files)})
    return locate_files(wanted, data_dir)


def locate_files(
    dataset: Dataset, data_dir: Path | None = None, *, fetch: bool = True, progress: bool = True
) -> list[Path]:
    """As `locate`, for a dataset that need not be in the catalogue.

    Args:
        dataset: any.
        data_dir: as of `locate`.
        fetch: whether missing files may be downloaded.
        progress: whether a download shows its progress on standard error.
    """
    if dataset.contents:
        return _own(dataset, dataset.contents, data_dir)
    here: dict[str, Path] = {}
    for entry in dataset.files:
        path = _verified(dataset, entry, data_dir)
        if path is not None:
            here[entry.name] = path
            if dataset.any_one:
                return [path]
    missing = [entry for entry in dataset.files if entry.name not in here]
    if dataset.any_one:
        missing = [entry for entry in missing if entry.download][:1]
    if missing:
        if not fetch or not all(entry.download for entry in missing):
            raise DataError(absent(dataset, missing, data_dir))
        from converse.data.downloads import download

        for entry, path in zip(
            missing, download(dataset, missing, cache_folder() / dataset.name, progress), strict=True
        ):
            here[entry.name] = path
    return [here[entry.name] for entry in dataset.files if entry.name in here]


def _verified(dataset: Dataset, entry: FileEntry, data_dir: Path | None) -> Path | None:
    for origin, path in _copies(dataset, entry, data_dir):
        wrong = corruption(path, entry)
        if wrong is None:
            return path
        if origin == "data-dir":
            raise DataError(f"{wrong}; replace or remove it (then it is looked for elsewhere, or downloaded)")
        warnings.warn(f"{wrong}; it is not used", ConverseWarning, stacklevel=2)
    return None


def absent(dataset: Dataset, missing: Sequence[FileEntry], data_dir: Path | None) -> str:
    """Say that files are not on this machine, where they were looked for, and what to do."""
    looked = ", ".join(str(folder) for _, folder in places(dataset, data_dir))
    return (
        f"dataset {dataset.name!r}: {counted(len(missing), 'file', of=len(dataset.files))} "
        f"{agreeing(len(missing), 'is', 'are')} not on this machine, for example {missing[0].name} "
        f"(looked in {looked}); {way_out(dataset)}"
    )
