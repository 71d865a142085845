"""The tables `[speed]` of a baseline: a commit that takes turns with whoever is checked, or ratios to the yardstick.

Ratios hold on the machine where they were found, as long as it stays as it was, and need no other version. Turns hold
wherever git has the commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from converse.analysis.gate.rounds import Quantity
from converse.experiments.speed.cases import YARDSTICK
from converse.experiments.store.speed_rows import CASE_COLUMNS, Dtype, Pass
from converse.experiments.suites.errors import refuse, refuse_inside
from converse.experiments.suites.toml import toml_value
from converse.experiments.suites.vocabulary import Table, Text
from converse.experiments.trials import BudgetName

Ratio = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]

MACHINE: Final = ("device", "model", "capability", "threads", "core_cache", "torch", "driver")
"""Keys of :class:`SpeedTable` that say where ratios were found. Where one differs they are known less well."""


class Expected(NamedTuple):
    """A ratio to the yardstick, and by how much those of equal runs may differ: on an equal machine, and elsewhere."""

    ratio: float
    floor: float
    elsewhere: float


class SpeedCase(Table):
    """``[[speed.cases]]``: one subject in one case.

    Attributes:
        subject: its name in the suite of speed.
        sweep: of the case, as all that follows to ``compiled``: see :class:`converse.experiments.speed.cases.Case`.
        pass_: ``pass`` in the file.
        channels: of an operator, or of a network's image.
        kernel_size: of an operator; ``None`` for networks.
        scale: of an operator.
        batch: N.
        height: of the input.
        width: of the input.
        dtype: of a call.
        compiled: whether it went through ``torch.compile``.
        seconds: of one call, for people: those of another device, or of a busier one, are others.
        ratio: of its time to the yardstick's.
        floor: by how much the ratios of equal runs may differ on an equal machine, a share.
        elsewhere: the same on another machine.
        memory_ratio: of its memory to the yardstick's; ``None`` where the system does not tell it.
        memory_floor: as ``floor``.
        memory_elsewhere: as ``elsewhere``.
    """

    subject: Text = Field(description="the name of a subject")
    sweep: Text = Field(description="the name of a sweep")
    pass_: Pass = Field(alias="pass", description="what one call does")
    channels: Count = Field(description="a whole number ≥ 1")
    kernel_size: Count | None = None
    scale: Count = 1
    batch: Count = 1
    height: Count = Field(description="a whole number ≥ 1")
    width: Count = Field(description="a whole number ≥ 1")
    dtype: Dtype = "float32"
    compiled: bool = False
    seconds: Ratio | None = None
    ratio: Ratio = Field(description="a number > 0")
    floor: Share = Field(description="a number ≥ 0")
    elsewhere: Share = Field(description="a number ≥ 0")
    memory_ratio: Ratio | None = None
    memory_floor: Share | None = None
    memory_elsewhere: Share | None = None

    @model_validator(mode="after")
    def _memory_is_whole(self) -> SpeedCase:
        known = [name for name in Expected._fields if getattr(self, f"memory_{name}") is not None]
        if len(known) not in (0, 3):
            raise refuse("expected memory_ratio, memory_floor and memory_elsewhere, or none of them")
        return self

    def expected(self, quantity: Quantity) -> Expected | None:
        """What is known of time or memory; ``None`` where nothing is."""
        names = [f"memory_{name}" if quantity == "memory" else name for name in Expected._fields]
        ratio, floor, elsewhere = (getattr(self, name) for name in names)
        return None if ratio is None else Expected(ratio, floor, elsewhere)

    @property
    def columns(self) -> dict[str, Any]:
        """The case, with :data:`converse.experiments.store.speed_rows.CASE_COLUMNS`."""
        own = {name: getattr(self, "pass_" if name == "pass" else name) for name in CASE_COLUMNS if name != "padding"}
        return {**own, "padding": None if self.kernel_size is None else self.kernel_size - 1}


def _each_once(cases: tuple[SpeedCase, ...]) -> tuple[SpeedCase, ...]:
    seen = [(case.subject, *case.columns.values()) for case in cases]
    if len(set(seen)) < len(seen):
        raise refuse("a subject stands there twice in the same case")
    return cases


def _full_hash(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}([0-9a-f]{24})?", value):
        raise refuse(f"came {toml_value(value)}; expected the full hash of a commit, as git rev-parse HEAD gives it")
    return value


Commit = Annotated[str, AfterValidator(_full_hash)]


_OF_RATIOS: Final = ("rounds", "device", "model", "torch", "cases")
"""Keys of :class:`SpeedTable` without which ratios say nothing."""


class SpeedTable(Table):
    """``[speed]``: what is measured, and what it is held against.

    Attributes:
        suite: of speed: one that comes with converse, or the path of one from the file's folder.
        budget: of the suite.
        threads: CPU threads.
        against: a commit of the repository that takes turns with what is checked. Then there are no ratios, and none of
            the keys that follow; ``None`` where there are.
        rounds: from so many the ratios are.
        found: how the floors were found, in words.
        device: ``cpu`` or ``cuda``.
        model: the name of the device.
        capability: the CPU's instructions that torch uses.
        core_cache: KiB of a core's second cache, as :func:`converse.nn.core_cache.core_cache` has it: what is held
            against the ratios is computed in groups for one of this size. ``None``, as on a GPU, for the machine's own.
        torch: its version.
        driver: of a GPU.
        cases: the ratios.
    """

    suite: Text = Field(description="the name of a suite of speed")
    budget: BudgetName = Field(description="a budget of the suite of speed")
    threads: Count = 1
    against: Commit | None = Field(default=None, description="the full hash of a commit")
    rounds: Count | None = Field(default=None, description="a whole number ≥ 1")
    found: str = ""
    device: Text | None = Field(default=None, description="cpu or cuda")
    model: Text | None = Field(default=None, description="the name of the device")
    capability: str = ""
    core_cache: Count | None = None
    torch: Text | None = Field(default=None, description="the version of torch")
    driver: str = ""
    cases: Annotated[tuple[SpeedCase, ...], Field(strict=False), AfterValidator(_each_once)] = Field(
        default=(), description="at least one table [[speed.cases]]"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> SpeedTable:
        if self.against is None:
            fields = type(self).model_fields
            lacking = [name for name in _OF_RATIOS if not getattr(self, name)]
            if lacking:
                raise refuse_inside([(name, f"missing; expected {fields[name].description}") for name in lacking])
        else:
            own = {"suite", "budget", "threads", "against"}
            given = [name for name in type(self).model_fields if name not in own and getattr(self, name)]
            if given:
                raise refuse_inside([(name, "stands beside against, which has no ratios") for name in given])
        return self

    @property
    def yardstick(self) -> str:
        """The subject that ratios are to."""
        return YARDSTICK

    def differences(self, machine: Mapping[str, Any]) -> tuple[str, ...]:
        """In what a machine differs from the one where ratios were found; empty for an equal one.

        Args:
            machine: with the keys :data:`MACHINE`.

        Returns:
            In words: ``torch 2.9.0 and not 2.8.0``.
        """
        # A file that does not say for which cache it was made is held against what there is.
        told = [name for name in MACHINE if name != "core_cache" or self.core_cache is not None]
        pairs = ((name, getattr(self, name) or "", machine.get(name) or "") for name in told)
        return tuple(
            f"{name} {now or 'unknown'} and not {mine or 'unknown'}" for name, mine, now in pairs if mine != now
        )
