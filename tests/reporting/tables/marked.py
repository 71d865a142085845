"""The places of a column, for tests of sheets."""

from __future__ import annotations

from converse.reporting.tables.decided import decided
from converse.reporting.tables.sheet import Sheet


def places(sheet: Sheet, column: int) -> dict[int, int]:
    """Index of the row → 1 for the best, 2 for the second."""
    found = {row: line[column].place for row, line in enumerate(decided(sheet))}
    return {row: place for row, place in found.items() if place is not None}
