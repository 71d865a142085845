"""The words that a suite may use and that other layers define: models and their options, operators, published rows.

Models, operators and released weights live in modules that import torch; each function imports what it asks.
"""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from converse.content import content
from converse.experiments.suites.errors import refusal

if TYPE_CHECKING:
    from converse.nn.released import Released

_SET_BY_MODEL = frozenset({"channels", "kernel_size", "scale", "padding_mode"})
"""Arguments of every operator, which a model gives it from options of its own."""


@dataclass(frozen=True)
class Signature:
    """What a class may be built with.

    Attributes:
        options: keyword → its annotation.
        defaults: keyword → its default, for those that have one.
        operator: whether an operator goes in it.
        inputs: what it is called with.
        implied: options given → what others stand for that are left out: the class's ``implied_options``.
    """

    options: Mapping[str, Any]
    defaults: Mapping[str, Any]
    operator: bool
    inputs: tuple[str, ...]
    implied: Callable[[Mapping[str, Any]], Mapping[str, Any]]

    def refusal(self, option: str, value: Any) -> str | None:
        """What came and what may stand there, by the annotation alone; ``None`` for a value that may."""
        try:
            self._read(option, value)
        except ValidationError as error:
            return refusal(error)
        return None

    def typed(self, option: str, value: Any) -> Any:
        """A value in the type that its annotation asks for, 1.0 for 1; what it refuses stays as it is."""
        try:
            return self._read(option, value) if option in self.options else value
        except ValidationError:
            return value

    def _read(self, option: str, value: Any) -> Any:
        annotation = self.options[option]
        if annotation is inspect.Parameter.empty:
            return value
        # as JSON, where a strict tuple is written as a list, as it is in TOML
        return TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)


@cache
def models() -> Mapping[str, Signature]:
    """The networks by name, and what they may be built with."""
    from converse.nn.models import MODELS

    return {name: _signature(builder) for name, builder in MODELS.items()}


@cache
def operators() -> Mapping[str, Signature]:
    """The registered operators, and their own options beside those that the model sets for every operator."""
    from converse.nn.operators import OPERATORS

    return {name: _signature(builder, _SET_BY_MODEL) for name, builder in OPERATORS.items()}


@cache
def block_design() -> Signature:
    """The parts of the block that a suite may change."""
    from converse.nn.blocks import BlockDesign

    return _signature(BlockDesign)


def released() -> Mapping[str, Released]:
    """The released weights by the name of their row in the paper."""
    from converse.nn.released import RELEASED

    return RELEASED


@cache
def published_rows() -> Mapping[str, frozenset[str]]:
    """Tables of reports/published.toml that have one row per entry → their entries.

    Returns:
        For example ``{"denoising": {"DnCNN", …}, …}``; ``deblurring`` joins its tables, one per dataset.
    """
    tables = tomllib.loads((content("reports") / "published.toml").read_text(encoding="utf-8"))
    return {name: frozenset(_rows(table)) for name, table in tables.items() if name not in ("ablation", "parameters")}


@cache
def ablation_rows() -> Mapping[str, frozenset[str]]:
    """Tables ``[ablation.…]`` of reports/published.toml, by their names without the head → their rows.

    Returns:
        For example ``{"padding": {"zero", …}, "initial_estimate.denoising": {"zero", "interp"}, …}``.
    """
    tables = tomllib.loads((content("reports") / "published.toml").read_text(encoding="utf-8"))
    return dict(_innermost(tables["ablation"], ""))


def _innermost(table: Mapping[str, Any], name: str) -> Iterator[tuple[str, frozenset[str]]]:
    if "columns" in table:
        yield name, frozenset(_rows(table))
        return
    for key, inner in table.items():
        yield from _innermost(inner, f"{name}.{key}".removeprefix("."))


def _signature(builder: Callable[..., Any], without: frozenset[str] = frozenset()) -> Signature:
    parameters = inspect.signature(builder, eval_str=True).parameters.values()
    named = {p.name: p for p in parameters if p.name not in without | {"operator"}}
    return Signature(
        options={name: p.annotation for name, p in named.items()},
        defaults={name: p.default for name, p in named.items() if p.default is not p.empty},
        operator=any(p.name == "operator" for p in parameters),
        inputs=getattr(builder, "inputs", ()),
        implied=getattr(builder, "implied_options", lambda given: {}),
    )


def _rows(table: Mapping[str, Any]) -> set[str]:
    inner = [_rows(value) for value in table.values() if isinstance(value, dict)]
    own = {key for key, value in table.items() if isinstance(value, list) and key != "columns"}
    return own.union(*inner)
