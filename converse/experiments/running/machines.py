"""Machines of a cluster, by platform class; and on which of them each trial runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from converse import __version__
from converse.experiments.provenance import code_hash
from converse.experiments.store.state import PROGRESS, State
from converse.experiments.trials import Trial, canonical_json, platform_class

MACHINE: Final = ("device", "model", "torch", "threads")
"""What of a platform class is the machine's; the rest is the trial's own."""


@dataclass(frozen=True)
class Machine:
    """One machine.

    Attributes:
        id: that the cluster gave it.
        platform: device, model and torch of the platform class.
        cpus: CPUs for trials.
        gpus: GPUs for trials.
    """

    id: str
    platform: Mapping[str, Any]
    cpus: float
    gpus: float

    def slots(self, cpus: int, gpus: float) -> int:
        """How many trials run on it at the same time.

        Args:
            cpus: of each.
            gpus: of each, or a fraction; 0 on a CPU.
        """
        by_cpu = int(self.cpus // cpus)
        return min(by_cpu, int(self.gpus / gpus + 1e-9)) if gpus else by_cpu


@dataclass(frozen=True)
class MachineClass:
    """Machines of one platform class.

    Attributes:
        platform: device, model and torch.
        machines: ids of those that are there.
        slots: how many trials run on them at the same time.
    """

    platform: Mapping[str, Any]
    machines: tuple[str, ...]
    slots: int

    def __str__(self) -> str:
        return f"{self.platform['model']} with torch {self.platform['torch']}"


def machine_part(device: str) -> dict[str, Any]:
    """Device, model and torch of the machine on which this runs.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    whole = platform_class(device, threads=1)
    return {name: whole[name] for name in MACHINE if name != "threads"}


def what_am_i(device: str) -> tuple[str, str, dict[str, Any]]:
    """What a machine says of itself when it is asked: version and hash of this package, and :func:`machine_part`.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    return __version__, code_hash(), machine_part(device)


@dataclass(frozen=True)
class Stored:
    """What a store has of trials that are asked for.

    Attributes:
        state: of a trial, by its id.
        whole: whether one that is done has all that is asked for: the id that is asked for, and the id in the store,
            which is that of the same trial on some platform class.
    """

    state: Callable[[str], State]
    whole: Callable[[str, str], bool]


def classes_of(
    machines: Iterable[Machine], there: Collection[str], cpus: int, gpus: float, first: Mapping[str, Any]
) -> tuple[MachineClass, ...]:
    """Machines by platform class; a class of which none is left stays, and runs nothing.

    Args:
        machines: of a cluster, with those that were lost.
        there: ids of those that are there.
        cpus: of each trial.
        gpus: of each trial.
        first: the class that comes first, if there were machines of it; otherwise that which runs most at once.
    """
    by_class: dict[str, list[Machine]] = {}
    for machine in machines:
        by_class.setdefault(canonical_json(dict(machine.platform)), []).append(machine)
    found = [
        MachineClass(
            members[0].platform,
            tuple(member.id for member in members if member.id in there),
            sum(member.slots(cpus, gpus) for member in members if member.id in there),
        )
        for members in by_class.values()
    ]
    return tuple(sorted(found, key=lambda one: (one.platform != first, -one.slots, canonical_json(dict(one.platform)))))


def deal(trials: Sequence[Trial], classes: Sequence[MachineClass], stored: Stored) -> dict[str, MachineClass]:
    """Decide on which platform class each trial runs.

    What was done or begun on one stays there. All other trials of one seed go to the same class, for entries are
    compared seed by seed; each seed goes where it will be finished first, by the number of trials alone.

    Args:
        trials: of any of the classes.
        classes: those that there are, the first for what has no seed.
        stored: what the store has of them; where no machine is left, only what is whole can stay.

    Returns:
        The trial's id as it came → its class.
    """
    able = [one for one in classes if one.slots] or list(classes)
    load = [0.0] * len(able)
    by_seed: dict[int | None, list[Trial]] = {}
    for trial in trials:
        by_seed.setdefault(trial.seed, []).append(trial)
    dealt: dict[str, MachineClass] = {}
    for seed, members in by_seed.items():
        finished = [(load[at] + len(members)) / max(1, one.slots) for at, one in enumerate(able)]
        at = 0 if seed is None else finished.index(min(finished))
        load[at] += len(members)
        for trial in members:
            ids = [trial.moved(on(one, trial)).id for one in classes]
            progress = [PROGRESS[stored.state(there)] for there in ids]
            furthest = max(progress)
            first = progress.index(furthest)
            begun = classes[first]
            usable = begun.slots or (furthest == PROGRESS["done"] and stored.whole(trial.id, ids[first]))
            dealt[trial.id] = begun if furthest and usable else able[at]
    return dealt


def on(one: MachineClass, trial: Trial) -> dict[str, Any]:
    """What of a trial's platform class changes on machines of a class; threads are told of on a CPU alone."""
    threads = trial.platform.get("threads") if one.platform["device"] == "cpu" else None
    return {**one.platform, "threads": threads}
