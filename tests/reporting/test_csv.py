"""Oracle: Python's own reader of comma-separated values."""

from __future__ import annotations

import csv
import io

from converse.analysis.sheets import Sheet
from converse.reporting.csv import COLUMNS, table


def test_each_cell_is_a_line_that_is_read_back(sheet: Sheet) -> None:
    text = table(sheet)
    lines = list(csv.DictReader(io.StringIO(text)))
    cells = [(row, head, cell) for row, head, cell in sheet.cells() if not cell.empty]
    assert list(lines[0]) == list(COLUMNS)
    assert len(lines) == len(cells)
    assert "\r" not in text
    for line, (row, head, cell) in zip(lines, cells, strict=True):
        assert (line["row"], line["column"], line["group"]) == (row.title, head.key, row.group)
        assert line["text"] == (cell.text or "")
        if cell.measured is not None:
            assert float(line["measured"]) == round(cell.measured, 5)
            assert (line["difference"], line["published"], line["trust"]) == ("0.12346", "30.50", "secondary")
            assert (line["seeds"], line["images"], line["trials"]) == ("0 1", "2", "a" * 16)
        else:
            assert line["measured"] == line["verdict"] == ""


def test_the_same_sheet_is_the_same_text(sheet: Sheet) -> None:
    assert table(sheet) == table(sheet)
