"""``converse plan``: parses, calls, prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from converse.cli import options
from converse.cli.previews import basis, prefixed, time_range
from converse.cli.printing import print_document, print_json, print_table, say
from converse.cli.run import SuiteName, entries_of

if TYPE_CHECKING:
    from converse.workflows.plan import Plan, PlanRow, PlanStep


ROWS: Final = ("row", "from", "trials", "multiply-adds a pixel", "of a training", "in all", "time", "memory")
STEPS: Final = ("command", "for", "time", "memory", "download", "disk")


def plan(
    suite: SuiteName,
    budget: options.Budget = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DEVICE",
            help="A device that is not here, such as A100 or 'RTX 4090'; by default this machine's own.",
            show_default=False,
        ),
    ] = None,
    seeds: options.Seeds = None,
    only: options.Only = None,
    datasets: options.Datasets = None,
    images: options.Images = None,
    output: options.Format = options.OutputFormat.table,
    store: options.StoreDir = options.STORE,
    data_dir: options.DataDir = None,
    device: options.Device = options.DEVICE,
    threads: options.Threads = None,
) -> int:
    """Say what a suite's table takes before anything is downloaded or trained, by default under the budget paper.

    Which rows come from released weights and which are trained; the commands in order; time, memory and megabytes of
    each. Multiply-adds and memory are counted. Times are ranges: at the rate of `converse speed` where the store has it
    for this machine, otherwise by a convolution that is timed now, or, with --on, by what the vendor says.

    An example: converse plan denoising --budget paper --on 'RTX 4090'.
    """
    from converse.workflows.plan import plan as count
    from converse.workflows.run_request import RunRequest

    request = RunRequest(
        suite=suite,
        budget=budget,
        seeds=options.seed_numbers(seeds),
        entries=options.names(only, entries_of(suite) if only else ()),
        datasets=options.names(datasets),
        images=images,
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
    )
    found = count(request, on)
    for note in found.notes:
        say(f"note: {note}", err=True)
    if output is options.OutputFormat.table:
        _print(found)
    elif output is options.OutputFormat.json:
        print_json({"rows": list(found.rows), "steps": list(found.steps)})
    else:
        from converse.workflows.plan import ROW_COLUMNS

        print_document(ROW_COLUMNS, found.rows, output)
    return 0


def _print(found: Plan) -> None:
    say(f"{found.title}, budget {found.budget}, on {found.device}\n")
    print_table(ROWS, [_row(row) for row in found.rows])
    say()
    print_table(STEPS, [_step(number, step) for number, step in enumerate(found.steps, 1)])
    say()
    for source in dict.fromkeys(row["estimated_from"] for row in found.rows):
        if source is not None:
            say(basis(source))
    say("memory: of weights, gradients, the optimiser and what is kept for the backward pass; libraries take more")


def _row(row: PlanRow) -> list[str]:
    return [
        row["entry"],
        row["origin"],
        str(row["trials"]),
        prefixed(row["multiply_adds_per_pixel"]),
        prefixed(row["training_multiply_adds"]) if row["training_multiply_adds"] else "",
        prefixed(row["multiply_adds"]),
        _time(row),
        _size(row["memory_bytes"]),
    ]


def _step(number: int, step: PlanStep) -> list[str]:
    return [
        f"{number}. {step['command']}",
        step["what"],
        _time(step) if step["multiply_adds"] else "",
        _size(step["memory_bytes"]),
        _size(step["download_bytes"]),
        _size(step["disk_bytes"]),
    ]


def _time(counted: PlanRow | PlanStep) -> str:
    least, most = counted["least_seconds"], counted["most_seconds"]
    return "unknown" if least is None or most is None else time_range(least, most)


def _size(size: int | None) -> str:
    if not size:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"
