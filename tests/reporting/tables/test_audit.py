"""Rows that the earlier table repeats, and what released weights say of them. Oracle: results written down here."""

from __future__ import annotations

from typing import Any

import pytest

from converse.analysis.published import published
from converse.reporting.tables.audit import audit_sheets
from converse.reporting.tables.sheet import Row

CASES = ("kernel_1", "kernel_2")


def row_of(entry: str, dataset: str, numbers: tuple[float, ...], verdict: str | None, **more: Any) -> list[Any]:
    known = {"task": "deblurring", "entry": entry, "dataset": dataset, "verdict": verdict, "difference": None}
    return [
        {**known, "case": case, "published": number, "reason": None, **more}
        for case, number in zip(CASES, numbers, strict=True)
    ]


def repeated(*records: Any) -> list[Row]:
    sheets = audit_sheets(
        [],
        list(records),
        published(),
        released=[],
        described=[],
        bases={},
        command=lambda record: f"measure {record['entry']} {record['dataset']}",
    )
    return [row for sheet in sheets if sheet.key == "audit-repeated" for row in sheet.rows]


def texts(row: Row) -> tuple[str | None, ...]:
    return (row.title, row.cells[0].text, row.cells[1].text, row.cells[3].text)


def test_a_row_that_two_test_sets_share_is_found() -> None:
    found = repeated(
        *row_of("ConverseNet", "Set5", (27.33, 24.06), "differs", difference=2.5),
        *row_of("ConverseNet", "Set14", (27.33, 24.06), "match", difference=0.001),
        *row_of("ConverseNet", "BSD100", (27.69, 24.43), "match", difference=0.0),
    )
    assert [texts(row) for row in found] == [
        ("ConverseNet", "Set5", "Set14", "the numbers are not of this test set"),
        ("ConverseNet", "Set14", "Set5", "the numbers are of this test set"),
    ]
    assert [row.cells[2].measured for row in found] == [2.5, 0.001]


def test_what_was_not_measured_comes_with_the_command() -> None:
    unmeasured = row_of("ConverseNet", "Set14", (27.33, 24.06), "not measured", reason="not measured here")
    found = repeated(*row_of("ConverseNet", "Set5", (27.33, 24.06), "differs", difference=-1.0), *unmeasured)
    assert found[1].cells[3].text == "not measured here: measure ConverseNet Set14"
    assert found[1].cells[2].empty


@pytest.mark.parametrize("verdict", [None, "not measured"])
def test_networks_of_other_weights_say_nothing(verdict: str | None) -> None:
    records = [row_of("ConvNet", name, (25.0, 22.57), verdict, reason="other weights") for name in ("Set5", "Set14")]
    assert {row.cells[3].text for row in repeated(*records[0], *records[1])} == {"other weights"}


def test_some_of_the_kernels_decide_and_it_is_said() -> None:
    part = row_of("ConverseNet", "Set14", (27.33, 24.06), "not measured", reason="not measured here")
    part[0] |= {"verdict": "match", "difference": 0.0}
    found = repeated(*part, *row_of("ConverseNet", "Set5", (27.33, 24.06), "differs", difference=2.0))
    assert found[0].cells[3].text == "the numbers are of this test set, by 1 of 2"


def test_other_numbers_and_single_ones_are_not_repeated() -> None:
    assert not repeated(
        *row_of("ConverseNet", "Set5", (27.33, 24.06), "match", difference=0.0),
        *row_of("ConverseNet", "Set14", (27.33, 24.07), "match", difference=0.0),
        *row_of("ConverseNet", "A", (27.33, 24.06), "match", difference=0.0)[:1],
        *row_of("ConverseNet", "B", (27.33, 24.06), "match", difference=0.0)[:1],
    )
