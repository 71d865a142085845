"""Names that load when they are used (PEP 562), so that importing a package costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, homes: Mapping[str, str], *others: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The two functions that a package calls ``__getattr__`` and ``__dir__``.

    Args:
        package: its ``__name__``.
        homes: name → the module that it lives in.
        others: public names that are there already.

    Returns:
        ``__getattr__``, which imports the module of a name and raises ``AttributeError`` for others, and ``__dir__``.
    """

    def load(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted((*homes, *others))
