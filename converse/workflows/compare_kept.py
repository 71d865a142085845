"""What a comparison finds out once and keeps beside its page: widths, and what is odd about the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converse.experiments.store import files
from converse.experiments.store.schema import SCHEMA

FILE: Final = "found.json"


@dataclass(frozen=True)
class Kept:
    """The file of a comparison. What it holds is found anew where it is lost or damaged.

    Attributes:
        folder: of the comparison.
    """

    folder: Path

    def widths(self, task: str, basis: str) -> dict[str, int] | None:
        """Label → width, as it was found for the same networks; ``None`` where it was not.

        Args:
            task: of which.
            basis: hash of what widths depend on.
        """
        found = self._read("widths").get(task)
        if not isinstance(found, Mapping) or found.get("basis") != basis:
            return None
        return {str(name): int(width) for name, width in found["widths"].items()}

    def keep_widths(self, task: str, basis: str, widths: Mapping[str, int]) -> None:
        """Keep the widths of a task.

        Raises:
            StoreError: the file cannot be written.
        """
        self._write("widths", task, {"basis": basis, "widths": dict(widths)})

    def sentences(self, operator: str) -> tuple[str, ...]:
        """What an operator does that is seldom meant, as it was seen when it was tried.

        Args:
            operator: hash of its name and its file.
        """
        return tuple(map(str, self._read("sentences").get(operator, ())))

    def keep_sentence(self, operator: str, sentence: str) -> None:
        """Keep one more sentence about an operator.

        Raises:
            StoreError: the file cannot be written.
        """
        known = self.sentences(operator)
        if sentence not in known:
            self._write("sentences", operator, [*known, sentence])

    def _read(self, part: str) -> dict[str, Any]:
        try:
            found = (files.read_json(self.folder / FILE) or {}).get(part, {})
        except files.Damaged:
            found = {}
        return dict(found) if isinstance(found, Mapping) else {}

    def _write(self, part: str, key: str, value: Any) -> None:
        path = self.folder / FILE
        parts = {name: self._read(name) for name in ("widths", "sentences")}
        with files.explained(path, "write"):
            self.folder.mkdir(parents=True, exist_ok=True)
            files.write_json(path, {"schema": SCHEMA, **parts, part: {**parts[part], key: value}})
