"""A check from end to end, and what its outputs say. Oracle: one value of the baseline that was changed by hand."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from converse.reporting.figure import Figure
from converse.reporting.report import Missing
from converse.workflows.check import Check, check
from converse.workflows.check_answer import answer, worst
from converse.workflows.check_request import CheckRequest
from tests.cli.conftest import converse
from tests.workflows.gated import edited, gated

Converse = Callable[..., tuple[int, str, str]]
__all__ = ["converse"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, its baseline, and one that has b.png by 0.25 dB better."""
    folder = tmp_path_factory.mktemp("gated")
    gated(folder)
    edited(folder, "b.png", 0.25)
    return folder


@pytest.fixture(scope="module")
def done(place: Path) -> Check:
    """A check against the second one."""
    return check(CheckRequest(place / "edited.toml", store=place / "trials", parts=("quality",)))


def test_an_answer_says_what_was_run_where(done: Check, place: Path) -> None:
    found = answer(done)
    assert (found.word, found.baseline) == ("regressed", str(place / "edited.toml"))
    assert found.command == f"converse check {place / 'edited.toml'} --part quality"
    facts = dict(found.facts)
    assert facts["What"] == "suite gated.toml, smoke"
    assert facts["Here"] == facts["Baseline of"], "the same machine"
    assert facts["Trials"] == str(place / "trials")
    taken = answer(replace(done, request=replace(done.request, taken_from=place / "trials")))
    assert shlex.split(taken.command)[-2:] == ["--from", str(place / "trials")]


def test_the_worst_image_is_shown(done: Check) -> None:
    (figure,) = worst(done, answer(done))
    assert isinstance(figure, Figure)
    assert figure.title == "test: b.png"
    assert "PSNR, worst image: b.png under seed 0" in figure.caption


def test_nothing_is_shown_of_what_is_fine(place: Path) -> None:
    fine = check(CheckRequest(place / "baseline.toml", taken_from=place / "trials"))
    assert [one for one in worst(fine, answer(fine)) if isinstance(one, Figure | Missing)] == []


def test_the_command_writes_all_of_it(converse: Converse, place: Path, tmp_path: Path) -> None:
    files = ("--junit", "out/check.xml", "--markdown", "out/check.md", "--html", "out/check.html")
    status, out, err = converse("check", str(place / "edited.toml"), "--from", str(place / "trials"), *files)
    assert status == 1
    assert out.splitlines()[-1].startswith("✗ regressed: 2 regressed, ")
    assert [line for line in err.splitlines() if line.startswith("written")] == [
        *("written: out/check.xml", "written: out/check.md", "written: out/check.html")
    ]
    assert ElementTree.parse(tmp_path / "out" / "check.xml").getroot().get("failures") == "2"
    assert "0.25 dB worse" in (tmp_path / "out" / "check.md").read_text("utf-8").replace("\u00a0", " ")
    page = (tmp_path / "out" / "check.html").read_text("utf-8")
    assert page.count("<figure") == 1
    assert page.count("<svg") == 2  # one for wide screens, and one for narrow ones
    assert "input, Plain, truth" in page


def test_the_command_prints_one_document(converse: Converse, place: Path) -> None:
    status, out, _ = converse("check", str(place / "edited.toml"), "--from", str(place / "trials"), "--format", "json")
    made = json.loads(out)
    assert (status, made["exit_status"], made["answer"]) == (1, 1, "regressed")
    worst = next(one for one in made["findings"] if one["image"])
    assert worst["image"] == {"entry": "Plain", "seed": 0, "dataset": "test", "case": None, "name": "b.png"}
    assert worst["change"] == pytest.approx(0.25, abs=1e-9)


def test_what_cannot_be_written_is_said_first(converse: Converse, tmp_path: Path) -> None:
    status, _, err = converse("check", "nothing.toml", "--html", str(tmp_path))
    assert (status, err) == (2, f"error: --html names a file to write, got the folder {tmp_path}\n")
