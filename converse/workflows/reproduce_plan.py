"""What ``converse reproduce`` has to do: networks, their weights and image sets, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from converse.analysis.published import Published, published
from converse.analysis.tables import PUBLISHED_METRIC, Expected
from converse.analysis.verdicts import Thresholds
from converse.data.catalogue import datasets
from converse.data.degradations import TASKS, Task, task
from converse.data.images import ImageSet
from converse.errors import OptionError, unknown
from converse.experiments.evaluation.images import PARAMETERS, Job, jobs, settled
from converse.experiments.trials import Trial, platform_class
from converse.metrics import METRICS, Metric, metrics_for
from converse.nn.released import RELEASED, Released
from converse.workflows.at_hand import Absent, Supplies


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes:
        task: one task's name, or ``None`` for all.
        entries: names of networks, or ``None`` for all.
        datasets: names of the catalogue and folders of images, or ``None`` for the paper's.
        images: only the first N of each set.
        metrics: names, or ``None`` for all that can be had without a large download.
        store: the folder of the store.
        data_dir: a local folder with images and weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads, or ``None`` for what torch takes.
        thresholds: of the verdicts.
    """

    task: str | None = None
    entries: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    images: int | None = None
    metrics: tuple[str, ...] | None = None
    store: Path = Path("runs")
    data_dir: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True)
class Stage:
    """One network, with the image sets that it is to restore.

    Attributes:
        released: the network.
        trial: its identity in the store.
        weights: its verified checkpoint.
        sets: image sets in order.
        metrics: what is measured on each.
    """

    released: Released
    trial: Trial
    weights: Path
    sets: tuple[ImageSet, ...]
    metrics: tuple[Metric, ...]

    @property
    def task(self) -> Task:
        """The network's task."""
        return TASKS[self.released.task]

    def left(self, rows: Iterable[dict[str, Any]]) -> list[tuple[ImageSet, list[Job]]]:
        """What these rows do not answer yet, set by set."""
        done = settled(rows, self.metrics)
        return [(images, jobs(self.task, images, self.metrics, done)) for images in self.sets]


@dataclass(frozen=True)
class Plan:
    """What there is to do, and what cannot be done and why.

    Attributes:
        stages: the networks whose weights are here, with the image sets that are here.
        expected: every cell that was asked for; where nothing gets measured it shows its reason.
        fetch: names for ``converse data fetch`` that would make more of it possible.
    """

    stages: tuple[Stage, ...]
    expected: tuple[Expected, ...]
    fetch: tuple[str, ...]


def make_plan(request: Request, supplies: Supplies, device: str) -> Plan:
    """Resolve the names of the request, and find or fetch what they need.

    Args:
        request: what the user asks for.
        supplies: where images and weights come from.
        device: resolved: not ``auto``.

    Returns:
        The plan.

    Raises:
        ConverseError: a name is not known, or a file is corrupt.
    """
    paper = published()
    tasks = [task(request.task)] if request.task else list(TASKS.values())
    entries = _entries(request, paper, tasks)
    names = request.metrics or METRICS
    if strange := [name for name in names if name not in METRICS]:
        raise OptionError(unknown("metric", strange[0], METRICS))
    for name in request.datasets or ():
        _check_dataset(name, supplies)
    backbone = supplies.backbone(fetch=request.metrics is not None) if "lpips" in names else None
    stages: list[Stage] = []
    expected: list[Expected] = []
    fetch: list[str] = []
    for one in tasks:
        metrics = tuple(metrics_for(one.psnr_colour, one.border, names, backbone))
        reasons: dict[str, str] = {}
        found: dict[str, tuple[Path, str]] = {}
        for entry in entries[one.name]:
            if entry not in RELEASED:
                reasons[entry] = f"no released weights for {entry}"
                continue
            weights = supplies.weights(RELEASED[entry].dataset, RELEASED[entry].file)
            kernels = supplies.kernels() if one.cases else None
            if absent := next((thing for thing in (weights, kernels) if isinstance(thing, Absent)), None):
                reasons[entry] = absent.reason
                fetch.append(absent.fetch)
            elif not isinstance(weights, Absent):
                found[entry] = weights
        sets, missing = _sets(request, paper, one, supplies, needed=bool(found))
        fetch += [absent.fetch for absent in missing.values() if absent.fetch]
        chosen = tuple(images.first(request.images) if request.images else images for images in sets)
        for entry, (path, sha256) in found.items():
            stages.append(Stage(RELEASED[entry], released_trial(entry, sha256, device), path, chosen, metrics))
        titles = [*missing, *(images.title for images in sets)]
        expected += _expected(paper, one, entries[one.name], titles, names, reasons, missing)
    return Plan(tuple(stages), tuple(expected), tuple(dict.fromkeys(fetch)))


def released_trial(entry: str, weights: str, device: str) -> Trial:
    """The identity of a released network on this machine.

    Args:
        entry: a name in :data:`converse.nn.released.RELEASED`.
        weights: SHA-256 of its checkpoint.
        device: ``cpu``, ``cuda`` …

    Returns:
        A trial without seed and budget.
    """
    one = RELEASED[entry]
    return Trial(
        task=one.task,
        entry=entry,
        source="released",
        seed=None,
        budget=None,
        configuration={"model": one.model, "operator": one.operator, "options": dict(one.options)},
        data={},
        weights=weights,
        platform=platform_class(device, threads=torch.get_num_threads()),
    )


def _entries(request: Request, paper: Published, tasks: Sequence[Task]) -> dict[str, tuple[str, ...]]:
    """The networks of each task: those of its table and those released for it, or of them the ones asked for."""
    every = {
        one.name: tuple(
            dict.fromkeys([*paper.entries(one.name), *(r.entry for r in RELEASED.values() if r.task == one.name)])
        )
        for one in tasks
    }
    if request.entries is None:
        return every
    names = {entry.lower(): entry for entries in every.values() for entry in entries}
    if strange := [entry for entry in request.entries if entry.lower() not in names]:
        raise OptionError(unknown("entry", strange[0], names.values()))
    asked = {names[entry.lower()] for entry in request.entries}
    return {name: tuple(entry for entry in entries if entry in asked) for name, entries in every.items()}


def _check_dataset(name: str, supplies: Supplies) -> None:
    """Refuse a misspelt name before anything is fetched."""
    known = datasets().get(name.lower())
    if known is None or known.kind != "images":
        supplies.images(name)


def _sets(
    request: Request, paper: Published, one: Task, supplies: Supplies, *, needed: bool
) -> tuple[list[ImageSet], dict[str, Absent]]:
    """The image sets of a task, and by title those that cannot be had.

    By default they are those of the paper's table. Where none of them can be had, the first set of another table with
    images of the task's colour stands in, so that the networks run at all; it has no published values.
    """
    titles = {known.title: name for name, known in datasets().items()}
    names = request.datasets or tuple(titles[title] for title in paper.datasets(one.name))
    if request.datasets and not request.task:
        names = tuple(name for name in names if _suits(name, one))
    sets: dict[str, ImageSet] = {}
    missing: dict[str, Absent] = {}
    for name in names:
        known = datasets().get(name.lower())
        title = known.title if known else name
        if known and not needed and not supplies.here(name):
            missing[title] = Absent("", known.name)  # the network is what is missing first; nothing is downloaded
            continue
        images = supplies.images(name)
        if isinstance(images, Absent):
            missing[title] = images
        else:
            sets[images.name] = images
    if not sets and needed and request.datasets is None:
        others = (titles[title] for task_ in paper.tasks for title in paper.datasets(task_))
        stand_in = next((name for name in others if _suits(name, one) and supplies.here(name)), None)
        found = supplies.images(stand_in) if stand_in else None
        if isinstance(found, ImageSet):
            sets[found.name] = found
    return list(sets.values()), missing


def _suits(name: str, one: Task) -> bool:
    """Whether a set's images have the task's colour; a user's folder suits every task."""
    known = datasets().get(name.lower())
    return known is None or known.colour == one.colour


def _expected(
    paper: Published,
    one: Task,
    entries: Sequence[str],
    titles: Sequence[str],
    metrics: Sequence[str],
    reasons: Mapping[str, str],
    missing: Mapping[str, Absent],
) -> Iterator[Expected]:
    """Every cell that was asked for, with the reason that it shows when nothing gets measured."""
    shown = PUBLISHED_METRIC if PUBLISHED_METRIC in metrics else metrics[0]
    for entry in entries:
        for title in titles:
            absent = missing.get(title)
            reason = reasons.get(entry) or (absent.reason if absent and absent.reason else "not run")
            for case in one.cases or (None,):
                if entry in RELEASED or paper.number(one.name, entry, title, case):
                    yield Expected(one.name, entry, title, case, shown, reason)
        if paper.parameters(entry):
            yield Expected(one.name, entry, None, None, PARAMETERS, reasons.get(entry, "not run"))
