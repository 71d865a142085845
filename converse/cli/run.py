"""``converse run``: parses, calls, prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli.options import (
    DEVICE,
    STORE,
    Budget,
    DataDir,
    Datasets,
    Device,
    DryRun,
    Format,
    Images,
    Only,
    OutputFormat,
    Seeds,
    StoreDir,
    Threads,
    names,
    seed_numbers,
)

if TYPE_CHECKING:
    from converse.workflows.run import Progress, Run
    from converse.workflows.run_request import RunRequest

METRICS = {"psnr": ("PSNR", 2), "ssim": ("SSIM", 4), "lpips": ("LPIPS", 4)}

SuiteName = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="A suite that `converse list suites` shows, or a TOML file.", show_default=False
    ),
]


def run(
    suite: SuiteName,
    budget: Budget = None,
    seeds: Seeds = None,
    only: Only = None,
    datasets: Datasets = None,
    images: Images = None,
    output: Format = OutputFormat.table,
    store: StoreDir = STORE,
    data_dir: DataDir = None,
    device: Device = DEVICE,
    threads: Threads = None,
    dry_run: DryRun = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run trials again that failed.")] = False,
) -> int:
    """Train and evaluate every trial of a suite: each entry under each seed.

    Finished trials are never repeated. Stop it at any time, with Ctrl-C or a kill: the same command continues, to the
    bit. A trial that fails is recorded with its reason, and the others go on.

    An example: converse run denoising --budget quick --data-dir ../data --seeds 0,1.
    """
    from converse.workflows.run_request import RunRequest

    request = RunRequest(
        suite=suite,
        budget=budget,
        seeds=seed_numbers(seeds),
        entries=names(only),
        datasets=names(datasets),
        images=images,
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
        retry_failed=retry_failed,
    )
    if dry_run:
        _print_plan(request, output)
        return 0
    from converse.workflows.run import run as carry_out

    try:
        with progress_bar() as progress:
            done = carry_out(request, progress)
    except KeyboardInterrupt:
        typer.echo(f"interrupted: what was finished is kept in {store}; the same command continues there", err=True)
        return 130
    print_results(done, output)
    report_failures(done)
    return exit_status(done)


def exit_status(done: Run) -> int:
    """0 all done, 1 something failed, 3 nothing was measured."""
    if done.failures:
        return 1
    return 0 if done.results["measured"].notna().any() else 3


def report_failures(done: Run) -> None:
    """Say on standard error what failed and what is missing."""
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    for failure in done.failures:
        when = "failed" if failure.fresh else "failed before"
        typer.echo(f"{when}: {failure.name} (trial {failure.trial}): {failure.reason}", err=True)
    if done.failures:
        typer.echo(f"tracebacks: {done.failures[0].folder.parent}/TRIAL/failure.txt", err=True)
    if any(not failure.fresh for failure in done.failures):
        typer.echo("--retry-failed runs failed trials again", err=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error with the time left of what is being done; where that is no terminal, a line per trial."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task("", total=None)
        last: list[Any] = [None, 0.0]

        def update(step: Progress) -> None:
            name = f"[{step.trial}/{step.trials}] {step.name}"
            if step.finished:
                console.print(f"{name}: {step.finished}", markup=False, soft_wrap=True)
                return
            now = time.monotonic()
            if last[0] != (name, step.what):
                bar.reset(shown, total=step.total or None, description=f"{name}: {step.what}")
            elif now - last[1] < 0.1:
                return
            last[:] = (name, step.what), now
            bar.update(shown, completed=step.done)

        yield update


def print_results(done: Run, output: OutputFormat) -> None:
    """Print the results: a table of means and deviations, or one document with all that is known."""
    from converse.analysis.tables import RESULT_COLUMNS
    from converse.cli.printing import print_document, print_table
    from converse.workflows.run import plain_results

    rows = plain_results(done)
    if output is not OutputFormat.table:
        print_document(RESULT_COLUMNS, rows, output)
        return
    titles = (title for title, _ in METRICS.values())
    print_table(("entry", "seeds", "parameters", "test set", *titles, "published"), summary_lines(rows))


def _print_plan(request: RunRequest, output: OutputFormat) -> None:
    from converse.cli.printing import print_document, print_table
    from converse.workflows.run_preview import COLUMNS, preview
    from converse.workflows.status import duration

    plan = preview(request)
    if output is not OutputFormat.table:
        print_document(COLUMNS, plan.lines, output)
        return
    print_table(
        ("trial", "entry", "seed", "state", "steps", "images", "time"),
        [
            [
                line["trial"],
                line["entry"],
                "" if line["seed"] is None else str(line["seed"]),
                line["state"],
                f"{line['steps']:,}",
                f"{line['images']:,}",
                "unknown" if line["seconds"] is None else duration(line["seconds"]) if line["steps"] else "",
            ]
            for line in plan.lines
        ],
    )
    if any(line["steps"] for line in plan.lines):
        whole = "unknown time" if plan.seconds is None else f"about {duration(plan.seconds)} of training"
        typer.echo(f"{whole}, {plan.bytes / 1e6:.1f} MB of disk")
    elif any(line["images"] for line in plan.lines):
        typer.echo("nothing to train; images to measure")
    else:
        typer.echo("nothing to do")
    if not request.retry_failed and any(line["state"] == "failed" for line in plan.lines):
        typer.echo("failed trials are left alone; --retry-failed runs them again")
    for note in plan.notes:
        typer.echo(f"note: {note}", err=True)


def summary_lines(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """One line per entry, test set and case: mean ± deviation over seeds of each metric.

    Args:
        rows: result rows.

    Returns:
        Cells as text.
    """
    counts = {row["entry"]: row["measured"] for row in rows if row["metric"] == "parameters"}
    cells: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["metric"] in METRICS:
            cells.setdefault((row["entry"], row["dataset"], row["case"]), {})[row["metric"]] = row
    lines = []
    for (entry, dataset, case), metrics in cells.items():
        first = next(iter(metrics.values()))
        published = metrics.get("psnr", first)["published"]
        lines.append(
            [
                entry,
                "" if first["seeds"] is None else str(first["seeds"]),
                "" if counts.get(entry) is None else f"{counts[entry]:,}",
                dataset if case is None else f"{dataset}, {case.replace('_', ' ')}",
                *(_cell(metrics.get(name), digits) for name, (_, digits) in METRICS.items()),
                "" if published is None else f"{published:.2f}",
            ]
        )
    return lines


def _cell(row: Mapping[str, Any] | None, digits: int) -> str:
    if row is None or row["measured"] is None:
        return "–"
    deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.{digits}f}"
    return f"{row['measured']:.{digits}f}{deviation}"
