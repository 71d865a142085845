"""What ``converse run`` has to do: the trials of a suite, with what they need found; and what is missing."""

from __future__ import annotations

from typing import TypeVar

from converse.analysis.tables import PUBLISHED_METRIC, Expected
from converse.data.catalogue import datasets
from converse.data.images import ImageSet, told_apart
from converse.data.resources import Absent, Resources
from converse.data.splits import Split, listed, overlaps, parts, split
from converse.data.tasks import TASKS
from converse.errors import DataError, NotAtHand
from converse.experiments.running.jobs import Job, released_trial, trained_trial
from converse.experiments.suites.plans import RunPlan
from converse.experiments.trials import planned_order
from converse.metrics import METRICS, Metric, metrics_for
from converse.nn.released_weights import RELEASED
from converse.workflows.work import Work

Thing = TypeVar("Thing")


def make_work(plans: list[RunPlan], resources: Resources, device: str, threads: int) -> Work:
    """Find or fetch what the plans need.

    Args:
        plans: of one suite.
        resources: where images and weights come from.
        device: resolved: not ``auto``.
        threads: CPU threads.

    Returns:
        The work. A test set or validation set that cannot be had is left out.

    Raises:
        NotAtHand: training images, blur kernels or all test sets cannot be had.
        DataError: a file is corrupt, or images serve two purposes and the suite does not say why.
        OptionError: there is no such module with a user's operator.
    """
    found: dict[str, Job] = {}
    expected: list[Expected] = []
    notes: list[str] = []
    labels: list[tuple[str, str, str | None]] = []
    metrics = _metrics(plans[0], resources) if plans else ()
    for plan in plans:
        one = _job(plan, metrics, resources, device, threads, expected, notes)
        if one is not None:
            labels.append((one.trial.id, plan.entry, one.trial.budget))
            found.setdefault(one.trial.id, one)
    order = planned_order([job.trial for job in found.values()])
    jobs = tuple(found[trial.id] for trial in order)
    notes += [line for job in jobs for line in job.data_notes]
    return Work(jobs, tuple(labels), tuple(dict.fromkeys(expected)), tuple(dict.fromkeys(notes)))


def _job(
    plan: RunPlan,
    metrics: tuple[Metric, ...],
    resources: Resources,
    device: str,
    threads: int,
    expected: list[Expected],
    notes: list[str],
) -> Job | None:
    task = TASKS[plan.task]
    test, missing = ((), {}) if plan.point else _test_sets(plan, resources, notes)
    for title, reason in missing.items():
        expected += [
            Expected(plan.task, plan.entry, title, case, PUBLISHED_METRIC, reason, "images")
            for case in task.cases or (None,)
        ]
    kernels = _needed(resources.kernels()) if task.cases else None
    if plan.released is not None:
        one = RELEASED[plan.released]
        weights = resources.weights(one.dataset, one.file)
        if isinstance(weights, Absent):
            notes.append(weights.reason)
            titles = [images.title for images in test]
            expected += [
                Expected(plan.task, plan.entry, title, case, PUBLISHED_METRIC, weights.reason, "weights")
                for title in titles
                for case in task.cases or (None,)
            ]
            return None
        path, sha256 = weights
        trial = released_trial(plan.released, sha256, device, threads)
        return Job(plan, trial, (), None, test, metrics, kernels, path)
    train = tuple(_needed(resources.training(name)) for name in plan.train)
    beside = tuple(_needed(resources.images(name)) for name in plan.leave_out)
    cut = (plan.validation and plan.validation.cut) or 0
    chosen = split(train, cut=cut, leave_out=beside, overlap=bool(plan.overlap))
    watched = _validation(plan, chosen, resources, notes)
    curve = watched if plan.training.validate_every else None
    if plan.point is not None and watched is not None:  # settings are tuned on validation images alone
        test = (watched,)
        said = _said(plan, chosen, watched, ())
    else:
        said = _said(plan, chosen, watched, test)
    trial = trained_trial(plan, chosen.train, device, threads)
    return Job(plan, trial, chosen.train, curve, test, metrics, kernels, None, chosen.plain(), said)


def _validation(plan: RunPlan, chosen: Split, resources: Resources, notes: list[str]) -> ImageSet | None:
    """The validation images, where a curve is drawn or settings are chosen by them."""
    asked = plan.validation
    if asked is None or not (plan.training.validate_every or plan.point):
        return None
    images = resources.images(asked.dataset) if asked.dataset else chosen.held_out
    if isinstance(images, Absent):
        notes.append(f"no validation curve: {images.reason}")
        return None
    return images.first(asked.images) if images and asked.images else images


def _said(plan: RunPlan, chosen: Split, watched: ImageSet | None, test: tuple[ImageSet, ...]) -> tuple[str, ...]:
    """What there is to say of images that serve two purposes.

    Raises:
        DataError: the suite does not say why they may.
    """
    found = overlaps(chosen.train, watched, test)
    if found and not plan.overlap:
        what, pairs = next(iter(found.items()))
        out = (
            "cut the validation images from the training sets: validation = { cut = 4 }"
            if "validated" in what
            else "name that test set in leave_out, and they are not trained on"
        )
        why = 'or say why they may be: overlap = "the reason"'
        raise DataError(f"suite {plan.suite!r}: [data]: {what}: {listed(pairs)}; {out}, {why}")
    design = [f"by design ({plan.overlap}), {what}: {listed(pairs)}" for what, pairs in found.items()]
    partly = parts(chosen.train, test)
    return (*chosen.notes(), *design, *([f"in part, trained on and tested on: {listed(partly)}"] if partly else []))


def _test_sets(plan: RunPlan, resources: Resources, notes: list[str]) -> tuple[tuple[ImageSet, ...], dict[str, str]]:
    """The test sets that can be had, and by title why the others cannot."""
    sets: list[ImageSet] = []
    missing: dict[str, str] = {}
    fetch = []
    for name in plan.test:
        images = resources.images(name)
        if isinstance(images, Absent):
            missing[datasets()[name.lower()].title] = images.reason
            fetch.append(images.fetch)
        else:
            sets.append(images)
    if not sets:
        raise NotAtHand(
            f"none of the test sets of suite {plan.suite!r} is at hand: converse data fetch {' '.join(fetch)}, "
            "or name a folder that has them: --data-dir DIR"
        )
    apart, twice = told_apart(sets)
    notes += twice
    return tuple(images.first(plan.images) if plan.images else images for images in apart), missing


def _metrics(plan: RunPlan, resources: Resources) -> tuple[Metric, ...]:
    task = TASKS[plan.task]
    return tuple(metrics_for(task.psnr_colour, task.border, METRICS, resources.backbone(fetch=False)))


def _needed(thing: Thing | Absent) -> Thing:
    """What nothing can be done without."""
    if isinstance(thing, Absent):
        raise NotAtHand(f"{thing.reason}, or name a folder that has it: --data-dir DIR")
    return thing
