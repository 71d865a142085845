"""Docstrings as pages show them (griffe extension).

Sphinx roles become code, and links where the name is complete. An ``Example:`` is shown as code, as ``Examples:`` is.
A name that a package only lists is shown once, where it is defined.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):`~?([\w.]+)`")
EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)


def _markdown(role: re.Match[str]) -> str:
    name = role[1]
    return f"[`{name}`][{name}]" if name.startswith("converse.") else f"`{name}`"


class Roles(griffe.Extension):
    """Rewrites the docstring of every object when its package is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of ``obj``, if it has one."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(r"\1Examples:", ROLE.sub(_markdown, obj.docstring.value))

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Take listed names out of packages, once all of them are loaded."""
        for module in (pkg, *pkg.modules.values()):
            for name in [name for name, member in module.members.items() if member.is_alias]:
                module.del_member(name)
