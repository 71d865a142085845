"""What a request lacks: it is done when each of its cells has a value for each image.

A cell is one entry on one test set in one case, measured with one metric. How many parameters a network has is no
measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.tables import PUBLISHED_METRIC, Expected, or_none
from converse.data.noise_levels import cases_of
from converse.experiments.evaluation.images import key
from converse.experiments.evaluation.unmeasured import sentence
from converse.metrics import LACKING
from converse.workflows.request import Request
from converse.workflows.work import Work

if TYPE_CHECKING:
    import pandas as pd

    from converse.experiments.running.jobs import Job
    from converse.experiments.running.outcomes import Outcome

_NO_ROW: Final = "no row"

Place = tuple[str, str, str | None, str | None]
"""Task, entry, title of the test set, case."""


@dataclass(frozen=True)
class Gap:
    """A cell without a value, or without that of some images.

    Attributes:
        task: ``denoising`` …
        entry: name in its suite.
        dataset: title of the test set.
        case: the blur kernel where there is one.
        metric: ``psnr`` …
        reason: why, in a sentence.
        failed: something went wrong; otherwise it lacks what it needs, or another process is at it.
        named: the user asked for it by name. What a suite or the paper's table lists is asked for as far as it is at
            hand.
    """

    task: str
    entry: str
    dataset: str | None
    case: str | None
    metric: str
    reason: str
    failed: bool
    named: bool = True

    @property
    def place(self) -> Place:
        """All but the metric."""
        return (self.task, self.entry, self.dataset, self.case)


class _Cell:
    """What is known of one cell so far, over all seeds."""

    def __init__(self) -> None:
        self.images: set[tuple[str, str]] = set()
        self.lacking: set[tuple[str, str]] = set()
        self.causes: dict[str, None] = {}
        self.whole: dict[str, None] = {}  # why a trial has none of its images
        self.failed = False

    @property
    def reason(self) -> str:
        """All of it in a sentence."""
        causes = [cause for cause in self.causes if cause not in self.whole]
        partly = sentence(len(self.lacking), len(self.images), self.causes) if causes or not self.whole else ""
        return "; ".join([*self.whole, *filter(None, [partly])])


def find_gaps(
    request: Request,
    work: Work,
    outcomes: Sequence[Outcome],
    rows: pd.DataFrame,
    *,
    metrics: Sequence[str] | None = None,
) -> tuple[Gap, ...]:
    """Hold all that was asked for against what there is.

    Args:
        request: what was asked for.
        work: as it was planned.
        outcomes: what became of each job.
        rows: of the trials.
        metrics: those that were asked for by name. One that nobody named is left out where it lacks its features.

    Returns:
        The gaps, in the order of the work.
    """
    found = _measured(rows)
    cells: dict[tuple[Place, str], _Cell] = {}
    names = _names(work)
    for job, outcome in zip(work.jobs, outcomes, strict=True):
        for entry in names[job.trial.id]:
            _look(entry, job, outcome, found, cells, set(metrics or ()))
    gaps = [
        Gap(*place, metric=metric, reason=cell.reason, failed=cell.failed)
        for (place, metric), cell in cells.items()
        if cell.lacking
    ]
    looked_at = {place for place, _ in cells}
    for cell in work.expected:
        place = (cell.task, cell.entry, cell.dataset, cell.case)
        if cell.dataset is not None and place not in looked_at:
            named = request.datasets if cell.lacks == "images" else request.entries
            gaps.append(Gap(*place, metric=cell.metric, reason=cell.reason, failed=False, named=named is not None))
    return tuple(gaps)


def expected_cells(gaps: Iterable[Gap]) -> list[Expected]:
    """The gaps as result rows show them where there is no row at all: one for each cell of the published metric."""
    return [
        Expected(gap.task, gap.entry, gap.dataset, gap.case, gap.metric, gap.reason)
        for gap in gaps
        if gap.metric == PUBLISHED_METRIC
    ]


def with_reasons(results: pd.DataFrame, gaps: Iterable[Gap]) -> pd.DataFrame:
    """Result rows that say what they lack, also where a trial ended before it had tried all images.

    Args:
        results: with :data:`converse.analysis.tables.RESULT_COLUMNS`.
        gaps: of the same request.

    Returns:
        The same rows with fuller reasons.
    """
    import pandas as pd

    why = {(*gap.place, gap.metric): gap for gap in gaps}
    if not why:
        return results
    results = results.copy()
    keys = results[["task", "entry", "dataset", "case", "metric"]].itertuples(index=False, name=None)
    said = zip(results["reason"], keys, strict=True)
    fuller = [_fuller(reason, why.get(tuple(map(or_none, key)))) for reason, key in said]
    results["reason"] = pd.Series(fuller, index=results.index, dtype=object)  # of which None stays None
    return results


def _look(
    entry: str,
    job: Job,
    outcome: Outcome,
    found: dict[tuple[Any, ...], str | None],
    cells: dict[tuple[Place, str], _Cell],
    named: set[str],
) -> None:
    """Look for each value that a trial was to get."""
    trial, task = job.trial.id, job.task
    seed = "" if job.plan.seed is None else f"seed {job.plan.seed}: "
    for images in job.test:
        for case in cases_of(task):
            for metric in job.metrics:
                if metric.lacking is not None and metric.name not in named:
                    continue
                cell = cells.setdefault(((task.name, entry, images.title, case), metric.name), _Cell())
                absent = set()
                for image in images.images:
                    cell.images.add((image.name, image.sha256))
                    why = found.get((trial, *key(case, image, metric)), _NO_ROW)
                    if why is None:
                        continue
                    cell.lacking.add((image.name, image.sha256))
                    if why is _NO_ROW:
                        absent.add(image)
                    else:
                        cell.causes[why] = None
                        cell.failed = cell.failed or not why.startswith(LACKING)
                if absent:
                    cause = seed + (outcome.reason or "not run")
                    cell.failed = cell.failed or outcome.state == "failed"
                    cell.causes[cause] = None
                    if len(absent) == len(images.images):
                        cell.whole[cause] = None


def _measured(rows: pd.DataFrame) -> dict[tuple[Any, ...], str | None]:
    """What makes a row → ``None`` where it has a value, otherwise why not."""
    names = ["trial", "case", "image_sha256", "image", "metric", "signature"]  # as key() has them
    keys = rows[names].itertuples(index=False, name=None)
    said = zip(keys, rows["value"], rows["reason"], strict=True)
    return {
        tuple(map(or_none, key)): None if value == value else str(or_none(reason) or "") for key, value, reason in said
    }


def _names(work: Work) -> dict[str, dict[str, None]]:
    names: dict[str, dict[str, None]] = {}
    for trial, entry, _ in work.labels:
        names.setdefault(trial, {})[entry] = None
    return names


def _fuller(reason: Any, gap: Gap | None) -> Any:
    said = or_none(reason)
    if gap is None or (said and (gap.reason in said or gap.reason.partition(": ")[2] in said)):
        return said
    return "; ".join(filter(None, (said, gap.reason)))
