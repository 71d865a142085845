"""Ray as far as an engine asks it, played in this process: a task is carried out while its answer is waited for.

A machine plays one of another platform class by the name of its CPU. Like Ray, it keeps a task that may run on lost
machines alone for ever; whoever waits for nothing else fails.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from converse.experiments import trials
from converse.experiments.running import ray_cluster, ray_run
from converse.experiments.running.away import carry_out_away
from converse.experiments.running.machines import Machine, machine_part
from converse.experiments.running.ray_cluster import RayCluster
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.training.interruption import Stop

PATIENCE = 100  # times that something is waited for while nothing can run


@dataclass
class PlayedNode:
    """A machine of the cluster: the name of its CPU, how many it has, and whether it is there."""

    model: str
    cpus: int = 1
    alive: bool = True


@dataclass(eq=False)
class Task:
    """What was sent, and what became of it."""

    parcel: bytes
    attempt: int
    content: Mapping[str, Any]
    options: Mapping[str, Any]
    answer: Any = None

    @property
    def only_on(self) -> list[str] | None:
        """The machines that its label names; ``None`` where it may run on any."""
        strategy = self.options.get("scheduling_strategy")
        return None if strategy is None else list(strategy.hard[0].operator.values)


class PlayedRay:
    """In the place of the module.

    Args:
        nodes: the machines, by id.
        label: in which each has its id.
    """

    def __init__(self, nodes: dict[str, PlayedNode], label: str = "ray.io/node-id") -> None:
        self.machines, self._label = nodes, label
        self.tasks: list[Task] = []
        self.letters: list[tuple[int, str, Any]] = []
        self.before: Callable[[str, int], None] = lambda machine, number: None
        """Told before a task is carried out, on which machine, and the how many-th it is there, from 0."""
        self.idle: Callable[[int], None] = lambda times: None
        """Told that nothing can run, and how often in a row."""
        self._begun, self._idle = dict.fromkeys(nodes, 0), 0

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "Alive": one.alive, "Resources": {"CPU": one.cpus}, "Labels": {self._label: name}}
            for name, one in self.machines.items()
        ]

    def remote(self, **_: Any) -> Callable[[Any], Any]:
        return lambda _: self

    def options(self, **options: Any) -> Any:
        def send(parcel: bytes, attempt: int, content: Mapping[str, Any], _: Any) -> Task:
            self.tasks.append(Task(parcel, attempt, content, options))
            return self.tasks[-1]

        return type("Bound", (), {"remote": staticmethod(send)})

    def wait(self, tasks: Sequence[Task], **_: Any) -> tuple[list[Task], list[Task]]:
        if not any(task.answer for task in tasks):
            places = ((task, self._place_of(task)) for task in tasks)
            task, machine = next((pair for pair in places if pair[1] is not None), (tasks[0], None))
            if machine is not None:
                self._carry_out(task, machine)
            else:
                self._idle += 1
                assert self._idle < PATIENCE, "waits for ever for a machine that is gone"
                self.idle(self._idle)
        return [task for task in tasks if task.answer], [task for task in tasks if not task.answer]

    def get(self, task: Task) -> Any:
        if isinstance(task.answer, Exception):
            raise task.answer
        return task.answer

    def cancel(self, task: Task, **_: Any) -> None:
        from ray.exceptions import TaskCancelledError

        task.answer = TaskCancelledError()

    def put(self, data: bytes) -> bytes:
        return data

    def _place_of(self, task: Task) -> str | None:
        named = self.machines if task.only_on is None else task.only_on
        return next((name for name in named if self.machines[name].alive), None)

    def _carry_out(self, task: Task, machine: str) -> None:
        from ray.exceptions import NodeDiedError

        number, self._begun[machine] = self._begun.setdefault(machine, 0), self._begun.get(machine, 0) + 1
        self._idle = 0
        self.before(machine, number)
        if not self.machines[machine].alive:
            task.answer = NodeDiedError("its node died")
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trials, "cpu_model", lambda: self.machines[machine].model)
            task.answer = carry_out_away(
                pickle.loads(task.parcel),
                machine,
                fetch=task.content.get,
                send=lambda kind, told: self.letters.append((task.attempt, kind, told)),
                stop=Stop(),
            )


def played_cluster(patch: pytest.MonkeyPatch, ray: PlayedRay, options: RayOptions | None = None) -> RayCluster:
    """An engine on machines that are played, which looks at them at each turn."""

    def survey(_: Any, nodes: Sequence[Mapping[str, Any]], device: str) -> dict[str, Machine]:
        of = {"device": device, "torch": machine_part("cpu")["torch"]}
        return {
            name: Machine(name, {**of, "model": ray.machines[name].model}, ray.machines[name].cpus, 0)
            for name in (node["NodeID"] for node in nodes)
        }

    def letters(_: RayCluster) -> list[tuple[int, str, Any]]:
        found, ray.letters = ray.letters, []
        return found

    patch.setattr(ray_cluster, "_survey", survey)
    patch.setattr(ray_cluster, "_NODES", 0.0)
    patch.setattr(ray_run, "_GROWTH", 0.0)
    patch.setattr(RayCluster, "_make_mailbox", lambda _: None)
    patch.setattr(RayCluster, "letters", letters)
    return RayCluster(ray, options or RayOptions(), "cpu")
