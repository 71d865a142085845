"""The version of what is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from converse.errors import StoreError
from converse.experiments.store.files import Damaged
from converse.experiments.store.shapes import (
    COUNT,
    MEASURED,
    NUMBER,
    TABLE,
    TEXT,
    TRUTH,
    Kind,
    fault,
    list_of,
    one_of,
    optional,
    table_of,
)
from converse.experiments.trials import Source

SCHEMA: Final = 1
"""Version of the names and contents on disk, the ingredients of a trial among them. A reader refuses a newer one."""


_TRIAL: Final = {
    "id": TEXT,
    "task": TEXT,
    "entry": TEXT,
    "source": one_of(*get_args(Source)),
    "seed": optional(COUNT),
    "budget": optional(TEXT),
    "configuration": TABLE,
    "data": table_of(TEXT),
    "weights": optional(TEXT),
    "operator_file": optional(TEXT),
    "numerics": COUNT,
    "platform": TABLE,
}
PROVENANCE: Final = {
    **dict.fromkeys(("time", "commit", "code", "python", "system", "libc", "cpu"), optional(TEXT)),
    **dict.fromkeys(("cpu_capability", "products", "device", "gpu", "driver"), optional(TEXT)),
    **dict.fromkeys(("numerics", "core_cache", "cores", "threads"), optional(COUNT)),
    "dirty": optional(TRUTH),
    "memory_gib": optional(NUMBER),
    "versions": optional(table_of(TEXT)),
    "determinism": optional(TABLE),
    "command": optional(list_of(TEXT)),
    "earlier": optional(list_of(TABLE)),
    "not_deterministic": optional(list_of(TEXT)),
    "not_trained_on": optional(table_of(list_of(TEXT))),
}
_CURVE: Final = {"step": COUNT, "loss": MEASURED, "lr": MEASURED, "psnr": MEASURED}


def check_trial(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse what are no ingredients of a trial.

    Args:
        path: ``trial.json``, for the message.
        content: its content.

    Raises:
        Damaged: a key is missing or holds something else.
        StoreError: its version is newer.
    """
    check_schema(path, content)
    expected = "the ingredients of a trial"
    if missing := [name for name in _TRIAL if name not in content]:
        raise Damaged(f"{path} is damaged: expected {expected}, {missing[0]} is missing")
    check_shape(path, content, _TRIAL, expected)


def check_shape(path: Path, content: Mapping[str, Any], shape: Mapping[str, Kind], what: str = "") -> None:
    """Refuse what has another shape.

    Args:
        path: the file, for the message.
        content: its content; keys that the shape does not name are left alone.
        shape: what its keys have to hold.
        what: was expected there, for the message.

    Raises:
        Damaged: a key holds something else.
    """
    if (wrong := fault(content, shape)) is not None:
        raise Damaged(f"{path} is damaged: {f'expected {what}, ' if what else ''}{wrong}")


def curve_fault(point: Mapping[str, Any]) -> str | None:
    """What is wrong with a point of a training curve; ``None`` if nothing is."""
    return fault(point, _CURVE)


def check_schema(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse what a newer converse wrote.

    Args:
        path: the file, for the message.
        content: its content.

    Raises:
        Damaged: it has no version.
        StoreError: its version is newer.
    """
    version = content.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Damaged(f'{path} is damaged: expected "schema": {SCHEMA}, got {version!r}')
    if version > SCHEMA:
        raise StoreError(
            f"{path} has schema {version}, this converse understands schemas up to {SCHEMA}: "
            "upgrade it (pip install --upgrade converse-bench), or name another store with --store"
        )
