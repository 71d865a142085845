"""What there is to choose from: suites, entries, operators, models, datasets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from converse.data.catalogue import datasets
from converse.experiments.suites import vocabulary
from converse.experiments.suites.declared import declared
from converse.experiments.suites.operator_names import installed
from converse.experiments.suites.suite import Suite, load_suite, suites

Kind = Literal["suites", "entries", "operators", "models", "datasets"]
Row = Mapping[str, Any]
Values = tuple[Any, ...]
"""Of a row, in the order of the columns."""

COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "suites": ("suite", "task", "entries", "budgets", "seeds", "title", "file"),
    "entries": ("suite", "entry", "model", "operator", "options", "released", "published"),
    "operators": ("operator", "class", "options", "what"),
    "models": ("model", "class", "takes_operator", "inputs", "options", "what"),
    "datasets": ("dataset", "title", "kind", "colour", "files", "bytes"),
}


def listing(kind: Kind) -> list[Row]:
    """All things of one kind.

    Args:
        kind: which.

    Returns:
        One row per thing, with the keys of `COLUMNS`; JSON-able.

    Raises:
        SuiteError: a suite that comes with converse was edited and says what it may not say.
    """
    return [dict(zip(COLUMNS[kind], row, strict=True)) for row in _LISTS[kind]()]


def _suites() -> Iterator[Values]:
    for name, suite in _loaded().items():
        entries = [entry.name for entry in suite.entries]
        file = str(suites()[name])
        yield suite.name, suite.task, entries, list(suite.budgets), list(suite.seeds), suite.title, file


def _entries() -> Iterator[Values]:
    for suite in _loaded().values():
        for entry in suite.entries:
            network = (entry.model, entry.operator, entry.options)
            yield suite.name, entry.name, *network, entry.released, suite.published_row(entry)


def _operators() -> Iterator[Values]:
    operators = declared("converse.nn.operators", "OPERATORS")
    for name, made in operators.items():
        own = {option: value for option, value in made.defaults.items() if option not in vocabulary.SET_BY_MODEL}
        yield name, made.address, _in_json(own), _plain(made.what)
    for point in installed():  # their code is run by nobody who does not name them
        package = f" {point.dist.name}" if point.dist else ""
        hidden = ", which has the name of one of converse's: not to be had by it" if point.name in operators else ""
        yield point.name, point.value, {}, f"Offered by the package{package}{hidden}."


def _models() -> Iterator[Values]:
    for name, made in declared("converse.nn.models", "MODELS").items():
        yield name, made.address, made.operator, list(made.inputs), _in_json(made.defaults), _plain(made.what)


def _datasets() -> Iterator[Values]:
    for dataset in datasets().values():
        yield dataset.name, dataset.title, dataset.kind, dataset.colour, dataset.count, dataset.bytes


_LISTS: Mapping[Kind, Callable[[], Iterator[Values]]] = {
    "suites": _suites,
    "entries": _entries,
    "operators": _operators,
    "models": _models,
    "datasets": _datasets,
}


def _loaded() -> dict[str, Suite]:
    return {name: load_suite(name, networks=False) for name in suites()}


def _in_json(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Option → default, in types that JSON has."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}


def _plain(line: str) -> str:
    return re.sub(r":\w+:`([^`]*)`", r"\1", line)  # a reference of the documentation, as its bare name
