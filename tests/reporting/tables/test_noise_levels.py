"""The table of noise levels. Oracle: values that are written down here."""

from __future__ import annotations

from converse.analysis.published import published
from converse.analysis.tables import records, results
from converse.reporting.inputs.evidence import evidence
from converse.reporting.tables.noise_levels import noise_level_sheet
from converse.reporting.tables.sheet import Sheet
from tests.reporting.tables.marked import places
from tests.reporting.tables.test_paper import frame, whole

VALUES = {
    "DnCNN": {None: 30.0, "noise_level_50": 20.0, "noise_level_15": 32.0},
    "Converse-DnCNN": {None: 31.0, "noise_level_50": 19.0, "noise_level_15": 33.0},
    "Noisy input": {None: 20.2, "noise_level_50": 14.5, "noise_level_15": 24.6},
}


def sheet(names: tuple[str, ...] = ("set12",)) -> Sheet | None:
    rows = frame(
        *(
            one
            for entry, values in VALUES.items()
            for name in names
            for case, value in values.items()
            for metric in ("psnr", "ssim")
            for one in whole(name, value, entry=entry, case=case, metric=metric)
        ),
        *whole("bsd68", 29.0, entry="DnCNN"),
    )
    found = records(results(rows, published=published()))
    return noise_level_sheet(found, source="released", key="denoising-released", evidence=evidence(rows))


def test_levels_are_columns_and_test_sets_groups_without_a_published_number() -> None:
    found = sheet()
    assert found is not None
    assert [head.title for head in found.heads] == ["σ = 15", "σ = 25", "σ = 50"]
    assert [(row.title, row.group) for row in found.rows] == [
        ("Noisy input", "Set12"),
        ("DnCNN", "Set12"),
        ("Converse-DnCNN", "Set12"),
    ]  # BSD68 has no other level: its number stands in the paper's table
    assert [round(cell.measured or 0, 6) for cell in found.rows[1].cells] == [32.0, 30.0, 20.0]
    assert {cell.published for _, _, cell in found.cells()} | {cell.verdict for _, _, cell in found.cells()} == {None}
    assert [places(found, column) for column in range(3)] == [{2: 1, 1: 2}, {2: 1, 1: 2}, {1: 1, 2: 2}]
    first = found.rows[1].cells[0].evidence
    assert first is not None
    assert (first.dataset, len(first.images)) == ("Set12 noise level 15", 12)
    assert "trained for σ = 25" in found.caption


def test_without_a_further_level_there_is_no_table() -> None:
    rows = frame(*whole("set12", 30.0, entry="DnCNN"))
    assert noise_level_sheet(records(results(rows, published=published())), source="released", key="k") is None
    assert noise_level_sheet([], source="released", key="k") is None
