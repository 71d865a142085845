"""Absolute values of all metrics. Oracle: the rows, and the number of images that the catalogue has."""

from __future__ import annotations

from converse.analysis.published import published
from converse.analysis.tables import records, results
from converse.reporting.inputs.evidence import evidence
from converse.reporting.tables.sheet import Sheet
from converse.reporting.tables.values import value_sheet
from tests.reporting.tables.marked import places
from tests.reporting.tables.test_paper import frame, whole


def values_of(images: int) -> Sheet:
    rows = frame(
        *(
            one
            for entry, value in (("DnCNN", 0.8), ("Converse-DnCNN", 0.9))
            for metric in ("psnr", "ssim")
            for one in whole("set12", value, entry=entry, metric=metric, signature=metric)[:images]
        )
    )
    return value_sheet(
        records(results(rows, published=published())),
        key="key",
        title="All metrics",
        source="released",
        entries={"DnCNN": "DnCNN", "Converse-DnCNN": "Converse-DnCNN"},
        evidence=evidence(rows),
    )


def test_the_best_mean_of_each_metric_is_marked() -> None:
    sheet = values_of(12)
    assert [places(sheet, column) for column in (1, 2)] == [{1: 1, 0: 2}] * 2
    assert sheet.notes == ()


def test_means_over_some_images_of_a_set_are_not_ranked_and_a_note_says_of_how_many_they_are() -> None:
    sheet = values_of(5)
    assert [places(sheet, column) for column in (1, 2)] == [{}, {}]
    assert {cell.part for line in sheet.rows for cell in line.cells[1:]} == {"5 of 12 images"}
    assert sheet.notes == ("Over a part of the test set, and so neither best nor second: Set12 (5 of 12 images).",)
