"""``converse quickstart``: parses, calls, prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converse.cli import options
from converse.cli.exit_status import FAILED, exit_status, kept_in, report_failures
from converse.cli.printing import print_document, print_table, say
from converse.cli.run import summary_lines, trial_progress, why_column

if TYPE_CHECKING:
    from converse.workflows.quickstart import Quickstart
    from converse.workflows.run_request import RunRequest


def quickstart(
    output: options.Format = options.OutputFormat.table,
    store: options.StoreDir = options.STORE,
    device: options.Device = options.DEVICE,
    threads: options.Threads = None,
    seeds: options.Seeds = None,
    budget: options.Budget = None,
) -> int:
    """Train four small denoisers, measure them, time the operators, and write a page: minutes, and no download.

    It uses the photographs that scikit-image ships. Stop it at any time: the same command continues. A second call
    repeats nothing.
    """
    from converse.reporting.inputs.quickstart import SUITE
    from converse.workflows.quickstart import quickstart as carry_out
    from converse.workflows.run_request import RunRequest

    request = RunRequest(SUITE, budget, options.seed_numbers(seeds), store=store, device=device, threads=threads)
    with kept_in(store), trial_progress() as progress:
        done = carry_out(request, progress)
    _print(done, output)
    report_failures(done.run.failures, done.run.gaps, done.run.notes)
    say(f"page: {done.page}", err=output is not options.OutputFormat.table)
    for reason in done.untimed:
        say(f"not timed: {reason}", err=True)
    if output is options.OutputFormat.table and not done.run.gaps:
        _conclude(done, request)
    status = exit_status(done.run.failures, done.run.gaps, done.run.measured)
    return status or (FAILED if done.untimed else status)


def _conclude(done: Quickstart, request: RunRequest) -> None:
    """Say what was shown, what was not, and what to do next."""
    from converse.cli.previews import time_range
    from converse.reporting.chapters.newcomer import shown
    from converse.workflows.quickstart import next_step

    say()
    for sentence in shown(done.run.effects(), done.run.results, done.run.rows, done.run.grounds):
        say(sentence)
    # Where nothing was computed torch is not loaded, and a time is not worth loading it.
    step = next_step(request, timed=done.run.fresh > 0)
    time = "--dry-run says how long it takes" if step.seconds is None else f"about {time_range(*step.seconds)} here"
    say()
    say("Next, the paper's own numbers, from the weights that its authors released:")
    say(f"  {step.command}   ({time}, {step.download / 1e6:.0f} MB to download)")


def _print(done: Quickstart, output: options.OutputFormat) -> None:
    from converse.analysis.tables import RESULT_COLUMNS

    rows = done.rows()
    if output is not options.OutputFormat.table:
        print_document(RESULT_COLUMNS, rows, output)
        return
    psnr = {row["entry"]: row["measured"] or 0.0 for row in rows if row["metric"] == "psnr"}
    lines = sorted(summary_lines(rows, done.run.gaps), key=lambda line: psnr.get(line[0], 0.0))
    columns = ("entry", "seeds", "parameters", "test set", "PSNR", "SSIM", *why_column(done.run.gaps))
    print_table(columns, [[*line[:6], *line[8:]] for line in lines])
    say()
    print_table(
        ("operator", "forward", "forward and backward"),
        [[one["operator"], f"{one['forward']:.2f} ms", f"{one['training']:.2f} ms"] for one in done.speeds],
    )
