"""Oracles: the files on the disk, by readers that are not ours, and what GitHub's runner does with its variable."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from converse.errors import ConverseWarning, OptionError, StoreError
from converse.reporting.gate.answer import Answer
from converse.reporting.report import Missing
from converse.workflows.check_outputs import write
from converse.workflows.ci_files import STEP_SUMMARY, Outputs
from tests.reporting.gate.conftest import answer

__all__ = ["answer"]


def never(answer: Answer) -> Iterator[Missing]:
    raise AssertionError("no images were asked for")


def test_all_files_are_written_into_folders_that_are_made(answer: Answer, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "a" / "j.xml", tmp_path / "b" / "c" / "m.md", tmp_path / "p.html")
    written = write(answer, outputs, lambda answer: iter([Missing("No crop.")]), {})
    assert written == [outputs.junit, outputs.markdown, outputs.html]
    assert ElementTree.parse(tmp_path / "a" / "j.xml").getroot().get("failures") == "1"
    assert (tmp_path / "b" / "c" / "m.md").read_text("utf-8").startswith("## ✗ converse check: regressed\n")
    assert "No crop." in (tmp_path / "p.html").read_text("utf-8")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["j.xml", "m.md", "p.html"]


def test_no_image_is_restored_where_no_page_is_wanted(answer: Answer, tmp_path: Path) -> None:
    assert write(answer, Outputs(markdown=tmp_path / "m.md"), never, {}) == [tmp_path / "m.md"]
    assert write(answer, Outputs(), never, {}) == []


def test_the_summary_of_a_step_is_added_to_what_is_there(answer: Answer, tmp_path: Path) -> None:
    place = tmp_path / "summary.md"
    place.write_text("from another command\n")
    for _ in range(2):
        write(answer, Outputs(), never, {STEP_SUMMARY: str(place)})
    text = place.read_text("utf-8")
    assert text.startswith("from another command\n## ✗ converse check")
    assert text.count("## ✗ converse check: regressed") == 2


def test_a_summary_that_cannot_be_added_is_a_warning(answer: Answer, tmp_path: Path) -> None:
    with pytest.warns(ConverseWarning, match="no summary of the step: cannot write"):
        write(answer, Outputs(markdown=tmp_path / "m.md"), never, {STEP_SUMMARY: str(tmp_path / "no" / "folder.md")})
    assert (tmp_path / "m.md").exists()


def test_what_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--html names a file to write, got the folder"):
        Outputs(html=tmp_path).check()
    with pytest.raises(OptionError, match="--junit, --markdown must name different files"):
        Outputs(tmp_path / "a", tmp_path / "b" / ".." / "a").check()
    Outputs(tmp_path / "a", tmp_path / "b", tmp_path / "c").check()


def test_a_file_in_the_place_of_a_folder(answer: Answer, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StoreError, match="cannot make"):
        write(answer, Outputs(tmp_path / "a" / "j.xml"), never, {})
