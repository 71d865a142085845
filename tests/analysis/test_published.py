"""The published numbers against what the paper's tables print, and mistakes in the file."""

from __future__ import annotations

import shutil
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
