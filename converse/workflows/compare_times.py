"""Time and memory of the networks of a comparison, in turns: one image, and one step of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from converse.data.tasks import TASKS
from converse.experiments.devices import resolve_device
from converse.experiments.speed.cases import Case, Subject
from converse.experiments.speed.suite import Group, SpeedBudget
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.compared import REVERSE, ComparedSuite
from converse.experiments.suites.plans import RunPlan
from converse.workflows.compare_request import ComparedRun
from converse.workflows.speed import Resolved, SpeedProgress, SpeedRequest, SpeedRun, speed
from converse.workflows.work import Progress

SIDE: Final = 128
"""Of the image, in pixels of the output: the size for which multiply-adds are counted too."""

_SPENT: Final = SpeedBudget()
_SPENT_BRIEFLY: Final = SpeedBudget(turns=3, turn_seconds=0.02, case_seconds=5.0)


@dataclass(frozen=True)
class NetworkTimes(SpeedRequest):
    """Times of the networks of a comparison.

    Attributes:
        measured: what is timed.
        line: what asks for the whole comparison.
    """

    measured: Resolved | None = None
    line: CommandLine | None = None

    def resolved(self) -> Resolved:
        """What is measured."""
        assert self.measured is not None
        return self.measured

    def command_line(self, budget: str, device: str) -> CommandLine:
        """What asks for the same."""
        assert self.line is not None
        return self.line


def network_times(
    asked: ComparedRun, made: ComparedSuite, plans: Sequence[RunPlan], progress: Callable[[Progress], None]
) -> SpeedRun:
    """Found in the store, or measured now.

    Args:
        asked: the request that trained them.
        made: the suite that they are of.
        plans: of the networks, each entry once.
        progress: told often.

    Raises:
        ConverseError: the store cannot be written.
        KeyboardInterrupt: it was stopped; finished cases are kept.
    """
    # The first is measured twice, and the others are compared with it.
    ordered = sorted(plans, key=lambda plan: made.names[plan.entry] != REVERSE)
    subjects = tuple(
        Subject(made.names[plan.entry], "network", plan.operator, plan.model, dict(plan.options)) for plan in ordered
    )
    training, task = ordered[0].training, TASKS[made.task]
    image = Case("image", "evaluation", task.channels, None, task.scale, 1, SIDE // task.scale, SIDE // task.scale)
    patch = training.patch // task.scale
    cases = (image, replace(image, sweep="step", pass_="step", batch=training.batch, height=patch, width=patch))
    budget, device = asked.budget_of(made), resolve_device(asked.device)
    measured = Resolved(
        suite=made.name,
        name=budget,
        budget=_SPENT_BRIEFLY if budget == "smoke" else _SPENT,
        groups=[Group(case, subjects) for case in cases],
        device=device,
    )
    line = asked.line(budget, {"device": device, "threads": asked.threads})

    def tell(step: SpeedProgress) -> None:
        progress(Progress(step.finished + 1, step.cases, step.name, "is timed", round(step.done), round(step.total)))

    return speed(NetworkTimes(store=asked.store, threads=asked.threads, measured=measured, line=line), tell)
