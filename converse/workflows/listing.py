"""What there is to choose from: suites, entries, operators, models, datasets."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from converse.data.catalogue import datasets
from converse.experiments.suites import vocabulary
from converse.experiments.suites.suite import Suite, load_suite, suites
from converse.experiments.suites.vocabulary import Signature

Kind = Literal["suites", "entries", "operators", "models", "datasets"]
Row = Mapping[str, Any]

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
    return _LISTS[kind]()


def _suites() -> list[Row]:
    return [
        {
            "suite": suite.name,
            "task": suite.task,
            "entries": [entry.name for entry in suite.entries],
            "budgets": list(suite.budgets),
            "seeds": list(suite.seeds),
            "title": suite.title,
            "file": str(suites()[name]),
        }
        for name, suite in _loaded().items()
    ]


def _entries() -> list[Row]:
    return [
        {
            "suite": suite.name,
            "entry": entry.name,
            "model": entry.model,
            "operator": entry.operator,
            "options": entry.options,
            "released": entry.released,
            "published": suite.published_row(entry),
        }
        for suite in _loaded().values()
        for entry in suite.entries
    ]


def _operators() -> list[Row]:
    from converse.nn.operators import OPERATORS

    return [
        {
            "operator": name,
            "class": _address(OPERATORS[name]),
            "options": _defaults(signature),
            "what": _first_line(OPERATORS[name]),
        }
        for name, signature in vocabulary.operators().items()
    ]


def _models() -> list[Row]:
    from converse.nn.models import MODELS

    return [
        {
            "model": name,
            "class": _address(MODELS[name]),
            "takes_operator": signature.operator,
            "inputs": list(signature.inputs),
            "options": _defaults(signature),
            "what": _first_line(MODELS[name]),
        }
        for name, signature in vocabulary.models().items()
    ]


def _datasets() -> list[Row]:
    return [
        {
            "dataset": dataset.name,
            "title": dataset.title,
            "kind": dataset.kind,
            "colour": dataset.colour,
            "files": len(dataset.files),
            "bytes": dataset.bytes,
        }
        for dataset in datasets().values()
    ]


_LISTS: Mapping[Kind, Callable[[], list[Row]]] = {
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
