"""``converse report``: parses, calls, prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converse.cli.options import STORE, STORE_NAME, DataDir, Format, OutputFormat
from converse.cli.printing import print_document, print_table, say, shown
from converse.counted import counted
from converse.errors import OptionError
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from converse.reporting.folder import Written

COLUMNS = ("about", "verdict", "cells")

Stores = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[STORE...]",
        **STORE_NAME,
        help="Stores to report on, read together; of a row that several have, the first counts. Default: runs.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Where to write; files of a former report are replaced."),
]
EmbeddedOnly = Annotated[
    bool,
    typer.Option(
        "--embedded-only",
        help="Show no image but scikit-image's own, so that the report may be given to anyone.",
    ),
]

ComputeImages = Annotated[
    bool,
    typer.Option(
        "--compute-images",
        help="Restore images that the stores do not keep, on the CPU, beside the page: the two of each visual "
        "comparison, and three of each test set for the viewer.",
    ),
]
SingleFile = Annotated[
    bool,
    typer.Option("--single-file", help="Put the viewer's images into the page, not beside it."),
]
ImagesLimit = Annotated[
    int | None,
    typer.Option(
        "--images-limit",
        metavar="MB",
        min=1,
        help="At most so many megabytes of images in the viewer. Default: 200, or 20 with --single-file.",
        show_default=False,
    ),
]

Compare = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Put two stores side by side, or one and what it was before a day (--since): what changed from the first "
        "to the second, and how sure that is. With the numbers of both, and without figures.",
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="YYYY-MM-DD",
        formats=["%Y-%m-%d"],
        help="With --compare and one store: what changed in it since the beginning of that day, UTC.",
        show_default=False,
    ),
]

NoPublished = Annotated[
    bool,
    typer.Option("--no-published", help="Leave the paper's numbers out of the LaTeX tables."),
]


def report(
    stores: Stores = None,
    folder: Folder = Path("report"),
    data_dir: DataDir = None,
    embedded_only: EmbeddedOnly = False,
    no_published: NoPublished = False,
    compute_images: ComputeImages = False,
    single_file: SingleFile = False,
    images_limit: ImagesLimit = None,
    compare: Compare = False,
    since: Since = None,
    output: Format = OutputFormat.table,
) -> int:
    """Write a report of what was measured: the paper's tables, ablations, speed, and all that they rest on.

    The page needs no network; beside it lie the images of its viewer, report.tex, tables as LaTeX, CSV, Markdown and
    JSON, figures as SVG and PDF. The same rows give the same bytes. Stores are only read. Exit status 3 if nothing
    was measured; the page is written all the same, and says how to begin. Exit status 1 if something in a store could
    not be read, such as a trial that is damaged or of a newer version: it is in no number, and is named here and at the
    top of the page.

    - `converse report runs machine-b/runs --output report`: two stores, read together

    - `converse report before/runs runs --compare`: two stores side by side

    - `converse report runs --compare --since 2026-01-31`: what changed in one store
    """
    from converse.experiments.trials import default_threads
    from converse.workflows.report import report as carry_out

    if compare:
        from converse.workflows.report_changes import report_changes

        given = {
            "--data-dir": data_dir,
            "--embedded-only": embedded_only,
            "--no-published": no_published,
            "--compute-images": compute_images,
            "--single-file": single_file,
            "--images-limit": images_limit,
        }
        if others := [name for name, value in given.items() if value]:
            raise OptionError(f"{', '.join(others)}: not with --compare, whose page has neither images nor the paper")
        before, after = _sides(stores or ([STORE] if since else []), since)
        with _progress() as (reading, _):
            return _status(report_changes(before, after, folder, reading), output)
    if since:
        raise OptionError("--since is for --compare: converse report RUNS --compare --since YYYY-MM-DD")
    with _progress() as (reading, drawing):
        done = carry_out(
            stores or [STORE],
            folder,
            reading,
            drawing=drawing,
            data_dir=data_dir,
            embedded_only=embedded_only,
            published=not no_published,
            compute_images=compute_images,
            single_file=single_file,
            images_limit=images_limit,
            processes=default_threads(),
        )
    return _status(done, output)


def _sides(stores: list[Path], since: datetime | None) -> tuple[Path, Path | datetime]:
    """The two stores that are held against each other, or one and a moment.

    Raises:
        OptionError: there are not as many as that takes.
    """
    if since is not None:
        if len(stores) != 1:
            raise OptionError(
                f"--since takes one store, got {len(stores)}: converse report RUNS --compare --since {since:%Y-%m-%d}"
            )
        return stores[0], since.replace(tzinfo=UTC)
    if len(stores) != 2:
        raise OptionError(
            f"--compare takes two stores, got {len(stores)}: converse report A B --compare; "
            "or one and a day: converse report RUNS --compare --since YYYY-MM-DD"
        )
    return stores[0], stores[1]


def _status(done: Written, output: OutputFormat) -> int:
    """Print what was written, and say whether all of it could be read, and anything was measured."""
    _print(done, output)
    if done.report.damaged:
        return 1
    return 0 if done.report.measured else 3


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """A bar on standard error that counts trials, then names what is drawn; silent where that is not a terminal."""
    with progress_bar("bar", "count", "text", text="trials read") as (bar, task):
        yield (
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda part: bar.update(task, description=shown(f"trials read; now: {part}", err=True)),
        )


def _print(done: Written, output: OutputFormat) -> None:
    tally = [
        {"about": about, "verdict": verdict, "cells": cells}
        for about, verdicts in (
            ("released weights", done.report.verdicts),
            ("trained differences", done.report.differences),
        )
        for verdict, cells in verdicts.items()
    ]
    if output is not OutputFormat.table:
        print_document(COLUMNS, tally, output)
    elif tally:
        print_table(COLUMNS, [[str(row[name]) for name in COLUMNS] for row in tally])
    if not tally and output is OutputFormat.table:
        for sentence in done.report.lead:
            say(sentence)
    for one in done.report.damaged:
        say(f"could not be read: {one}", err=True)
    trials = len(done.report.trials)
    failed = f", {len(done.report.failures)} of them failed" if done.report.failures else ""
    say(f"page: {done.page.resolve()} ({counted(trials, 'trial')}{failed})", err=output is not OutputFormat.table)
