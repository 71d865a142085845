"""``converse report`` as a user calls it. Oracles: its files and streams, and the number that the paper prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from converse.experiments.store import Store

Command = Callable[..., tuple[int, str, str]]
"""A call of the command line: exit status, standard output, standard error."""

THUMBNAIL = re.compile('<svg class="thumbnail".*?</svg>', re.DOTALL)


@pytest.fixture(name="report")
def _report(converse: Command) -> Command:
    return partial(converse, "report")


def test_nothing_measured_is_3_with_a_page(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    status, out, _ = report()
    assert status == 3
    assert "page: " in out
    assert (tmp_path / "report" / "index.html").read_text("utf-8").startswith("<!doctype html>")


def test_json_is_one_document(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "elsewhere")
    _, out, err = report("elsewhere", "--format", "json", "-o", "there")
    assert {row["verdict"] for row in json.loads(out)} == {"not measured"}
    assert "there/index.html" in err


def test_no_store_is_a_message(report: Command) -> None:
    status, out, err = report("nowhere")
    assert (status, out) == (2, "")
    assert "no store at nowhere" in err


def test_the_papers_numbers_are_optional_in_latex(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    report("-o", "with")
    report("-o", "without", "--no-published")
    paper = "30.43"  # of DnCNN on Set12
    assert paper in (tmp_path / "with" / "tables" / "denoising-released.tex").read_text("utf-8")
    assert paper not in (tmp_path / "without" / "tables" / "denoising-released.tex").read_text("utf-8")
    assert paper not in (tmp_path / "without" / "report.tex").read_text("utf-8")
    assert paper in (tmp_path / "without" / "index.html").read_text("utf-8")


def test_blur_kernels_stand_in_the_heads_where_they_are_at_hand_and_may_be_shown(
    report: Command, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, sketched: None
) -> None:
    """Oracle: the files of the kernels, read by NumPy."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "nothing"))
    Store(tmp_path / "runs")
    report("-o", "with", "--data-dir", str(shared))
    report("-o", "without")
    report("-o", "embedded", "--data-dir", str(shared), "--embedded-only")
    page = (tmp_path / "with" / "index.html").read_text("utf-8")
    start = page.index('<table id="table-deblurring-released"')
    pictures = [ElementTree.fromstring(one) for one in THUMBNAIL.findall(page[start : page.index("</thead>", start)])]
    assert pictures
    for number, picture in enumerate(pictures):
        kernel = np.load(shared / "kernels" / f"kernel_{number % 5 + 1}.npy")
        drawn = np.zeros_like(kernel)
        for one in picture:
            drawn[int(one.attrib["y"]), int(one.attrib["x"])] = float(one.attrib["fill-opacity"])
        np.testing.assert_allclose(drawn, kernel / kernel.max(), atol=0.5 / 255 + 0.0005)  # shades, and three digits
        assert picture.attrib["role"] == "img"
        assert f"{number % 5 + 1} as a picture" in picture.attrib["aria-label"]
    for name in ("without", "embedded"):
        assert not THUMBNAIL.search((tmp_path / name / "index.html").read_text("utf-8")), name


def test_damage_is_said_aloud(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    (tmp_path / "runs" / "asked").mkdir()
    (tmp_path / "runs" / "asked" / f"{'0' * 16}.json").write_text("{")
    status, out, err = report()
    assert status == 1
    assert "page: " in out
    (said,) = (line for line in err.splitlines() if line.startswith("could not be read: "))
    assert f"{'0' * 16}.json" in said


def test_no_report_is_written_into_a_store(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = report("runs", "-o", "runs")
    assert (status, out) == (2, "")
    assert "--output runs is a store" in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("stores", [(), ("runs",), ("runs", "runs", "runs")], ids=["none", "one", "three"])
def test_other_than_two_stores_cannot_be_put_side_by_side(report: Command, stores: tuple[str, ...]) -> None:
    status, out, err = report(*stores, "--compare")
    assert (status, out) == (2, "")
    assert f"--compare takes two stores, got {len(stores)}" in err


def test_two_stores_side_by_side_say_their_answer(report: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Store(tmp_path / name)
    status, out, _ = report("a", "b", "--compare")
    assert status == 3
    assert "there is nothing to compare" in out


def test_one_store_and_a_day(report: Command, tmp_path: Path) -> None:
    Store(tmp_path / "runs")
    status, out, _ = report("--compare", "--since", "2026-01-31")
    assert status == 3
    assert "there is nothing to compare" in out
    assert "runs as it was before 2026-01-31" in (tmp_path / "report" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            ("a", "b", "--compare", "--since", "2026-01-31"), "--since takes one store, got 2", id="two-stores"
        ),
        pytest.param(("a", "--since", "2026-01-31"), "--since is for --compare", id="alone"),
        pytest.param(("a", "--compare", "--since", "yesterday"), "yesterday", id="no-day"),
        pytest.param(("a", "b", "--compare", "--single-file"), "--single-file: not with --compare", id="other-option"),
    ],
)
def test_a_day_that_is_not_for_this(report: Command, given: tuple[str, ...], said: str) -> None:
    status, out, err = report(*given)
    assert (status, out) == (2, "")
    assert said in err
