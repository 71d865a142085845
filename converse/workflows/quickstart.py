"""The main question on images that are always here: train, measure, time, and write the report of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.speed import TIMED_PASSES, operator_times
from converse.data.images import image_set
from converse.data.resources import Resources
from converse.experiments.evaluation.filters import filter_means
from converse.experiments.provenance import code_hash, versions
from converse.experiments.store import Store
from converse.experiments.trials import cpu_model, default_threads
from converse.reporting.inputs.quickstart import SUITE, TEST_SET, speed_budget
from converse.workflows.plan_commands import missing, released_plans, reproducing
from converse.workflows.report import refresh
from converse.workflows.run import Run, run
from converse.workflows.run_request import RunRequest
from converse.workflows.speed import SpeedRequest, speed
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

REPORT: Final = "report"
"""Folder of the report, in the store."""

_NEXT_BUDGET: Final = "paper"
"""Of the plan that has the next step, in which it is no matter: released weights are not trained."""

PROCESSES: Final = 4
"""At most so many trials at once: each takes about 1 GB of memory."""


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
        from converse.analysis.tables import RESULT_COLUMNS, records

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
        return [*records(self.run.results), *compared, *timed]


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
    done = run(replace(_divided(request), usual_keeping="all"), progress)
    progress(Progress(0, 0, "filters", "tries Gaussian filters"))
    photographs = image_set(TEST_SET)
    comparisons = filter_means(photographs.first(request.images) if request.images else photographs)
    progress(Progress(0, 0, "operators", "are timed"))
    timed = _timed(request, done)
    untimed = [
        f"{row['subject']}, {row['pass']}: {row['reason'] or row['status']}"
        for row in timed[timed["status"] != "ok"].to_dict("records")
    ]
    progress(Progress(0, 0, "report", "is written"))
    page = refresh(request.store, request.store / REPORT)
    return Quickstart(done, list(comparisons), operator_times(timed), page.resolve(), tuple(untimed))


@dataclass(frozen=True)
class NextStep:
    """What a newcomer asks for next.

    Attributes:
        command: as it is typed.
        download: bytes.
        seconds: at least and at most, here; ``None`` where they are not counted.
    """

    command: str
    download: int
    seconds: tuple[float, float] | None


def next_step(request: RunRequest, *, timed: bool) -> NextStep:
    """The paper's own numbers, from the authors' released weights, on a small test set.

    Args:
        request: that was carried out; the next one has its store, device and threads.
        timed: count how long it takes here, for which torch is loaded.
    """
    asked = RunRequest(
        "denoising",
        budget=_NEXT_BUDGET,
        datasets=("set12",),
        store=request.store,
        data_dir=request.data_dir,
        device=request.device,
        threads=request.threads,
    )
    released = released_plans(asked.plans(asked.read(networks=False)))
    command = str(reproducing(asked, released))
    download = sum(one.bytes for one in missing(released, Resources(request.data_dir, fetch=False)))
    return NextStep(command, download, _seconds(asked, command) if timed else None)


def _seconds(asked: RunRequest, command: str) -> tuple[float, float] | None:
    from converse.workflows.plan import plan

    (step,) = (one for one in plan(asked).steps if one["command"] == command)
    least, most = step["least_seconds"], step["most_seconds"]
    return None if least is None or most is None else (least, most)


def _divided(request: RunRequest) -> RunRequest:
    """Several trials at once with one thread each: a small network gains little from more."""
    if request.threads is not None:
        return request
    return replace(request, usual_threads=1, processes=min(default_threads(), PROCESSES))


def _timed(request: RunRequest, done: Run) -> pd.DataFrame:
    """Times of the operators: those of this code and machine in the store, found without torch, or new ones."""
    budget = speed_budget(request.budget)
    if set(done.rows["device"].dropna()) == {"cpu"}:
        here = {
            "suite": SUITE,
            "budget": budget,
            "device": "cpu",
            "model": cpu_model(),
            "code": code_hash(),
            "threads": request.cpu_threads,
            "torch": versions().get("torch"),
        }
        rows = Store(request.store).speed_rows(unreadable=[])
        for column, value in here.items():
            rows = rows[rows[column] == value]
        newest = rows[rows["run"] == rows["run"].iloc[-1]] if len(rows) else rows
        if set(newest["pass"]) == set(TIMED_PASSES) and (newest["status"] == "ok").all():
            return newest
    return speed(SpeedRequest(SUITE, budget, store=request.store, device=request.device, threads=request.threads)).rows
