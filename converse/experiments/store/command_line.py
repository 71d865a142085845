"""A request in parts, as a store keeps it, and the command line that asks for the same.

Where results and data lie on one machine (``--store``, ``--data-dir``) is no part of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

Value = str | int | tuple[str | int, ...]

_NAME: Final = re.compile(r"[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class CommandLine:
    """What was asked for.

    Attributes:
        name: of the command: ``run``, ``reproduce``, ``speed``.
        argument: suite, task, or the path of a file as it was given; empty where there is none.
        options: name without dashes → value; several values are a tuple; an option that takes none is ``True``.
    """

    name: str
    argument: str = ""
    options: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return shlex.join(self.words())

    def words(self) -> list[str]:
        """The words of the command line, ``converse`` first."""
        said = ["converse", self.name, *([self.argument] if self.argument else [])]
        for option, value in self.options.items():
            said += _words(f"--{option}", value)
        return said

    def changed(self, **options: Value | None) -> CommandLine:
        """The same request with other options.

        Args:
            options: name, with ``_`` for ``-``, → value; ``None`` takes the option away.
        """
        changes = {name.replace("_", "-"): value for name, value in options.items()}
        merged = {**self.options, **changes}
        return replace(self, options={name: value for name, value in merged.items() if value is not None})

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> CommandLine:
        """The request that JSON holds.

        Args:
            found: what ``dataclasses.asdict`` made, lists for tuples.

        Raises:
            KeyError: a part is missing.
            ValueError: a part is not what a command line has.
        """
        name, argument, options = found["name"], found["argument"], found["options"]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(argument, str):
            raise ValueError(f"expected a command and its argument, got {name!r}, {argument!r}")
        if not isinstance(options, Mapping) or not all(_NAME.fullmatch(str(option)) for option in options):
            raise ValueError(f"expected options by name, got {options!r}")
        return cls(name, argument, {option: _value(value) for option, value in options.items()})

    @classmethod
    def parsed(cls, text: str) -> CommandLine | None:
        """The request that a command line of pairs ``--option value`` asks for; ``None`` where it is no such line."""
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        if len(words) < 2 or words[0] != "converse":
            return None
        has_argument = len(words) > 2 and not words[2].startswith("--")
        rest = words[3 if has_argument else 2 :]
        options = dict(zip(rest[::2], rest[1::2], strict=False))
        if len(rest) % 2 or not all(option.startswith("--") and _NAME.fullmatch(option[2:]) for option in options):
            return None
        argument = words[2] if has_argument else ""
        return cls(words[1], argument, {option[2:]: value for option, value in options.items()})


def _words(option: str, value: Value) -> list[str]:
    if value is True:
        return [option]
    if not isinstance(value, tuple):
        return [option, str(value)]
    texts = [str(one) for one in value]
    if any("," in one for one in texts):  # in a list with commas it would be two
        return [word for one in texts for word in (option, one)]
    return [option, ",".join(texts)]


def _value(found: Any) -> Value:
    if isinstance(found, list | tuple):
        if not found or not all(isinstance(one, str | int) for one in found):
            raise ValueError(f"expected a list of words or numbers, got {found!r}")
        return tuple(found)
    if not isinstance(found, str | int):
        raise ValueError(f"expected a word, a number or a list, got {found!r}")
    return found
