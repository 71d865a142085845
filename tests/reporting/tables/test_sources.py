"""What the authors published besides the paper. Oracle: reports/published.toml, read here by itself."""

from __future__ import annotations

import tomllib
from typing import Any

from converse.analysis.published import published
from converse.analysis.tables import RESULT_COLUMNS
from converse.content import content
from converse.reporting import markdown
from converse.reporting.tables.sheet import tally
from converse.reporting.tables.sources import earlier_sheets, image_sheets

FILE = tomllib.loads((content("reports") / "published.toml").read_text("utf-8"))


def result(entry: str, dataset: str, **said: Any) -> dict[str, Any]:
    known = {"task": "deblurring", "metric": "psnr", "source": "released", "case": "kernel_1"}
    return {**dict.fromkeys(RESULT_COLUMNS), **known, "entry": entry, "dataset": dataset, **said}


def check(entry: str, known_as: str, **said: Any) -> Any:
    place = {"task": "deblurring", "entry": entry, "dataset": "BSD100", "case": "kernel_1"}
    image = {"image": f"{known_as}.png", "known_as": known_as, "published": 25.0, "signature": "s"}
    nothing = {"measured": None, "difference": None, "verdict": "not measured", "reason": "not run", "device": None}
    return {**place, **image, **nothing, **said}


def test_the_earlier_table_has_its_own_numbers_and_says_so() -> None:
    (sheet,) = earlier_sheets([result("ConverseNet", "Set5", measured=29.65, published=27.33)], published())
    shown = {(row.group, row.title, head.key): cell.published for row, head, cell in sheet.cells()}
    assert shown == {
        (dataset, entry, case): value
        for dataset, table in FILE["deblurring_draft"].items()
        for entry, values in table.items()
        if entry not in ("trust", "columns", "blind")
        for case, value in zip(table["columns"], values, strict=True)
    }
    assert {cell.trust for _, _, cell in sheet.cells()} == {"superseded"}
    assert "Not the paper's numbers" in sheet.caption
    assert sheet.notes == ("The paper's table has no row of USRNet.",)
    assert "earlier table 27.33" in markdown.table(sheet)
    assert "paper 27.33" not in markdown.table(sheet)


def test_networks_whose_numbers_changed_are_marked() -> None:
    (sheet,) = earlier_sheets([result("ConverseNet", "Set5", published=27.33)], published())
    marks = {row.title: row.marks for row in sheet.rows}
    changed = "other numbers in the paper"
    assert marks == {
        "ConvNet": ("blind", changed),
        "ConverseNet": ("blind",),
        "USRNet": (),
        "Converse-USRNet": (changed,),
    }


def test_neither_source_is_counted_among_the_papers_means() -> None:
    judged = {"measured": 27.33, "published": 27.33, "verdict": "match"}
    sheets = earlier_sheets([result("ConverseNet", "Set5", **judged)], published())
    sheets += image_sheets([check("A", "1", measured=25.0, verdict="match")])
    assert not tally(sheets, "paper")


def test_images_stand_across_under_the_names_of_the_log() -> None:
    (sheet,) = image_sheets(
        [
            check("A", "101085", measured=25.003, difference=0.003, verdict="match", device="cpu"),
            check("A", "101085", measured=26.0, difference=1.0, verdict="differs", device="cuda"),
            check("B", "101085"),
            check("B", "105025", measured=25.1, difference=0.1, verdict="differs"),
        ],
        command=lambda record: f"measure {record['entry']}",
    )
    assert [head.title for head in sheet.heads] == ["101085", "105025"]
    said = {(row.title, head.title): (cell.measured, cell.verdict) for row, head, cell in sheet.cells()}
    assert said == {
        ("A", "101085"): (25.003, "match"),  # of two kinds of device the first
        ("A", "105025"): (None, None),
        ("B", "101085"): (None, "not measured"),
        ("B", "105025"): (25.1, "differs"),
    }
    assert sheet.rows[1].cells[0].command == "measure B"
    assert "log 25.00, ✓ match" in markdown.table(sheet)


def test_no_checks_make_no_sheet() -> None:
    assert image_sheets([]) == earlier_sheets([], published()) == []
