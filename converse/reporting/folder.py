"""A report written into a folder: page, tables and figures, each file whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.content import content
from converse.errors import OptionError
from converse.experiments.provenance import code_hash
from converse.experiments.store import files
from converse.experiments.store.schema import SCHEMA
from converse.reporting import latex
from converse.reporting.exports import Texts
from converse.reporting.figures.svg import alone
from converse.reporting.html import render
from converse.reporting.report import Report

LISTING: Final = "report.json"
"""In the folder: which files the report wrote, so that the next one can take its own away, and nobody else's."""


@dataclass(frozen=True)
class Written:
    """What came out.

    Attributes:
        report: all that it says.
        folder: where it lies.
        files: their paths in the folder, ``index.html`` first.
        kept: restored images beside them, which the next report need not restore again.
    """

    report: Report
    folder: Path
    files: tuple[str, ...]
    kept: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"

    def _repr_html_(self) -> str:
        return f'<a href="{html.escape(self.page.resolve().as_uri())}">{html.escape(str(self.page))}</a>'


def check_folder(folder: Path) -> None:
    """Before anything is read: whether a report can be written there.

    Raises:
        OptionError: it is a file, or a store, into which no report is written.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output {folder} is a file: name a folder")
    if (folder / "store.json").is_file():
        raise OptionError(f"--output {folder} is a store, and a report never writes into one: name another folder")


def write(report: Report, folder: Path, *, published: bool = True, kept: Sequence[str] = ()) -> Written:
    """Write a report into a folder, the page last: what it refers to is there already.

    Args:
        report: all that it says.
        folder: where to.
        published: whether the LaTeX tables have the paper's numbers.
        kept: what lies in the folder already and belongs to the report.

    Returns:
        What was written.

    Raises:
        StoreError: the folder cannot be written.
    """
    with files.explained(folder, "make"):
        folder.mkdir(parents=True, exist_ok=True)
    before = _listed(folder)
    names = []
    for name, data in _files(report, published):
        path = folder / name
        with files.explained(path, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, data)
        names.append(name)
    for name in before:
        if name not in names and name not in kept:
            (folder / name).unlink(missing_ok=True)
    _list(folder, [*names, *kept])
    return Written(report, folder, tuple(reversed(names)), tuple(kept))


def current_page(folder: Path, state: str) -> Path | None:
    """The page in a folder, if it was made from this :func:`store_state`."""
    page = folder / "index.html"
    with contextlib.suppress(files.Damaged):
        if page.exists() and (files.read_json(folder / LISTING) or {}).get("state") == state:
            return page
    return None


def keep_state(written: Written, state: str) -> None:
    """Note beside a page from which :func:`store_state` it was made."""
    _list(written.folder, [*reversed(written.files), *written.kept], state=state)


def store_state(store: Path) -> str:
    """A hash of the code and of which files the store has, with their sizes and times."""
    digest = hashlib.sha256(code_hash().encode())
    kept = ("trials/*/status.json", "trials/*/rows.*", "speed/*/rows.jsonl")
    for path in sorted((*content("reports").rglob("*.*"), *(path for one in kept for path in store.glob(one)))):
        about = path.stat()
        digest.update(f"{path.parent.name}/{path.name} {about.st_size} {about.st_mtime_ns}\0".encode())
    # The time of a note is renewed whenever its suite is asked for again, which changes nothing; its name is its hash.
    for path in sorted(store.glob("asked/*.json")):
        digest.update(f"{path.name}\0".encode())
    return digest.hexdigest()


def _files(report: Report, published: bool) -> Iterator[tuple[str, bytes]]:
    """Every file: its path in the folder and its bytes."""
    texts = Texts.of(report, published)
    for figure in report.figures:
        drawn = {"svg": alone(figure.svg).encode(), "pdf": figure.pdf}
        drawn |= {suffix: text.encode() for suffix, text in texts.figures[figure.name].items()}
        yield from ((f"figures/{figure.name}.{suffix}", data) for suffix, data in drawn.items() if data)
    for key, formats in texts.tables.items():
        yield from ((f"tables/{key}.{kind}", text.encode()) for kind, text in formats.items())
    yield "report.tex", latex.document(report, published=published).encode()
    yield "index.html", render(report, texts).encode()


def _listed(folder: Path) -> list[str]:
    """The files that a former report wrote; a name that leads out of the folder is no file of a report."""
    try:
        listing = files.read_json(folder / LISTING)
    except files.Damaged:
        return []
    names = [str(name) for name in (listing or {}).get("files", [])]
    return [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]


def _list(folder: Path, names: Sequence[str], **more: str) -> None:
    files.write_json(folder / LISTING, {"schema": SCHEMA, "files": list(names), **more})
