"""Errors in a suite file, each with file, table, key, what came, and what is allowed there."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from converse.errors import SuiteError, unknown
from converse.experiments.suites.toml import toml_key
from converse.plain_text import visible

Where = tuple[str | int, ...]
"""A path into a document: ``("entries", 2, "training", "lr")``."""

_LISTED = 20
"""More mistakes than this in one message help nobody."""


@dataclass(frozen=True)
class Mistake:
    """One thing that a suite may not say.

    Attributes:
        where: path into the document.
        text: what came and what may stand there.
    """

    where: Where
    text: str


def refuse(text: str) -> PydanticCustomError:
    """What a validator raises to say exactly this text about its value."""
    return PydanticCustomError("refused", "{text}", {"text": text})


def refuse_inside(faults: Sequence[tuple[str, str]]) -> PydanticCustomError:
    """What a validator of a table raises about keys in it: pairs of key and text."""
    whole = "; ".join(f"{key}: {text}" for key, text in faults)
    return PydanticCustomError("refused_inside", "{text}", {"text": whole, "faults": list(faults)})


def suite_error(file: Path | str, mistakes: Sequence[Mistake], document: Mapping[str, Any]) -> SuiteError:
    """All mistakes of one file in one error; a single one stands on the line of the file name.

    Args:
        file: as the user named it.
        mistakes: at least one.
        document: what the file says, for the names of its entries.

    Returns:
        The error to raise.
    """
    lines = list(dict.fromkeys(_line(mistake, document) for mistake in mistakes))
    if len(lines) == 1:
        return SuiteError(f"{file}: {lines[0]}")
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return SuiteError("\n  ".join([f"{file}: {len(lines)} mistakes", *lines[:_LISTED], *more]))


def mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """The mistakes that pydantic found.

    Args:
        error: what it raised.
        model: the model that it validated.

    Yields:
        One mistake per finding, in the order of the file.
    """
    for detail in error.errors(include_url=False):
        where = tuple(detail["loc"])
        if detail["type"] == "refused_inside":
            yield from (Mistake((*where, key), text) for key, text in detail["ctx"]["faults"])
        elif where and where[-1] == "[key]":
            yield Mistake(where[:-1], _text(detail, model))
        elif detail["type"] == "extra_forbidden":
            fields = _fields(_table_at(model, where))
            yield Mistake(where[:-1], unknown("key", str(where[-1]), fields))
        else:
            yield Mistake(where, _text(detail, model))


def refusal(error: ValidationError) -> str:
    """The first finding of pydantic about a single value: what came and what may stand there."""
    return _text(error.errors(include_url=False)[0], None)


def shown(value: Any) -> str:
    """A value as TOML writes it, cut to a readable length.

    Args:
        value: what a TOML document can hold.

    Returns:
        For example ``"adamm"``, ``true``, ``[1, 2]``.
    """
    if isinstance(value, datetime.date | datetime.time):
        text = value.isoformat()
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(mistake: Mistake, document: Mapping[str, Any]) -> str:
    """``[[entries]] #3 "Conv-DnCNN": key "operator": came …``."""
    table, key = _place(mistake.where, document)
    return visible(": ".join([*([table] if table else []), *([f'key "{key}"'] if key else []), mistake.text]))


_NAMED_BY = {
    "entries": "name",
    "sweeps": "name",
    "vary": "field",
    "variants": "label",
    "comparisons": "entry",
    "datasets": "name",
    "values": "entry",
}
"""The key that tells a table of a list from the others."""


def _place(where: Where, document: Mapping[str, Any]) -> tuple[str, str]:
    """The table as its header writes it, and the key inside it."""
    match where:
        case (str() as head, int() as index, *rest) if head in _NAMED_BY:
            item = document[head][index] if isinstance(document.get(head), list | tuple) else None
            name = item.get(_NAMED_BY[head]) if isinstance(item, Mapping) else None
            return f"[[{head}]] #{index + 1}" + (f" {shown(name)}" if isinstance(name, str) else ""), _dotted(rest)
        case ("data" | "training" | "tuning" | "base" | "platform" as head, *rest):
            return f"[{head}]", _dotted(rest)
        case ("budgets", str() as budget, ("data" | "options") as inner, *rest):
            return f"[budgets.{toml_key(budget)}.{inner}]", _dotted(rest)
        case ("budgets", str() as budget, ("models" | "entries" | "sweeps") as inner, str() as name, *rest):
            return f"[budgets.{toml_key(budget)}.{inner}.{toml_key(name)}]", _dotted(rest)
        case ("budgets", str() as budget, *rest):
            return f"[budgets.{toml_key(budget)}]", _dotted(rest)
        case _:
            return "", _dotted(where)


def _dotted(path: Iterable[str | int]) -> str:
    """``train[2]``, ``options.features``; lists count from 1, as people do."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _text(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    """What came and what may stand there."""
    kind, context, came, where = detail["type"], detail.get("ctx", {}), detail["input"], detail["loc"]
    if kind == "refused":
        return str(context["text"])
    if kind == "missing":
        return f"missing; expected {_expected_at(model, where)}"
    if kind == "literal_error":
        choice = _choice(detail)
        if isinstance(came, str):
            return unknown(_named(where), came, choice)
        return f"came {shown(came)}{_kind(came)}; expected one of {', '.join(map(shown, choice))}"
    if kind in _TYPES:
        return f"came {shown(came)}{_kind(came)}; expected {_TYPES[kind]}"
    if kind in _BOUNDS:
        symbol, key = _BOUNDS[kind]
        return f"came {shown(came)}; must be {symbol} {context[key]:g}"
    if kind == "too_long":
        return f"came {shown(came)}; must have at most {context['max_length']} items"
    return f"came {shown(came)}; {detail['msg']}"


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number that is not as large",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "tuple_type": "a list",
    "list_type": "a list",
    "is_instance_of": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": ("≥", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("≤", "le"),
}
_KINDS = (
    (bool, "a truth value"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (tuple, "a list"),
    (dict, "a table"),
    (datetime.date, "a date"),
    (datetime.time, "a time"),
)


def _kind(value: Any) -> str:
    return next((f" ({name})" for type_, name in _KINDS if isinstance(value, type_)), "")


def _named(where: Where) -> str:
    """What a word is, by the key it stands at."""
    if where and where[-1] == "[key]":
        return "budget"
    return next((step for step in reversed(where) if isinstance(step, str)), "word")


def _choice(detail: ErrorDetails) -> list[str]:
    """The words of a literal; pydantic gives them as ``'l1' or 'l2'``."""
    return [word.strip("' ") for word in detail["ctx"]["expected"].replace(" or ", ", ").split(",")]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a table by the keys that the file has."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _table_at(model: type[BaseModel], where: Sequence[str | int]) -> type[BaseModel]:
    """The model of the table that holds the last step of a path."""
    for step in where[:-1]:
        field = _fields(model).get(step) if isinstance(step, str) else None
        if field is not None:  # an index or the name of a budget stays within the field that it came from
            model = next(_models_in(field.annotation), model)
    return model


def _expected_at(model: type[BaseModel] | None, where: Where) -> str:
    """What the field of a path wants, in its own words."""
    if model is None or isinstance(where[-1], int):
        return "one item more"
    field = _fields(_table_at(model, where)).get(str(where[-1]))
    return field.description if field is not None and field.description else "a value"
