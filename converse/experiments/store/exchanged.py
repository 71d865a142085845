"""What a copy of a store and its address have exchanged: a line for each object, in a journal that only grows.

A line says which object there was seen last, and what was here when nothing was here that was not there too. Several
processes add to it; where a line is lost, the object is fetched once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converse.experiments.store.files import Journal
from converse.experiments.store.shapes import TEXT, fault, optional

EXCHANGED: Final = "exchanged.jsonl"

_SHAPE: Final = {"kind": TEXT, "name": TEXT, "there": optional(TEXT), "mark": optional(TEXT)}
_SLACK: Final = 64


@dataclass(frozen=True)
class Known:
    """What is known of one object.

    Attributes:
        there: what says that it is another one by now; ``None`` where none was seen.
        mark: of what was here when it was there too; ``None`` where there is more here.
    """

    there: str | None = None
    mark: str | None = None


class Exchanged:
    """The journal of one copy.

    Args:
        root: folder of the copy.

    Raises:
        StoreError: it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self._journal = Journal(root / EXCHANGED, fault=lambda line: fault(line, _SHAPE))
        self._known: dict[tuple[str, str], Known] = {}
        self.read()

    def read(self) -> None:
        """Read it again, with what other processes have added.

        Raises:
            StoreError: it cannot be read.
        """
        lines = self._journal.read()
        self._known = {(one["kind"], one["name"]): Known(one.get("there"), one.get("mark")) for one in lines}
        self._lines = len(lines)

    def of(self, kind: str, name: str) -> Known:
        """What is known of an object.

        Args:
            kind: ``trials``, ``speed`` or ``asked``.
            name: of the object, without its suffix.
        """
        return self._known.get((kind, name), Known())

    def all(self) -> dict[tuple[str, str], Known]:
        """Kind and name → what is known."""
        return dict(self._known)

    def note(self, kind: str, found: Mapping[str, Known]) -> None:
        """Add what is known of objects by now.

        Args:
            kind: of :meth:`of`.
            found: name → what is known.

        Raises:
            StoreError: it cannot be written.
        """
        fresh = {name: known for name, known in found.items() if self.of(kind, name) != known}
        self._journal.append([_line(kind, name, known) for name, known in fresh.items()])
        self._known |= {(kind, name): known for name, known in fresh.items()}
        self._lines += len(fresh)

    def tidy(self) -> None:
        """Write it anew where most of its lines are out of date.

        Raises:
            StoreError: it cannot be written.
        """
        if self._lines > 2 * len(self._known) + _SLACK:
            self._journal.rewrite([_line(*key, known) for key, known in self._known.items()])
            self._lines = len(self._known)


def _line(kind: str, name: str, known: Known) -> dict[str, Any]:
    return {"kind": kind, "name": name, "there": known.there, "mark": known.mark}
