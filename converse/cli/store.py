"""``converse store``: what is in a store; several stores into one; rows out of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from converse.cli.options import STORE, STORE_NAME, Format, OutputFormat, StoreDir, names
from converse.cli.printing import print_document, print_table, say
from converse.cli.streams import Command
from converse.cli.streams import output as stdout
from converse.counted import agreeing, counted
from converse.progress_bar import progress_bar

store = typer.Typer(
    name="store",
    no_args_is_help=True,
    help="What has been run and timed: list it, verify it, merge stores from several machines, export the rows.",
)


class What(enum.StrEnum):
    """Which rows are exported."""

    results = "results"
    speed = "speed"


@store.command("list", cls=Command)
def list_command(directory: StoreDir = STORE, output: Format = OutputFormat.table) -> int:
    """Show per task and entry how many trials and rows there are, and how much disk they take.

    Below the table, how many runs of `converse speed`.
    """
    from converse.experiments.store import Store
    from converse.workflows.status import INVENTORY_COLUMNS, inventory, speed_inventory

    found = Store(directory, create=False)
    rows = inventory(found)
    if output is not OutputFormat.table:
        print_document(INVENTORY_COLUMNS, rows, output)
        return 0
    print_table(
        INVENTORY_COLUMNS,
        [(*map(_cell, list(row.values())[:-1]), f"{row['bytes'] / 1e6:.1f} MB") for row in rows],
    )
    timed = speed_inventory(found)
    if timed.runs:
        say(f"speed: {counted(timed.runs, 'run')} with {counted(timed.rows, 'row')}, {timed.bytes / 1e6:.1f} MB")
    return 0


@store.command("verify", cls=Command)
def verify_command(
    stores: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STORE...]", **STORE_NAME, help="Stores to look at. Default: runs.", show_default=False
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Set aside what is damaged, renew what can be renewed, remove leftovers; nothing measured is deleted.",
        ),
    ] = False,
    output: Format = OutputFormat.table,
) -> int:
    """Read everything and hold it against its checksums: one line per fault.

    Ids, digests of rows, weights, curves and all other files, whose rows they are, states, notes, leftovers; links,
    pipes and devices, which are never followed. Trials of versions up to 0.1 have no digests, which is a fault until
    `--repair` has written them. Exit status 1 if something is wrong, with `--repair` if something could not be mended.
    """
    from converse.experiments.store import Store
    from converse.workflows.verify import COLUMNS, verify

    opened = [Store(one, create=False) for one in stores or [STORE]]
    with _progress() as progress:
        done = verify(opened, repair=repair, progress=progress)
    lines = [
        dict(zip(COLUMNS, (str(root), fault.place, fault.what, fault.mended), strict=True))
        for root, fault in done.faults
    ]
    if output is not OutputFormat.table:
        print_document(COLUMNS, lines, output)
    elif lines:
        print_table(COLUMNS, [[line[name] for name in COLUMNS] for line in lines])
    mended = f", {len(lines) - done.left} of them mended" if repair and lines else ""
    say(
        f"{counted(done.trials, 'trial')} and {counted(done.runs, 'run')} of speed: "
        f"{counted(len(lines), 'fault') if lines else 'no faults'}{mended}",
        err=output is not OutputFormat.table,
    )
    return 1 if done.left else 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that counts; silent where that is not a terminal."""
    with progress_bar("bar", "count", "text", "time left", text="trials and runs") as (bar, task):
        yield lambda done, total: bar.update(task, completed=done, total=total)


@store.command("merge", cls=Command)
def merge_command(
    others: Annotated[
        list[Path], typer.Argument(metavar="OTHER...", **STORE_NAME, help="Stores to take from; only read.")
    ],
    into: StoreDir = STORE,
    output: Format = OutputFormat.table,
) -> int:
    """Bring the trials of other stores, and their runs of speed, into one.

    A trial that is not here is copied. Of a trial in both the rows are united, where both have a row the one here
    stays, and a finished trial takes the place of an unfinished one, never the other way round. Of a run of speed
    in both, the cases that are not here are taken. Links in the other stores are not followed.

    Equal ids promise equal bits: where both have a value and the two differ, both are shown, with where they stand.
    Exit status 1 if there was such a conflict, or something was skipped: it is damaged, or being worked on.
    """
    from dataclasses import asdict, fields

    from converse.experiments.store import Store
    from converse.experiments.store.merging import Merged, merge

    sources = [Store(other, create=False) for other in others]
    with _progress() as progress:
        done = list(merge(Store(into), sources, progress))
    if output is OutputFormat.table:
        print_table(
            ("", "id", "from", "what", "rows added", "conflicts", "reason"),
            [
                (one.kind, one.id, str(one.store), one.action, str(one.rows), str(one.conflicts), one.reason)
                for one in done
            ],
        )
    else:
        rows = [{**asdict(one), "store": str(one.store)} for one in done]
        print_document([field.name for field in fields(Merged)], rows, output)
    conflicts = [(one, found) for one in done for found in one.differences]
    for one, found in conflicts:
        say(
            f"CONFLICT in trial {one.id}: {found.what} is {found.here} in {into} and {found.there} in {one.store}",
            err=True,
        )
    if conflicts:
        say(
            f"error: {counted(len(conflicts), 'value')} {agreeing(len(conflicts), 'differs', 'differ')} where equal "
            "ids promise equal bits, so one store is wrong; "
            f"what is in {into} stays. converse store verify tells whether one is damaged, converse explain TRIAL what "
            "made its numbers",
            err=True,
        )
    return 1 if conflicts or any(one.action == "skipped" for one in done) else 0


@store.command("export", cls=Command)
def export_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to: .csv, .json or .parquet; standard output when left out."),
    ] = None,
    directory: StoreDir = STORE,
    trials: Annotated[
        list[str] | None,
        typer.Option("--trial", metavar="TRIAL", help="Only these trials, by the first digits of their ids."),
    ] = None,
    what: Annotated[
        What, typer.Option("--what", help="results: of trials; speed: of converse speed, with every turn.")
    ] = What.results,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also rows that count in no table, as the store has them: of older images."),
    ] = False,
    output: Annotated[OutputFormat, typer.Option("--format", help="For standard output.")] = OutputFormat.csv,
) -> int:
    """Write the rows that count, one per trial, image and metric, or those of speed.

    Rows count whose images the newest request for their test set asked for, as in reports; how many others there are is
    said on standard error, and --all writes them too. What is damaged is left out and named there. Exit status 1 if
    there was such, 3 if there are no rows.
    """
    from converse.errors import OptionError
    from converse.experiments.store import Store
    from converse.workflows.export import counted_rows, export, write

    found = Store(directory, create=False)
    chosen = names(trials)
    unreadable: list[str] = []
    if what is What.speed:
        if chosen is not None:
            raise OptionError("--trial chooses results: rows of speed belong to no trial; leave out one of the two")
        rows = found.speed_rows(unreadable=unreadable)
    else:
        ids = None if chosen is None else [found.find(prefix).id for prefix in chosen]
        rows = found.rows(None, unreadable)
        if not everything:
            rows, others = counted_rows(found, rows)
            if others:
                say(
                    f"{counted(others, 'row')} {agreeing(others, 'is', 'are')} left out, which no newest request asked "
                    "for: --all writes all",
                    err=True,
                )
        rows = rows if ids is None else rows[rows["trial"].isin(ids)]
    for reason in unreadable:
        say(f"left out: {reason}", err=True)
    if file is not None:
        export(rows, file)
        say(f"{counted(len(rows), 'row')} written to {file}", err=True)
    elif output is OutputFormat.table:
        say(rows.to_string(index=False))
    else:
        write(rows, stdout(), "csv" if output is OutputFormat.csv else "json")
    return 1 if unreadable else 0 if len(rows) else 3


def _cell(value: object) -> str:
    return "" if value is None else str(value)
