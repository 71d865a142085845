"""How an operator is named, and its options beside the name: nothing is imported to read a name.

An operator is a registered name, ``package.module:Class``, ``path/to/file.py:Class``, or a name under which an
installed package offers one (an entry point of the group ``converse.operators``). Options follow as
``name?groups=2&eps=1e-3``, or the whole is a table: ``{ name = "file.py:Class", groups = 2 }``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import quote, unquote

from converse.errors import OptionError
from converse.experiments.suites.toml import toml_value

GROUP: Final = "converse.operators"
"""The group of entry points by which a package offers operators."""

REGISTERED: Final = ("converse", "conv", "convt")
"""The keys of :data:`converse.nn.operators.OPERATORS`, known without torch; no entry point takes one of them."""

OF_MODEL: Final = ("kernel_size", "padding_mode")
"""Arguments of an operator that are options of the network around it."""

FORMS: Final = "a registered name, package.module:Class or path/to/file.py:Class"

_ONE_NAME: Final = re.compile(r"[A-Za-z][\w.+-]*")
_CLASS: Final = re.compile(r"(?P<file>[^:]+\.py):(?P<class>[^\W\d]\w*)|[^\W\d][\w.]*:[^\W\d]\w*")
_OPTION: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Named:
    """An operator and its options.

    Attributes:
        operator: a registered name, ``package.module:Class``, or ``/absolute/path/to/file.py:Class``; or one name that
            nothing here is known by.
        options: arguments beside those that every operator has.
    """

    operator: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """As tables have it: the last part of a path, and the options."""
        return self._with_options(PurePath(self.operator).name)

    def options_of_model(self) -> dict[str, Any]:
        """The options as those of a network that has the operator in its blocks.

        Raises:
            OptionError: an option that is not to be chosen there.
        """
        for option in ("channels", "scale"):
            if option in self.options:
                raise OptionError(f"{_came(str(self))}; {option} is set by the model")
        own = {key: value for key, value in self.options.items() if key not in OF_MODEL}
        given = {key: value for key, value in self.options.items() if key in OF_MODEL}
        return {**given, "operator_options": own} if own else given

    def __str__(self) -> str:
        """As :func:`named` reads it."""
        return self._with_options(self.operator)

    def _with_options(self, name: str) -> str:
        query = "&".join(f"{key}={quote(_spelled(value), safe=_SAFE)}" for key, value in self.options.items())
        return f"{name}?{query}" if query else name


_SAFE: Final = "/:+,[]{}\"'= "
"""What stays as it is in a value: not ``%`` and ``&``, which mean something."""


def named(given: str | Mapping[str, Any], folder: Path | None = None) -> Named:
    """Read the name of an operator.

    Args:
        given: text, with or without options, or a table with the key ``name``.
        folder: where a relative path starts; the working folder by default.

    Returns:
        The operator and its options. The path of a file is absolute, the name of an entry point is replaced by what it
        stands for.

    Raises:
        OptionError: it is no name, or two packages offer an operator of this name.
    """
    if isinstance(given, str):
        name, options = _split(given)
    else:
        options = dict(given)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise OptionError(f'{_came(given)}; expected the key name in it, such as name = "path/to/file.py:Class"')
        if "?" in name and _split(name)[1]:
            raise OptionError(f"{_came(given)}; options stand either in the table or after the name, not in both")
    for option in options:
        if not _OPTION.fullmatch(option):
            raise OptionError(f"{_came(given)}; an option is the name of an argument, got {option!r}")
    return Named(_resolved(name, folder or Path()), options)


def installed() -> Iterator[metadata.EntryPoint]:
    """What installed packages offer, by name; none of it is imported."""
    yield from sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)


def _split(text: str) -> tuple[str, dict[str, Any]]:
    """Name and options; a ``?`` of a file's own name is followed by that file's ending."""
    found = re.fullmatch(r"(?P<name>.*\.py:[^?]*|[^?]*)(?:\?(?P<query>.*))?", text, re.DOTALL)
    if found is None or not found["query"]:
        return (text if found is None else found["name"]), {}
    options: dict[str, Any] = {}
    for part in found["query"].split("&"):
        key, equals, value = part.partition("=")
        if not equals:
            raise OptionError(f"{_came(text)}; options are written as Class?groups=2&eps=1e-3, got {part!r}")
        if key in options:
            raise OptionError(f"{_came(text)}; {key} stands there twice")
        options[key] = _value(unquote(value))
    return found["name"], options


def _resolved(name: str, folder: Path) -> str:
    if name in REGISTERED:
        return name
    path = _CLASS.fullmatch(name)
    if path is None:
        if not _ONE_NAME.fullmatch(name):
            raise OptionError(f"{_came(name)}; expected {FORMS}")
        return _entry_point(name)
    if not path["file"]:
        return name
    if not path["file"].isprintable():
        raise OptionError(f"{_came(name)}; expected a path of printable letters")
    return f"{Path(os.path.abspath(folder / path['file']))}:{path['class']}"  # noqa: PTH100 (keeps links)


def _entry_point(name: str) -> str:
    """The class that an installed package offers under a name; the name itself where none does."""
    found = {point.value: point for point in installed() if point.name == name}
    if len(found) > 1:
        offered = " and ".join(f"{value} of {_package(point)}" for value, point in sorted(found.items()))
        raise OptionError(f"{_came(name)}; two packages offer it: {offered}. Name one as package.module:Class")
    for point in found.values():
        if not _CLASS.fullmatch(value := f"{point.module}:{point.attr or ''}"):
            raise OptionError(
                f"{_came(name)}; {_package(point)} offers {point.value!r} by it, expected package.module:Class"
            )
        return value
    return name


def _package(point: metadata.EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else "a package"


def _came(given: str | Mapping[str, Any]) -> str:
    text = toml_value(given)
    return f"came {text if len(text) <= 60 else text[:57] + '...'}"


def _value(text: str) -> Any:
    """A value as TOML has it, or else text."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if set(read) == {"value"} else text


def _spelled(value: Any) -> str:
    """What :func:`_value` reads as this."""
    if isinstance(value, str):
        return value if _value(value) == value and isinstance(_value(value), str) else toml_value(value)
    return toml_value(value)
