"""The table that a notebook shows. Oracle: an XML parser that reads it back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pandas as pd

from converse.analysis.tables import RESULT_COLUMNS
from converse.reporting.notebook import results_html


def test_the_table_has_the_numbers_and_no_markup_of_others() -> None:
    row = {**dict.fromkeys(RESULT_COLUMNS), "entry": "<b>Mine</b>", "metric": "psnr", "measured": 30.43162, "images": 3}
    other = {**row, "entry": "Other", "measured": None, "reason": "out of memory"}
    page = results_html(pd.DataFrame([row, other], columns=list(RESULT_COLUMNS), dtype=object))
    assert "<b>" not in page
    cells = [["".join(cell.itertext()) for cell in line] for line in ElementTree.fromstring(page).iter("tr")]
    assert cells == [
        ["entry", "metric", "measured", "reason"],
        ["<b>Mine</b>", "psnr", "30.4316", ""],
        ["Other", "psnr", "", "out of memory"],
    ]
