"""Oracle: Python's own reader of comma-separated values."""

from __future__ import annotations

import csv
import io

from converse.plain_text import visible
from converse.reporting.csv import COLUMNS, table
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet


def test_each_cell_is_a_line_that_is_read_back(sheet: Sheet) -> None:
    text = table(sheet)
    lines = list(csv.DictReader(io.StringIO(text)))
    cells = [(row, head, cell) for row, head, cell in sheet.cells() if not cell.empty]
    assert list(lines[0]) == list(COLUMNS)
    assert len(lines) == len(cells)
    assert "\r" not in text
    for line, (row, head, cell) in zip(lines, cells, strict=True):
        assert (line["row"], line["column"], line["group"]) == (visible(row.title, "\n"), head.key, row.group)
        assert line["text"] == visible(cell.text or "", "\n")
        if cell.measured is not None:
            assert float(line["measured"]) == round(cell.measured, 5)
            assert (line["difference"], line["published"], line["trust"]) == ("0.12346", "30.50", "secondary")
            assert (line["seeds"], line["images"], line["trials"]) == ("0 1", "2", "a" * 16)
        else:
            assert line["measured"] == line["verdict"] == ""


def test_the_same_sheet_is_the_same_text(sheet: Sheet) -> None:
    assert table(sheet) == table(sheet)


def test_words_are_no_formulas_and_numbers_stay_numbers() -> None:
    row = Row("=cmd|' /C calc'!A0", (Cell(measured=-0.5, difference=-0.25, reason="@SUM(1)"),))
    (line,) = csv.DictReader(
        io.StringIO(table(Sheet("k", "paper", "T", "C", "released", "N", (Head("h", "H"),), (row,))))
    )
    assert (line["row"], line["reason"]) == ("'=cmd|' /C calc'!A0", "'@SUM(1)")
    assert float(line["measured"]) == -0.5
    assert float(line["difference"]) == -0.25
