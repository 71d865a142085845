"""With how many threads a request goes on, and what is in the store that was made on another kind of machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from converse.counted import agreeing, counted
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import StoredRequest
from converse.experiments.store.state import State
from converse.experiments.store.twins import NUMERICS, twins
from converse.experiments.suites.plans import RunPlan
from converse.experiments.trials import Trial
from converse.workflows.request import Request
from converse.workflows.work import Work

if TYPE_CHECKING:
    from converse.experiments.running.torch_settings import TorchSettings

_SETTLED: Final[tuple[State, ...]] = ("done", "failed")


@dataclass(frozen=True)
class Choice:
    """With how many threads a request is carried out.

    Attributes:
        threads: CPU threads.
        notes: what the user should know before anything is computed.
    """

    threads: int
    notes: tuple[str, ...] = ()


def choose(planned: Sequence[Trial], folders: Iterable[TrialFolder], threads: int, *, given: bool) -> Choice:
    """Choose the threads, and say what this machine would compute anew.

    Who names no number goes on with that of trials which answer the request already, or were begun: first those that
    all are there, then this machine's own, then those that another number began.

    Args:
        planned: the trials that answer the request with this machine's number of threads.
        folders: all trials of the store; their descriptions are read only where something is left to do.
        threads: this machine's number, or the one that was asked for.
        given: whether the user asked for it.

    Returns:
        The number, and notes: one for each way in which trials of the store differ from those that would be computed.
    """
    listed, wanted = list(folders), {trial.id for trial in planned}
    own = {folder.id: folder.status().state for folder in listed if folder.id in wanted}
    left = {trial for trial in wanted if own.get(trial) not in _SETTLED}
    if not left:
        return Choice(threads)
    ways: dict[tuple[tuple[str, Any, Any], ...], dict[str, State]] = {}
    for twin in twins(planned, listed):
        way = tuple((name, *pair) for name, pair in twin.differences.items())
        ways.setdefault(way, {})[twin.planned] = twin.folder.status().state
    verb = "measure" if all(trial.source == "released" for trial in planned) else "train"
    if not given:
        other = _other_threads({way[0][1]: states for way, states in ways.items() if _threads_alone(way)}, planned, own)
        if other is not None:
            states = next(found for way, found in ways.items() if _threads_alone(way) and way[0][1] == other)
            return Choice(other, (goes_on(Counter(states.values()), len(planned), other, threads, verb),))
    notes = []
    for way, states in ways.items():
        done = sum(state == "done" for trial, state in states.items() if trial in left)
        if done:
            notes.append(_anew(way, done, len(planned), verb))
    return Choice(threads, tuple(notes))


def on_threads(
    request: Request, work: Work, here: TorchSettings, folders: Iterable[TrialFolder]
) -> tuple[Work, TorchSettings, tuple[str, ...]]:
    """The work with the threads that it goes on with, torch set to them, and what the user should know.

    Args:
        request: what was asked for.
        work: with this machine's number of threads.
        here: how torch is set.
        folders: all trials of the store.
    """
    moved = [job.trial for job in work.jobs if not job.trial.anywhere]
    chosen = choose(moved, folders, here.threads, given=request.threads is not None)
    return work.with_threads(chosen.threads), here.with_threads(chosen.threads), chosen.notes


def goes_on(states: Mapping[str, int], whole: int, threads: int, here: int, verb: str) -> str:
    """Say that a request goes on with another number of threads than this machine's.

    Args:
        states: how many of its trials are in which state with that number.
        whole: how many trials it has.
        threads: the number.
        here: this machine's.
        verb: what would be done anew: ``train`` or ``measure``.
    """
    done, failed = states.get("done", 0), states.get("failed", 0)
    begun = sum(states.values()) - done - failed
    said = ", ".join(
        f"{count} {word}" for count, word in ((done, "done"), (failed, "failed"), (begun, "begun")) if count
    )
    return (
        f"of {counted(whole, 'trial')} {said} with {_words('threads', threads)}: this run "
        f"{'goes on with' if begun else 'uses'} these, as --threads {threads} does; --threads {here} would {verb} anew"
    )


def requested_threads(notes: Iterable[StoredRequest], plans: Iterable[RunPlan]) -> list[int]:
    """The numbers of threads with which the suite of these plans was asked for under their budget, the newest first."""
    wanted = {(plan.suite, plan.budget) for plan in plans}
    lines = (one.request for one in notes if (one.suite, one.budget) in wanted and one.request)
    found = (line.options.get("threads") for line in lines)
    return list(dict.fromkeys(number for number in found if isinstance(number, int)))


def _threads_alone(way: tuple[tuple[str, Any, Any], ...]) -> bool:
    return len(way) == 1 and way[0][0] == "threads"


def _other_threads(
    kept: Mapping[int, Mapping[str, State]], planned: Sequence[Trial], own: Mapping[str, State]
) -> int | None:
    """The number with which the request goes on, where it is not this machine's."""
    best = sorted(kept, key=lambda number: (-sum(state == "done" for state in kept[number].values()), number))
    for number in best:
        if all(kept[number].get(trial.id) in _SETTLED for trial in planned):
            return number
    if any(state != "failed" for state in own.values()):
        return None
    return next((number for number in best if any(state not in _SETTLED for state in kept[number].values())), None)


def _anew(way: tuple[tuple[str, Any, Any], ...], done: int, whole: int, verb: str) -> str:
    names = {name for name, _, _ in way}
    there, here = (
        ", ".join(_words(name, pair[side]) for name, *pair in way if pair[side] is not None) for side in (0, 1)
    )
    them = agreeing(done, "it", "them")
    said = (
        f"{counted(done, 'trial', of=whole)} {agreeing(done, 'is', 'are')} done with {there}; this run would {verb} "
        f"{them} anew with {here}"
    )
    if _threads_alone(way):
        return f"{said}: --threads {way[0][1]} uses {them}"
    if names == {"torch"}:
        return f"{said}: an environment with {there} uses {them}"
    return said


def _words(name: str, value: Any) -> str:
    if name == "threads":
        return counted(value, "thread")
    if name in ("model", "device", "precision"):
        return str(value)
    if name == "deterministic":
        return "deterministic algorithms" if value else "algorithms that need not be deterministic"
    return f"numerics version {value}" if name == NUMERICS else f"{name} {value}"
