"""The committed report is what its committed rows give. Oracles: the files that were committed, and each other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from converse.data.catalogue import datasets
from converse.experiments.store import Store
from converse.nn.released_weights import RELEASED
from converse.reporting.chapters.contents import make_report
from converse.reporting.exports import exports
from converse.reporting.html import render
from converse.reporting.inputs.material import Material, gather
from converse.reporting.report import Report
from tests.reporting.compiled import compiled
from tests.reporting.renderings import disagreements, html_cells, html_names, unlike_names

REFERENCE = Path(__file__).resolve().parents[1] / "reports" / "reference"


@pytest.fixture(scope="module")
def material() -> Material:
    return gather([Store(REFERENCE / "store", create=False)])


@pytest.fixture(scope="module")
def report(material: Material) -> Report:
    return make_report(material)


@pytest.fixture(scope="module")
def made(report: Report) -> dict[str, str]:
    return {f"{sheet.key}.{kind}": text for sheet in report.sheets for kind, text in exports(sheet).items()}


def test_the_tables_follow_from_the_rows(made: dict[str, str]) -> None:
    committed = {path.name: path.read_bytes() for path in (REFERENCE / "tables").iterdir()}
    assert made.keys() == committed.keys()
    moved = [name for name, text in made.items() if text.encode() != committed[name]]
    assert not moved, "make the report again, as reports/README.md says"


def test_the_documented_means_are_those_of_the_rows(material: Material) -> None:
    rows = material.released.assign(title=[datasets()[name].title for name in material.released["dataset"]])
    documented = (REFERENCE.parents[1] / "docs" / "reproduce.md").read_text("utf-8")
    found = 0
    for line in documented.splitlines():
        cells = [*map(str.strip, line.strip("|").split("|"))]
        if len(cells) not in (6, 7):
            continue
        entry, title, *kernel, _, psnr, ssim, lpips = cells
        if not re.fullmatch(r"\d+\.\d{4}", lpips) or entry not in RELEASED:
            continue
        case = rows["case"].isna() if not kernel else rows["case"] == f"kernel_{kernel[0]}"
        for metric, text in (("psnr", psnr), ("ssim", ssim), ("lpips", lpips)):
            of_it = rows[(rows["entry"] == entry) & (rows["title"] == title) & (rows["metric"] == metric) & case]
            assert f"{of_it['value'].mean():.4f}" == text, line
        found += 1
    assert found >= 19


def test_all_formats_show_the_same_numbers_and_marks(report: Report) -> None:
    page = render(report)
    pages, names = html_cells(page), html_names(page)
    # LaTeX sets what is larger as several tables.
    whole = [sheet for sheet in report.sheets if len(sheet.heads) <= 8 and len(sheet.rows) <= 36]
    assert len(whole) > len(report.sheets) / 2
    assert [said for sheet in whole for said in disagreements(sheet, pages[sheet.key])] == []
    assert [said for sheet in whole for said in unlike_names(sheet, names[sheet.key])] == []


def test_its_latex_compiles_as_it_is_committed(tmp_path: Path) -> None:
    shutil.copytree(
        REFERENCE / "tables", tmp_path / "tables", ignore=lambda _, names: {n for n in names if n[-4:] != ".tex"}
    )
    log, text = compiled(tmp_path, (REFERENCE / "report.tex").read_text("utf-8"))
    assert "Overfull" not in log
    assert "figures/operator-shown.pdf is not here: converse report draws it" in " ".join(text.split())


def test_columns_of_words_are_set_as_such(report: Report) -> None:
    for sheet in report.sheets:
        for column, head in enumerate(sheet.heads):
            cells = [row.cells[column] for row in sheet.rows if not row.cells[column].empty]
            words = [cell.text is not None for cell in cells]
            assert head.words == (bool(words) and all(words)), f"{sheet.key}: {head.title}"


def test_its_latex_can_be_searched_and_lacks_no_letter(made: dict[str, str]) -> None:
    written = "".join(text for name, text in made.items() if name.endswith(".tex"))
    for name in ("Converse-DnCNN", "Converse-SRResNet", "Converse-USRNet", "ConverseNet"):
        assert name in written
    assert "U+" not in written
    assert "allowbreak" not in "".join(text for name, text in made.items() if name.endswith("-released.tex"))


def test_it_is_small_and_asks_for_nothing() -> None:
    # Figures are in the page, and restored images are kept for the next report: neither is committed.
    beside = {"figures", "restored", "cache"}
    files = [path for path in REFERENCE.rglob("*") if path.is_file() and path.parent.name not in beside]
    of_the_report = [path for path in files if "store" not in path.relative_to(REFERENCE).parts or "rows" in path.name]
    assert sum(path.stat().st_size for path in of_the_report) <= 8 * 10**6
    assert sum(path.stat().st_size for path in files) <= 12 * 10**6  # with curves, outputs, and where numbers come from
    page = (REFERENCE / "index.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page
