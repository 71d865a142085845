"""What a report refuses to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converse.reporting.report import Report


def test_no_table_takes_the_place_of_another(hostile: Report) -> None:
    part = next(part for part in hostile.parts if part.sheets)
    sheet = part.sheets[0]
    with pytest.raises(ValueError, match=f"two of each of: table {sheet.key}"):
        replace(hostile, parts=(*hostile.parts, replace(part, sheets=(sheet,), figures=())))
