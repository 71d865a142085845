"""A check as the answer that its outputs say, and the crops of its worst images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from converse import __version__
from converse.data.resources import Resources
from converse.experiments.provenance import provenance
from converse.experiments.store import Store
from converse.experiments.suites.operator_names import REGISTERED
from converse.reporting.gate.answer import Answer
from converse.workflows.check_request import gate_run

if TYPE_CHECKING:
    from converse.experiments.suites.plans import RunPlan
    from converse.reporting.figure import Figure
    from converse.reporting.report import Missing
    from converse.workflows.check import Check


def answer(done: Check) -> Answer:
    """What a check came to, with what its readers must know of it.

    Args:
        done: any.

    Returns:
        Findings, where they were found, and the command that asks for the same.
    """
    request = done.request
    line = request.line()
    if request.taken_from is not None:
        line = line.changed(**{"from": str(request.taken_from)})
    return Answer(
        baseline=str(request.baseline) if request.against is None else f"{request.against} on this machine",
        findings=done.findings,
        facts=tuple((name, text) for name, text in _facts(done) if text),
        notes=done.notes,
        command=str(line),
    )


def worst(done: Check, found: Answer) -> Iterator[Figure | Missing]:
    """Crops of the images that are worst, from the networks of the check's store.

    Args:
        done: whose store is still there.
        found: its answer.

    Yields:
        Figures, or why there is none.
    """
    from converse.reporting.gate.worst import worst_images
    from converse.reporting.inputs.material import gather
    from converse.reporting.inputs.networks import Networks

    if not any(finding.image for finding in found.grave):
        return
    request = done.request
    plans: list[RunPlan] = []
    if done.baseline.suite is not None:
        run = gate_run(request, done.baseline, done.store)
        plans = run.plans(run.read(networks=False))
    # A store that was named with --from may be anybody's: no code runs because it is named there.
    own = {} if request.taken_from is not None else _own(plans)
    networks = Networks(Resources(request.data_dir, fetch=False), own=own)
    places = {Path(name).name: name for plan in plans for name in plan.test if Path(name).is_dir()}
    yield from worst_images(found.grave, gather([Store(done.store, create=False)]), networks, places)


def _own(plans: list[RunPlan]) -> dict[str, str]:
    named = {str(plan.configuration()["operator"]): plan.operator for plan in plans if plan.operator is not None}
    return {short: operator for short, operator in named.items() if operator not in REGISTERED}


def _facts(done: Check) -> Iterator[tuple[str, str]]:
    request, baseline = done.request, done.baseline
    here = provenance(baseline.platform.device)
    torch = f"torch {here['versions'].get('torch', 'of an unknown version')}"
    commit = f", commit {here['commit'][:12]}{' with changes' if here['dirty'] else ''}" if here["commit"] else ""
    yield "What", f"suite {baseline.suite}, {baseline.budget}" if baseline.suite else f"task {baseline.task}"
    yield "Operator", request.operator or baseline.operator or ""
    yield "Entries", ", ".join(request.entries or ())
    if request.against is None:
        yield "Baseline of", f"{baseline.platform.model}, torch {baseline.platform.versions.get('torch', 'unknown')}"
    yield "Here", f"{here['gpu'] or here['cpu'] or 'an unknown processor'}, {torch}"
    yield "converse", f"{__version__}{commit}"
    yield "Trials", str(done.store) if done.kept else ""
