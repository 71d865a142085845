"""The kinds of values in a suite file, each with the check that it can pass or fail by itself."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo

from converse.data import catalogue
from converse.errors import DataError, unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.errors import refuse, refuse_inside, shown
from converse.plain_text import writable

SCHEMA = 1
DEEPEST = 8  # levels of tables and lists in options; people write two

Item = TypeVar("Item")

TaskName = Literal["denoising", "super_resolution", "deblurring"]
BudgetName = Literal["smoke", "quick", "standard", "paper"]


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
    known = {name: found for name, found in catalogue.datasets().items() if found.kind == "images"}
    if value.lower() in known:
        return value.lower()
    # Bytes that are not UTF-8 are no fault of a folder's; characters that control a terminal are.
    if value.strip() and writable(value).isprintable() and os.path.isdir(folder / value):  # noqa: PTH112 (never raises)
        return str((folder / value).resolve())
    if "/" in value or "\\" in value:
        raise DataError(f"came {shown(value)}; there is no such folder in {folder.resolve()}")
    raise DataError(unknown("dataset", value, known))


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


_REGISTERED = re.compile(r"[A-Za-z][\w.+-]*")
_BY_PATH = re.compile(r"(?P<file>[^:]+\.py):(?P<class>[^\W\d]\w*)|[^\W\d][\w.]*:[^\W\d]\w*")


def operator_name(value: str, info: ValidationInfo) -> str:
    """A registered operator's name as it is, a user's with an absolute path; anything else is refused."""
    reading, path = _reading(info), _BY_PATH.fullmatch(value)
    if path is None and not _REGISTERED.fullmatch(value):
        raise refuse(f"came {shown(value)}; expected a registered name, package.module:Class or path/to/file.py:Class")
    if path is None and reading.networks and value not in vocabulary.operators():
        raise refuse(unknown("operator", value, vocabulary.operators()))
    if path is not None and path["file"]:
        if not path["file"].isprintable():
            raise refuse(f"came {shown(value)}; expected a path of printable letters")
        return f"{Path(os.path.abspath(reading.folder / path['file']))}:{path['class']}"  # noqa: PTH100 (keeps links)
    return value


def _model(value: str, info: ValidationInfo) -> str:
    if _reading(info).networks and value not in vocabulary.models():
        raise refuse(unknown("model", value, vocabulary.models()))
    return value


def _released(value: str, info: ValidationInfo) -> str:
    if _reading(info).networks and value not in vocabulary.released():
        raise refuse(unknown("released weights", value, vocabulary.released()))
    return value


def _published(value: str) -> str:
    known = vocabulary.published_rows()
    if value not in known:
        raise refuse(f"{unknown('table', value, known)} (tables of reports/published.toml)")
    return value


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


def _json(value: dict[str, Any]) -> dict[str, Any]:
    if found := _not_json(value):
        raise refuse_inside(found)
    return value


def _json_values(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if found := _not_json(list(value)):
        raise refuse("; ".join(f"value {path}: {text}" for path, text in found))
    return some(value)


def _not_json(value: Any) -> list[tuple[str, str]]:
    """What of a list or table options can't be, each with its path."""
    found = []
    for path, inner, depth in _leaves(value, "", 0):
        if depth > DEEPEST:
            found.append((path, f"tables and lists are nested more than {DEEPEST} deep"))
        elif isinstance(inner, float) and not math.isfinite(inner):
            found.append((path, f"came {shown(inner)}; expected a finite number"))
        elif not isinstance(inner, str | int | float):
            found.append((path, f"came {shown(inner)}; expected text, a number, true or false, a list or a table"))
    return found


def _leaves(value: Any, path: str, depth: int) -> list[tuple[str, Any, int]]:
    """Path, value and depth of all that is neither a list nor a table; what is too deep stands for what it holds."""
    if depth > DEEPEST or not isinstance(value, dict | list):
        return [(path, value, depth)]
    items = value.items() if isinstance(value, dict) else enumerate(value, 1)
    return [leaf for key, inner in items for leaf in _leaves(inner, f"{path}.{key}".removeprefix("."), depth + 1)]


Schema = Annotated[int, AfterValidator(_schema)]
Slug = Annotated[str, AfterValidator(_slug)]
Text = Annotated[str, AfterValidator(_line_of_text)]
Images = Annotated[int, Field(ge=1, le=1_000_000)]
Dataset = Annotated[str, AfterValidator(_dataset)]
Datasets = Annotated[tuple[Dataset, ...], Field(strict=False), AfterValidator(_each_once)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], Field(max_length=1000, strict=False), AfterValidator(_each_once)]
Options = Annotated[dict[str, Any], AfterValidator(_json)]
Values = Annotated[tuple[Any, ...], Field(strict=False), AfterValidator(_json_values)]
ModelName = Annotated[str, AfterValidator(_model)]
OperatorName = Annotated[str, AfterValidator(operator_name)]
ReleasedName = Annotated[str, AfterValidator(_released)]
PublishedTable = Annotated[str, AfterValidator(_published)]
