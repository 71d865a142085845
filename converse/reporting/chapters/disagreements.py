"""The chapter of known disagreements: the networks that suites build beside those of the released weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from converse.analysis.published import Published
from converse.experiments.suites import vocabulary
from converse.experiments.suites.suite import load_suite, suites
from converse.reporting.inputs.commands import measuring
from converse.reporting.inputs.material import Material
from converse.reporting.tables.audit import Design, audit_sheets
from converse.reporting.tables.sheet import Sheet

Record = Mapping[str, Any]


def disagreements(
    measured: Sequence[Record], earlier: Sequence[Record], paper: Published, material: Material
) -> tuple[Sheet, ...]:
    """What is known to disagree, found in the data.

    Args:
        measured: result rows of released weights.
        earlier: the same held against the authors' earlier tables.
        paper: the authors' numbers.
        material: of the stores.
    """
    models = vocabulary.models()
    released = [
        Design(one.entry, {**models[one.model].defaults, **one.options}) for one in vocabulary.released().values()
    ]
    described, bases = [], {}
    for name in suites():
        suite = load_suite(name, networks=False)
        plans = suite.resolve("paper") if "paper" in suite.budgets else []
        for plan in {plan.entry: plan for plan in plans}.values():
            if plan.variation is None and suite.published:
                described.append(Design(plan.entry, {**models[plan.model].defaults, **plan.options}))
            elif plan.variation and not plan.variation.changes and plan.variation.published:
                table, row = plan.variation.published
                bases[table] = (row, plan.task, plan.variation.base)
    return audit_sheets(
        measured,
        earlier,
        paper,
        released=released,
        described=described,
        bases=bases,
        command=partial(measuring, material=material),
    )
