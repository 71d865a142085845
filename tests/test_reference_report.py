"""The committed report is what its committed rows give. Oracle: the files that were committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from converse.experiments.store import Store
from converse.reporting import csv, latex, markdown
from converse.reporting.chapters.contents import make_report
from converse.reporting.inputs.material import gather

REFERENCE = Path(__file__).resolve().parents[1] / "reports" / "reference"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    def tables() -> Iterator[tuple[str, str]]:
        for sheet in make_report(gather([Store(REFERENCE / "store", create=False)])).sheets:
            yield f"{sheet.key}.tex", latex.table(sheet)
            yield f"{sheet.key}.csv", csv.table(sheet)
            yield f"{sheet.key}.md", markdown.table(sheet)

    return dict(tables())


def test_the_tables_follow_from_the_rows(made: dict[str, str]) -> None:
    committed = {path.name: path.read_bytes() for path in (REFERENCE / "tables").iterdir()}
    assert made.keys() == committed.keys()
    moved = [name for name, text in made.items() if text.encode() != committed[name]]
    assert not moved, "make the report again, as reports/README.md says"


def test_it_is_small_and_asks_for_nothing() -> None:
    # Figures are in the page, and restored images are kept for the next report: neither is committed.
    beside = {"figures", "restored"}
    files = [path for path in REFERENCE.rglob("*") if path.is_file() and path.parent.name not in beside]
    assert sum(path.stat().st_size for path in files) <= 7 * 10**6
    page = (REFERENCE / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page
