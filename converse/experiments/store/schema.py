"""The version of what is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from converse.errors import StoreError
from converse.experiments.store.files import Damaged

SCHEMA: Final = 1
"""Version of the names and contents on disk, the ingredients of a trial among them. A reader refuses a newer one."""


def check_schema(path: Path, found: Mapping[str, Any]) -> None:
    """Refuse what a newer converse wrote.

    Args:
        path: the file, for the message.
        found: its content.

    Raises:
        Damaged: it has no version.
        StoreError: its version is newer.
    """
    version = found.get("schema")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Damaged(f'{path} is damaged: expected "schema": {SCHEMA}, got {version!r}')
    if version > SCHEMA:
        raise StoreError(
            f"{path} has schema {version}, this converse understands schemas up to {SCHEMA}: "
            "upgrade it (pip install --upgrade converse-bench), or name another store with --store"
        )
