"""Two stores side by side, as a page. Oracle: values written down here."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from converse.experiments.trials import Trial
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


def ended(filled: Any, trial: Trial, day: str) -> None:
    """Say in the store that work on a trial ended at noon of that day."""
    file = filled.store.folder(trial).path / "status.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"finished": f"{day}T12:00:00.000Z"}))


def test_two_stores_that_differ(filled: Any, another: Callable[[str], Any], tmp_path: Path) -> None:
    """By hand: 0.1 dB more on each of 12 images, which no chance of signs explains; and a network of one store."""
    later = another("later")
    filled.released("DnCNN", [30.0 + number / 10 for number in range(12)])
    later.released("DnCNN", [30.1 + number / 10 for number in range(12)])
    later.released("Converse-DnCNN", [31.0] * 12)
    written = report_changes(filled.store.root, later.store.root, tmp_path / "page")
    first, second, *_ = written.report.lead
    assert first == "Of 4 means, 2 are higher, 2 are in the second store alone."
    assert second == "PSNR that changed, the largest change first: DnCNN on Set12 (Released weights) by +0.100 dB."
    (sheet,) = (one for one in written.report.sheets if one.key.endswith("psnr"))
    by_name = {row.title: row.cells for row in sheet.rows}
    assert [cell.measured for cell in by_name["DnCNN"][:3]] == pytest.approx([30.55, 30.65, 0.1])
    assert [cell.text for cell in by_name["Converse-DnCNN"] if cell.text] == ["only after"]


def test_one_store_before_and_after_a_day(filled: Any, tmp_path: Path) -> None:
    ended(filled, filled.released("DnCNN", [30.0] * 12), "2026-01-30")
    ended(filled, filled.released("Converse-DnCNN", [31.0] * 12), "2026-01-31")
    old = [(filled.trained(name, 0, [value] * 12), name) for name, value in (("New", 30.1), ("Old", 30.0))]
    filled.asked(old, base="Old", suite="first")
    for one, _ in old:
        ended(filled, one, "2026-01-01")
    new = [(filled.trained(name, 0, [value] * 12, lr=0.2), name) for name, value in (("New", 30.3), ("Old", 30.0))]
    filled.asked(new, base="Old", suite="first", time="2026-02-01T00:00:00.000Z")

    def since(year: int, month: int, day: int) -> str:
        moment = datetime(year, month, day, tzinfo=UTC)
        return report_changes(filled.store.root, moment, tmp_path / "page").report.lead[0]

    assert since(2026, 2, 1).startswith("Of 8 means, ")
    assert "are in the second store alone" not in since(2026, 2, 1)
    assert "2 are in the second store alone" in since(2026, 1, 31)  # Converse-DnCNN, in two metrics
    assert since(2025, 1, 1) == "Of 8 means, 8 are in the second store alone."
    assert since(2100, 1, 1) == "Of 8 means, 8 are the same to the last bit."
    page = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert "--compare --since 2100-01-01" in page
    assert "the first alone is compared" in page  # the same suite under two definitions is two chapters


def test_what_is_compared_whole_says_nothing_of_the_kind(filled: Any, tmp_path: Path) -> None:
    filled.asked([(filled.trained("New", 0, [30.0] * 12), "New")])
    page = report_changes(filled.store.root, filled.store.root, tmp_path / "page").page.read_text("utf-8")
    assert "the first alone is compared" not in page
