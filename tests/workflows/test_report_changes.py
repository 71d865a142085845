"""Two stores side by side, as a page. Oracle: values written down here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converse.workflows.report_changes import report_changes


def test_two_stores_side_by_side(filled: Any, tmp_path: Path) -> None:
    filled.released("DnCNN", [30.4] * 11 + [30.76])
    written = report_changes(filled.store.root, filled.store.root, tmp_path / "page")
    assert written.report.lead == ("Of 2 means, 2 are the same to the last bit.",)
    page = written.page.read_text("utf-8")
    assert "30.430" in page
    assert "below it the paper" not in page
    assert "tables/changed-released-weights-psnr.csv" in written.files


def test_two_empty_stores_have_nothing_to_compare(filled: Any, tmp_path: Path) -> None:
    written = report_changes(filled.store.root, filled.store.root, tmp_path / "page")
    assert written.report.lead == ("Neither store has a mean of images: there is nothing to compare.",)
    assert not written.report.measured
