"""Trials whose operator is a user's, and trials with a time limit: each in a process of its own, watched from here.

Such an operator may end its process, hang in it or print; a trial is then a failure on record, and the others go on.
What trains loads where it is used: who counts what a trial takes does without.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from converse.errors import ConverseError, ConverseWarning, OptionError
from converse.experiments.devices import OUT_OF_MEMORY, is_out_of_memory, limited, most_of_memory
from converse.experiments.evaluation.costs import multiply_adds, output_shapes
from converse.experiments.running.apart import Ended, Result, Tell, Work, apart
from converse.experiments.running.estimates import Estimate, estimate
from converse.experiments.running.jobs import Job
from converse.experiments.running.torch_settings import TorchSettings, torch_settings
from converse.experiments.store.folder import TrialFolder
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.user_operators import operator_class
from converse.experiments.training.interruption import Stop
from converse.experiments.trials import canonical_json

if TYPE_CHECKING:
    from converse.experiments.running.execute import Report
    from converse.experiments.running.outcomes import Outcome
    from converse.experiments.running.widths import Cost, Width

REHEARSAL_LIMIT: Final = 300.0
"""Seconds for the rehearsal of a network where trials have no time limit."""


def brings_code(job: Job) -> bool:
    """Whether the trial runs code of a user's."""
    return job.plan.released is None and ":" in (job.plan.operator or "")


def execute_watched(
    job: Job,
    folder: TrialFolder,
    here: TorchSettings,
    *,
    limit: float | None = None,
    memory: int | None = None,
    retry_failed: bool = False,
    stop: Stop | None = None,
    report: Report = lambda what, done, total, upcoming: None,
) -> Outcome:
    """Carry out one trial as :func:`converse.experiments.running.execute.execute` does, in a process of its own.

    Args:
        job: the trial.
        folder: its folder.
        here: how torch is set.
        limit: seconds for this attempt; ``None`` for no limit.
        memory: bytes that it may take on a CPU; ``None`` for most of what is free when it begins.
        retry_failed: run a failed trial again.
        stop: tells the process to stop after its step or image.
        report: progress.

    Returns:
        What became of it. A process that ended without a word, or took too long, makes a failed trial.

    Raises:
        Busy: another process works on the trial.
        ConverseError: a mistake that the user can correct; finished work is kept.
        KeyboardInterrupt: it was stopped; finished work is kept.
    """
    from converse.experiments.running.outcomes import earlier

    with folder.lock(wait=False):
        if before := earlier(job, folder, retry_failed=retry_failed):
            return before
    work = partial(_execute, job, folder.path, here.device, here.threads, retry_failed, memory)
    try:
        return apart(work, limit=limit, tell=report, stop=stop)
    except Ended as ended:
        return record(ended, folder)
    except (RuntimeError, MemoryError) as error:  # not even memory to write down what happened
        if not is_out_of_memory(error):
            raise
        return record(
            Ended(OUT_OF_MEMORY, "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])),
            folder,
        )


def record(ended: Ended, folder: TrialFolder) -> Outcome:
    """Write down that a trial's process ended without a word, or took too long.

    Raises:
        Busy: another process has taken the trial up meanwhile.
        StoreError: it could not be written.
    """
    from converse.experiments.running.outcomes import Outcome

    with folder.lock(wait=False):
        if folder.status().state == "planned":
            folder.set_status("running")
        folder.write_failure(ended.reason, ended.trace)
    return Outcome("failed", True, ended.reason)


def rehearsed(
    jobs: Iterable[Job],
    here: TorchSettings,
    *,
    limit: float | None = None,
    stop: Stop | None = None,
    tell: Callable[[Job], None] = lambda job: None,
) -> dict[str, Ended]:
    """Try each network with code of a user's once, in a process of its own.

    Args:
        jobs: those that are about to be trained.
        here: how torch will be set.
        limit: seconds for each; ``None`` for :data:`REHEARSAL_LIMIT`.
        stop: asked meanwhile.
        tell: told which is tried.

    Returns:
        The ids of trials whose network ended its process or took too long, each with what is known of that.

    Raises:
        OptionError: a network cannot be built, trained, kept or evaluated.
        KeyboardInterrupt: it was stopped.
    """
    ended_early: dict[str, Ended] = {}
    tried: dict[tuple[str | None, str | None, str], Ended | None] = {}
    for job in jobs:
        if not brings_code(job):
            continue
        trial, plan = job.trial, job.plan
        network = plan.operator, trial.operator_file, trained_alike(plan)
        if network not in tried:
            tell(job)
            tried[network] = _rehearse(job, here, limit, stop)
            if stop is not None:
                stop.check()
        if ended := tried[network]:
            ended_early[trial.id] = ended
    return ended_early


def trained_alike(plan: RunPlan) -> str:
    """What trials have in common of which one is tried or counted for all: everything but seeds and learning rates.

    Args:
        plan: of one of them.
    """
    configuration = plan.configuration()
    training = configuration.get("training") or {}
    return canonical_json(
        {
            **configuration,
            "released": plan.released,
            "training": {name: value for name, value in training.items() if name not in ("lr", "final_lr")},
        }
    )


def counted(plans: Iterable[RunPlan], threads: int, *, limit: float | None = None) -> dict[str, float]:
    """As :func:`converse.experiments.evaluation.costs.multiply_adds`, code of a user's in processes of their own."""
    plans = list(plans)
    counts = multiply_adds(plan for plan in plans if ":" not in (plan.operator or ""))
    own = {plan.entry: plan for plan in plans if ":" in (plan.operator or "")}
    for plan in own.values():
        with contextlib.suppress(Ended):
            counts |= apart(partial(_count, plan, threads), limit=limit or REHEARSAL_LIMIT)
    return counts


def shaped(plans: Iterable[RunPlan], threads: int, *, limit: float | None = None) -> dict[str, tuple[int, ...]]:
    """As :func:`converse.experiments.evaluation.costs.output_shapes`, code of a user's in processes of their own."""
    plans = list(plans)
    shapes = output_shapes(plan for plan in plans if ":" not in (plan.operator or ""))
    own = {plan.entry: plan for plan in plans if ":" in (plan.operator or "")}
    for entry, plan in own.items():
        shapes[entry] = ()
        with contextlib.suppress(Ended):
            shapes |= apart(partial(_shape, plan, threads), limit=limit or REHEARSAL_LIMIT)
    return shapes


def estimated(plan: RunPlan, threads: int, *, limit: float | None = None) -> Estimate:
    """As :func:`converse.experiments.running.estimates.estimate`, code of a user's in a process of its own.

    Raises:
        OptionError: the network cannot be built, or its process ended.
    """
    if ":" not in (plan.operator or ""):
        return estimate(plan)
    try:
        return apart(partial(_estimate, plan, threads), limit=limit or REHEARSAL_LIMIT)
    except Ended as ended:
        raise OptionError(f"entry {plan.entry!r}: {ended.reason}, when it was tried") from ended


def loaded(operator: str, *, limit: float | None = None) -> None:
    """Import a user's operator once, in a process of its own.

    Args:
        operator: as :func:`converse.experiments.suites.user_operators.operator_class` takes it.
        limit: seconds; ``None`` for :data:`REHEARSAL_LIMIT`.

    Raises:
        OptionError: there is none, it cannot be imported, or its file ends the process or takes too long.
    """
    where = operator.rpartition(":")[0]
    if not where or (where.endswith(".py") and not Path(where).is_file()):
        operator_class(operator)  # runs no code of a user's
        return
    _asked(operator, partial(_load, operator), limit)


def _asked(operator: str, work: Work[Result], limit: float | None) -> Result:
    try:
        return apart(work, limit=limit or REHEARSAL_LIMIT)
    except Ended as ended:
        where = operator.rpartition(":")[0]
        raise OptionError(f"{where} cannot be imported: {ended.reason}") from ended


def option_names(operator: str, *, limit: float | None = None) -> tuple[str, ...]:
    """The names of a user's operator's arguments, of which it is asked once, in a process of its own.

    Args:
        operator: as :func:`converse.experiments.suites.user_operators.operator_class` takes it.
        limit: seconds; ``None`` for :data:`REHEARSAL_LIMIT`.

    Raises:
        OptionError: as :func:`loaded`.
    """
    return _asked(operator, partial(_options, operator), limit)


def width_for(
    plan: RunPlan, base: RunPlan, what: Cost, device: str, threads: int, *, limit: float | None = None
) -> Width:
    """As :func:`converse.experiments.running.widths.matched_width`, in a process of its own.

    Args:
        plan: whose width is looked for.
        base: what it shall cost as much as.
        what: which cost.
        device: as :func:`converse.experiments.devices.resolve_device` takes it.
        threads: CPU threads.
        limit: seconds; ``None`` for :data:`REHEARSAL_LIMIT`.

    Raises:
        OptionError: a network cannot be built or evaluated, or its process ended.
    """
    try:
        return apart(partial(_width, plan, base, what, device, threads), limit=limit or REHEARSAL_LIMIT)
    except Ended as ended:
        raise OptionError(f"entry {plan.entry!r}: {ended.reason}, when its width was looked for") from ended


def _load(operator: str, *, tell: Tell, stop: Stop) -> None:
    operator_class(operator)


def _options(operator: str, *, tell: Tell, stop: Stop) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(operator_class(operator)).parameters)
    except (TypeError, ValueError):  # what is written in C
        return ()


def _width(plan: RunPlan, base: RunPlan, what: Cost, device: str, threads: int, *, tell: Tell, stop: Stop) -> Width:
    from converse.experiments.running.widths import matched_width

    with torch_settings(device, threads) as here:
        try:
            return matched_width(plan, base, what, here.device)
        except ConverseError as error:
            raise OptionError(f"entry {plan.entry!r}: {error}") from error


def _rehearse(job: Job, here: TorchSettings, limit: float | None, stop: Stop | None) -> Ended | None:
    limit = REHEARSAL_LIMIT if limit is None else limit
    try:
        sentences = apart(partial(_rehearse_here, job, here.device, here.threads), limit=limit, stop=stop)
    except Ended as ended:
        return Ended(f"{ended.reason}, when it was tried before training", ended.trace)
    for sentence in sentences:
        warnings.warn(ConverseWarning(sentence), stacklevel=2)
    return None


def _rehearse_here(job: Job, device: str, threads: int, *, tell: Tell, stop: Stop) -> tuple[str, ...]:
    from converse.experiments.running.rehearsal import rehearse

    with torch_settings(device, threads) as here, limited(most_of_memory(here.device)):
        return rehearse(job, here.device)


def _execute(
    job: Job,
    folder: Path,
    device: str,
    threads: int,
    retry_failed: bool,
    memory: int | None,
    *,
    tell: Tell,
    stop: Stop,
) -> Outcome:
    from converse.experiments.running.execute import execute

    with torch_settings(device, threads) as here, limited(memory or most_of_memory(here.device)):
        return execute(job, TrialFolder(folder), here, retry_failed=retry_failed, stop=stop, report=tell)


def _count(plan: RunPlan, threads: int, *, tell: Tell, stop: Stop) -> dict[str, float]:
    with torch_settings("cpu", threads, deterministic=False):
        return multiply_adds([plan])


def _shape(plan: RunPlan, threads: int, *, tell: Tell, stop: Stop) -> dict[str, tuple[int, ...]]:
    with torch_settings("cpu", threads):
        return output_shapes([plan])


def _estimate(plan: RunPlan, threads: int, *, tell: Tell, stop: Stop) -> Estimate:
    with torch_settings("cpu", threads, deterministic=False):
        try:
            return estimate(plan)
        except ConverseError as error:
            raise OptionError(f"entry {plan.entry!r}: {error}") from error
