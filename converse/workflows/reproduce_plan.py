"""What ``converse reproduce`` has to do: networks, their weights and image sets, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converse.analysis.published import Published, published
from converse.analysis.tables import PUBLISHED_METRIC, Expected
from converse.analysis.verdicts import Thresholds
from converse.data.catalogue import datasets
from converse.data.images import ImageSet, told_apart
from converse.data.noise_levels import noise_levels, shown, takes_levels
from converse.data.resources import Absent, Resources
from converse.data.tasks import KERNEL, TASKS, Task, task
from converse.errors import OptionError, unknown
from converse.experiments.running.jobs import Job, input_trial, released_trial
from converse.experiments.running.request import RELEASED_SUITE
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.plans import INPUT, RunPlan, TrainingSettings
from converse.metrics import METRICS, PARAMETERS, metrics_for
from converse.nn.released_weights import RELEASED
from converse.workflows.request import Request
from converse.workflows.work import Work


@dataclass(frozen=True)
class ReproduceRequest(Request):
    """What the user asks for.

    Attributes:
        task: one task's name, or ``None`` for all.
        metrics: names, or ``None`` for all that can be had without a large download.
        thresholds: of the verdicts.
        noise_levels: of test images beside the task's own, of 255; where no task is named, of the one that takes some.
        kernels: only these blur kernels, as ``2`` or ``kernel_2``; ``None`` for all. Where no task is named, of the one
            that has some.
    """

    task: str | None = None
    metrics: tuple[str, ...] | None = None
    noise_levels: tuple[float, ...] = ()
    kernels: tuple[str, ...] | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    def line(self, task: str, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for that task's part of it; where data lies is left to who calls it.

        Args:
            task: one of those that are asked for.
            platform: of the trials that answer.
        """
        levels = tuple(map(shown, self.further(TASKS[task])))
        return self.of(TASKS[task])._line(
            "reproduce",
            task,
            platform,
            metrics=self.metrics or None,
            noise_levels=levels or None,
            kernels=tuple(case.removeprefix(KERNEL) for case in self.cases(TASKS[task])) or None,
        )

    def further(self, one: Task) -> tuple[float, ...]:
        """The noise levels at which images of a task are measured beside its own, in ascending order.

        Args:
            one: one of the tasks that are asked for.

        Raises:
            OptionError: the user names a task that has no other level, or something that is no level.
        """
        if self.task is None and not takes_levels(one):
            return ()
        return noise_levels(self.noise_levels, one, "--noise-levels")

    def cases(self, one: Task) -> tuple[str, ...]:
        """The blur kernels under which a task is measured; none where they are all that it has, or it has none.

        Args:
            one: one of the tasks that are asked for.

        Raises:
            OptionError: the user names a task that has no blur kernels, or one that it does not have.
        """
        if self.kernels is None or (self.task is None and not one.cases):
            return ()
        if not one.cases:
            having = ", ".join(other.name for other in TASKS.values() if other.cases)
            raise OptionError(f"--kernels: {one.name} blurs nothing, {having} does; leave it out")
        named = {f"{KERNEL}{kernel.removeprefix(KERNEL)}": kernel for kernel in self.kernels}
        if strange := [kernel for case, kernel in named.items() if case not in one.cases]:
            numbers = [case.removeprefix(KERNEL) for case in one.cases]
            raise OptionError(f"--kernels: {unknown('blur kernel', strange[0], numbers)}")
        chosen = tuple(case for case in one.cases if case in named)
        return () if chosen == one.cases else chosen

    def of(self, one: Task) -> ReproduceRequest:
        """What it asks of one task: where it names none, the networks of that task and the sets whose images suit it.

        Args:
            one: one of those that are asked for.
        """
        if self.task is not None:
            return self
        names = None if self.entries is None else _entries(self, published(), [*TASKS.values()])[one.name]
        sets = None if self.datasets is None else tuple(name for name in self.datasets if _suits(name, one))
        kernels = self.cases(one) or None
        return replace(
            self, task=one.name, entries=names, datasets=sets, noise_levels=self.further(one), kernels=kernels
        )


def make_work(request: ReproduceRequest, resources: Resources, device: str, threads: int) -> Work:
    """Resolve the names of the request, and find or fetch what they need.

    Args:
        request: what the user asks for.
        resources: where images and weights come from.
        device: resolved: not ``auto``.
        threads: CPU threads.

    Returns:
        The work.

    Raises:
        ConverseError: a name is not known, or a file is corrupt.
    """
    paper = published()
    tasks = [task(request.task)] if request.task else list(TASKS.values())
    for one in tasks:
        request.further(one)  # refused before anything is looked for
        request.cases(one)
    entries = _entries(request, paper, tasks)
    names = request.metrics or tuple(METRICS)
    if strange := [name for name in names if name not in METRICS]:
        raise OptionError(unknown("metric", strange[0], METRICS))
    for name in request.datasets or ():
        _check_dataset(name, resources)
    backbone = resources.backbone(fetch=request.metrics is not None) if "lpips" in names else None
    jobs: list[Job] = []
    expected: list[Expected] = []
    fetch: list[str] = []
    notes: list[str] = []
    for one in tasks:
        metrics = tuple(metrics_for(one.psnr_colour, one.border, names, backbone))
        reasons: dict[str, str] = {}
        found: dict[str, tuple[Path, str]] = {}
        blur: Mapping[str, npt.NDArray[np.float64]] | None = None
        for entry in entries[one.name]:
            if entry == one.given:
                continue
            if entry not in RELEASED:
                reasons[entry] = f"no released weights for {entry}"
                continue
            weights = resources.weights(RELEASED[entry].dataset, RELEASED[entry].file)
            kernels = resources.kernels() if one.cases else None
            if isinstance(weights, Absent):
                reasons[entry] = weights.reason
                fetch.append(weights.fetch)
            elif isinstance(kernels, Absent):
                reasons[entry] = kernels.reason
                fetch.append(kernels.fetch)
            else:
                found[entry], blur = weights, kernels
        given = one.given in entries[one.name] and (bool(found) or request.entries is not None)
        if given and one.cases and blur is None:
            kernels = resources.kernels()
            if isinstance(kernels, Absent):
                reasons[one.given], given = kernels.reason, False
                fetch.append(kernels.fetch)
            else:
                blur = kernels
        every, missing = _sets(request, paper, one, resources, needed=bool(found) or given)
        sets, twice = told_apart(every)
        notes += twice
        fetch += [absent.fetch for absent in missing.values() if absent.fetch]
        chosen = tuple(images.first(request.images) if request.images else images for images in sets)
        for entry, (path, sha256) in found.items():
            plan = released_plan(entry, request, sets)
            trial = released_trial(entry, sha256, device, threads)
            jobs.append(Job(plan, trial, (), None, chosen, metrics, blur, path))
        if given:
            jobs.append(Job(_input_plan(one, request, sets), input_trial(one), (), None, chosen, metrics, blur))
        titles = [*missing, *(images.title for images in sets)]
        named = request.entries is not None
        expected += _expected(
            paper,
            replace(one, cases=request.cases(one) or one.cases),
            entries[one.name],
            titles,
            names,
            reasons,
            missing,
            named=named,
        )
    labels = tuple((one.trial.id, one.plan.entry, None) for one in jobs)
    return Work(tuple(jobs), labels, tuple(expected), tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(fetch)))


def released_plan(entry: str, request: ReproduceRequest, sets: Sequence[ImageSet] = ()) -> RunPlan:
    """The plan of a released network.

    Args:
        entry: a name in :data:`converse.nn.released_weights.RELEASED`.
        request: what the user asks for.
        sets: what it is measured on.
    """
    released = RELEASED[entry]
    return _plan_without_training(
        request,
        sets,
        entry=released.entry,
        task=released.task,
        model=released.model,
        operator=released.operator,
        options=dict(released.options),
        released=released.entry,
        published=released.entry,
    )


def _input_plan(one: Task, request: ReproduceRequest, sets: Sequence[ImageSet]) -> RunPlan:
    """The plan of what networks of a task are given."""
    return _plan_without_training(
        request,
        sets,
        entry=one.given,
        task=one.name,
        model=INPUT,
        operator=None,
        options={},
        released=one.given,
        published=None,
    )


def _plan_without_training(request: ReproduceRequest, sets: Sequence[ImageSet], **own: Any) -> RunPlan:
    """A plan of what is only measured.

    Args:
        request: what the user asks for.
        sets: what it is measured on.
        own: which entry it is, and what that is made of.
    """
    return RunPlan(
        suite=RELEASED_SUITE,
        training=TrainingSettings(steps=1),
        train=(),
        validation=None,
        test=tuple(images.name for images in sets),
        images=request.images,
        budget="",
        seed=None,
        noise_levels=request.further(TASKS[own["task"]]),
        kernels=request.cases(TASKS[own["task"]]),
        **own,
    )


def _entries(request: ReproduceRequest, paper: Published, tasks: Sequence[Task]) -> dict[str, tuple[str, ...]]:
    """The networks of each task and what they are given, or of these the ones asked for.

    They are those of its table and those released for it.
    """
    every = {
        one.name: tuple(
            dict.fromkeys(
                [*paper.entries(one.name), *(r.entry for r in RELEASED.values() if r.task == one.name), one.given]
            )
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


def _check_dataset(name: str, resources: Resources) -> None:
    """Refuse a misspelt name before anything is fetched."""
    known = datasets().get(name.lower())
    if known is None or known.kind != "images":
        resources.images(name)


def _sets(
    request: ReproduceRequest, paper: Published, one: Task, resources: Resources, *, needed: bool
) -> tuple[list[ImageSet], dict[str, Absent]]:
    """The image sets of a task, and by title those that cannot be had.

    By default they are those of the paper's table. Where none of them can be had, the first set of another table with
    images of the task's colour stands in, so that the networks run at all; it has no published values.
    """
    titles = {known.title: name for name, known in datasets().items()}
    asked = request.of(one).datasets if request.datasets else None
    names = tuple(titles[title] for title in paper.datasets(one.name)) if asked is None else asked
    sets: list[ImageSet] = []
    missing: dict[str, Absent] = {}
    for name in names:
        known = datasets().get(name.lower())
        title = known.title if known else name
        if known and not needed and not resources.here(name):
            missing[title] = Absent("", known.name)  # the network is what is missing first; nothing is downloaded
            continue
        images = resources.images(name)
        if isinstance(images, Absent):
            missing[title] = images
        else:
            sets.append(images)
    if not sets and needed and request.datasets is None:
        others = (titles[title] for task_ in paper.tasks for title in paper.datasets(task_))
        stand_in = next((name for name in others if _suits(name, one) and resources.here(name)), None)
        found = resources.images(stand_in) if stand_in else None
        if isinstance(found, ImageSet):
            sets.append(found)
    return sets, missing


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
    *,
    named: bool,
) -> Iterator[Expected]:
    """Every cell that was asked for, with the reason that it shows when nothing gets measured."""
    shown = PUBLISHED_METRIC if PUBLISHED_METRIC in metrics else metrics[0]
    for entry in entries:
        for title in titles:
            absent = missing.get(title)
            reason = reasons.get(entry) or (absent.reason if absent and absent.reason else "not run")
            lacks = "weights" if entry in reasons else "images" if absent else ""
            for case in one.cases or (None,):
                if named or entry in RELEASED or paper.number(one.name, entry, title, case):
                    yield Expected(one.name, entry, title, case, shown, reason, lacks)
        if paper.parameters(entry):
            yield Expected(one.name, entry, None, None, PARAMETERS, reasons.get(entry, "not run"))
