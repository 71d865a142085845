"""The table that a notebook shows. Oracle: an XML parser that reads it back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd

from converse.analysis.side_by_side import NETWORK_COLUMNS
from converse.analysis.tables import RESULT_COLUMNS
from converse.reporting.notebook import comparison_html, results_html


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


def test_a_comparison_is_its_sentences_its_networks_and_its_page(tmp_path: Path) -> None:
    row = {**dict.fromkeys(NETWORK_COLUMNS), "name": "<i>Mine</i>", "psnr": 28.1236, "seeds": 3}
    networks = pd.DataFrame([row], columns=list(NETWORK_COLUMNS), dtype=object)
    page = comparison_html(["Mine & others: <b>equal</b>."], networks, tmp_path / "index.html")
    assert "<b>" not in page
    assert "<i>" not in page
    tree = ElementTree.fromstring(f"<div>{page}</div>")
    assert next("".join(one.itertext()) for one in tree.iter("p")) == "Mine & others: <b>equal</b>."
    cells = [["".join(cell.itertext()) for cell in line] for line in tree.iter("tr")]
    assert cells == [["name", "psnr", "seeds"], ["<i>Mine</i>", "28.1236", "3"]]
    assert next(tree.iter("a")).get("href") == (tmp_path / "index.html").as_uri()
