"""From stores to a folder with a report: pages, tables and figures, each file whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.content import content
from converse.errors import OptionError
from converse.experiments.provenance import code_hash
from converse.experiments.store import Store, files
from converse.experiments.store.schema import SCHEMA
from converse.reporting import csv, latex, markdown
from converse.reporting.figures.svg import alone
from converse.reporting.html import render
from converse.reporting.report import Report
from converse.workflows.report_material import Material, gather

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


def report(
    stores: Sequence[Path],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    drawing: Callable[[str], None] = lambda part: None,
    data_dir: Path | None = None,
    embedded_only: bool = False,
    published: bool = True,
) -> Written:
    """Write the report of one or more stores. The same rows give the same bytes.

    Args:
        stores: folders of stores; of a row that several have, the first counts.
        folder: where to; made if need be. Files of a former report that this one does not have are removed.
        progress: told how many trials of how many are read.
        drawing: told whose numbers are counted and figures drawn next.
        data_dir: where images and released weights for the visual comparisons are looked for; none are fetched.
        embedded_only: show no image but scikit-image's own, so that the report may be given to anyone.
        published: whether the LaTeX tables have the paper's numbers.

    Returns:
        What was written.

    Raises:
        ConverseError: there is no store, it has a newer schema, or the folder cannot be written.
    """
    # A page that is still true is shown without any of these, and without torch.
    from converse.workflows.report_content import make_report
    from converse.workflows.report_figures import with_figures
    from converse.workflows.report_networks import RESTORED, Networks
    from converse.workflows.resources import Resources

    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output {folder} is a file: name a folder")
    material = gather([Store(store, create=False) for store in stores], progress)
    networks = Networks(Resources(data_dir, fetch=False), folder / RESTORED)
    found = with_figures(
        make_report(material, drawing),
        material,
        networks,
        embedded_only=embedded_only,
        progress=drawing,
    )
    kept = [f"{RESTORED}/{name}" for name in dict.fromkeys(networks.shown) if (folder / RESTORED / name).exists()]
    return write(found, material, folder, published=published, kept=kept)


def refresh(store: Path, folder: Path) -> Path:
    """The page of a store, made anew only if the store or this code has changed since.

    Args:
        store: folder of the store.
        folder: where the report lies.

    Returns:
        The page.

    Raises:
        StoreError: the folder cannot be written.
    """
    state = _state(store)
    page = folder / "index.html"
    with contextlib.suppress(files.Damaged):
        if page.exists() and (files.read_json(folder / LISTING) or {}).get("state") == state:
            return page
    done = report([store], folder)
    files.write_json(folder / LISTING, {"schema": SCHEMA, "files": [*reversed(done.files), *done.kept], "state": state})
    return page


def write(
    report: Report, material: Material, folder: Path, *, published: bool = True, kept: Sequence[str] = ()
) -> Written:
    """Write a report into a folder, the page last: what it refers to is there already.

    Args:
        report: all that it says.
        material: what it was made from.
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
    files.write_json(folder / LISTING, {"schema": SCHEMA, "files": [*names, *kept]})
    return Written(report, folder, tuple(reversed(names)), tuple(kept))


def _files(report: Report, published: bool) -> Iterator[tuple[str, bytes]]:
    """Every file: its path in the folder and its bytes."""
    for figure in report.figures:
        drawn = {"svg": alone(figure.svg).encode(), "pdf": figure.pdf, "png": figure.png}
        yield from ((f"figures/{figure.name}.{suffix}", data) for suffix, data in drawn.items() if data)
    for sheet in report.sheets:
        yield f"tables/{sheet.key}.tex", latex.table(sheet, published=published).encode()
        yield f"tables/{sheet.key}.csv", csv.table(sheet).encode()
        yield f"tables/{sheet.key}.md", markdown.table(sheet).encode()
    yield "report.tex", latex.document(report, published=published).encode()
    yield "index.html", render(report).encode()


def _state(store: Path) -> str:
    """A hash of the code and of which files the store has, with their sizes and times."""
    digest = hashlib.sha256(code_hash().encode())
    kept = ("trials/*/status.json", "trials/*/rows.*", "quickstart/*.json", "speed/*/rows.jsonl")
    for path in sorted((*content("reports").rglob("*.*"), *(path for one in kept for path in store.glob(one)))):
        about = path.stat()
        digest.update(f"{path.parent.name}/{path.name} {about.st_size} {about.st_mtime_ns}\0".encode())
    # The time of a note is renewed whenever its suite is asked for again, which changes nothing; its name is its hash.
    for path in sorted(store.glob("asked/*.json")):
        digest.update(f"{path.name}\0".encode())
    return digest.hexdigest()


def _listed(folder: Path) -> list[str]:
    """The files that a former report wrote; a name that leads out of the folder is no file of a report."""
    try:
        found = files.read_json(folder / LISTING)
    except files.Damaged:
        return []
    names = [str(name) for name in (found or {}).get("files", [])]
    return [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]
