"""The published numbers against what the paper's tables print, and mistakes in the file."""

from __future__ import annotations

import math
import shutil
import tomllib
from pathlib import Path

import pytest

from converse.analysis.published import published
from converse.content import content
from converse.errors import DataError


@pytest.mark.parametrize(
    ("task", "entry", "dataset", "case", "value"),
    [
        ("denoising", "Converse-DnCNN", "Set12", None, 30.70),
        ("denoising", "DnCNN", "BSD68", None, 29.23),
        ("super_resolution", "Converse-SRResNet", "Set5", None, 32.25),
        ("deblurring", "Converse-USRNet", "Urban100", "kernel_5", 33.99),
    ],
)
def test_numbers_are_the_papers(task: str, entry: str, dataset: str, case: str | None, value: float) -> None:
    number = published().number(task, entry, dataset, case)
    assert number is not None
    assert (number.value, number.trust) == (value, "primary")
    assert entry in number.where


@pytest.mark.parametrize(
    ("task", "entry", "dataset", "case"),
    [
        ("denoising", "Converse-DnCNN", "Set5", None),
        ("denoising", "Converse-DnCNN", "parameters", None),
        ("denoising", "Nobody", "Set12", None),
        ("deblurring", "ConverseNet", "Set5", "kernel_1"),
        ("deblurring", "ConverseNet", "BSD100", None),
        ("sharpening", "ConverseNet", "BSD100", None),
    ],
)
def test_what_the_paper_does_not_publish_is_none(task: str, entry: str, dataset: str, case: str | None) -> None:
    assert published().number(task, entry, dataset, case) is None


def test_the_main_tables_keep_the_papers_order_and_size() -> None:
    paper = published()
    assert paper.tasks == ("denoising", "super_resolution", "deblurring")
    assert paper.entries("denoising") == ("DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN")
    assert paper.datasets("denoising") == ("Set12", "BSD68")
    assert paper.datasets("super_resolution") == ("Set5", "Set14", "BSD100", "Urban100")
    assert [len(paper.cells(task)) for task in paper.tasks] == [4 * 2, 4 * 4, 2 * 4 * 5]


@pytest.mark.parametrize(
    ("entry", "count"), [("DnCNN", 557057), ("Converse-DnCNN", 734913), ("ConverseNet", 243267), ("SRResNet", None)]
)
def test_parameters(entry: str, count: int | None) -> None:
    number = published().parameters(entry)
    assert (number and number.value) == count


def test_ablations_are_secondary_and_apart() -> None:
    table = published().table("ablation.padding")
    assert table.trust == "secondary"
    assert table.rows["circular"] == (30.70, 29.36)
    assert "ablation" not in published().tasks


def test_the_earlier_table_is_a_source_of_its_own(shared: Path) -> None:
    given = tomllib.loads((shared / "published.toml").read_text("utf-8"))["deblurring_draft"]
    earlier = published().earlier
    assert earlier.tasks == ("deblurring",)
    assert earlier.datasets("deblurring") == tuple(given)
    for dataset, table in given.items():
        for entry in earlier.entries("deblurring"):
            found = [earlier.number("deblurring", entry, dataset, case) for case in table["columns"]]
            assert [(one.value, one.trust) for one in found if one] == [(v, "superseded") for v in table[entry]]


def test_the_paper_has_no_number_of_the_earlier_table() -> None:
    paper = published()
    assert "USRNet" not in paper.entries("deblurring")
    assert paper.datasets("deblurring") == ("BSD100", "Urban100")
    assert {cell.number.trust for task in paper.tasks for cell in paper.cells(task)} == {"primary"}


def test_of_the_earlier_tables_networks_one_kept_its_numbers() -> None:
    kept = {entry: published().unchanged("deblurring", entry) for entry in published().earlier.entries("deblurring")}
    assert kept == {"ConvNet": False, "ConverseNet": True, "USRNet": False, "Converse-USRNet": False}


def test_single_images_have_the_numbers_of_the_logs() -> None:
    found = {(one.entry, one.known_as): one.number.value for one in published().images}
    assert found == {
        ("ConverseNet", "101085"): 25.16,
        ("ConverseNet", "101087"): 28.48,
        ("ConverseNet", "102061"): 26.71,
        ("ConverseNet", "103070"): 29.30,
        ("Converse-USRNet", "101085"): 28.59,
        ("Converse-USRNet", "101087"): 33.15,
        ("Converse-USRNet", "102061"): 32.37,
        ("Converse-USRNet", "103070"): 35.38,
        ("Converse-USRNet", "105025"): 31.01,
    }
    first = published().images[0]
    assert (first.dataset, first.case, first.image) == ("BSD100", "kernel_1", "img_001_SRF_4_HR.png")
    assert not any(math.isnan(one.number.value) for one in published().images)


def test_known_disagreements_are_explained() -> None:
    paper = published()
    assert "7×7" in (paper.explanation("Converse-DnCNN", "parameters", 796353) or "")
    assert paper.explanation("Converse-DnCNN", "parameters", 796354) is None
    for known in paper.disagreements:
        number = paper.parameters(known.entry)
        assert number is not None
        assert number.value == known.published


def test_of_every_network_with_another_operator_it_is_said_how_it_is_known() -> None:
    paper = published()
    basis = {note.entry: note.basis for note in paper.networks}
    twins = {entry for task in paper.tasks for entry in paper.entries(task) if entry.startswith("Conv")}
    assert twins - {"ConverseNet", "Converse-USRNet"} == basis.keys()
    assert basis["ConvT-SRResNet"] == "read"
    assert basis["Conv-USRNet"] == "inferred"


def test_a_misspelt_table_gets_the_nearest() -> None:
    with pytest.raises(DataError, match=r"did you mean 'ablation\.padding'"):
        published().table("ablation.paddings")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[denoising] ", "[denoising ", "cannot be read"),
        ("[557057, 30.43, 29.23]", "[30.43, 29.23]", r"\[denoising\] 'DnCNN': expected 3 numbers.*parameters, Set12"),
        ("30.43, 29.23", '"30.43", 29.23', r"\[denoising\] 'DnCNN': expected a number, got '30.43'"),
        (
            'trust = "primary"',
            'trust = "hearsay"',
            r"\[denoising\] trust: expected .*, got 'hearsay'",
        ),
        ('["parameters", "Set12", "BSD68"]', '"Set12"', r"\[denoising\] columns: expected a list"),
        ('["parameters", "Set12", "BSD68"]', '["Set12", "Set12", "BSD68"]', r"\[denoising\] columns: .* twice"),
        ('["101085", ', "[", r"\[per_image.*\] known_as: expected 5 names, got 4"),
        ("[per_image.deblurring.BSD100.kernel_1]", "[per_image.BSD100]", r"called \[per_image.TASK.DATASET.CASE\]"),
        (
            'blind = ["ConvNet"',
            'blind = ["ConvNets"',
            r"\[deblurring.BSD100\] blind: expected names of its rows, got 'Co",
        ),
        ('trust = "superseded"', 'trust = "primary"', r"\[deblurring_draft.Set5\] trust: tables TASK_draft"),
        ("[deblurring_draft.Set5]", "[deblurring_old.Set5]", r"\[deblurring_old.Set5\] trust: tables TASK_draft"),
    ],
)
def test_mistakes_name_file_table_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    shutil.copytree(content("reports"), tmp_path / "reports")
    file = tmp_path / "reports" / "published.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        published(tmp_path / "reports")
    assert "published.toml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[parameters]]\nentry = "X"\n', r"\[\[parameters\]\] 1: published: expected a count, got None"),
        (
            '[[parameters]]\nentry = "X"\npublished = 1\nmeasured = 2\nreason = "r"\nreasn = "r"\n',
            "did you mean 'reason'",
        ),
        ('[[networks]]\nentry = "X"\nbasis = "red"\nknown = ""\nhere = ""\n', "1: unknown basis 'red': .*'read'"),
    ],
)
def test_mistakes_in_the_disagreements_are_named(tmp_path: Path, text: str, message: str) -> None:
    shutil.copytree(content("reports"), tmp_path / "reports")
    (tmp_path / "reports" / "known_disagreements.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        published(tmp_path / "reports")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        published(tmp_path)
