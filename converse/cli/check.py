"""``converse check``: parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli import options
from converse.cli.printing import print_json, say
from converse.cli.run import trial_progress
from converse.data import tasks
from converse.errors import OptionError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converse.workflows.check_request import Part


def check(
    baseline: Annotated[
        Path,
        typer.Argument(metavar="BASELINE", help="The TOML file that this run is held against.", show_default=False),
    ],
    taken_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="STORE",
            help="Judge the trials of this store, as converse run left them, and measure nothing.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="VERSION",
            help="Compare with another version that is measured here too, and not with BASELINE's numbers: a commit of "
            "this repository, the folder of a checkout, or an environment. With --write: the commit that BASELINE "
            "holds speed and memory against from now on.",
            show_default=False,
        ),
    ] = None,
    only: options.Only = None,
    operator: Annotated[
        str | None,
        typer.Option(
            "--operator",
            metavar="NAME|FILE.py:CLASS",
            help="Measure this operator in the place of reverse convolution.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="NAME", help="quality or speed; by default all that BASELINE has."),
    ] = None,
    output: options.Format = options.OutputFormat.table,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the findings as JUnit XML too.", show_default=False),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown",
            metavar="FILE",
            help="Write the answer as Markdown too. In GitHub Actions the summary of the step has it by itself.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page too, with crops of the worst images.", show_default=False
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="DIR",
            help="Keep the trials in this empty folder. By default they are kept in a temporary one, and only if "
            "something is not in order.",
            show_default=False,
        ),
    ] = None,
    data_dir: options.DataDir = None,
    device: options.Device = options.DEVICE,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="CPU threads to compute with. Default: the baseline's."),
    ] = None,
    trial_timeout: options.TrialTimeout = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds",
            metavar="S",
            min=1,
            help="Of speed, begin no further round after so long while it is unsettled.",
        ),
    ] = 120.0,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write BASELINE: make one, or renew the one that is there with what it holds."),
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="With --write: also where values are worse, or less is checked than before."),
    ] = False,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", metavar="SUITE", help="With --write: the suite to hold, or a TOML file.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="With --write, in the place of a suite: hold the released weights of denoising, super_resolution or "
            "deblurring.",
            show_default=False,
        ),
    ] = None,
    budget: options.Budget = None,
    seeds: options.Seeds = None,
    datasets: options.Datasets = None,
    images: options.Images = None,
    metrics: options.Metrics = None,
    speed_suite: Annotated[
        str | None,
        typer.Option(
            "--speed-suite",
            metavar="SUITE",
            help="With --write: the suite of speed to hold too, such as gate, or a TOML file.",
            show_default=False,
        ),
    ] = None,
    speed_budget: Annotated[
        str | None,
        typer.Option("--speed-budget", metavar="NAME", help="With --write: its budget.", show_default=False),
    ] = None,
) -> int:
    """Is this version worse than a baseline? A gate for continuous integration, with one answer and its reasons.

    The suite that BASELINE names is measured anew and compared image for image, by the mean and by the worst image. On
    the same kind of machine values are equal to the bit; elsewhere the file says how closely they are compared. Speed
    and memory are measured in rounds, each built anew: in turns with the commit that BASELINE names, or with the
    version that --against names; or, where BASELINE has ratios to a yardstick of plain torch, in turns with that.

    Exit status: 0 nothing is worse, 1 something regressed, 2 the baseline is broken or an option is wrong, 3 something
    was not measured, 4 too noisy to say, which is no pass.

    A baseline is made, and changed, on purpose: --write with --suite makes one, --write alone measures anew what is in
    it. What would change is shown line by line, and nothing is written that lets pass what the file did not, without
    --accept. Tolerances for other machines are found by playing those that this one can: fewer instructions, other
    threads.

    An example: converse check gate.toml --write --suite gate --budget smoke; then converse check gate.toml.
    """
    from converse.cli.gate_table import print_answer
    from converse.reporting.gate.document import document
    from converse.workflows.check import check as carry_out
    from converse.workflows.check_answer import answer, worst
    from converse.workflows.check_outputs import write as write_files
    from converse.workflows.check_request import CheckRequest
    from converse.workflows.ci_files import Outputs

    if output is options.OutputFormat.csv:
        raise OptionError("converse check prints a table or JSON: --format table or --format json")
    outputs = Outputs(junit, markdown, html)
    outputs.check()
    request = CheckRequest(
        baseline=baseline,
        taken_from=taken_from,
        against=against,
        entries=options.names(only),
        operator=operator,
        parts=_parts(part),
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
        trial_timeout=trial_timeout,
        seconds=seconds,
    )
    held: dict[str, Any] = {
        "suite": suite,
        "task": None if task is None else tasks.task(task).name,
        "budget": budget,
        "seeds": options.seed_numbers(seeds),
        "datasets": options.names(datasets),
        "images": images,
        "metrics": options.names(metrics),
        "speed_suite": speed_suite,
        "speed_budget": speed_budget,
    }
    if write:
        from converse.cli.check_renewal import renew

        if outputs.wanted:
            raise OptionError(f"{', '.join(outputs.wanted)}: not with --write, which compares nothing")
        return renew(request, held, accept=accept, output=output)
    if given := [
        f"--{name.replace('_', '-')}" for name, value in {**held, "accept": accept or None}.items() if value is not None
    ]:
        raise OptionError(f"{', '.join(given)}: only with --write; without it {baseline} itself says what is measured")
    with trial_progress() as progress:
        done = carry_out(request, progress)
    found = answer(done)
    try:
        if output is options.OutputFormat.json:
            print_json(document(found))
        else:
            print_answer(found)
        for file in write_files(found, outputs, lambda found: worst(done, found)):
            say(f"written: {file}", err=True)
    finally:
        done.folder.put_away(wanted=done.wanted)
        if done.kept and not taken_from:
            say(f"trials: {done.store}", err=True)
    return done.exit_status


def _parts(names: Sequence[str] | None) -> tuple[Part, ...] | None:
    from converse.workflows.check_request import PARTS

    chosen = options.names(names)
    if strange := [name for name in chosen or () if name not in PARTS]:
        raise OptionError(f"--part: {unknown('part', strange[0], PARTS)}")
    return None if chosen is None else tuple(part for part in PARTS if part in chosen)
