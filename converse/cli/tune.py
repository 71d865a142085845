"""``converse tune``: parses, calls, prints."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli import options
from converse.cli.exit_status import FAILED, exit_status, kept_in, report_failures
from converse.cli.previews import print_preview
from converse.cli.printing import print_document, print_table, say
from converse.cli.run import SuiteName, entries_of, trial_progress
from converse.errors import OptionError

if TYPE_CHECKING:
    from converse.workflows.tune import Tune


def tune(
    suite: SuiteName,
    budget: options.Budget = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds", metavar="LIST", help="Seeds of the tuning, none of which the suite has; by default 1000,1001."
        ),
    ] = None,
    only: options.Only = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="FIELD=VALUES",
            help="What is tried, such as training.lr=1e-3,2e-3,4e-3; repeat it for other fields, of which all "
            "combinations are tried. By default four learning rates around the suite's and two starts.",
            show_default=False,
        ),
    ] = None,
    grid_with_lambda: Annotated[
        list[str] | None,
        typer.Option(
            "--grid-with-lambda",
            metavar="FIELD=VALUES",
            help="The same for entries that learn a λ, with as many combinations. By default two learning rates, two "
            "starts, and two values of options.operator_options.lam_offset.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where the winners are written; by default SUITE.BUDGET.tuned.toml in this folder.",
            show_default=False,
        ),
    ] = None,
    output: options.Format = options.OutputFormat.table,
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
    """Try the same number of settings for every entry of a suite, and write the best of each into a file.

    Settings are judged by PSNR on validation images that are cut from the training sets, over seeds that the comparison
    does not have; no test image is looked at. Compare with them afterwards: converse run SUITE --tuned FILE. Stop it at
    any time: the same command continues.

    An example: converse tune denoising --budget quick --data-dir ../data.
    """
    from converse.experiments.store.command_line import CommandLine
    from converse.workflows.tune import TuneRequest
    from converse.workflows.tune import tune as carry_out

    request = TuneRequest(
        suite=suite,
        budget=budget,
        seeds=options.seed_numbers(seeds),
        entries=options.names(only, entries_of(suite) if only else ()),
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
        devices=devices,
        ray=options.cluster(engine, address, same_platform, gpus_per_trial),
        retry_failed=retry_failed,
        trial_timeout=trial_timeout,
        grid=grid_of(grid, "--grid"),
        grid_with_lambda=grid_of(grid_with_lambda, "--grid-with-lambda"),
        output=file,
    )
    if dry_run:
        from converse.workflows.preview import preview_run

        print_preview(preview_run(request), output, retry_failed=retry_failed)
        return 0
    with kept_in(store), trial_progress() as progress:
        done = carry_out(request, progress)
    _print(done, output)
    report_failures(done.run.failures, done.run.gaps, done.run.notes)
    if done.file is None:
        lacking = ", ".join(done.lacking)
        say(f"no file is written: no settings of {lacking} have a value for each seed and image", err=True)
    else:
        compare = CommandLine("run", suite).changed(
            budget=budget,
            only=request.entries,
            tuned=str(done.file),
            **request.place(),
        )
        say(
            f"winners: {done.file}; compare with them: {compare}",
            err=output is not options.OutputFormat.table,
        )
    return exit_status(done.run.failures, done.run.gaps, done.run.measured) or (FAILED if done.lacking else 0)


def grid_of(texts: Sequence[str] | None, option: str) -> dict[str, tuple[Any, ...]] | None:
    """The fields and values that an option names.

    Args:
        texts: ``training.lr=1e-3,2e-3`` each, or several with a comma between; ``None`` or empty where the option was
            not given.
        option: its name, for messages.

    Returns:
        Field → values: numbers and truth values as TOML has them, other words as text.

    Raises:
        OptionError: a field has no value, or a value no field.
    """
    if not texts:
        return None
    grid: dict[str, list[Any]] = {}
    for word in ",".join(texts).split(","):
        field, begins, value = word.rpartition("=")
        if not value.strip() or (not begins and not grid):
            raise OptionError(f"{option} takes a field and its values, such as training.lr=1e-3,2e-3, got {word!r}")
        values = grid.setdefault(field.strip(), []) if begins else grid[next(reversed(grid))]
        values.append(_value(value.strip()))
    return {field: tuple(values) for field, values in grid.items()}


def _value(word: str) -> Any:
    try:
        return tomllib.loads(f"value = {word}")["value"]
    except tomllib.TOMLDecodeError:
        return word


def _print(done: Tune, output: options.OutputFormat) -> None:
    """A line per point: what was tried, and the winners."""
    from converse.analysis.tuning import SCORE_COLUMNS, at_an_edge

    if output is not options.OutputFormat.table:
        columns = (*SCORE_COLUMNS, "settings")
        print_document(columns, [{**row, "settings": done.settings[row["point"]]} for row in done.scores], output)
        return
    lines = [
        [
            row["entry"],
            row["point"].removeprefix(f"{row['entry']}: "),
            str(row["seeds"]),
            "–" if row["psnr"] is None else f"{row['psnr']:.3f}{_plus_minus(row['deviation'])}",
            "chosen" if row["chosen"] else "",
        ]
        for row in done.scores
    ]
    print_table(("entry", "settings", "seeds", "validation PSNR", ""), lines)
    for sentence in at_an_edge(done.settings, done.scores):
        say(f"{sentence}: a wider grid may have better")


def _plus_minus(deviation: float | None) -> str:
    return "" if deviation is None else f" ± {deviation:.3f}"
