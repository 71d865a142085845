"""JSON as the store writes it: each key once, finite numbers that a machine word holds, no bottomless nesting.

Python's parser takes more than that, and what it takes fails later, far from the file that it came from: NaN,
``1e999``, numbers of a thousand digits, a key that stands there twice, ten thousand brackets.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

DEEPEST: Final = 64
"""Levels of nesting that are read."""

_LARGEST: Final = 2**63


class Refused(ValueError):
    """It is JSON, but nothing that the store writes; the message says what."""


def parse(data: bytes) -> Any:
    """The value in a document.

    Args:
        data: UTF-8.

    Returns:
        Plain types.

    Raises:
        Refused: it has a key twice, a number that is not finite or too large, or too many levels.
        ValueError: it is not JSON.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise Refused(f"it has more than {DEEPEST} levels") from None
    # Fewer brackets than levels that are allowed: the usual case, and the cheaper question.
    if data.count(b"{") + data.count(b"[") > DEEPEST and _deeper(value, DEEPEST):
        raise Refused(f"it has more than {DEEPEST} levels")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"the key {twice[:40]!r} stands there twice")
    return table


def _constant(text: str) -> NoReturn:
    raise Refused(f"{text} is no JSON")


def _whole(text: str) -> int:
    if len(text) > 20 or not -_LARGEST <= (number := int(text)) < _LARGEST:
        raise Refused(f"the number {text[:24]}{'…' if len(text) > 24 else ''} has more than 64 bits")
    return number


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise Refused(f"the number {text[:24]} is too large")
    return number


def _deeper(value: Any, levels: int) -> bool:
    """Whether it has more levels than these; without recursion."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_constant, parse_int=_whole, parse_float=_finite
)
