"""Classes of a registry of ours, and what they may be built with, read from their sources: nothing of it is loaded."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

_OPERATOR = "operator"
"""The argument of a network that takes an operator; it is no option."""


@dataclass(frozen=True)
class Declared:
    """A class as its source declares it.

    Attributes:
        address: ``converse.nn.dncnn:DnCNN``.
        what: the first line of its docstring.
        defaults: option → its default, for those that have one.
        operator: whether an operator goes in it.
        inputs: what it is called with, where it says so.
    """

    address: str
    what: str
    defaults: Mapping[str, Any]
    operator: bool
    inputs: tuple[str, ...]


def declared(module: str, registry: str) -> dict[str, Declared]:
    """The classes of a registry.

    Args:
        module: where it stands, ``converse.nn.models``.
        registry: name of a dictionary there that is written out as ``"name": Class``, each class defined in that module
            or imported into it from the one that defines it.

    Returns:
        Name → class, in the order of the registry.

    Raises:
        ValueError: the source is written in another way.
    """
    body = _parsed(module)
    classes = dict(_classes(body, module))
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys, values=values)) if name == registry:
                return {
                    ast.literal_eval(cast(ast.expr, key)): _declared(*classes[cast(ast.Name, value).id])
                    for key, value in zip(keys, values, strict=True)
                }
    raise ValueError(f"{module} has no dictionary {registry} that is written out")


def _parsed(module: str) -> list[ast.stmt]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the source of {module} is not here")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body


def _classes(body: list[ast.stmt], module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names of a module that may be classes, each with the module that defines it and the name there."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, (module, statement.name)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                yield alias.asname or alias.name, (statement.module or "", alias.name)


def _declared(module: str, name: str) -> Declared:
    (made,) = (one for one in _parsed(module) if isinstance(one, ast.ClassDef) and one.name == name)
    arguments: list[str] = []
    defaults: dict[str, Any] = {}
    inputs: tuple[str, ...] = ()
    for statement in made.body:
        match statement:
            case ast.FunctionDef(name="__init__", args=given):
                behind = [None] * (len(given.args) - len(given.defaults)) + given.defaults
                pairs = [*zip(given.args, behind, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
                arguments = [argument.arg for argument, _ in pairs]
                defaults = {
                    argument.arg: ast.literal_eval(default)
                    for argument, default in pairs
                    if default is not None and argument.arg != _OPERATOR
                }
            case ast.AnnAssign(target=ast.Name(id="inputs"), value=ast.expr() as value):
                inputs = ast.literal_eval(value)
    what = (ast.get_docstring(made) or "").partition("\n")[0]
    return Declared(f"{module}:{name}", what, defaults, _OPERATOR in arguments, inputs)
