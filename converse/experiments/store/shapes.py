"""What the documents of a store look like: for each key what it holds, so that a wrong one is a sentence, not a crash.

Written by hand, because the light commands read thousands of documents and load no library for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


@dataclass(frozen=True)
class Kind:
    """What a key may hold.

    Attributes:
        name: for messages: ``text``.
        holds: whether a value is of the kind.
    """

    name: str
    holds: Callable[[Any], bool]


def optional(kind: Kind) -> Kind:
    """The kind, or null."""
    return Kind(f"{kind.name} or null", lambda value: value is None or kind.holds(value))


def one_of(*values: str) -> Kind:
    """One of these words."""
    return Kind(f"one of {', '.join(values)}", lambda value: isinstance(value, str) and value in values)


def table_of(kind: Kind) -> Kind:
    """A table whose values are all of the kind."""
    return Kind(
        f"a table of {kind.name}", lambda value: isinstance(value, dict) and all(map(kind.holds, value.values()))
    )


def list_of(kind: Kind) -> Kind:
    """A list whose values are all of the kind."""
    return Kind(f"a list of {kind.name}", lambda value: isinstance(value, list) and all(map(kind.holds, value)))


def row_of(*kinds: Kind) -> Kind:
    """A list with one value of each kind, in that order."""

    def holds(value: Any) -> bool:
        fits = isinstance(value, list) and len(value) == len(kinds)
        return fits and all(kind.holds(inner) for kind, inner in zip(kinds, value, strict=True))

    return Kind(f"[{', '.join(kind.name for kind in kinds)}]", holds)


def shape_of(shape: Mapping[str, Kind], *, name: str = "a table") -> Kind:
    """A table of that shape, as :func:`fault` understands it."""
    return Kind(name, lambda value: isinstance(value, dict) and fault(value, shape) is None)


def fault(found: Mapping[str, Any], shape: Mapping[str, Kind]) -> str | None:
    """The first key that does not hold what it should.

    Args:
        found: a document.
        shape: key → what it holds; one that is not there is taken for null. Other keys are left alone.

    Returns:
        ``expected seed to be a whole number ≥ 0 or null, got 'x'``; ``None`` when all is well.
    """
    for key, kind in shape.items():
        if not kind.holds(found.get(key)):
            return f"expected {key} to be {kind.name}, got {shown(found[key]) if key in found else 'nothing'}"
    return None


def shown(value: Any) -> str:
    """The beginning of a value, for a message."""
    text = f"a table of {len(value)}" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


TEXT: Final = Kind("text", lambda value: isinstance(value, str))
TRUTH: Final = Kind("true or false", lambda value: isinstance(value, bool))
COUNT: Final = Kind("a whole number ≥ 0", lambda value: _whole(value) and value >= 0)
WHOLE: Final = Kind("a whole number", _whole)
NUMBER: Final = Kind("a number", _number)
MEASURED: Final = Kind("a number, null, inf or -inf", lambda value: value in (None, "inf", "-inf") or _number(value))
"""As a journal writes numbers: NaN is null, infinities are texts."""
SECONDS: Final = Kind("seconds ≥ 0", lambda value: _number(value) and 0 <= value <= 1e12)
MOMENT: Final = Kind("a time in ISO 8601 with its zone", _moment)
TABLE: Final = Kind("a table", lambda value: isinstance(value, dict))
