"""Values as TOML has them, for files that the project writes and people read."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any


def toml_value(value: Any) -> str:
    """A value on one line.

    Args:
        value: text, a number, a truth value, a date, a list or a table of those; infinities are TOML's ``inf``.

    Returns:
        What `tomllib` reads as the same value, to the last bit.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if value is None:
        raise TypeError("TOML has no null: leave the key out")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key: str) -> str:
    """A key as a table or the header of one has it: in quotes unless it is bare."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
