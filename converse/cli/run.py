"""``converse run``: parses, calls, prints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli import options
from converse.cli.begin import begin_from_reference
from converse.cli.exit_status import exit_status, kept_in, report_failures
from converse.cli.previews import print_preview
from converse.cli.printing import print_document, print_table, shown
from converse.counted import agreeing, counted
from converse.errors import OptionError
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from rich.progress import TaskID

    from converse.workflows.gaps import Gap
    from converse.workflows.run import Run
    from converse.workflows.run_request import RunRequest
    from converse.workflows.work import Progress


class Show(StrEnum):
    """What of a run is printed."""

    results = "results"
    effects = "effects"
    image_tests = "image-tests"
    power = "power"


class IntervalMethod(StrEnum):
    """How the intervals of differences are made."""

    seeds = "seeds"
    crossed = "crossed"
    bootstrap = "bootstrap"


SuiteName = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="A suite that `converse list suites` shows, or a TOML file.", show_default=False
    ),
]


def run(
    suite: SuiteName,
    budget: options.Budget = None,
    seeds: options.Seeds = None,
    only: options.Only = None,
    datasets: options.Datasets = None,
    images: options.Images = None,
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
    from_reference: options.FromReference = False,
    dry_run: options.DryRun = False,
    retry_failed: options.RetryFailed = False,
    keep_images: options.KeepImages = None,
    keep_limit: options.KeepLimit = options.KEEP_LIMIT,
    trial_timeout: options.TrialTimeout = None,
    show: Annotated[
        Show | None,
        typer.Option(
            "--show",
            help="One thing alone: means (results), paired differences (effects), their tests over images seed by "
            "seed (image-tests), or the seeds that they need (power). By default a table of results and one of "
            "effects; with --format json or csv, results.",
            show_default=False,
        ),
    ] = None,
    interval: Annotated[
        IntervalMethod,
        typer.Option(
            "--interval",
            help="Of differences: over seeds, for these test images; crossed or bootstrap (10 seeds or more), for "
            "seeds and images like these.",
        ),
    ] = IntervalMethod.seeds,
    equivalence: Annotated[
        float,
        typer.Option("--equivalence", metavar="DB", help="PSNR that differs by less is practically equal."),
    ] = 0.02,
    tuned: Annotated[
        str | None,
        typer.Option(
            "--tuned",
            metavar="FILE",
            help="Give each entry the settings that `converse tune` chose for it; none for those of the suite, where "
            "it names a file itself.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Train and evaluate every trial of a suite or an ablation, and compare: each entry under each seed.

    Finished trials are never repeated. Stop it at any time, with Ctrl-C or a kill: the same command continues, to the
    bit. A trial that fails is recorded with its reason, and the others go on.

    An example: converse run denoising --budget quick --data-dir ../data --seeds 0,1.
    """
    from converse.workflows.run_request import RunRequest

    if not equivalence > 0:
        raise OptionError(f"--equivalence must be above 0 dB, got {equivalence:g}")
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
        devices=devices,
        ray=options.cluster(engine, address, same_platform, gpus_per_trial),
        retry_failed=retry_failed,
        keep_images=None if keep_images is None else keep_images.value,
        keep_limit=keep_limit,
        trial_timeout=trial_timeout,
        tuned=tuned,
    )
    if interval is IntervalMethod.bootstrap:
        _refuse_bootstrap(request)
    if dry_run:
        from converse.workflows.preview import preview_run

        print_preview(preview_run(request), output, retry_failed=retry_failed)
        return 0
    from converse.workflows.run import run as carry_out

    if from_reference:
        begin_from_reference(store)
    with kept_in(store), trial_progress() as progress:
        done = carry_out(request, progress)
    if show is None:
        print_results(done, output)
    if show is not None or output is options.OutputFormat.table:
        print_shown(done, show, output, interval, equivalence)
    report_failures(done.failures, done.gaps, done.notes)
    return exit_status(done.failures, done.gaps, done.measured)


def entries_of(suite: str) -> list[str]:
    """The names that ``--only`` chooses from, which may have commas."""
    from converse.experiments.suites.suite import load_suite

    return [entry.name for entry in load_suite(suite, networks=False).entries]


def _refuse_bootstrap(request: RunRequest) -> None:
    """Say before the training, not after it, that there will be too few seeds."""
    from converse.analysis.statistics import BOOTSTRAP_MINIMUM

    seeds = len({plan.seed for plan in request.plans(request.read(networks=False))})
    if seeds < BOOTSTRAP_MINIMUM:
        asked = f"{seeds} {agreeing(seeds, 'was', 'were')} asked for"
        raise OptionError(
            f"a bootstrap draws from at least {counted(BOOTSTRAP_MINIMUM, 'seed')}, and {asked}: "
            f"--seeds 0-{BOOTSTRAP_MINIMUM - 1}, or --interval crossed, which makes the same claim"
        )


_SHOWN = 8
"""Bars of trials that are carried out at the same time; of the others it is said how many they are."""


@contextmanager
def trial_progress() -> Iterator[Callable[[Progress], None]]:
    """A bar for each trial that is carried out, on standard error; where that is no terminal, a line per trial."""
    begun = "looks at what there is to do"
    with progress_bar("text", "bar", "count", "time left", text=begun) as (bar, first):
        tasks: dict[str, TaskID] = {}
        doing: dict[str, tuple[str, float]] = {}

        def update(step: Progress) -> None:
            if step.note:
                bar.console.print(f"note: {shown(step.note, err=True)}", markup=False, soft_wrap=True)
                return
            name = shown(f"[{step.trial}/{step.trials}] {step.name}", err=True)
            if step.finished:
                bar.console.print(f"{name}: {shown(step.finished, err=True)}", markup=False, soft_wrap=True)
                doing.pop(name, None)
                if name in tasks and len(tasks) > 1:
                    bar.remove_task(tasks.pop(name))
                return
            now = time.monotonic()
            what, told = doing.get(name, ("", 0.0))
            if what == step.what and now - told < 0.1:
                return
            doing[name] = step.what, now
            if name not in tasks:
                over = [old for old in tasks if old not in doing]  # its bar stays until another takes its place
                if over or not tasks:
                    tasks[name] = tasks.pop(over[0]) if over else first
                elif len(tasks) < _SHOWN:
                    tasks[name] = bar.add_task(name, total=None)
                else:
                    return
            more = len(doing) - len(tasks)
            last = name == list(tasks)[-1] and more > 0
            said = f"{name}: {step.what}" + (f" (and {counted(more, 'trial')} more)" if last else "")
            if what != step.what:
                bar.reset(tasks[name], total=step.total or None, description=said)
            bar.update(tasks[name], completed=step.done, description=said)

        yield update


def print_results(done: Run, output: options.OutputFormat) -> None:
    """Print the results: a table of means and deviations, or one document with all that is known."""
    from converse.analysis.tables import RESULT_COLUMNS, records
    from converse.metrics import METRICS

    rows = records(done.results)
    if output is not options.OutputFormat.table:
        print_document(RESULT_COLUMNS, rows, output)
        return
    titles = (facts.title for facts in METRICS.values())
    columns = ("entry", "seeds", "parameters", "test set", *titles, "published")
    print_table((*columns, *why_column(done.gaps)), summary_lines(rows, done.gaps))


def print_shown(
    done: Run, show: Show | None, output: options.OutputFormat, interval: IntervalMethod, equivalence: float
) -> None:
    """Print one view of a run, or, without a choice, what follows the results on a terminal: effects on PSNR.

    Raises:
        OptionError: a bootstrap of fewer than 10 seeds or images.
    """
    from converse.analysis.effects import Settings
    from converse.cli.effects_table import print_effects, print_image_tests, print_power

    settings = Settings(method=interval.value, bound=equivalence)
    if show is Show.results:
        print_results(done, output)
        return
    if show is Show.image_tests:
        frame = done.image_tests()
    elif show is Show.power:
        frame = done.power(settings)
    else:
        frame = done.effects(settings)
    columns = list(frame.columns)
    records: list[Any] = [dict(zip(columns, values, strict=True)) for values in frame.itertuples(index=False)]
    if output is not options.OutputFormat.table:
        print_document(columns, records, output)
    elif show is Show.image_tests:
        print_image_tests(records)
    elif show is Show.power:
        print_power(records)
    else:
        print_effects([row for row in records if show is not None or row["metric"] in ("psnr", None)], settings)


def why_column(gaps: Sequence[Gap]) -> tuple[str, ...]:
    """The heading of the column that says why something is not measured, where there is anything to say."""
    return ("not measured",) if gaps else ()


def summary_lines(rows: Sequence[Mapping[str, Any]], gaps: Sequence[Gap] = ()) -> list[list[str]]:
    """One line per entry, test set and case: mean ± deviation over seeds of each metric.

    Args:
        rows: result rows.
        gaps: what was asked for and not measured.

    Returns:
        Cells as text; where there are gaps, the last one says why.
    """
    from converse.metrics import METRICS, PARAMETERS
    from converse.reporting.words import place_title

    why: dict[tuple[Any, ...], dict[str, list[str]]] = {}
    for gap in gaps:
        why.setdefault(gap.place[1:], {}).setdefault(gap.reason, []).append(gap.metric)
    counts = {row["entry"]: row["measured"] for row in rows if row["metric"] == PARAMETERS}
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
                place_title(dataset, case),
                *(_cell(metrics.get(name), facts.paper_digits) for name, facts in METRICS.items()),
                "" if published is None else f"{published:.2f}",
            ]
        )
        if gaps:
            lines[-1].append(_why(why.get((entry, dataset, case), {})))
    return lines


def _why(reasons: Mapping[str, Sequence[str]]) -> str:
    """Each reason once; those that do not hold for the first metric, PSNR, with the metrics that they hold for."""
    from converse.metrics import METRICS

    first = next(iter(METRICS))
    return "; ".join(
        reason if first in metrics else f"{', '.join(METRICS[name].title for name in metrics)}: {reason}"
        for reason, metrics in reasons.items()
    )


def _cell(row: Mapping[str, Any] | None, digits: int) -> str:
    if row is None or row["measured"] is None:
        return "–"
    deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.{digits}f}"
    mean = "∞" if row["measured"] == math.inf else f"{row['measured']:.{digits}f}{deviation}"
    if row.get("infinite") and row["infinite"] < row["images"]:
        return f"∞ in {row['infinite']} of {row['images']}; others {mean}"
    return mean
