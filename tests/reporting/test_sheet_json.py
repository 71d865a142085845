"""Oracle: the comma-separated values of the same sheet, read by Python's own reader."""

from __future__ import annotations

import csv
import io
import json
import math

from converse.reporting.csv import table as csv_table
from converse.reporting.sheet_json import table
from converse.reporting.tables.sheet import Cell, Head, Infinite, Row, Sheet


def test_cells_are_those_of_the_other_format(sheet: Sheet) -> None:
    found = json.loads(table(sheet))["cells"]
    lines = list(csv.DictReader(io.StringIO(csv_table(sheet))))
    assert len(found) == len(lines)
    for one, line in zip(found, lines, strict=True):
        assert all(name in one for name, text in line.items() if text)
        for name in ("measured", "deviation", "published", "images"):
            assert (float(line[name]) if line[name] else None) == one.get(name)
        assert one.get("seeds", []) == line["seeds"].split()


def test_an_infinite_value_is_text_and_a_count_is_whole() -> None:
    cells = (Cell(measured=math.inf, infinite=Infinite(2, 2)), Cell(measured=734913.0))
    heads = (Head("psnr", "PSNR"), Head("parameters", "Parameters", digits=0))
    found = json.loads(table(Sheet("k", "values", "T", "C", "trained", "N", heads, (Row("a", cells),))))
    assert [one["measured"] for one in found["cells"]] == ["inf", 734913]
