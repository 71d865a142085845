"""``converse speed``: parses, calls, prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli import options
from converse.cli.exit_status import kept_in
from converse.cli.printing import print_document, print_table, say, shown
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from converse.workflows.speed import SpeedProgress, SpeedRequest, SpeedRun

SuiteName = Annotated[
    str,
    typer.Argument(metavar="[SUITE]", help="A suite of speed that comes with converse, or a TOML file."),
]


def speed(
    suite: SuiteName = "speed",
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="NAME",
            help="How much to measure: smoke (seconds), quick (minutes) or standard.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only these sweeps or subjects; repeat it or use commas."),
    ] = None,
    operator: Annotated[
        list[str] | None,
        typer.Option(
            "--operator",
            metavar="NAME|FILE.py:CLASS",
            help="Also this operator, in every sweep of operators: an operator of yours, with options if you like "
            "(mine.py:Mine?groups=2); repeat it or use commas.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="RUN", help="Hold the results against an earlier run: the digits of its id, or last."
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what is in the store already.")] = False,
    output: options.Format = options.OutputFormat.table,
    store: options.StoreDir = options.STORE,
    device: options.Device = options.DEVICE,
    threads: options.Threads = None,
    dry_run: options.DryRun = False,
) -> int:
    """Measure the speed and memory of operators and networks.

    Each subject has a process of its own; subjects that are compared take turns. The first one of a sweep is measured
    twice, and no difference is claimed that is smaller than that between its two copies. Running out of memory is a
    result like any. Stop it at any time: the same command continues.

    An example: converse speed --only size,converse,literal --operator mine.py:Mine.
    """
    from converse.workflows.speed import SpeedRequest
    from converse.workflows.speed import against as hold_against
    from converse.workflows.speed import speed as carry_out

    request = SpeedRequest(
        suite=suite,
        budget=budget,
        only=options.names(only),
        operators=options.names(operator) or (),
        store=store,
        device=device,
        threads=threads,
        again=again,
    )
    if dry_run:
        _print_plan(request, output)
        return 0
    with kept_in(store, "finished cases are"), _progress_bar() as progress:
        done = carry_out(request, progress, lambda line: say(f"note: {line}", err=True))
    if against is None:
        _print_rows(done, output)
    else:
        _print_runs(*hold_against(request, done, against), output)
    for note in done.notes:
        say(f"note: {note}", err=True)
    say(f"run: {done.run} (in {store})", err=output is not options.OutputFormat.table)
    return _exit_status(done)


def _exit_status(done: SpeedRun) -> int:
    """0 measured, 1 a subject failed (running out of memory is no failure), 3 nothing was measured."""
    states = set(done.rows["status"])
    if "failed" in states:
        return 1
    return 0 if "ok" in states else 3


@contextmanager
def _progress_bar() -> Iterator[Callable[[SpeedProgress], None]]:
    """A bar on standard error with the time left; where that is no terminal, a line per case."""
    with progress_bar("text", "bar", "time left") as (bar, task):
        last = [-1]

        def update(step: SpeedProgress) -> None:
            name = shown(f"[{step.finished + 1}/{step.cases}] {step.name}", err=True)
            if last[0] != step.finished and not bar.console.is_terminal:
                bar.console.print(name, markup=False)
            last[0] = step.finished
            bar.update(task, total=step.total, completed=step.done, description=name)

        yield update


def _print_plan(request: SpeedRequest, output: options.OutputFormat) -> None:
    from converse.workflows.speed import PLAN_COLUMNS, preview
    from converse.workflows.status import duration

    plan = preview(request)
    for note in plan.notes:
        say(f"note: {note}", err=True)
    if output is not options.OutputFormat.table:
        print_document(PLAN_COLUMNS, plan.lines, output)
        return
    print_table(
        ("sweep", "pass", "case", "state", "time", "subjects"),
        [
            [
                line["sweep"],
                line["pass"],
                line["case"],
                line["state"],
                f"about {duration(line['seconds'])}" if line["seconds"] else "",
                line["subjects"],
            ]
            for line in plan.lines
        ],
    )
    if all(line["state"] == "done" for line in plan.lines):
        say("nothing to do")
        return
    say(f"about {duration(plan.seconds)} in all, by rule of thumb where nothing was measured before")


def _print_rows(done: SpeedRun, output: options.OutputFormat) -> None:
    """One table per sweep, and how times grow with the size."""
    from converse.analysis.speed import beside_first, growth
    from converse.workflows.speed import records

    frame = beside_first(done.rows)
    rows = records(frame)
    if output is not options.OutputFormat.table:
        print_document([name for name in frame.columns if name != "turns_s"], rows, output)
        return
    for sweep in dict.fromkeys(row["sweep"] for row in rows):
        lines = [row for row in rows if row["sweep"] == sweep]
        say(f"\n{sweep}")
        print_table(
            ("pass", "case", "subject", "time", "quartiles", "Mpixel/s", "peak", "of limit", "beside the first"),
            [cells(row, before) for row, before in zip(lines, [None, *lines], strict=False)],
        )
    grown = records(growth(done.rows))
    if grown:
        say("\ngrowth of the time t ∝ Nᵃ with the number N of pixels")
        print_table(
            ("subject", "pass", "sides", "a", "95 % interval", "of N·log N"),
            [
                [
                    line["subject"],
                    line["pass"],
                    f"{line['smallest']:.0f} to {line['largest']:.0f}",
                    f"{line['exponent']:.2f}",
                    f"{line['low']:.2f} to {line['high']:.2f}",
                    f"{line['n_log_n']:.2f}",
                ]
                for line in grown
            ],
        )
    say()


def _print_runs(table: Any, warning: str | None, output: options.OutputFormat) -> None:
    from converse.experiments.store.speed_rows import case_label
    from converse.workflows.speed import records

    rows = records(table)
    if warning:
        say(f"warning: {warning}", err=True)
    if output is not options.OutputFormat.table:
        print_document(list(table.columns), rows, output)
        return
    print_table(
        ("sweep", "pass", "case", "subject", "beside the former run"),
        [[row["sweep"], row["pass"], case_label(row), row["subject"], _beside(row)] for row in rows],
    )


def cells(row: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> list[str]:
    """One line of a sweep's table.

    Args:
        row: of a run, with what follows from it.
        before: the row above it; pass and case are not said again.

    Returns:
        Pass, case, subject, median and quartiles of the time, throughput, memory, fraction of the limit, verdict.
    """
    from converse.experiments.store.speed_rows import case_label

    named = [row["pass"], case_label(row)]
    again = before is not None and named == [before["pass"], case_label(before)]
    first = [*(["", ""] if again else named), row["subject"]]
    if row["status"] != "ok":
        return [*first, row["status"], "", "", _bytes(row["peak_bytes"]), "", row["reason"] or ""]
    return [
        *first,
        _time(row["median_s"]),
        f"{_time(row['q25_s'])} to {_time(row['q75_s'])}",
        _digits(row["mpixel_per_s"]),
        _bytes(row["peak_bytes"]),
        "" if row["fraction_of_limit"] is None else f"{100 * row['fraction_of_limit']:.0f} %",
        _beside(row),
    ]


def _beside(row: Mapping[str, Any]) -> str:
    """``5.2 times slower``, ``equal within 3 %``; empty for the first subject itself."""
    ratio, verdict = row["ratio"], row["verdict"]
    if verdict is None or ratio is None:
        return ""
    if verdict == "equal":
        low, high = (row.get(f"ratio_{end}", row.get(end)) for end in ("low", "high"))
        return f"equal within {math.ceil(100 * (max(high, 1 / low) - 1))} %"
    times = f"{_digits(max(ratio, 1 / ratio))} times {'slower' if ratio > 1 else 'faster'}"
    return times if verdict in ("slower", "faster") else f"inconclusive ({times})"


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_digits(seconds * factor)} {unit}"
    return f"{_digits(seconds * 1e6)} µs"


def _bytes(count: int | None) -> str:
    return "–" if count is None else f"{_digits(count / 2**20)} MiB"


def _digits(value: float) -> str:
    """Three digits that say something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
