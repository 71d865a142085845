"""HTML, LaTeX, Markdown, CSV and JSON show the same numbers, words and marks. Oracle: each other, read back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from converse.reporting import latex, markdown, sheet_json
from converse.reporting.html import render
from converse.reporting.report import Part, Report
from converse.reporting.tables.decided import notes
from converse.reporting.tables.sheet import ALL_VERDICTS, BLIND, CHANCE, LIMIT, Cell, Head, Infinite, Kind, Row, Sheet
from tests.reporting import renderings
from tests.reporting.renderings import disagreements, html_cells, html_names, unlike_names

HEADS = (
    Head("psnr", "PSNR", unit="dB", better="higher"),
    Head("lpips", "LPIPS", digits=4, better="lower"),
    Head("difference", "Difference", unit="dB", digits=3, signed=True),
    Head("mpixel_per_s", "Throughput", unit="Mpixel/s", better="higher", significant=3),
    Head("parameters", "Parameters", digits=0, published_digits=0),
    Head("exact", "PSNR without noise", unit="dB"),
    Head("why", "Why", words=True),
)

WORDS: Final = (
    "plain",
    "λ = σ × 2 ± 1, paper 30.00, ✓ match",
    "100% _a_ #b $c^2$ {e} & | [*] <i>",
    "=SUM(1)",
    "in\ntwo  lines",
    "a sentence that is as long as LaTeX sets in several lines; −0.5",
)


def sheet_of(kind: Kind) -> Sheet:
    """Numbers of all sizes and signs, with all marks that there are."""
    rows = []
    for line, verdict in enumerate((*ALL_VERDICTS, None)):
        value = (-1) ** line * 10 ** (line % 5 - 3)
        cells = (
            Cell(
                measured=30 + line % 3 / 100,
                deviation=0.014,
                published=30.0,
                trust="secondary" if line % 2 else "primary",
                difference=line % 3 / 100,
                verdict=verdict,
            ),
            Cell(measured=abs(value) / 7, against="larger" if line % 4 == 1 else "smaller" if line % 4 == 2 else None),
            Cell(measured=value, low=value - 0.1, high=value + 0.1, published=0.27, verdict=verdict),
            Cell(measured=abs(value) * 1.2345) if line % 6 else Cell(),
            Cell(measured=734913.0 + line, published=734913.0, verdict="differs" if line else "match"),
            (
                Cell(measured=40.0 + line, deviation=0.5, infinite=Infinite(2, 3)),
                Cell(measured=math.inf, infinite=Infinite(3, 3)),
                Cell(published=31.5),
            )[line % 3],
            Cell(text=WORDS[line % len(WORDS)]),
        )
        marks = (LIMIT,) if line == 3 else (CHANCE,) if line == 4 else (BLIND,) if line in (5, 6, 7) else ()
        rows.append(Row(f"N{line}", cells, "some" if line < 9 else "others", marks))
    return Sheet("sheet", kind, "Title", "Caption.", "trained", "Network", HEADS, tuple(rows))


@pytest.mark.parametrize("kind", ["paper", "effects", "values", "speed", "audit"])
def test_marks_signs_and_digits_are_the_same(hostile: Report, kind: Kind) -> None:
    sheet = sheet_of(kind)
    page = html_cells(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    assert list(disagreements(sheet, page)) == []
    seen = [cell for row in page for cell in row]
    assert {cell.place for cell in seen} == ({""} if kind in ("effects", "audit") else {"", "best", "second"})
    assert {cell.arrow for cell in seen} == {"", "↑", "↓"}
    # By hand: a tiny throughput is seen, and a count is whole.
    assert page[0][4].number == "734\u202f913"
    assert page[5][3].number == "0.00123"
    assert page[1][2].number == "−0.010"


TEXTS: Final = {"markdown", "latex"}
DATA: Final = {"csv", "json"}


@pytest.mark.parametrize(
    ("line", "column", "seen", "planted", "found"),
    [
        (0, "psnr", {"number": "30.00 ± 0.01"}, {"number": "30.0 ± 0.01"}, TEXTS | DATA),
        (0, "psnr", {"number": "30.00 ± 0.01"}, {"number": "30.00 ± 0.02"}, TEXTS | DATA),
        (0, "psnr", {"number": "30.00 ± 0.01"}, {"number": "30.00"}, TEXTS | DATA),
        (0, "psnr", {"place": ""}, {"place": "best"}, TEXTS | DATA),
        (0, "psnr", {"arrow": ""}, {"arrow": "↑"}, TEXTS | DATA),
        (0, "psnr", {"symbol": "✓"}, {"symbol": "✗"}, TEXTS | DATA),
        (0, "psnr", {"verdict": "match"}, {"verdict": "reproduced"}, {"markdown"} | DATA),
        (0, "psnr", {"published": "30.00"}, {"published": "30.00†"}, TEXTS | DATA),
        (1, "psnr", {"published": "30.00†"}, {"published": "30.00"}, TEXTS | DATA),
        (0, "psnr", {"published": "30.00"}, {"published": "30.01"}, TEXTS | DATA),
        (0, "psnr", {"published": "30.00"}, {"published": ""}, TEXTS | DATA),
        (1, "psnr", {"difference": "+0.01"}, {"difference": "−0.01"}, DATA),
        (1, "psnr", {"difference": "+0.01"}, {"difference": ""}, DATA),
        (2, "difference", {"interval": "[0.000, +0.200]"}, {"interval": "[−0.001, +0.200]"}, TEXTS | DATA),
        (2, "difference", {"interval": "[0.000, +0.200]"}, {"interval": ""}, TEXTS | DATA),
        (0, "exact", {"left_out": "2 of 3"}, {"left_out": "1 of 3"}, TEXTS | DATA),
        (0, "exact", {"number": "40.00 ± 0.50"}, {"number": "∞"}, TEXTS | DATA),
        (1, "exact", {"number": "∞"}, {"number": "−∞"}, TEXTS | DATA),
        (1, "exact", {"number": "∞"}, {"number": ""}, TEXTS | DATA),
        (0, "why", {"words": "plain"}, {"words": "Plain"}, TEXTS | DATA),
        (3, "why", {"words": "=SUM(1)"}, {"words": "SUM(1)"}, TEXTS | DATA),
    ],
)
def test_a_disagreement_would_be_found(
    hostile: Report, line: int, column: str, seen: dict[str, str], planted: dict[str, str], found: set[str]
) -> None:
    sheet = sheet_of("values")
    page = html_cells(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    at = [head.key for head in HEADS].index(column)
    right = page[line][at]
    assert right == replace(right, **seen)
    page[line][at] = replace(right, **planted)
    assert {said.partition(" ")[0] for said in disagreements(sheet, page)} == found


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_number_of_the_data_that_does_not_round_to_what_is_shown_would_be_found(
    hostile: Report, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = sheet_of("values")
    page = html_cells(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    read = {"csv": renderings.csv_lines, "json": renderings.json_lines}[name]
    for key in ("measured", "deviation", "published", "difference"):

        def wrong(sheet: Sheet, key: str = key) -> Iterator[dict[str, Any]]:
            first, *others = read(sheet)
            yield first | {key: float(first[key]) + 0.006}
            yield from others

        monkeypatch.setattr(renderings, read.__name__, wrong)
        assert [said.partition(" ")[0] for said in disagreements(sheet, page)] == [name], key


def test_rows_have_the_same_names_and_marks_and_others_would_be_found(hostile: Report) -> None:
    sheet = sheet_of("values")
    sheet = replace(sheet, rows=(*sheet.rows, replace(sheet.rows[0], title="λ_1 & 50% | *b*", marks=("base", BLIND))))
    names = html_names(render(replace(hostile, parts=(Part("p", "Part", sheets=(sheet,)),))))["sheet"]
    assert names[-1] == "λ_1 & 50% | *b* (base) (blind)"
    assert list(unlike_names(sheet, names)) == []
    for wrong in ([*names[:-1], "λ_1 & 50% | *b* (base)"], ["N", *names[1:]], names[::-1]):
        assert {said.partition(" ")[0] for said in unlike_names(sheet, wrong)} == TEXTS | DATA


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
