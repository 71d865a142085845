"""What a suite may not say although each of its values may stand by itself: contradictions between its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from converse.errors import unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.contrasts import comparison_mistakes
from converse.experiments.suites.errors import Mistake, Where, mistakes, shown
from converse.experiments.suites.fields import BudgetName
from converse.experiments.suites.limits import MOST_ENTRIES, too_many_trials
from converse.experiments.suites.networks import network_mistakes
from converse.experiments.suites.settings import TrainingSettings

if TYPE_CHECKING:
    from converse.experiments.suites.tables import DataTable, Entry, Suite


def contradictions(suite: Suite, *, networks: bool) -> list[Mistake]:
    """All contradictions of a suite.

    Args:
        suite: each of its values is in order.
        networks: judge what only torch's modules know, too.

    Returns:
        One mistake each.
    """
    if found := list(_size(suite)):
        return found  # the other checks would take as long as the plans
    found = [*_data(suite), *_budgets(suite), *_entries(suite)]
    found += comparison_mistakes(suite.comparisons, [entry.name for entry in suite.entries])
    return [*found, *network_mistakes(suite)] if networks else found


def _size(suite: Suite) -> Iterator[Mistake]:
    """What makes a suite too large: one mistake for the entries, or one for each list of seeds."""
    if len(suite.entries) > MOST_ENTRIES:
        yield Mistake(("entries",), f"there are {len(suite.entries):,} of them; at most {MOST_ENTRIES:,} are allowed")
        return
    lists: dict[Where, tuple[int, ...]] = {("seeds",): suite.seeds}
    lists |= {("budgets", name, "seeds"): budget.seeds for name, budget in suite.budgets.items()}
    trained = sum(entry.released is None for entry in suite.entries)
    for where, seeds in lists.items():
        if text := too_many_trials(trained, len(seeds)):
            yield Mistake(where, text)


def _data(suite: Suite) -> Iterator[Mistake]:
    yield from _overlaps(("data",), suite.data)
    for name, budget in suite.budgets.items():
        if budget.data.model_fields_set:
            yield from _overlaps(("budgets", name, "data"), suite.data_for(budget))


def _overlaps(where: Where, data: DataTable) -> Iterator[Mistake]:
    for dataset in data.test:
        if dataset in data.train:
            yield Mistake((*where, "test"), f"{dataset} is in train too; a network is not measured on what it has seen")
    if data.validation is not None and data.validation.dataset in data.train:
        text = f"{data.validation.dataset} is in train too; a curve on what the network has seen says nothing"
        yield Mistake((*where, "validation"), text)


def _budgets(suite: Suite) -> Iterator[Mistake]:
    models = {entry.model for entry in suite.entries}
    entries = [entry.name for entry in suite.entries]
    for name, budget in suite.budgets.items():
        for model in budget.models:
            if model not in models:
                yield Mistake(("budgets", name, "models", model), "no entry has this model")
        for entry in budget.entries:
            if entry not in entries:
                yield Mistake(("budgets", name, "entries", entry), unknown("entry", entry, entries))
        for index in range(len(entries)):
            yield from _settings(suite, name, index)


def _settings(suite: Suite, budget: BudgetName, index: int) -> Iterator[Mistake]:
    """What is wrong with the merged settings; at the entry if it has settings of its own, at the budget otherwise."""
    entry, spent = suite.entries[index], suite.budgets[budget]
    own = bool(entry.training.model_fields_set)
    where: Where = ("entries", index, "training") if own else ("budgets", budget)
    under = f" (under [budgets.{budget}])" if own else ""
    try:
        settings = suite.settings_for(entry, spent)
    except ValidationError as error:
        for found in mistakes(error, TrainingSettings):
            yield Mistake((*where, *found.where), found.text + under)
        return
    if settings.validate_every and suite.data_for(spent).validation is None:
        text = f"came {settings.validate_every}; there is nothing to validate on: set validation in [data]"
        yield Mistake((*where, "validate_every"), text + under)


def _entries(suite: Suite) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(suite.entries):
        where: Where = ("entries", index)
        first = seen.setdefault(entry.name.casefold(), index)
        if first != index:
            yield Mistake((*where, "name"), f"came {shown(entry.name)}; #{first + 1} has this name already")
        yield from _weights(entry, where)
        yield from _published(suite, entry, where)


def _weights(entry: Entry, where: Where) -> Iterator[Mistake]:
    """An entry has a model to train, or released weights."""
    if entry.released is None:
        if entry.model is None:
            text = "missing; expected one that `converse list models` knows, or released weights in its place"
            yield Mistake((*where, "model"), text)
        return
    for key in ("model", "operator", "options", "training"):
        if key in entry.model_fields_set:
            text = "released weights bring their own network and are not trained; leave it out"
            yield Mistake((*where, key), text)


def _published(suite: Suite, entry: Entry, where: Where) -> Iterator[Mistake]:
    if entry.published is None:
        return
    if suite.published is None:
        yield Mistake((*where, "published"), "the suite names no published table; set published at the top")
    elif entry.published not in (rows := vocabulary.published_rows()[suite.published]):
        yield Mistake((*where, "published"), unknown(f"row of {suite.published}", entry.published, rows))
