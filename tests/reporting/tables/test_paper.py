"""The paper's arrangement: its rows, columns and order are those of reports/published.toml, read here by itself."""

from __future__ import annotations

import tomllib

import pandas as pd
import pytest

from converse.analysis.published import published
from converse.analysis.tables import RESULT_COLUMNS, Expected, records, results
from converse.analysis.told_apart import Against, Place
from converse.content import content
from converse.data.catalogue import dataset
from converse.data.tasks import TASKS
from converse.experiments.store.rows import ROW_COLUMNS
from converse.reporting.inputs.evidence import evidence
from converse.reporting.tables.paper import paper_sheets
from converse.reporting.tables.sheet import Sheet

PAPER = tomllib.loads((content("reports") / "published.toml").read_text("utf-8"))


def row(**values: object) -> dict[str, object]:
    default = {"trial": "t0", "task": "denoising", "entry": "DnCNN", "source": "released", "metric": "psnr"}
    return {**dict.fromkeys(ROW_COLUMNS), **default, "signature": "s", "device": "cpu", **values}


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(ROW_COLUMNS)).astype({"value": float})


def whole(name: str, value: float, **values: object) -> list[dict[str, object]]:
    return [
        row(dataset=name, image=file.name, image_sha256=file.sha256, value=value, **values)
        for file in dataset(name).files
    ]


def expected(task: str, entry: str, title: str) -> Expected:
    return Expected(task, entry, title, None, "psnr", "not run")


def sheets(rows: pd.DataFrame, *cells: Expected) -> list[Sheet]:
    found = results(rows, published=published(), expected=cells)
    return paper_sheets(records(found), published(), source="released", evidence=evidence(rows))


@pytest.mark.parametrize("task", ["denoising", "super_resolution"])
def test_rows_and_columns_are_the_papers(task: str) -> None:
    table = PAPER[task]
    other = dataset("urban100" if task == "denoising" else "set12").title
    (sheet,) = sheets(frame(), expected(task, "nobody", other))
    names = [key for key in table if key not in ("trust", "columns", "blind")]
    assert [one.title for one in sheet.rows] == [TASKS[task].given, *names, "nobody"]
    assert [head.title for head in sheet.heads[1:]] == [*(c for c in table["columns"] if c != "parameters"), other]
    shown = {(one.title, head.title): cell.published for one, head, cell in sheet.cells() if head.key != "parameters"}
    columns = [column for column in table["columns"] if column != "parameters"]
    offset = len(table["columns"]) - len(columns)
    for name in names:
        assert [shown[name, column] for column in columns] == table[name][offset:]


def test_deblurring_has_one_column_per_kernel_and_one_group_per_test_set() -> None:
    (sheet,) = sheets(frame(), Expected("deblurring", "ConvNet", "BSD100", "kernel_1", "psnr", "not run"))
    assert [head.key for head in sheet.heads[1:]] == PAPER["deblurring"]["BSD100"]["columns"]
    assert list(dict.fromkeys(one.group for one in sheet.rows)) == ["BSD100", "Urban100"]
    given, first = sheet.rows[:2]
    assert (given.title, given.marks, given.cells[1].reason) == ("Blurred input", ("input",), "not measured here")
    assert [cell.published for cell in first.cells[1:]] == PAPER["deblurring"]["BSD100"]["ConvNet"]
    assert first.cells[1].reason == "not run"


def test_a_cell_has_mean_verdict_and_what_it_rests_on() -> None:
    rows = frame(*whole("set12", 30.43), *whole("set12", 0.9, metric="ssim", signature="q"))
    (sheet,) = sheets(rows)
    cell = sheet.rows[1].cells[1]
    assert (cell.measured, cell.published, cell.verdict) == (pytest.approx(30.43), 30.43, "match")
    assert cell.evidence is not None
    assert cell.evidence.trials == ("t0",)
    assert cell.evidence.images == tuple(file.name for file in dataset("set12").files)
    assert cell.evidence.values == ((30.43,) * 12,)
    (ssim,) = cell.more
    assert (ssim.title, ssim.measured) == ("SSIM", pytest.approx(0.9))


def test_a_cell_says_how_it_stands_to_its_base_entry() -> None:
    record = {**dict.fromkeys(RESULT_COLUMNS), "task": "denoising", "source": "trained", "metric": "psnr"}
    rows = [{**record, "entry": name, "dataset": "Set12", "measured": 28.0} for name in ("DnCNN", "Conv-DnCNN")]
    against: dict[Place, Against] = {
        ("Conv-DnCNN", "Set12", None, "psnr"): "smaller",
        ("Conv-DnCNN", "BSD68", None, "psnr"): "larger",
    }
    (found,) = paper_sheets(rows, published(), source="trained", whole=False, against=against)
    assert {row.title: [cell.against for cell in row.cells] for row in found.rows} == {
        "DnCNN": [None],
        "Conv-DnCNN": ["smaller"],
    }


def test_evidence_is_seeds_by_images_with_gaps() -> None:
    lines = [
        row(dataset="mine", image=image, image_sha256=image, seed=seed, value=value, trial=f"t{seed}")
        for seed, image, value in [(1, "b", 2.0), (1, "a", 1.0), (0, "a", 3.0), (0, "c", None)]
    ]
    ((key, found),) = evidence(frame(*lines)).items()
    assert key == ("DnCNN", "mine", None, "psnr", "s")
    assert (found.seeds, found.images, found.trials) == ((0, 1), ("b", "a", "c"), ("t0", "t1"))
    assert found.values == ((None, 3.0, None), (2.0, 1.0, None))


@pytest.mark.parametrize("whole_table", [True, False])
def test_a_folder_of_ones_own_has_a_table_of_its_own(whole_table: bool) -> None:
    rows = frame(
        *whole("set12", 30.43),
        *(
            row(dataset="site_a/photos", image=f"{i}.png", image_sha256=str(i), value=v)
            for i, v in enumerate((10.0, 13.0))
        ),
        row(metric="parameters", signature="p", value=555137.0),
    )
    found = records(results(rows, published=published(), whole={"site_a/photos": 3}))
    paper, mine = paper_sheets(found, published(), source="released", evidence=evidence(rows), whole=whole_table)
    assert (paper.kind, mine.kind, mine.key) == ("paper", "values", "denoising-released-own")
    assert [head.title for head in paper.heads][1:] == (["Set12", "BSD68"] if whole_table else ["Set12"])
    assert [head.title for head in mine.heads] == ["site_a/photos"]
    ((cell,),) = [one.cells for one in mine.rows]
    assert (cell.measured, cell.published, cell.verdict) == (11.5, None, None)
    assert cell.reason == "2 of 3 images"


def test_a_folder_alone_needs_no_table_of_the_paper() -> None:
    rows = frame(
        row(dataset="photos", image="1.png", image_sha256="1", value=11.0),
        row(metric="parameters", signature="p", value=555137.0),
    )
    found = records(results(rows, published=published()))
    (mine,) = paper_sheets(found, published(), source="released", evidence=evidence(rows), whole=False)
    assert [head.title for head in mine.heads] == ["Parameters", "photos"]
