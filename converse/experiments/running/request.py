"""The note that a request leaves in the store, made from what is about to be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.requests import RequestedEntry, RequestedSet, Standard, StoredRequest
from converse.experiments.store.state import now
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import Suite
from converse.experiments.suites.tuning import label

RELEASED_SUITE: Final = "reproduce"
"""Stands in notes and plans for the suite, where the released networks were asked for."""


def stored_request(
    suite: Suite,
    plans: Iterable[RunPlan],
    trials: Iterable[tuple[str, str, int | None]],
    *,
    missing: Mapping[str, str],
    request: CommandLine,
    sets: Iterable[RequestedSet] = (),
    full_size: Mapping[str, bool] | None = None,
    data_notes: Iterable[str] = (),
) -> StoredRequest:
    """The note about a request.

    Args:
        suite: what was run.
        plans: of it, those that were asked for.
        trials: id, entry and seed of each.
        missing: test set → why it is not measured.
        request: the command line that asks for the same.
        sets: the test sets, with what is in them.
        full_size: entry → whether its network is as the suite describes it, where that was looked at before.
        data_notes: what there is to say of entries that the budget leaves out, and of images that are trained on and
            tested on.

    Returns:
        The note, with this moment as its time.
    """
    listed = list(plans)
    entries = {plan.entry: _entry(plan, suite) for plan in listed}
    base = next((plan.variation.base for plan in listed if plan.variation), None)
    return StoredRequest(
        suite=suite.name,
        title=suite.title,
        description=suite.description,
        task=suite.task,
        budget=listed[0].budget if listed else "",
        base=base,
        entries=tuple(entries.values()),
        trials=tuple(trials),
        contrasts=suite.contrasts(entries),
        missing=dict(missing),
        command=str(request),
        time=now(),
        request=request,
        sets=tuple(sets),
        standard=standard(suite, full_sizes(suite, listed) if full_size is None else full_size),
        tunes={plan.entry: plan.point.entry for plan in listed if plan.point is not None},
        data_notes=tuple(data_notes),
    )


def full_sizes(suite: Suite, plans: Iterable[RunPlan]) -> dict[str, bool]:
    """Entry → whether its network is as the suite describes it; loads torch where a budget sets options."""
    return {entry: suite.full_size(plan) for entry, plan in {plan.entry: plan for plan in plans}.items()}


def standard(suite: Suite, full_size: Mapping[str, bool]) -> Standard:
    """What a suite asks of these entries before they may judge the paper."""
    baselines = {entry: one for entry, one in suite.baselines.items() if entry in full_size}
    return Standard(baselines, suite.baseline_within, dict(full_size))


def stored_released_request(
    task: str,
    plans: Iterable[RunPlan],
    trials: Iterable[tuple[str, str, int | None]],
    *,
    request: CommandLine,
    sets: Iterable[RequestedSet] = (),
) -> StoredRequest:
    """The note about a request for released networks, which are of no suite.

    Args:
        task: of all of them.
        plans: one for each network.
        trials: id, entry and seed of each.
        request: the command line that asks for the same.
        sets: the test sets, with what is in them.

    Returns:
        The note, with this moment as its time.
    """
    return StoredRequest(
        suite=RELEASED_SUITE,
        title="Released weights",
        description="The released networks on the test sets of the paper's table, or on those that were named.",
        task=task,
        budget="",
        base=None,
        entries=tuple(
            RequestedEntry(plan.entry, plan.entry, published=(task, plan.entry), released=True) for plan in plans
        ),
        trials=tuple(trials),
        command=str(request),
        time=now(),
        request=request,
        sets=tuple(sets),
    )


def _entry(plan: RunPlan, suite: Suite) -> RequestedEntry:
    variation, place = plan.variation, suite.published_place(plan.entry)
    if plan.point is not None:
        return RequestedEntry(plan.entry, label(plan.point.settings), dict(plan.point.settings))
    if variation is None:
        return RequestedEntry(plan.entry, plan.entry, published=place, released=plan.released is not None)
    return RequestedEntry(plan.entry, variation.label, dict(variation.changes), place)
