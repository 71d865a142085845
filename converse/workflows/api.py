"""The commands as functions, for scripts and notebooks: the same work, the same store, results as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converse.errors import DataError, OptionError, unknown
from converse.experiments.store.address import placed
from converse.plain_text import visible
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from torch import nn

    from converse.experiments.evaluation.keeping import Which
    from converse.experiments.running.ray_options import RayOptions
    from converse.reporting.contract import Answer
    from converse.reporting.folder import Written
    from converse.workflows.compare import Comparison
    from converse.workflows.compare_request import Match
    from converse.workflows.plan import Plan
    from converse.workflows.reproduce import Reproduction
    from converse.workflows.run import Run
    from converse.workflows.tune import Tune
    from converse.workflows.work import Progress


def run(
    suite: str | Path,
    *,
    budget: str | None = None,
    seeds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    datasets: Sequence[str | Path] | None = None,
    images: int | None = None,
    tuned: str | Path | None = None,
    store: str | Path = "runs",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    devices: int = 1,
    engine: Literal["local", "ray"] | RayOptions = "local",
    retry_failed: bool = False,
    keep_images: Which | None = None,
    keep_limit: int = 256,
    progress: bool = True,
) -> Run:
    """Train and evaluate every trial of a suite or an ablation that is not done yet, as ``converse run`` does.

    Args:
        suite: a name that ``converse list suites`` shows, or a TOML file.
        budget: ``smoke``, ``quick``, ``standard`` or ``paper``; ``None`` for ``quick``.
        seeds: each ≥ 0; ``None`` for the suite's.
        only: names of entries; ``None`` for all.
        datasets: test sets in place of the suite's: names of the catalogue, or folders of images.
        images: only the first so many of each test set.
        tuned: a file of :func:`tune`, whose settings the entries get; ``"none"`` for those of the suite, where it names
            a file itself.
        store: the folder in which trials are kept, or an address such as ``s3://bucket/runs``.
        data_dir: a local folder with images and weights, looked in before anything is downloaded.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all that this process may use.
        devices: how many processes train each network together, each with a GPU, or on a CPU with its threads.
        engine: where trials run: ``local``, on this machine; ``ray``, on the cluster that ``RAY_ADDRESS`` names, or on
            a Ray that is started here; or ``converse.RayOptions``, which name a cluster.
        retry_failed: run failed trials again.
        keep_images: which restored images are kept in the store, for the report's viewer: ``all``, ``crops`` (one
            window of each of three images per test set) or ``none``, of finished trials too; ``None`` for crops of
            what is measured now.
        keep_limit: at most so many megabytes of images are kept of each trial.
        progress: show a bar with the time left, in a terminal or a notebook.

    Returns:
        ``results`` (one row per entry, test set and metric) and ``rows`` (one per image) as pandas tables,
        ``effects()`` for paired differences, ``failures``. A notebook shows the results as a table.

    Raises:
        ConverseError: a name is not known, data is missing or corrupt, the store cannot be written.
        KeyboardInterrupt: it was stopped; the same call continues there.

    Example:
        >>> import converse
        >>> done = converse.run("quickstart", budget="smoke", only=["Conv-DnCNN"])
        >>> done.results.loc[done.results["metric"] == "psnr", ["entry", "images"]].values.tolist()
        [['Conv-DnCNN', 1]]
    """
    from converse.workflows.run import run as carry_out
    from converse.workflows.run_request import RunRequest

    request = RunRequest(
        suite=str(suite),
        budget=budget,
        seeds=None if seeds is None else tuple(seeds),
        entries=_names(only),
        datasets=_names(datasets),
        images=images,
        tuned=None if tuned is None else str(tuned),
        store=Path(store),
        data_dir=_folder(data_dir),
        device=device,
        threads=threads,
        devices=_processes(devices),
        ray=_cluster(engine),
        retry_failed=retry_failed,
        keep_images=keep_images,
        keep_limit=keep_limit,
    )
    with placed(store) as folder, _progress(progress) as shown:
        return carry_out(replace(request, store=folder), shown)


def tune(
    suite: str | Path,
    *,
    budget: str | None = None,
    seeds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    grid_with_lambda: Mapping[str, Sequence[Any]] | None = None,
    output: str | Path | None = None,
    store: str | Path = "runs",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    devices: int = 1,
    engine: Literal["local", "ray"] | RayOptions = "local",
    retry_failed: bool = False,
    progress: bool = True,
) -> Tune:
    """Try as many settings for every entry of a suite, and write the best of each, as ``converse tune`` does.

    Args:
        suite: a name that ``converse list suites`` shows, or a TOML file.
        budget: ``smoke``, ``quick``, ``standard`` or ``paper``; ``None`` for ``quick``.
        seeds: of the tuning, none of which the suite has; ``None`` for those of the suite's ``[tuning]``.
        only: names of entries; ``None`` for all.
        grid: field → values that are tried for entries without a learnt λ; ``None`` for the suite's.
        grid_with_lambda: the same for entries with one, with as many combinations.
        output: the file of winners; ``None`` for ``SUITE.BUDGET.tuned.toml`` in the working directory.
        store: the folder in which trials are kept, or an address such as ``s3://bucket/runs``.
        data_dir: a local folder with images and weights, looked in before anything is downloaded.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all that this process may use.
        devices: how many processes train each network together, each with a GPU, or on a CPU with its threads.
        engine: where trials run: ``local``, on this machine; ``ray``, on the cluster that ``RAY_ADDRESS`` names, or on
            a Ray that is started here; or ``converse.RayOptions``, which name a cluster.
        retry_failed: run failed trials again.
        progress: show a bar with the time left, in a terminal or a notebook.

    Returns:
        ``scores`` (one row per setting), ``file``, which ``run(suite, tuned=…)`` takes, and ``run`` with all that was
        measured.

    Raises:
        ConverseError: a name is not known, data is missing or corrupt, the store or the file cannot be written.
        KeyboardInterrupt: it was stopped; the same call continues there.

    Example:
        >>> import converse
        >>> rates = {"training.lr": [1e-3]}
        >>> done = converse.tune("quickstart", budget="smoke", only=["DnCNN"], grid=rates, grid_with_lambda=rates)
        >>> done.file.name, [row["chosen"] for row in done.scores]
        ('quickstart.smoke.tuned.toml', [True])
    """
    from converse.workflows.tune import TuneRequest
    from converse.workflows.tune import tune as carry_out

    request = TuneRequest(
        suite=str(suite),
        budget=budget,
        seeds=None if seeds is None else tuple(seeds),
        entries=_names(only),
        store=Path(store),
        data_dir=_folder(data_dir),
        device=device,
        threads=threads,
        devices=_processes(devices),
        ray=_cluster(engine),
        retry_failed=retry_failed,
        grid=_values(grid),
        grid_with_lambda=_values(grid_with_lambda),
        output=_folder(output),
    )
    with placed(store) as folder, _progress(progress) as shown:
        return carry_out(replace(request, store=folder), shown)


def compare(
    operator: str | type[nn.Module],
    *,
    task: str | None = None,
    suite: str | Path | None = None,
    budget: str | None = None,
    seeds: Sequence[int] | None = None,
    against_seeds: Sequence[int] | None = None,
    match: Match | None = None,
    tuned: bool = True,
    equivalence: float = 0.02,
    datasets: Sequence[str | Path] | None = None,
    images: int | None = None,
    output: str | Path | None = None,
    store: str | Path = "runs",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    devices: int = 1,
    engine: Literal["local", "ray"] | RayOptions = "local",
    retry_failed: bool = False,
    trial_timeout: float | None = None,
    progress: bool = True,
) -> Comparison:
    """Hold an operator against reverse, depthwise and transposed convolution, as ``converse compare`` does.

    Args:
        operator: a class that a module or a file has, or its name: ``path/to/file.py:Class``, ``package.module:Class``
            or one that ``converse list operators`` shows. A class that was written into a notebook's cell has no file
            that other processes could read; write that cell with ``%%writefile my_operator.py`` and import it.
        task: ``denoising``, ``super_resolution``, ``deblurring`` or ``all``; ``None`` for denoising.
        suite: in place of the task's: a name, such as ``quickstart``, or a TOML file.
        budget: ``smoke``, ``quick``, ``standard`` or ``paper``; ``None`` for ``quick``.
        seeds: each ≥ 0; ``None`` for the suite's.
        against_seeds: of what it is compared with, in place of ``seeds``, and as many.
        match: ``parameters``, ``multiply-adds`` or ``time``: the widths are changed until all networks cost as much.
        tuned: whether each gets the best of as many settings; otherwise all have the suite's.
        equivalence: dB of PSNR below which a difference is practically none, > 0.
        datasets: test sets in place of the suite's: names of the catalogue, or folders of images.
        images: only the first so many of each test set.
        output: the folder of the page; ``None`` for one in the store.
        store: the folder in which trials are kept, or an address such as ``s3://bucket/runs``.
        data_dir: a local folder with images and weights, looked in before anything is downloaded.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all that this process may use.
        devices: how many processes train each network together, each with a GPU, or on a CPU with its threads.
        engine: where trials run: ``local``, on this machine; ``ray``, on the cluster that ``RAY_ADDRESS`` names, or on
            a Ray that is started here; or ``converse.RayOptions``, which name a cluster.
        retry_failed: run failed trials again.
        trial_timeout: seconds after which a trial is ended, and has failed; ``None`` for no limit.
        progress: show a bar with the time left, in a terminal or a notebook.

    Returns:
        ``answers`` (one row per task and rival), ``networks`` (all side by side) and ``effects`` (test set by test set)
        as pandas tables, ``sentences``, and ``page``, the report. A notebook shows the sentences and the networks.

    Raises:
        ConverseError: a name is not known, the operator cannot work, data is missing, or the store cannot be written.
        KeyboardInterrupt: it was stopped; the same call continues there.

    Example:
        >>> import converse
        >>> done = converse.compare("converse", suite="quickstart", budget="smoke", tuned=False, progress=False)
        >>> done.answers.loc[done.answers["rival"] == "reverse convolution", ["answer", "difference"]].values.tolist()
        [['equal', 0.0]]
    """
    from converse.experiments.suites.user_operators import name_of
    from converse.workflows.compare import compare as carry_out
    from converse.workflows.compare_request import CompareRequest

    request = CompareRequest(
        operator=operator if isinstance(operator, str) else name_of(operator),
        task=task,
        suite=None if suite is None else str(suite),
        budget=budget,
        seeds=None if seeds is None else tuple(seeds),
        other_seeds=None if against_seeds is None else tuple(against_seeds),
        match=match,
        tuned=tuned,
        bound=equivalence,
        datasets=_names(datasets),
        images=images,
        output=_folder(output),
        store=Path(store),
        data_dir=_folder(data_dir),
        device=device,
        threads=threads,
        devices=_processes(devices),
        ray=_cluster(engine),
        retry_failed=retry_failed,
        trial_timeout=trial_timeout,
    )
    with placed(store) as folder, _progress(progress) as shown:
        return carry_out(replace(request, store=folder), shown)


def verify(
    operator: str | type[nn.Module],
    *,
    scales: Sequence[int] | None = None,
    compiled: bool = False,
    cuda: bool = False,
    timeout: float | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> Answer:
    """Hold an operator to the contract, as ``converse verify`` does: named checks in seconds, in a process of its own.

    Args:
        operator: a class that a module or a file has, or its name, with options: ``path/to/file.py:Class?groups=2``.
        scales: factors of upsampling that it has to have; ``None`` for those that its class does not refuse.
        compiled: try ``torch.compile`` too.
        cuda: compare a CUDA device with the CPU too.
        timeout: seconds for each check; ``None`` for the usual limit.
        threads: CPU threads; ``None`` for all that this process may use.
        progress: show a bar, in a terminal or a notebook.

    Returns:
        ``passed``; ``verified.results``, with what was expected, what was seen and the cure; ``verified.failed``
        of them; ``verified.measured``, the numbers of an inverse.

    Raises:
        ConverseError: there is no such operator, option, scale or device, or its file cannot be read.
        KeyboardInterrupt: it was stopped.

    Example:
        >>> import converse
        >>> converse.verify("conv", progress=False).passed
        True
    """
    from converse.experiments.suites.user_operators import name_of
    from converse.workflows.contract import VerifyRequest
    from converse.workflows.contract import verify as carry_out

    request = VerifyRequest(
        operator=operator if isinstance(operator, str) else name_of(operator),
        scales=None if scales is None else tuple(scales),
        compiled=compiled,
        cuda=cuda,
        timeout=timeout,
        threads=threads,
    )
    with progress_bar("text", "bar", "count", wanted=progress) as (bar, task):
        return carry_out(
            request,
            lambda name, done, total: bar.update(task, total=total, completed=done, description=visible(name)),
        )


def reproduce(
    task: str | None = None,
    *,
    only: Sequence[str] | None = None,
    datasets: Sequence[str | Path] | None = None,
    images: int | None = None,
    metrics: Sequence[str] | None = None,
    noise_levels: Sequence[float] = (),
    kernels: Sequence[int] | None = None,
    store: str | Path = "runs",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    engine: Literal["local", "ray"] | RayOptions = "local",
    retry_failed: bool = False,
    keep_images: Which | None = None,
    keep_limit: int = 256,
    progress: bool = True,
) -> Reproduction:
    """Run the released networks and hold the numbers against the paper's, as ``converse reproduce`` does.

    Args:
        task: ``denoising``, ``super_resolution`` or ``deblurring``; ``None`` for all.
        only: names of networks; ``None`` for all.
        datasets: names of the catalogue, or folders of images; ``None`` for the paper's test sets.
        images: only the first so many of each test set; such a mean gets no verdict.
        metrics: ``psnr``, ``ssim``, ``lpips``; ``None`` for all that need no large download.
        noise_levels: of denoising: measure at these too, standard deviations of 255; the paper's, 25, is always
            measured.
        kernels: of deblurring: only these of the blur kernels 1 to 5.
        store: the folder in which rows are kept, or an address such as ``s3://bucket/runs``.
        data_dir: a local folder with images and weights, looked in before anything is downloaded.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all that this process may use.
        engine: where trials run: ``local``, on this machine; ``ray``, on the cluster that ``RAY_ADDRESS`` names, or on
            a Ray that is started here; or ``converse.RayOptions``, which name a cluster.
        retry_failed: run networks again that failed.
        keep_images: which restored images are kept in the store, for the report's viewer: ``all``, ``crops`` (one
            window of each of three images per test set) or ``none``, of finished trials too; ``None`` for crops of
            what is measured now.
        keep_limit: at most so many megabytes of images are kept of each trial.
        progress: show a bar with the time left, in a terminal or a notebook.

    Returns:
        ``results``, one row per network, test set and metric, with ``measured``, ``published`` and ``verdict``;
        ``images``, one row per image of which the authors' logs have a value.

    Raises:
        ConverseError: a name is not known, a file is corrupt, the store cannot be written.
        KeyboardInterrupt: it was stopped; the same call continues there.

    Example:
        >>> import converse
        >>> done = converse.reproduce("denoising", only=["DnCNN"], datasets=["Set12"], images=1, data_dir="../data")
        >>> done.results.loc[done.results["metric"] == "psnr", "reason"].item()
        '1 of 12 images'
    """
    from converse.workflows.reproduce import reproduce as carry_out
    from converse.workflows.reproduce_plan import ReproduceRequest

    request = ReproduceRequest(
        task=task,
        entries=_names(only),
        datasets=_names(datasets),
        images=images,
        metrics=_names(metrics),
        noise_levels=tuple(noise_levels),
        kernels=None if kernels is None else tuple(map(str, kernels)),
        store=Path(store),
        data_dir=_folder(data_dir),
        device=device,
        threads=threads,
        ray=_cluster(engine),
        retry_failed=retry_failed,
        keep_images=keep_images,
        keep_limit=keep_limit,
    )
    with placed(store) as folder, _progress(progress) as shown:
        return carry_out(replace(request, store=folder), shown)


def report(
    *stores: str | Path,
    output: str | Path = "report",
    data_dir: str | Path | None = None,
    embedded_only: bool = False,
    compute_images: bool = False,
    single_file: bool = False,
    images_limit: int | None = None,
) -> Written:
    """Write the report of one or more stores, as ``converse report`` does.

    Args:
        stores: folders or addresses; none for ``runs``.
        output: the folder of the report.
        data_dir: where images and weights for visual comparisons are looked for; none are downloaded.
        embedded_only: show no images but scikit-image's own.
        compute_images: restore images that the stores do not keep, beside the page.
        single_file: put the images of the viewer into the page itself.
        images_limit: megabytes of the viewer's images, at most; ``None`` for 200 beside the page, or 20 inside.

    Returns:
        ``page`` is the file to open, ``files`` are all files that were written.

    Raises:
        ConverseError: there is no store, or the folder cannot be written.

    Example:
        >>> import converse
        >>> done = converse.run("quickstart", budget="smoke", only=["Conv-DnCNN"])
        >>> converse.report("runs", output="report").page.name
        'index.html'
    """
    from converse.workflows.report import report as carry_out

    with ExitStack() as places:
        return carry_out(
            [places.enter_context(placed(store)) for store in stores or ("runs",)],
            Path(output),
            data_dir=_folder(data_dir),
            embedded_only=embedded_only,
            compute_images=compute_images,
            single_file=single_file,
            images_limit=images_limit,
        )


def plan(
    suite: str | Path,
    *,
    budget: str | None = None,
    on: str | None = None,
    seeds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    store: str | Path = "runs",
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Plan:
    """What a suite's table takes, before anything is downloaded or trained, as ``converse plan`` says.

    Args:
        suite: a name that ``converse list suites`` shows, or a TOML file.
        budget: ``smoke``, ``quick``, ``standard`` or ``paper``; ``None`` for ``paper``, or the suite's last.
        on: a device that is not here, ``RTX 4090``; ``None`` for this machine's.
        seeds: each ≥ 0; ``None`` for the suite's.
        only: names of entries; ``None`` for all.
        store: whose rows of ``converse speed`` are looked at.
        data_dir: a local folder whose images and weights need no download.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads; ``None`` for all that this process may use.

    Returns:
        ``rows``, one per entry, with multiply-adds, seconds at least and at most, and memory; ``steps``, commands in
        order.

    Raises:
        ConverseError: a name is not known, or a network cannot be built.

    Example:
        >>> import converse
        >>> [step["command"] for step in converse.plan("quickstart", budget="smoke", on="A100").steps]
        ['converse run quickstart --budget smoke', 'converse report']
    """
    from converse.workflows.plan import plan as count
    from converse.workflows.run_request import RunRequest

    request = RunRequest(
        suite=str(suite),
        budget=budget,
        seeds=None if seeds is None else tuple(seeds),
        entries=_names(only),
        store=Path(store),
        data_dir=_folder(data_dir),
        device=device,
        threads=threads,
    )
    with placed(store) as folder:
        return count(replace(request, store=folder), on)


def load_released(name: str, data_dir: str | Path | None = None) -> nn.Module:
    """A released network with its weights, downloaded if they are not here; the file runs no code.

    Args:
        name: of the network in the paper: ``Converse-DnCNN``, ``Converse-SRResNet``, ``ConverseNet``,
            ``Converse-USRNet`` or ``DnCNN``.
        data_dir: a local folder that is looked in first.

    Returns:
        The network in evaluation mode, on the CPU, float32.

    Raises:
        OptionError: nothing is released under that name.
        DataError: the weights are not here and cannot be downloaded, or are corrupt.

    Example:
        >>> import converse
        >>> network = converse.load_released("Converse-DnCNN", data_dir="../data")
        >>> sum(parameter.numel() for parameter in network.parameters())
        796353
    """
    from converse.data.resources import Absent, Resources
    from converse.nn.released import read_released
    from converse.nn.released_weights import released

    description = released(name)
    found = Resources(_folder(data_dir)).weights(description.dataset, description.file)
    if isinstance(found, Absent):
        raise DataError(found.reason)
    return read_released(name, found[0])


def _names(values: Sequence[str | Path] | None) -> tuple[str, ...] | None:
    """Several names; a single text is one name, and not its letters."""
    if values is None:
        return None
    return (str(values),) if isinstance(values, str | Path) else tuple(map(str, values))


def _values(grid: Mapping[str, Sequence[Any]] | None) -> dict[str, tuple[Any, ...]] | None:
    return None if grid is None else {field: tuple(values) for field, values in grid.items()}


def _cluster(engine: str | RayOptions) -> RayOptions | None:
    """The Ray cluster on which trials run; ``None`` for this machine."""
    from converse.experiments.running.ray_options import RayOptions

    if isinstance(engine, RayOptions):
        return engine
    if engine not in ("local", "ray"):
        raise OptionError(f"{unknown('engine', str(engine), ('local', 'ray'))}; or an object of converse.RayOptions")
    return RayOptions() if engine == "ray" else None


def _processes(devices: int) -> int:
    if devices < 1:
        raise OptionError(f"devices must be at least 1, got {devices}")
    return devices


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


@contextmanager
def _progress(wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar of rich's, which knows terminals and notebooks; silent elsewhere."""
    with progress_bar("bar", "count", "time left", "text", wanted=wanted) as (bar, task):

        def update(step: Progress) -> None:
            if step.note and not wanted:
                return
            if step.note:
                bar.console.print(f"note: {visible(step.note)}", markup=False, soft_wrap=True)
                return
            text = visible(f"[{step.trial}/{step.trials}] {step.name} {step.what} {step.upcoming}".strip())
            bar.update(task, completed=step.done, total=step.total or None, description=text)

        yield update
