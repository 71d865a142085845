"""``converse compare``: parses, calls, prints."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from converse.cli import options
from converse.cli.exit_status import FAILED, exit_status, kept_in, report_failures
from converse.cli.previews import print_preview, time_range
from converse.cli.printing import print_document, print_table, say
from converse.cli.run import trial_progress
from converse.counted import agreeing, counted

if TYPE_CHECKING:
    from converse.analysis.side_by_side import NetworkRow
    from converse.workflows.compare import Comparison
    from converse.workflows.compare_request import Match
    from converse.workflows.preview import Preview


class TaskChoice(StrEnum):
    """The tasks, and all of them."""

    denoising = "denoising"
    super_resolution = "super_resolution"
    deblurring = "deblurring"
    all = "all"


class MatchChoice(StrEnum):
    """What widths can be chosen for."""

    parameters = "parameters"
    multiply_adds = "multiply-adds"
    time = "time"


class View(StrEnum):
    """Which rows a document has."""

    answers = "answers"
    networks = "networks"
    effects = "effects"


def compare(
    operator: Annotated[
        str,
        typer.Argument(
            metavar="OPERATOR",
            help="A class of yours, path/to/file.py:Class or package.module:Class, or a name that "
            "`converse list operators` shows.",
            show_default=False,
        ),
    ],
    task: Annotated[
        TaskChoice | None,
        typer.Option("--task", help="The task, or all of them; by default denoising.", show_default=False),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="In place of the task's own suite: another name, such as quickstart, or a TOML file.",
            show_default=False,
        ),
    ] = None,
    budget: options.Budget = None,
    seeds: options.Seeds = None,
    match: Annotated[
        MatchChoice | None,
        typer.Option(
            "--match",
            help="Change the networks' widths until each costs as much of this as that with reverse convolution.",
            show_default=False,
        ),
    ] = None,
    equal_settings: Annotated[
        bool,
        typer.Option(
            "--equal-settings",
            help="Leave out the tuning: all networks get the suite's settings, which may suit one of them better.",
        ),
    ] = False,
    against_seeds: Annotated[
        str | None,
        typer.Option(
            "--against-seeds",
            metavar="LIST",
            help="Other seeds for what your operator is compared with, as many as --seeds has: for a check of the "
            "comparison itself, with an operator against itself.",
            show_default=False,
        ),
    ] = None,
    equivalence: Annotated[
        float,
        typer.Option("--equivalence", metavar="DB", help="PSNR that differs by less is practically equal."),
    ] = 0.02,
    datasets: options.Datasets = None,
    images: options.Images = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Where the page is written; by default a folder in the store.",
            show_default=False,
        ),
    ] = None,
    output: options.Format = options.OutputFormat.table,
    show: Annotated[
        View,
        typer.Option(
            "--show",
            help="With json or csv: the answers, all networks side by side, or the differences test set by test set.",
        ),
    ] = View.answers,
    store: options.StoreDir = options.STORE,
    data_dir: options.DataDir = None,
    device: options.Device = options.DEVICE,
    threads: options.Threads = None,
    devices: options.Devices = 1,
    engine: options.Engine = options.EngineName.local,
    address: options.Address = None,
    same_platform: options.SamePlatform = False,
    gpus_per_trial: options.GpusPerTrial = None,
    dry_run: options.DryRun = False,
    retry_failed: options.RetryFailed = False,
    trial_timeout: options.TrialTimeout = None,
) -> int:
    """Is your operator better than reverse convolution? Train it in the same block, and answer in one page.

    Your operator stands in the blocks of the suite's network, where reverse convolution has its place, beside depthwise
    and transposed convolution: the same data, seeds and budget, and for each the best of as many settings. The answer
    is better, equal, worse, or undecided and how many seeds it would take. It says what it costs before it starts;
    finished trials are reused; stop it at any time: the same command continues.

    An example: converse compare my_operator.py:Wiener --suite quickstart --seeds 0-4.
    """
    from converse.workflows.compare_request import CompareRequest

    request = CompareRequest(
        operator=operator,
        task=task and task.value,
        suite=suite,
        budget=budget,
        seeds=options.seed_numbers(seeds),
        other_seeds=options.seed_numbers(against_seeds),
        match=cast("Match | None", match and match.value),
        tuned=not equal_settings,
        bound=equivalence,
        datasets=options.names(datasets),
        images=images,
        output=folder,
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
        devices=devices,
        ray=options.cluster(engine, address, same_platform, gpus_per_trial),
        retry_failed=retry_failed,
        trial_timeout=trial_timeout,
    )
    from converse.workflows.compare import compare as carry_out
    from converse.workflows.compare_forecast import forecast

    ahead = forecast(request)
    if dry_run:
        print_preview(ahead, output, retry_failed=retry_failed)
        return 0
    _say_cost(ahead)
    with kept_in(store), trial_progress() as progress:
        done = carry_out(request, progress)
    _print(done, output, show)
    report_failures(done.failures, done.gaps, done.notes)
    say(f"page: {done.page}", err=output is not options.OutputFormat.table)
    status = exit_status(done.failures, done.gaps, done.measured)
    return status or (FAILED if (done.answers["answer"] == "none").any() else status)


def _say_cost(ahead: Preview) -> None:
    """What it takes, before it begins; nothing where nothing is left to do."""
    left = [line for line in ahead.lines if line["steps"] or line["images"]]
    if not left:
        return
    trainings = sum(bool(line["steps"]) for line in left)
    whole = "a time that is not known" if ahead.seconds is None else time_range(*ahead.seconds)
    many = f"{counted(trainings, 'training', of=len(ahead.lines))} {agreeing(trainings, 'is', 'are')} to do"
    say(
        f"{many}: about {whole} one after another, {ahead.bytes / 1e6:.1f} MB of disk; Ctrl-C stops, and the same "
        "command goes on (--dry-run lists them)",
        err=True,
    )


def _print(done: Comparison, output: options.OutputFormat, show: View) -> None:
    from converse.analysis.side_by_side import network_records

    if output is not options.OutputFormat.table:
        frame = {View.answers: done.answers, View.networks: done.networks, View.effects: done.effects}[show]
        columns = list(frame.columns)
        records = [dict(zip(columns, values, strict=True)) for values in frame.itertuples(index=False)]
        print_document(columns, records, output)
        return
    rows = network_records(done.networks)
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        heads = (
            "",
            f"PSNR on {of_task[0]['sets'] or task}",
            "seeds",
            "parameters",
            "mult-adds",
            "ms",
            "MiB",
            "trainings",
        )
        print_table(heads, [_line(row, of_task) for row in of_task])
        say()
    for sentence in done.sentences:
        say(sentence)


def _line(row: NetworkRow, rows: list[NetworkRow]) -> list[str]:
    from converse.experiments.suites.compared import REVERSE

    base = next((one["parameters"] for one in rows if one["name"] == REVERSE), None)
    unequal = " ≠" if None not in (base, row["parameters"]) and base != row["parameters"] else ""
    deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.3f}"
    return [
        row["name"],
        "–" if row["psnr"] is None else f"{row['psnr']:.3f}{deviation}",
        str(row["seeds"]),
        "" if row["parameters"] is None else f"{row['parameters']:,}{unequal}",
        "" if row["multiply_adds"] is None else f"{row['multiply_adds']:,.0f}",
        "" if row["milliseconds"] is None else f"{row['milliseconds']:.3g}",
        "" if row["mebibytes"] is None else f"{row['mebibytes']:.3g}",
        row["trainings"] or row["reason"] or "",
    ]
