"""The commands of a plan, and what they download: found by names alone, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from converse.data.catalogue import Dataset, datasets
from converse.data.resources import Resources
from converse.data.tasks import TASKS
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.plans import RunPlan
from converse.nn.released_weights import RELEASED
from converse.workflows.run_request import RunRequest


def released_plans(plans: Sequence[RunPlan]) -> list[RunPlan]:
    """The rows of the published table that released weights give, unless the suite has them itself.

    Args:
        plans: of a suite.
    """
    published = {one.published for one in plans} - {one.released for one in plans}
    found = [one for one in RELEASED.values() if one.task == plans[0].task and one.entry in published]
    return [
        replace(
            plans[0],
            entry=one.entry,
            model=one.model,
            operator=one.operator,
            options=dict(one.options),
            released=one.entry,
            seed=None,
            train=(),
            validation=None,
        )
        for one in found
    ]


def reproducing(request: RunRequest, released: Sequence[RunPlan]) -> CommandLine:
    """What measures those rows.

    Args:
        request: for the suite: its test sets and its place.
        released: from :func:`released_plans`, at least one.
    """
    task = released[0].task
    every = {one.entry for one in RELEASED.values() if one.task == task} == {one.entry for one in released}
    return CommandLine("reproduce", task).changed(
        only=None if every else tuple(one.entry for one in released),
        datasets=request.datasets,
        images=request.images,
        **request.place(),
    )


def missing(plans: Sequence[RunPlan], resources: Resources) -> list[Dataset]:
    """What of the catalogue the plans need and is not here."""
    names = [name for one in plans for name in (*one.train, *one.test)]
    names += [one.validation.dataset for one in plans if one.validation is not None and one.validation.dataset]
    names += [RELEASED[one.released].dataset for one in plans if one.released]
    names += ["blur_kernels"] if any(TASKS[one.task].cases for one in plans) else []
    known = dict.fromkeys(name.lower() for name in names if name.lower() in datasets())
    return [datasets()[name] for name in known if not resources.here(name)]
