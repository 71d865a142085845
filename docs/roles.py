"""Sphinx roles in docstrings become code, and links where the name is complete (griffe extension)."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):`~?([\w.]+)`")


def _markdown(role: re.Match[str]) -> str:
    name = role[1]
    return f"[`{name}`][{name}]" if name.startswith("converse.") else f"`{name}`"


class Roles(griffe.Extension):
    """Rewrites the docstring of every object when its package is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of ``obj``, if it has one."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(_markdown, obj.docstring.value)
