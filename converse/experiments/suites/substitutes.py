"""A suite with another operator in the place of reverse convolution, all else being equal."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from converse.errors import OptionError
from converse.experiments.suites import operator_names
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import refusal
from converse.experiments.suites.suite import Suite
from converse.experiments.suites.tables import Entry, merged
from converse.experiments.suites.tuning import named
from converse.experiments.suites.vocabulary import Reading
from converse.experiments.trials import BudgetName

REPLACED: Final = "converse"
"""The operator whose place is taken."""


def with_operator(suite: Suite, budget: BudgetName, operator: str, *, networks: bool = True) -> Suite:
    """The entries of a suite that have reverse convolution, with another operator in its place.

    Their other options stay; those of reverse convolution itself (``operator_options``) are left out.

    Args:
        suite: any.
        budget: one that the suite has, and the only one of what is returned.
        operator: as :func:`converse.experiments.suites.operator_names.named` reads it, from the working folder; its
            options come over those of the entries.
        networks: judge what only torch's modules know, too.

    Returns:
        The suite, of these entries alone.

    Raises:
        OptionError: no entry has reverse convolution, there is no such operator, or it cannot stand there.
    """
    chosen, spent = operator_names.named(operator), suite.budget(budget)
    mine = [entry for entry in suite.chosen_under(budget) if entry.operator == REPLACED]
    if not mine:
        raise OptionError(
            f"--operator {operator}: no entry of suite {suite.name!r} has {REPLACED!r}, whose place it takes"
        )
    entries = []
    for entry in mine:
        options = {name: value for name, value in suite.options_for(entry, spent).items() if name != "operator_options"}
        own = {key: getattr(entry, key) for key in entry.model_fields_set if key not in ("operator", "options")}
        options = merged(options, chosen.options_of_model())
        try:
            found = Entry.model_validate({**own, "operator": chosen.operator, "options": options}, context=Reading())
        except ValidationError as error:
            raise OptionError(f"--operator: {refusal(error)}") from None
        entries.append(found)
    made = suite.model_copy(
        update={
            "entries": tuple(entries),
            "budgets": {
                budget: spent.model_copy(
                    update={"options": {}, "models": {}, "entries": {}, "without": {}, "tuned": None}
                )
            },
            "comparisons": (),
            "baseline": None,
        }
    )
    if wrong := contradictions(made, networks=networks):
        raise OptionError(f"--operator {operator}: {named(wrong[0], entries)}")
    return made
