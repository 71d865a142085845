"""What may stand in a suite file: the kinds of values, each with its check, and the words that other layers define.

Models, operators and released weights live in modules that import torch; each function imports what it asks.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo

from converse.content import content
from converse.data import catalogue
from converse.data.noise_levels import LARGEST
from converse.errors import DataError, OptionError, unknown
from converse.experiments.suites.errors import refusal, refuse, refuse_inside, shown
from converse.experiments.suites.operator_names import Named, installed, named
from converse.plain_text import writable

if TYPE_CHECKING:
    from converse.nn.released_weights import Released

SET_BY_MODEL = frozenset({"channels", "kernel_size", "scale", "padding_mode"})
"""Arguments of every operator, which a model gives it from options of its own."""

SCHEMA = 1
DEEPEST = 8  # levels of tables and lists in options; people write two

Item = TypeVar("Item")


class Table(BaseModel):
    """A table of a suite file: no key that is not known, no bool for a number, no NaN, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Reading:
    """What validators need to know of the file.

    Attributes:
        folder: where relative paths start.
        networks: whether words that only torch's modules know are checked.
    """

    folder: Path = Path()
    networks: bool = True


def image_source(value: str, folder: Path) -> str:
    """Where images come from: the catalogue's spelling of a dataset, or the absolute path of a folder.

    Args:
        value: a name in any case, or a path.
        folder: where a relative path starts.

    Returns:
        A name of the catalogue or an absolute path.

    Raises:
        DataError: there is neither.
    """
    image_sets = {name: dataset for name, dataset in catalogue.datasets().items() if dataset.kind == "images"}
    if value.lower() in image_sets:
        return value.lower()
    # Bytes that are not UTF-8 are no fault of a folder's; characters that control a terminal are.
    if value.strip() and writable(value).isprintable() and os.path.isdir(folder / value):  # noqa: PTH112 (never raises)
        return str((folder / value).resolve())
    if "/" in value or "\\" in value:
        raise DataError(f"came {shown(value)}; there is no such folder in {folder.resolve()}")
    raise DataError(unknown("dataset", value, image_sets))


def _reading(info: ValidationInfo) -> Reading:
    return info.context if isinstance(info.context, Reading) else Reading()


def _schema(value: int) -> int:
    if value != SCHEMA:
        raise refuse(f"came {value}; this version of converse reads schema {SCHEMA}")
    return value


def _dataset(value: str, info: ValidationInfo) -> str:
    try:
        return image_source(value, _reading(info).folder)
    except DataError as error:
        raise refuse(str(error)) from None


def operator(value: Any, info: ValidationInfo, beside: Iterable[str] = ()) -> Named:
    """An operator and its options, as a suite names it.

    Args:
        value: text, or a table.
        info: of the validator that asks.
        beside: what else may stand there, for the message.

    Returns:
        The operator; where networks are checked, one that there is, or a class of the user's, which is not loaded.

    Raises:
        OptionError: it is none.
    """
    reading = _reading(info)
    if not isinstance(value, str | Mapping):
        raise OptionError(f"came {shown(value)}; expected the name of an operator, or a table with name and options")
    found = named(value, reading.folder)
    if reading.networks and ":" not in found.operator and found.operator not in operators():
        known = [*operators(), *(point.name for point in installed()), *beside]
        raise OptionError(unknown("operator", found.operator, known))
    return found


def _operator_name(value: str, info: ValidationInfo) -> str:
    try:
        return operator(value, info).operator
    except OptionError as error:
        raise refuse(str(error)) from None


def _model(value: str, info: ValidationInfo) -> str:
    if _reading(info).networks and value not in models():
        raise refuse(unknown("model", value, models()))
    return value


def _released(value: str, info: ValidationInfo) -> str:
    if _reading(info).networks and value not in released():
        raise refuse(unknown("released weights", value, released()))
    return value


def _published(value: str) -> str:
    tables = published_rows()
    if value not in tables:
        raise refuse(f"{unknown('table', value, tables)} (tables of reports/published.toml)")
    return value


def _file(value: str, info: ValidationInfo) -> str:
    if not value.strip() or not value.isprintable():
        raise refuse(f"came {shown(value)}; expected the path of a file")
    return str((_reading(info).folder / value).resolve())


def _line_of_text(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 200:
        raise refuse(f"came {shown(value)}; expected one line of text, of 1 to 200 letters")
    return value


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", value):
        raise refuse(f"came {shown(value)}; expected lower-case letters, digits, - and _, beginning with a letter")
    return value


def some(value: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse an empty list."""
    # pydantic's own min_length counts the items that passed, and would complain again about those that did not
    if not value:
        raise refuse("came []; must not be empty")
    return value


def _each_once(value: tuple[Item, ...]) -> tuple[Item, ...]:
    twice = [item for index, item in enumerate(value) if item in value[:index]]
    if twice:
        raise refuse(f"came {shown(list(value))}; {shown(twice[0])} stands there twice")
    return some(value)


def _no_twins(value: tuple[Item, ...]) -> tuple[Item, ...]:
    return _each_once(value) if value else value


def _json(value: dict[str, Any]) -> dict[str, Any]:
    if faults := _not_json(value):
        raise refuse_inside(faults)
    return value


def _json_values(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if faults := _not_json(list(value)):
        raise refuse("; ".join(f"value {path}: {text}" for path, text in faults))
    return some(value)


def _not_json(value: Any) -> list[tuple[str, str]]:
    """What of a list or table options can't be, each with its path."""
    faults = []
    for path, inner, depth in _leaves(value, "", 0):
        if depth > DEEPEST:
            faults.append((path, f"tables and lists are nested more than {DEEPEST} deep"))
        elif isinstance(inner, float) and not math.isfinite(inner):
            faults.append((path, f"came {shown(inner)}; expected a finite number"))
        elif not isinstance(inner, str | int | float):
            faults.append((path, f"came {shown(inner)}; expected text, a number, true or false, a list or a table"))
    return faults


def _leaves(value: Any, path: str, depth: int) -> list[tuple[str, Any, int]]:
    """Path, value and depth of all that is neither a list nor a table; what is too deep stands for what it holds."""
    if depth > DEEPEST or not isinstance(value, dict | list):
        return [(path, value, depth)]
    items = value.items() if isinstance(value, dict) else enumerate(value, 1)
    return [leaf for key, inner in items for leaf in _leaves(inner, f"{path}.{key}".removeprefix("."), depth + 1)]


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

    return {name: _signature(builder, SET_BY_MODEL) for name, builder in OPERATORS.items()}


@cache
def block_design() -> Signature:
    """The parts of the block that a suite may change."""
    from converse.nn.blocks import BlockDesign

    return _signature(BlockDesign)


def released() -> Mapping[str, Released]:
    """The released weights by the name of their row in the paper."""
    from converse.nn.released_weights import RELEASED

    return RELEASED


@cache
def published_rows() -> Mapping[str, frozenset[str]]:
    """Tables of reports/published.toml that have one row per entry → their entries.

    Returns:
        For example ``{"denoising": {"DnCNN", …}, …}``; ``deblurring`` joins its tables, one per dataset.
    """
    tables = tomllib.loads((content("reports") / "published.toml").read_text(encoding="utf-8"))
    others = ("ablation", "parameters", "per_image", "deblurring_draft")  # of other rows, or of older values
    return {name: frozenset(_rows(table)) for name, table in tables.items() if name not in others}


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


Schema = Annotated[int, AfterValidator(_schema)]
Slug = Annotated[str, AfterValidator(_slug)]
Text = Annotated[str, AfterValidator(_line_of_text)]
Decibels = Annotated[float, Field(gt=0, le=100)]
File = Annotated[str, AfterValidator(_file)]
"""A path, absolute once it is read; what is written starts at the folder of the document."""
Images = Annotated[int, Field(ge=1, le=1_000_000)]
Dataset = Annotated[str, AfterValidator(_dataset)]
Datasets = Annotated[tuple[Dataset, ...], Field(strict=False), AfterValidator(_each_once)]
NoiseLevel = Annotated[float, Field(gt=0, le=LARGEST)]
NoiseLevels = Annotated[tuple[NoiseLevel, ...], Field(max_length=100, strict=False), AfterValidator(_no_twins)]
"""Standard deviations, of 255; none of them, where a budget takes away those of ``[data]``."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], Field(max_length=1000, strict=False), AfterValidator(_each_once)]
Options = Annotated[dict[str, Any], AfterValidator(_json)]
Values = Annotated[tuple[Any, ...], Field(strict=False), AfterValidator(_json_values)]
ModelName = Annotated[str, AfterValidator(_model)]
OperatorName = Annotated[str, AfterValidator(_operator_name)]
ReleasedName = Annotated[str, AfterValidator(_released)]
PublishedTable = Annotated[str, AfterValidator(_published)]
