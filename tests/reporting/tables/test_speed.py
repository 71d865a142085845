"""Times as sheets. Oracle: arithmetic by hand; rows of two machines that may not meet in one table."""

from __future__ import annotations

from typing import Any

import pytest

from converse.experiments.store.speed_rows import speed_frame
from converse.reporting.tables.sheet import Sheet
from converse.reporting.tables.speed import speed_sheets
from tests.reporting.tables.marked import places


def row(subject: str = "converse", side: int = 10, **changes: Any) -> dict[str, Any]:
    seconds = side**2 * 1e-5 / (2 if subject == "fft-pair" else 1)
    given = {
        "run": "r1",
        "suite": "mine",
        "budget": "quick",
        "device": "cpu",
        "model": "A",
        "threads": 2,
        "torch": "2.14",
        "time": "2026-01-02T03:04:05Z",
        "subject": subject,
        "twin": False,
        "sweep": "size",
        "kind": "limit" if subject == "fft-pair" else "operator",
        "pass": "evaluation",
        "channels": 8,
        "kernel_size": 5,
        "scale": 1,
        "padding": 4,
        "batch": 2,
        "height": side,
        "width": side,
        "dtype": "float32",
        "compiled": False,
        "median_s": seconds,
        "turns_s": [seconds] * 3,
        "peak_bytes": 2**21,
        "parameters": 7,
        "status": "ok",
    }
    return {**given, **changes}


def cells(sheet: Sheet, title: str) -> dict[str, float | None]:
    line = next(one for one in sheet.rows if one.title == title)
    return {head.key: cell.measured for head, cell in zip(sheet.heads, line.cells, strict=True)}


def test_what_a_row_of_times_says() -> None:
    (sheet,) = speed_sheets(speed_frame([row(), row("fft-pair")]))
    found = cells(sheet, "converse")
    # 2 images of 10×10 pixels in 1 ms; the limit takes half of it
    assert found == pytest.approx(
        {"milliseconds": 1.0, "images_per_s": 2000.0, "mpixel_per_s": 0.2, "mebibytes": 2.0}
        | {"fraction_of_limit": 0.5, "parameters": 7}
    )
    assert [line.group for line in sheet.rows] == ["evaluation, 2×8×10×10, kernel 5, padding 4, float32"] * 2
    assert sheet.title == "Operators (suite mine), A, 2 threads, torch 2.14"
    assert sheet.notes == ()


def test_a_limit_is_marked_and_is_not_the_best() -> None:
    (sheet,) = speed_sheets(speed_frame([row(), row("conv", median_s=2e-3), row("fft-pair")]))
    assert [line.marks for line in sheet.rows] == [(), (), ("limit",)]
    assert places(sheet, 0) == {0: 1, 1: 2}


def test_one_case_in_two_sweeps_is_two_groups() -> None:
    # Only subjects of one sweep took turns: which is fastest is asked within each.
    shared = [row(), row("conv", median_s=2e-3)]
    again = [row(sweep="batch", median_s=5e-3), row("conv", sweep="batch", median_s=4e-3)]
    (sheet,) = speed_sheets(speed_frame([*shared, *again, row("convt", side=20)]))
    case = "evaluation, 2×8×10×10, kernel 5, padding 4, float32"
    assert [line.group for line in sheet.rows[:4]] == [f"{case} (sweep size)"] * 2 + [f"{case} (sweep batch)"] * 2
    assert "sweep" not in sheet.rows[4].group
    assert places(sheet, 0) == {0: 1, 1: 2, 3: 1, 2: 2}


def test_a_column_with_nothing_in_it_is_left_out() -> None:
    network: dict[str, Any] = {"kind": "network", "kernel_size": None, "padding": None, "peak_bytes": None}
    (sheet,) = speed_sheets(speed_frame([row("DnCNN", **network)]))
    assert [head.key for head in sheet.heads] == ["milliseconds", "images_per_s", "mpixel_per_s", "parameters"]


def test_growth_has_a_table_of_its_own_from_three_sizes() -> None:
    assert len(speed_sheets(speed_frame([row(side=side) for side in (10, 20)]))) == 1
    _, sheet = speed_sheets(speed_frame([row(side=side) for side in (10, 20, 40)]))
    found = cells(sheet, "converse")
    assert found["exponent"] == pytest.approx(1.0)  # the times are proportional to the pixels
    assert (found["sizes"], found["smallest"], found["largest"]) == (3, 10, 40)
    assert sheet.rows[0].group == "evaluation, 2×8×H×W, kernel 5, padding 4, float32"


@pytest.mark.parametrize(
    "other", [{"model": "B"}, {"threads": 1}, {"torch": "2.15"}, {"device": "cuda", "model": "C"}], ids=str
)
def test_machines_never_meet_in_a_table_and_each_table_warns(other: dict[str, Any]) -> None:
    rows = [row(), row("conv"), row(run="r2", **other), row("conv", run="r2", **other)]
    sheets = speed_sheets(speed_frame(rows))
    assert [len(sheet.rows) for sheet in sheets] == [2, 2]
    for sheet in sheets:
        (note,) = sheet.notes
        assert note.startswith("Not to be held against the other tables of speed: times of different machines")


def test_runs_of_one_machine_need_no_warning() -> None:
    sheets = speed_sheets(speed_frame([row(), row(run="r2")]))
    assert [sheet.notes for sheet in sheets] == [(), ()]


def test_a_failure_says_its_reason() -> None:
    (sheet,) = speed_sheets(speed_frame([row(), row("conv", status="out of memory", reason="4 GiB", median_s=None)]))
    line = next(one for one in sheet.rows if one.title == "conv")
    assert (line.cells[0].measured, line.cells[0].reason) == (None, "out of memory: 4 GiB")


def test_nothing_measured_is_no_sheet() -> None:
    assert speed_sheets(speed_frame([])) == []
