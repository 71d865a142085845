"""``converse report`` as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from converse.cli.main import main
from converse.experiments.store import Store


@pytest.fixture
def converse(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["converse", "report", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    return call


def test_nothing_measured_is_3_with_a_page(converse, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    status, out, _ = converse()
    assert status == 3
    assert "page: " in out
    assert (tmp_path / "report" / "index.html").read_text("utf-8").startswith("<!doctype html>")


def test_json_is_one_document(converse, tmp_path: Path) -> None:
    Store(tmp_path / "elsewhere")
    _, out, err = converse("elsewhere", "--format", "json", "-o", "there")
    assert {row["verdict"] for row in json.loads(out)} == {"not measured"}
    assert "there/index.html" in err


def test_no_store_is_a_message(converse) -> None:
    status, out, err = converse("nowhere")
    assert (status, out) == (2, "")
    assert "no store at nowhere" in err


def test_the_papers_numbers_are_optional_in_latex(converse, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    converse("-o", "with")
    converse("-o", "without", "--no-published")
    paper = "30.43"  # of DnCNN on Set12
    assert paper in (tmp_path / "with" / "tables" / "denoising-released.tex").read_text("utf-8")
    assert paper not in (tmp_path / "without" / "tables" / "denoising-released.tex").read_text("utf-8")
    assert paper not in (tmp_path / "without" / "report.tex").read_text("utf-8")
    assert paper in (tmp_path / "without" / "index.html").read_text("utf-8")
