"""``converse data``: what the catalogue knows, what of it is on this machine, and how to get the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli.options import DataDir, Format, OutputFormat
from converse.cli.printing import print_document, print_table, say
from converse.cli.streams import Command
from converse.counted import counted

if TYPE_CHECKING:
    from pathlib import Path

    from converse.data.catalogue import Dataset

data = typer.Typer(
    name="data",
    no_args_is_help=True,
    help="The datasets and weights: list them, download them, verify their checksums. "
    "A folder of your own images needs none of this: name it wherever a dataset is named, `--datasets ./photos`.",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Names that `converse data list` shows, in any case.", show_default=False),
]


@data.command("list", cls=Command)
def list_command(data_dir: DataDir = None, output: Format = OutputFormat.table) -> int:
    """Show every dataset: what it is, how large, under which licence, and where on this machine it was found.

    WHERE is data-dir (the folder you named), scikit-image (that package ships it), cache (downloaded before) or absent.
    Contents are not looked at; `converse data verify` does that.
    """
    from converse.data.catalogue import datasets

    rows = [_row(dataset, data_dir) for dataset in datasets().values()]
    if output is OutputFormat.table:
        shown = [
            (
                row["name"],
                row["kind"],
                f"{row['present']}/{row['files']}",
                _size(row["bytes"]) if row["bytes"] else "",
                row["where"],
                row["licence"],
            )
            for row in rows
        ]
        print_table(("name", "kind", "files", "size", "where", "licence"), shown)
    else:
        print_document(list(rows[0]), rows, output)
    return 0


@data.command("fetch", cls=Command)
def fetch_command(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All that can be downloaded (some 480 MB).")] = False,
    data_dir: DataDir = None,
) -> int:
    """Download what is not on this machine yet, and verify it.

    For example: `converse data fetch set12 bsd68 dncnn_weights`.

    Files go to the cache of this user (the variable CONVERSE_CACHE names another folder). What is finished is kept when
    the download is interrupted: the same command fetches the rest.
    """
    from converse.data.catalogue import dataset, datasets
    from converse.data.local import locate
    from converse.errors import OptionError

    if every == bool(names):
        raise OptionError("name the datasets to fetch, or give --all: `converse data list` shows them")
    chosen = [dataset(name).name for name in names or ()] or [one.name for one in datasets().values() if one.files]
    for name in chosen:
        paths = locate(name, data_dir)
        say(f"{name}: {counted(len(paths), 'file')} in {', '.join(sorted({str(path.parent) for path in paths}))}")
    return 0


@data.command("verify", cls=Command)
def verify_command(names: Names = None, data_dir: DataDir = None, output: Format = OutputFormat.table) -> int:
    """Hash every file that is on this machine and name those that are corrupt or missing.

    Without names, all datasets. A file of your data folder that is corrupt is never used: replace or remove it. Exit
    status 1 if a file is corrupt, 3 if nothing was found to verify.
    """
    from converse.data.catalogue import dataset, datasets

    chosen = [dataset(name) for name in names] if names else list(datasets().values())
    rows = [_verified(one, data_dir) for one in chosen]
    if output is OutputFormat.table:
        shown = [
            (row["dataset"], row["state"], f"{row['verified']}/{row['files']}", "\n".join(_named(row))) for row in rows
        ]
        print_table(("dataset", "state", "verified", "files that are not as they should be"), shown)
    else:
        flat = [{key: "; ".join(v) if isinstance(v, list) else v for key, v in row.items()} for row in rows]
        print_document(list(rows[0]), rows if output is OutputFormat.json else flat, output)
    if any(row["corrupt"] for row in rows):
        return 1
    return 0 if any(row["verified"] for row in rows) else 3


def _row(dataset: Dataset, data_dir: Path | None) -> dict[str, Any]:
    from converse.data.local import find, own_files, own_folder

    found = [place for entry in dataset.files if (place := find(dataset, entry, data_dir))]
    if dataset.contents and (place := own_folder(dataset, data_dir)):
        found = [(place[0], path) for path in own_files(dataset.contents, place[1])]
    enough = len(found) >= dataset.count
    origins = " + ".join(dict.fromkeys(origin for origin, _ in found))
    return {
        "name": dataset.name,
        "title": dataset.title,
        "kind": dataset.kind,
        "colour": dataset.colour,
        "files": dataset.count,
        "present": min(len(found), 1) if dataset.any_one else len(found),
        "bytes": dataset.bytes,
        "where": (origins if enough else f"{origins} (incomplete)") if found else "absent",
        "folder": str(found[0][1].parent) if found else None,
        "address": dataset.base_url,
        "sha256": dataset.sha256,
        "licence": dataset.licence,
        "citation": dataset.citation,
    }


def _verified(dataset: Dataset, data_dir: Path | None) -> dict[str, Any]:
    from converse.data.local import corruption, find

    if dataset.contents:
        return _verified_folder(dataset, data_dir)
    corrupt: list[str] = []
    missing: list[str] = []
    verified = 0
    for entry in dataset.files:
        place = find(dataset, entry, data_dir)
        if place is None:
            missing.append(entry.name)
        elif wrong := corruption(place[1], entry):
            corrupt.append(wrong)
        else:
            verified += 1
    if dataset.any_one and verified:
        missing = []  # the others are alternatives
    files = len(dataset.files)
    absent = len(missing) == files
    return {
        "dataset": dataset.name,
        "state": "corrupt" if corrupt else "absent" if absent else "incomplete" if missing else "good",
        "files": 1 if dataset.any_one else files,
        "verified": min(verified, 1) if dataset.any_one else verified,
        "corrupt": corrupt,
        "missing": missing,
    }


def _verified_folder(dataset: Dataset, data_dir: Path | None) -> dict[str, Any]:
    """Of a folder that the user has there are no checksums: number, kind and size of its images are looked at."""
    from converse.data.images import image_set
    from converse.errors import DataError, NotAtHand

    row = {"dataset": dataset.name, "files": dataset.count, "verified": 0, "corrupt": [], "missing": []}
    try:
        return {**row, "state": "good", "verified": len(image_set(dataset.name, data_dir))}
    except NotAtHand:
        return {**row, "state": "absent"}
    except DataError as error:
        return {**row, "state": "corrupt", "corrupt": [str(error)]}


def _named(row: dict[str, Any]) -> list[str]:
    """The lines about one dataset; what is wholly absent needs no list of its files."""
    missing: Sequence[str] = [] if row["state"] == "absent" else row["missing"]
    return [*row["corrupt"], *(f"{name} is missing" for name in missing)]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
