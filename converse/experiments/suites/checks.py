"""What a suite may not say although each of its values may stand by itself: contradictions between its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from converse.data import catalogue
from converse.data.noise_levels import refused, takes_levels
from converse.data.tasks import TASKS
from converse.errors import unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.errors import Mistake, Where, mistakes, shown
from converse.experiments.suites.plans import TrainingSettings, TrainingTable, too_many_trials
from converse.experiments.suites.tables import MOST_ENTRIES, Comparison, DataTable, Entry, Suite
from converse.experiments.suites.vocabulary import Signature
from converse.experiments.trials import BudgetName

if TYPE_CHECKING:
    from converse.data.tasks import Task

LARGEST_OPTION = 4096
"""A number of layers or channels beyond it is a slip of the finger, and building it would take the day."""


def contradictions(suite: Suite, *, networks: bool) -> list[Mistake]:
    """All contradictions of a suite.

    Args:
        suite: each of its values is in order.
        networks: judge what only torch's modules know, too.

    Returns:
        One mistake each.
    """
    if faults := list(_size(suite)):
        return faults  # the other checks would take as long as the plans
    faults = [*_data(suite), *_budgets(suite), *_entries(suite)]
    faults += _baselines(suite)
    faults += _comparisons(suite.comparisons, [entry.name for entry in suite.entries])
    return [*faults, *_networks(suite)] if networks else faults


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
    tables: dict[Where, DataTable] = {("data",): suite.data}
    tables |= {("budgets", name, "data"): budget.data for name, budget in suite.budgets.items()}
    for where, data in tables.items():
        if data.noise_levels and not takes_levels(TASKS[suite.task]):
            text = f"came {shown(list(data.noise_levels))}; {refused(TASKS[suite.task])}: leave it out"
            yield Mistake((*where, "noise_levels"), text)
    for name, budget in suite.budgets.items():
        if budget.data.model_fields_set:
            yield from _overlaps(("budgets", name, "data"), suite.data_for(budget))


def _overlaps(where: Where, data: DataTable) -> Iterator[Mistake]:
    if data.overlap:
        if data.leave_out:
            text = "stands beside overlap, under which nothing is left out; keep one of them"
            yield Mistake((*where, "leave_out"), text)
        return
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
        for entry in budget.without:
            if entry not in entries:
                yield Mistake(("budgets", name, "without", entry), unknown("entry", entry, entries))
        if all(entry in budget.without for entry in entries):
            yield Mistake(("budgets", name, "without"), "no entry is left: take away the budget, or some of these")
        for index in range(len(entries)):
            yield from _settings(suite, name, index)
    for index, entry in enumerate(entries):
        if all(entry in budget.without for budget in suite.budgets.values()):
            yield Mistake(("entries", index, "name"), f"no budget trains {entry}: each of them is without it")


def _settings(suite: Suite, budget: BudgetName, index: int) -> Iterator[Mistake]:
    """What is wrong with the merged settings; at the entry if it has settings of its own, at the budget otherwise."""
    entry, spent = suite.entries[index], suite.budgets[budget]
    own = bool(entry.training.model_fields_set)
    where: Where = ("entries", index, "training") if own else ("budgets", budget)
    under = f" (under [budgets.{budget}])" if own else ""
    try:
        settings = suite.settings_for(entry, spent)
    except ValidationError as error:
        for mistake in mistakes(error, TrainingSettings):
            yield Mistake((*where, *mistake.where), mistake.text + under)
        return
    if settings.start == "kair" and "kernel_init" in (suite.options_for(entry, spent).get("operator_options") or {}):
        text = 'came "kair", which draws the kernels too; expected another start, or no kernel_init in operator_options'
        yield Mistake((*where, "start"), text + under)
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


def _baselines(suite: Suite) -> Iterator[Mistake]:
    """A baseline is an entry that is trained, with a row of the published table."""
    named: dict[Where, str | None] = {("baseline",): suite.baseline}
    named |= {("comparisons", index, "baseline"): one.baseline for index, one in enumerate(suite.comparisons)}
    entries = {entry.name.casefold(): entry for entry in suite.entries}
    for where, name in named.items():
        if name is None:
            continue
        entry = entries.get(name.casefold())
        if entry is None:
            yield Mistake(where, unknown("entry", name, [one.name for one in suite.entries]))
        elif entry.released is not None:
            yield Mistake(where, f"{entry.name} has released weights; expected an entry that is trained")
        elif suite.published_place(entry.name) is None:
            yield Mistake(where, f"{entry.name} has no row in a published table that it could be held against")


def _comparisons(comparisons: Sequence[Comparison], names: Sequence[str]) -> Iterator[Mistake]:
    """Names that no entry has, and entries that are held against themselves."""
    lowered = {name.casefold() for name in names}
    for index, comparison in enumerate(comparisons):
        if comparison.entry.casefold() not in lowered:
            yield Mistake(("comparisons", index, "entry"), unknown("entry", comparison.entry, names))
        for place, base in enumerate(comparison.against):
            where = ("comparisons", index, "against", place)
            if base.casefold() not in lowered:
                yield Mistake(where, unknown("entry", base, names))
            elif base.casefold() == comparison.entry.casefold():
                yield Mistake(where, f"came {shown(base)}; an entry is not held against itself")


def _networks(suite: Suite) -> Iterator[Mistake]:
    """What is wrong with models, operators, options, patches and the colour of images.

    Args:
        suite: each of its values is in order.

    Yields:
        One mistake each.
    """
    from converse.data.tasks import task

    yield from _colours(suite, task(suite.task))
    yield from _patches(suite, task(suite.task))
    for index, entry in enumerate(suite.entries):
        where: Where = ("entries", index)
        if entry.released is not None:
            made_for = vocabulary.released()[entry.released].task
            if made_for != suite.task:
                text = f"these weights are for {made_for}, and the task of this suite is {suite.task}"
                yield Mistake((*where, "released"), text)
        elif entry.model is not None:
            yield from _network(suite, entry, task(suite.task), where)


def _colours(suite: Suite, task: Task) -> Iterator[Mistake]:
    if task.colour == "grey":
        return  # colour files are read as luminance
    catalogued = catalogue.datasets()
    tables: dict[Where, DataTable] = {("data",): suite.data}
    tables |= {("budgets", name, "data"): budget.data for name, budget in suite.budgets.items()}
    for where, data in tables.items():
        for key, names in (("train", data.train), ("test", data.test)):
            for index, name in enumerate(names):
                if name in catalogued and catalogued[name].colour == "grey":
                    yield Mistake((*where, key, index), f"{name} is grey, and {task.name} is done on colour images")


def _patches(suite: Suite, task: Task) -> Iterator[Mistake]:
    tables: dict[Where, TrainingTable] = {("training",): suite.training}
    tables |= {("budgets", name): budget for name, budget in suite.budgets.items()}
    tables |= {("entries", index, "training"): entry.training for index, entry in enumerate(suite.entries)}
    for where, table in tables.items():
        if table.patch % task.multiple:
            text = f"came {table.patch}; must be a multiple of {task.multiple} for {task.name}"
            yield Mistake((*where, "patch"), text)


def _network(suite: Suite, entry: Entry, task: Task, where: Where) -> Iterator[Mistake]:
    signature = vocabulary.models()[entry.model or ""]
    faults = [*_operator_place(entry, signature, where), *_fit(entry, signature, task, where)]
    for table, options in _option_tables(suite, entry, where).items():
        faults += _options(entry, signature, table, options)
    yield from faults or _builds(suite, entry, where)


def _operator_place(entry: Entry, signature: Signature, where: Where) -> Iterator[Mistake]:
    if signature.operator and entry.operator is None:
        yield Mistake((*where, "operator"), f"missing; {entry.model} needs an operator in its blocks")
    if not signature.operator and entry.operator is not None:
        yield Mistake((*where, "operator"), f"came {shown(entry.operator)}; {entry.model} has no place for an operator")


def _fit(entry: Entry, signature: Signature, task: Task, where: Where) -> Iterator[Mistake]:
    """A model has the channels and the scale of the task, and asks for nothing that the task does not give."""
    options = {**signature.defaults, **entry.options}
    for option, meaning, wanted in (("in_channels", "channels", task.channels), ("scale", "scale", task.scale)):
        has = options.get(option, 1)
        if has != wanted:
            key = ("options", option) if option in entry.options else ("model",)
            text = f"{entry.model} has {meaning} = {shown(has)}, and {task.name} has {meaning} = {wanted}"
            yield Mistake((*where, *key), text)
    if "kernel" in signature.inputs and not task.cases:
        yield Mistake((*where, "model"), f"{entry.model} is given a blur kernel, and {task.name} has none")


def _option_tables(suite: Suite, entry: Entry, where: Where) -> dict[Where, Mapping[str, Any]]:
    tables: dict[Where, Mapping[str, Any]] = {(*where, "options"): entry.options}
    for name, budget in suite.budgets.items():
        tables["budgets", name, "options"] = budget.options
        tables["budgets", name, "models", entry.model or ""] = budget.models.get(entry.model or "", {})
        tables["budgets", name, "entries", entry.name] = budget.entries.get(entry.name, {})
    return tables


def _options(entry: Entry, signature: Signature, where: Where, options: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from _keywords(signature, f"option of {entry.model}", where, options)
    inner = {"design": (vocabulary.block_design(), "option of the block")}
    if entry.operator is not None and entry.operator in vocabulary.operators():
        inner["operator_options"] = (vocabulary.operators()[entry.operator], f"option of operator {entry.operator}")
    for option, value in options.items():
        if isinstance(value, int) and abs(value) > LARGEST_OPTION:
            yield Mistake((*where, option), f"came {value}; must be ≤ {LARGEST_OPTION}")
        if option in inner and option in signature.options and isinstance(value, Mapping):
            yield from _keywords(*inner[option], (*where, option), value)


def _keywords(signature: Signature, what: str, where: Where, options: Mapping[str, Any]) -> Iterator[Mistake]:
    for option, value in options.items():
        if option not in signature.options:
            yield Mistake((*where, option), unknown(what, option, signature.options))
        elif refusal := signature.refusal(option, value):
            yield Mistake((*where, option), f"{refusal} ({what})")


def _builds(suite: Suite, entry: Entry, where: Where) -> Iterator[Mistake]:
    """What the network itself refuses: it is built under every budget, on a device that has no memory."""
    if entry.model is None or (entry.operator is not None and ":" in entry.operator):
        return  # a user's operator is code, which reading a suite does not run
    built: list[Mapping[str, Any]] = []
    for name, budget in suite.budgets.items():
        options = suite.options_for(entry, budget)
        if options in built:
            continue
        built.append(options)
        if refusal := _refusal(entry.model, entry.operator, options):
            yield Mistake(where, f"cannot be built under [budgets.{name}]: {refusal}")
            return


def _refusal(model: str, operator: str | None, options: Mapping[str, Any]) -> str | None:
    from converse.nn.models import create_model
    from converse.nn.without_values import without_values

    try:
        with without_values():
            create_model(model, operator, **options)
    except Exception as error:  # torch raises many kinds for sizes that make no sense
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return None
