"""``converse reproduce``: parses, calls, prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from converse.cli import options
from converse.cli.begin import begin_from_reference
from converse.cli.exit_status import NOT_MEASURED, exit_status, kept_in, report_failures
from converse.cli.previews import print_preview
from converse.cli.printing import print_document, print_rich, say, shown
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from converse.workflows.reproduce import Reproduction
    from converse.workflows.work import Progress as Step


class Show(StrEnum):
    """What of a reproduction is printed."""

    results = "results"
    images = "images"


TaskName = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK", help="denoising, super_resolution or deblurring; all three without it.", show_default=False
    ),
]


def reproduce(
    task: TaskName = None,
    datasets: options.Datasets = None,
    only: options.Only = None,
    images: options.Images = None,
    metrics: options.Metrics = None,
    noise_levels: Annotated[
        str | None,
        typer.Option(
            "--noise-levels",
            metavar="LIST",
            help="Denoising: measure the test images at these noise levels too, as 15,35,50: standard deviations, of "
            "255. Verdicts stay with the paper's level, 25, which is always measured.",
            show_default=False,
        ),
    ] = None,
    kernels: Annotated[
        list[str] | None,
        typer.Option(
            "--kernels",
            metavar="N",
            help="Deblurring: only these of the blur kernels 1 to 5; repeat it or use commas.",
            show_default=False,
        ),
    ] = None,
    match: options.Match = 0.005,
    close: options.Close = 0.05,
    strict: options.Strict = False,
    show: Annotated[
        Show | None,
        typer.Option(
            "--show",
            help="One thing alone: means (results), or single images beside those of the authors' logs (images). By "
            "default tables of both; with --format json or csv, results.",
            show_default=False,
        ),
    ] = None,
    output: options.Format = options.OutputFormat.table,
    store: options.StoreDir = options.STORE,
    data_dir: options.DataDir = None,
    device: options.Device = options.DEVICE,
    threads: options.Threads = None,
    engine: options.Engine = options.EngineName.local,
    address: options.Address = None,
    same_platform: options.SamePlatform = False,
    gpus_per_trial: options.GpusPerTrial = None,
    from_reference: options.FromReference = False,
    dry_run: options.DryRun = False,
    retry_failed: options.RetryFailed = False,
    keep_images: options.KeepImages = None,
    keep_limit: options.KeepLimit = options.KEEP_LIMIT,
) -> int:
    """Run the released networks on the test sets and hold the numbers against the paper's.

    Images and weights are downloaded where they are missing, or read from --data-dir. Every image's numbers are kept in
    the store at once: stop it at any time, the same command continues, and what is done is not measured again. A
    network that fails is recorded with its reason, and the others go on.

    A mean over a whole test set gets a verdict: match (the published number, after the paper's rounding), close,
    differs, or not measured, with the reason. So does each image of which the authors' evaluation logs have a number
    (BSD100's first five, kernel 1).

    - `converse reproduce denoising --images 2`: a quick look, without verdicts

    - `converse reproduce --only Converse-DnCNN --datasets Set12`: one number of the paper

    - `converse reproduce denoising --noise-levels 15,35,50`: at other noise levels than the networks were trained for

    - `converse reproduce deblurring --datasets bsd100 --images 5`: the images of the authors' logs

    - `converse reproduce --datasets ./photos`: your own images

    - `converse reproduce --dry-run`: what there is to do, and how long it may take
    """
    from converse.analysis.verdicts import Thresholds
    from converse.workflows.reproduce_plan import ReproduceRequest

    request = ReproduceRequest(
        task=task,
        entries=options.names(only),
        datasets=options.names(datasets),
        images=images,
        metrics=options.names(metrics),
        noise_levels=options.numbers("--noise-levels", noise_levels),
        kernels=options.names(kernels),
        store=store,
        data_dir=data_dir,
        device=device,
        threads=threads,
        ray=options.cluster(engine, address, same_platform, gpus_per_trial),
        retry_failed=retry_failed,
        keep_images=None if keep_images is None else keep_images.value,
        keep_limit=keep_limit,
        thresholds=Thresholds(match, close),
    )
    if dry_run:
        from converse.workflows.preview import preview_reproduction

        print_preview(preview_reproduction(request), output, retry_failed=retry_failed)
        return 0
    from converse.workflows import reproduce as workflow

    if from_reference:
        begin_from_reference(store)
    with kept_in(store, "finished images are"), _progress() as progress:
        done = workflow.reproduce(request, progress)
    _print_results(done, show, output)
    report_failures(done.failures, done.gaps, done.notes)
    status = exit_status(done.failures, done.gaps, done.measured)
    if not done.measured and status == NOT_MEASURED:
        say(_what_is_needed(done), err=True)
    return status or int(strict and done.differing > 0)


@contextmanager
def _progress() -> Iterator[Callable[[Step], None]]:
    """A bar on standard error that counts images, with the time left; silent where that is not a terminal."""
    with progress_bar("bar", "count", "time left", "text") as (bar, task):

        def update(step: Step) -> None:
            if step.note:
                bar.console.print(f"note: {shown(step.note, err=True)}", markup=False, soft_wrap=True)
                return
            text = shown(f"{step.name} {step.upcoming}".strip(), err=True)
            bar.update(task, completed=step.done, total=step.total, description=text)

        yield update


def _print_results(done: Reproduction, show: Show | None, output: options.OutputFormat) -> None:
    from converse.analysis.image_checks import IMAGE_CHECK_COLUMNS, image_check_records
    from converse.analysis.tables import RESULT_COLUMNS, records

    rows, images = records(done.results), image_check_records(done.images)
    if output is options.OutputFormat.table:
        from converse.cli.paper_tables import paper_tables

        print_rich(*paper_tables([] if show is Show.images else rows, [] if show is Show.results else images))
    elif show is Show.images:
        print_document(IMAGE_CHECK_COLUMNS, images, output)
    else:
        print_document(RESULT_COLUMNS, rows, output)


def _what_is_needed(done: Reproduction) -> str:
    from converse.metrics import PARAMETERS

    reasons = list(dict.fromkeys(done.results.loc[done.results["metric"] != PARAMETERS, "reason"].dropna()))
    # That nobody released some network is no news to who has no data.
    mendable = [reason for reason in reasons if not reason.startswith("no released weights")]
    lines = ["nothing was measured:", *(f"  {reason}" for reason in mendable or reasons)]
    if done.work.fetch:
        lines += [
            "where there is a network, this gets what is missing:",
            f"  converse data fetch {' '.join(done.work.fetch)}",
            "or name a folder that has it: --data-dir DIR, or the variable CONVERSE_DATA",
        ]
    return "\n".join(lines)
