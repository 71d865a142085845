"""Oracle: the rules of GitHub's tables: as many unescaped pipes in every line, one line per row."""

from __future__ import annotations

import re

from converse.reporting.markdown import plain, table
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet


def test_every_line_of_a_hostile_table_has_the_same_columns(sheet: Sheet) -> None:
    lines = [line for line in table(sheet).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(sheet.rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {2 + len(sheet.heads) + 1}
    assert not re.search(r"(?<!\\)[<`$]", "\n".join(lines))


def test_numbers_marks_and_verdicts() -> None:
    heads = (Head("p", "Parameters", digits=0, published_digits=0), Head("s", "Set12", unit="dB", better="higher"))
    rows = (
        Row("A|b", (Cell(measured=1234.0), Cell(measured=30.7, published=30.7, verdict="match"))),
        Row("C", (Cell(), Cell(measured=30.1, deviation=0.02)), marks=("base",)),
    )
    found = table(Sheet("k", "paper", "A title", "A caption.", "released", "Network", heads, rows, ("A note.",)))
    assert found == (
        "### A title\n\nA caption.\n\n"
        "| Network | Parameters | Set12 (dB) |\n| :-- | --: | --: |\n"
        "| A\\|b | 1\u202f234 | **30.70**, paper 30.70, ✓ match |\n"
        "| C (base) |  | *30.10 ± 0.02* |\n\nA note.\n"
    )


def test_text_stays_text() -> None:
    assert plain("<b>*x*_y_\n`z`") == r"\<b\>\*x\*\_y\_ \`z\`"
