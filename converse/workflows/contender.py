"""The operator of a comparison: what is known of it before anything is trained, and the widths that make it fair."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from converse.counted import counted
from converse.data.catalogue import sha256_of
from converse.errors import OptionError
from converse.experiments.devices import resolve_device
from converse.experiments.running.watched import option_names, width_for
from converse.experiments.suites.compared import REVERSE, WIDTH, Contender
from converse.experiments.suites.operator_names import Named, named
from converse.experiments.suites.user_operators import operator_file
from converse.experiments.trials import ID_LENGTH, canonical_json, platform_class
from converse.workflows.compare_kept import Kept
from converse.workflows.compare_request import ComparedRun, CompareRequest


def examined(request: CompareRequest) -> Contender:
    """The operator, as far as it can be known without a network around it; its code is run in a process of its own.

    Args:
        request: that names it.

    Raises:
        OptionError: there is no such operator, it cannot be imported, or seeds are not as they must be.
    """
    _check(request)
    for task, suite in request.suites().items():
        _check_seeds(request, request.runs(suite, task, Contender(Named("conv")), None))
    chosen = named(request.operator)
    learns = ":" in chosen.operator and "lam_offset" in option_names(chosen.operator, limit=request.trial_timeout)
    return Contender(chosen, learns_lambda=learns, other_seeds=request.other_seeds)


def _check(request: CompareRequest) -> None:
    seeds, others = request.seeds, request.other_seeds
    if not request.bound > 0:
        raise OptionError(f"--equivalence must be above 0 dB, got {request.bound:g}")
    if others is not None and (seeds is None or len(seeds) != len(others)):
        came = "none" if seeds is None else str(len(seeds))
        raise OptionError(
            f"--against-seeds names {counted(len(others), 'seed')}, and --seeds {came}: they are paired in order, so "
            "that both name as many: --seeds 0-4 --against-seeds 5-9"
        )


def _check_seeds(request: CompareRequest, asked: ComparedRun) -> None:
    """Before hours go into a tuning whose seeds the comparison has."""
    made = asked.written(networks=False)
    spent = made.budget(asked.budget_of(made))
    wanted = {*(request.seeds or spent.seeds or made.seeds), *(request.other_seeds or ())}
    if request.tuned and (both := wanted & set(made.tuning.seeds)):
        raise OptionError(
            f"seed {min(both)} is one of the tuning's, and settings that it chose would be best for it: other --seeds"
        )


def fingerprint(contender: Contender) -> str:
    """A hash of the operator's name, its options and what is in its file."""
    file = operator_file(contender.operator)
    said = [contender.named.short, sha256_of(file) if file else None]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:ID_LENGTH]


def with_widths(
    request: CompareRequest, contender: Contender, task: str, suite: str, *, keep: bool = True
) -> Contender:
    """The operator with the widths that are asked for: those that were found before, or new ones.

    A time that was taken once counts ever after, so that the same command goes on with the same networks.

    Args:
        request: what is asked for.
        contender: the operator.
        task: of which.
        suite: of the task.
        keep: write down what is found.

    Raises:
        ConverseError: a network cannot be built or evaluated, or the file cannot be written.
    """
    if request.match is None:
        return contender
    asked = request.runs(suite, task, replace(contender, other_seeds=None), None)
    made = asked.written()
    plans = {made.names[plan.entry]: plan for plan in asked.plans(made)}
    base, threads = plans[REVERSE], asked.cpu_threads
    found = {
        "match": request.match,
        "networks": {name: plan.configuration() for name, plan in plans.items()},
        "operator": fingerprint(contender),
        "platform": platform_class(resolve_device(request.device), threads=threads) if request.match == "time" else "",
    }
    basis = hashlib.sha256(canonical_json(found).encode()).hexdigest()[:ID_LENGTH]
    kept = Kept(request.folder(contender))
    widths = kept.widths(task, basis)
    if widths is None:
        looked_for = {
            name: width_for(plan, base, request.match, request.device, threads, limit=request.trial_timeout).width
            for name, plan in plans.items()
            if (plan.operator, plan.options) != (base.operator, base.options)
        }
        widths = {name: width for name, width in looked_for.items() if width != plans[name].options.get(WIDTH)}
        if keep:
            kept.keep_widths(task, basis, widths)
    return replace(contender, widths=widths)
