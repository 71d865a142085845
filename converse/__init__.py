"""A reproducibility benchmark and ablation suite for reverse convolution.

Names load when they are used (PEP 562), so that ``import converse`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converse.nn.functional import converse2d as converse2d
    from converse.nn.operators import Converse2D as Converse2D

__version__ = "0.1.0"

_HOME = {"Converse2D": "converse.nn.operators", "converse2d": "converse.nn.functional"}

__all__ = ["Converse2D", "__version__", "converse2d"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'converse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
