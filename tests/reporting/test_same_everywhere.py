"""HTML, LaTeX, Markdown and CSV show the same numbers, digits, signs and marks. Oracle: each other, read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converse.reporting import latex, markdown, sheet_json
from converse.reporting.html import render
from converse.reporting.report import Part, Report
from converse.reporting.tables.decided import notes
from converse.reporting.tables.sheet import ALL_VERDICTS, BLIND, CHANCE, LIMIT, Cell, Head, Kind, Row, Sheet
from tests.reporting.renderings import Read, disagreements, html_cells

HEADS = (
    Head("psnr", "PSNR", unit="dB", better="higher"),
    Head("lpips", "LPIPS", digits=4, better="lower"),
    Head("difference", "Difference", unit="dB", digits=3, signed=True),
    Head("mpixel_per_s", "Throughput", unit="Mpixel/s", better="higher", significant=3),
    Head("parameters", "Parameters", digits=0, published_digits=0),
)


def sheet_of(kind: Kind) -> Sheet:
    """Numbers of all sizes and signs, with all marks that there are."""
    rows = []
    for line, verdict in enumerate((*ALL_VERDICTS, None)):
        value = (-1) ** line * 10 ** (line % 5 - 3)
        cells = (
            Cell(measured=30 + line % 3 / 100, deviation=0.014, published=30.0, verdict=verdict),
            Cell(measured=abs(value) / 7, against="larger" if line % 4 == 1 else "smaller" if line % 4 == 2 else None),
            Cell(measured=value, low=value - 0.1, high=value + 0.1, published=0.27, verdict=verdict),
            Cell(measured=abs(value) * 1.2345) if line % 6 else Cell(),
            Cell(measured=734913.0 + line, published=734913.0, verdict="differs" if line else "match"),
        )
        marks = (LIMIT,) if line == 3 else (CHANCE,) if line == 4 else (BLIND,) if line in (5, 6, 7) else ()
        rows.append(Row(f"N{line}", cells, "some" if line < 9 else "others", marks))
    return Sheet("sheet", kind, "Title", "Caption.", "trained", "Network", HEADS, tuple(rows))


@pytest.mark.parametrize("kind", ["paper", "effects", "values", "speed"])
def test_marks_signs_and_digits_are_the_same(hostile: Report, kind: Kind) -> None:
    sheet = sheet_of(kind)
    page = html_cells(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    assert list(disagreements(sheet, page)) == []
    seen = [cell for row in page for cell in row]
    assert {cell.place for cell in seen} == ({""} if kind == "effects" else {"", "best", "second"})
    assert {cell.arrow for cell in seen} == {"", "↑", "↓"}
    # By hand: a tiny throughput is seen, and a count is whole.
    assert page[0][4].number == "734\u202f913"
    assert page[5][3].number == "0.00123"
    assert page[1][2].number == "−0.010"


def test_a_disagreement_would_be_found(hostile: Report) -> None:
    sheet = sheet_of("values")
    page = html_cells(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    for change in (Read("30.0"), Read("30.00 ± 0.01", "best"), Read("30.00 ± 0.01", arrow="↑")):
        wrong = [[change, *page[0][1:]], *page[1:]]
        assert len(list(disagreements(sheet, wrong))) == 3  # Markdown, CSV and LaTeX


def test_what_best_is_chosen_without_is_said_in_all_of_them(hostile: Report) -> None:
    sheet = sheet_of("paper")
    rows = (Row("missing", (Cell(published=30.0), *([Cell()] * (len(HEADS) - 1))), "some"), *sheet.rows)
    sheet = replace(sheet, rows=rows)
    (said,) = (note for note in notes(sheet) if "without missing" in note)
    page = render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),)))
    written = (page, markdown.table(sheet), sheet_json.table(sheet), latex.table(sheet), latex.paper_table(sheet))
    assert [said in one for one in written] == [True] * 5


def test_a_table_as_in_a_paper_says_what_bold_means_where_something_is() -> None:
    sheet = sheet_of("paper")
    assert "Best in bold" in latex.paper_table(sheet)
    assert "Best in bold" not in latex.paper_table(replace(sheet, rows=sheet.rows[:1]))
