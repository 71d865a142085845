"""What there is to choose from: suites, entries, operators, models, datasets."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from converse.data.catalogue import datasets
from converse.experiments.suites import vocabulary
from converse.experiments.suites.operator_names import installed
from converse.experiments.suites.suite import Suite, load_suite, suites
from converse.experiments.suites.vocabulary import Signature

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
        kind: which; operators and models import torch.

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
    from converse.nn.operators import OPERATORS

    for name, signature in vocabulary.operators().items():
        yield name, _address(OPERATORS[name]), _defaults(signature), _first_line(OPERATORS[name])
    for point in installed():  # their code is run by nobody who does not name them
        package = f" {point.dist.name}" if point.dist else ""
        hidden = ", which has the name of one of converse's: not to be had by it" if point.name in OPERATORS else ""
        yield point.name, point.value, {}, f"Offered by the package{package}{hidden}."


def _models() -> Iterator[Values]:
    from converse.nn.models import MODELS

    for name, signature in vocabulary.models().items():
        given = (signature.operator, list(signature.inputs), _defaults(signature))
        yield name, _address(MODELS[name]), *given, _first_line(MODELS[name])


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


def _defaults(signature: Signature) -> dict[str, Any]:
    """Option → default, in types that JSON has."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in signature.defaults.items()}


def _address(thing: type) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _first_line(thing: type) -> str:
    line = (inspect.getdoc(thing) or "").partition("\n")[0]
    return re.sub(r":\w+:`([^`]*)`", r"\1", line)  # a reference of the documentation, as its bare name
