"""Whether the networks of a suite can be built, and fit its task; what only modules that import torch can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from converse.data import catalogue
from converse.errors import unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.errors import Mistake, Where, shown
from converse.experiments.suites.vocabulary import Signature

if TYPE_CHECKING:
    from converse.data.degradations import Task
    from converse.experiments.suites.settings import TrainingTable
    from converse.experiments.suites.tables import DataTable, Entry, Suite

LARGEST_OPTION = 4096
"""A number of layers or channels beyond it is a slip of the finger, and building it would take the day."""


def network_mistakes(suite: Suite) -> Iterator[Mistake]:
    """What is wrong with models, operators, options, patches and the colour of images.

    Args:
        suite: each of its values is in order.

    Yields:
        One mistake each.
    """
    from converse.data.degradations import task

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
    known = catalogue.datasets()
    tables: dict[Where, DataTable] = {("data",): suite.data}
    tables |= {("budgets", name, "data"): budget.data for name, budget in suite.budgets.items()}
    for where, data in tables.items():
        for key, names in (("train", data.train), ("test", data.test)):
            for index, name in enumerate(names):
                if name in known and known[name].colour == "grey":
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
    found = [*_operator_place(entry, signature, where), *_fit(entry, signature, task, where)]
    for table, options in _option_tables(suite, entry, where).items():
        found += _options(entry, signature, table, options)
    yield from found or _builds(suite, entry, where)


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
    for name, budget in suite.budgets.items():
        if refusal := _refusal(entry.model, entry.operator, suite.options_for(entry, budget)):
            yield Mistake(where, f"cannot be built under [budgets.{name}]: {refusal}")
            return


def _refusal(model: str, operator: str | None, options: Mapping[str, Any]) -> str | None:
    import torch
    from torch.overrides import TorchFunctionMode

    from converse.nn.models import create_model

    class WithoutDrawing(TorchFunctionMode):
        """Leaves out first values, which mean nothing here; torch takes two seconds to load what would draw them."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            draws = (torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.softmax)
            return args[0] if func in draws else func(*args, **(kwargs or {}))

    try:
        with torch.device("meta"), WithoutDrawing():
            create_model(model, operator, **options)
    except Exception as error:  # torch raises many kinds for sizes that make no sense
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return None
