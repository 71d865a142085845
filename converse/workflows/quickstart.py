"""The main question on images that are always here: train, measure, time, and write the report of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from converse.experiments.provenance import code_hash, versions
from converse.experiments.store import Store, files
from converse.experiments.store.shapes import TABLE, list_of
from converse.experiments.trials import cpu_model, default_threads
from converse.workflows.report import refresh
from converse.workflows.run import Run, plain_results, run
from converse.workflows.run_request import RunRequest
from converse.workflows.speed import SpeedRequest, speed
from converse.workflows.work import Progress

SUITE: Final = "quickstart"
REPORT: Final = "report"
"""Folder of the report, in the store."""

TEST_SET: Final = "skimage_test"
PROCESSES: Final = 4
"""At most so many trials at once: each takes about 1 GB of memory."""

_PASSES: Final = {"evaluation": "forward", "forward+backward": "training"}


@dataclass(frozen=True)
class Quickstart:
    """What came out.

    Attributes:
        run: of the suite.
        comparisons: what any denoiser has to beat; records with
            ``entry, metric, signature, images, infinite, measured``.
        speeds: records with ``operator, forward, training``, in milliseconds.
        page: that of the report.
        untimed: operators that could not be timed, each with the reason.
    """

    run: Run
    comparisons: list[dict[str, Any]]
    speeds: list[dict[str, Any]]
    page: Path
    untimed: tuple[str, ...] = ()

    def rows(self) -> list[Mapping[str, Any]]:
        """All of it as result rows."""
        from converse.analysis.tables import RESULT_COLUMNS

        empty = dict.fromkeys(RESULT_COLUMNS)
        title = next(iter(self.run.results["dataset"].dropna()), None)
        compared = [{**empty, "task": "denoising", "dataset": title, **record} for record in self.comparisons]
        timed = [
            {
                **empty,
                "entry": record["operator"],
                "metric": f"{name}_ms",
                "signature": f"{name}|{record['shape']}|kernel:{record['kernel_size']}|median",
                "measured": record[name],
                "device": record["device"],
            }
            for record in self.speeds
            for name in ("forward", "training")
        ]
        return [*plain_results(self.run), *compared, *timed]


def quickstart(request: RunRequest, progress: Callable[[Progress], None] = lambda progress: None) -> Quickstart:
    """Run the suite ``quickstart`` and write the report of the store; what is there already is not done again.

    Args:
        request: for that suite.
        progress: told often.

    Returns:
        All numbers, and where the page is.

    Raises:
        ConverseError: the store cannot be written, or a name is not known.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    done = run(_divided(request), progress)
    folder = Store(request.store).root / SUITE
    with files.explained(folder, "make"):
        folder.mkdir(exist_ok=True)
    images = {"code": code_hash(), "images": request.images}
    comparisons = _once(folder / "comparisons.json", images, lambda: _compare(request, progress))
    machine = {
        "code": code_hash(),
        "cpu": cpu_model(),
        "versions": versions(),
        "device": request.device,
        "threads": request.cpu_threads,
    }
    untimed: list[str] = []
    speeds = _once(folder / "speed.json", machine, lambda: _time(request, progress, untimed), untimed)
    progress(Progress(0, 0, "report", "is written"))
    page = refresh(request.store, request.store / REPORT)
    return Quickstart(done, comparisons, speeds, page.resolve(), tuple(untimed))


def _divided(request: RunRequest) -> RunRequest:
    """Several trials at once with one thread each: a small network gains little from more."""
    if request.threads is not None:
        return request
    return replace(request, usual_threads=1, processes=min(default_threads(), PROCESSES))


def _once(
    file: Path, key: dict[str, Any], make: Callable[[], list[dict[str, Any]]], lacking: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """What the file has under this key, or what is made now and, where nothing is lacking then, written there."""
    try:
        found = files.read_sealed(file)
    except files.Damaged:
        found = None
    if found is not None and found.get("key") == key and list_of(TABLE).holds(found.get("records")):
        return list(found["records"])
    records = make()
    if not lacking:
        files.write_sealed(file, {"key": key, "records": records})
    return records


def _compare(request: RunRequest, progress: Callable[[Progress], None]) -> list[dict[str, Any]]:
    from converse.data.images import image_set
    from converse.data.tasks import TASKS
    from converse.experiments.evaluation.filters import classical
    from converse.metrics import averaged, metrics_for

    progress(Progress(0, 0, "filters", "tries Gaussian filters"))
    task, images = TASKS["denoising"], image_set(TEST_SET)
    if request.images:
        images = images.first(request.images)
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in classical(task, images, metrics_for(task.psnr_colour, task.border, ["psnr", "ssim"], None)):
        values.setdefault((row["entry"], row["metric"], row["signature"]), []).append(row["value"])
    return [
        {
            "entry": entry,
            "metric": metric,
            "signature": signature,
            "measured": fmean(averaged(found)),
            "images": len(found),
            "infinite": found.count(inf),
        }
        for (entry, metric, signature), found in values.items()
    ]


def _time(request: RunRequest, progress: Callable[[Progress], None], untimed: list[str]) -> list[dict[str, Any]]:
    """Medians in milliseconds, of each operator that could be timed; the others are added to ``untimed``."""
    progress(Progress(0, 0, "operators", "are timed"))
    budget = "smoke" if request.budget == "smoke" else "quick"
    asked = SpeedRequest(SUITE, budget, store=request.store, device=request.device, threads=request.threads)
    rows = speed(asked).rows
    for row in rows[rows["status"] != "ok"].to_dict("records"):
        untimed.append(f"{row['subject']}, {row['pass']}: {row['reason'] or row['status']}")
    timed: dict[str, dict[str, Any]] = {}
    for row in rows[~rows["twin"] & (rows["status"] == "ok")].to_dict("records"):
        said = {
            "operator": row["subject"],
            "shape": "x".join(str(row[side]) for side in ("batch", "channels", "height", "width")),
            "kernel_size": int(row["kernel_size"]),
            "device": row["device"],
            "threads": int(row["threads"]),
        }
        timed.setdefault(row["subject"], said)[_PASSES[row["pass"]]] = 1e3 * row["median_s"]
    return [record for record in timed.values() if record.keys() >= set(_PASSES.values())]
