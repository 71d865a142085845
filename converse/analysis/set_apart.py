"""In what trials of one name differ, in words: definition, training images, code, an operator's file, machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from converse.experiments.trials import Trial

_WORDS: Final = {
    "configuration": "the networks or their training were defined otherwise",
    "data": "the training images were others",
    "weights": "the released weights were others",
    "numerics": "the code computed otherwise",
    "operator_file": "the file of the operator was another",
    "platform": "the kind of machine was another",
}
_CHECKSUMS: Final = ("data", "operator_file", "weights")
"""Of these it says nothing to show both."""

_NAMED: Final = 3


def set_apart(pairs: Iterable[tuple[Trial, Trial]]) -> str:
    """What differs between the trials of each pair, apart from their seeds.

    Args:
        pairs: a trial, and one of the same entry that it is held against.

    Returns:
        ``the code computed otherwise (numerics 5, there 6); …``; empty where they are the same but for seeds.
    """
    paths: dict[str, tuple[Any, Any]] = {}
    for one, other in pairs:
        paths |= {found.path: (found.left, found.right) for found in one.differences(other)}
    said: dict[str, list[str]] = {}
    for path, (left, right) in sorted(paths.items()):
        kind, _, name = path.partition(".")
        if kind not in _WORDS:
            continue
        named = said.setdefault(kind, [])
        if kind not in _CHECKSUMS:
            named.append(f"{name or kind} {left}, there {right}")
        elif name:
            named.append(name)
    return "; ".join(
        _WORDS[kind] + (f" ({', '.join(named[:_NAMED])}{', …' if len(named) > _NAMED else ''})" if named else "")
        for kind, named in said.items()
    )
