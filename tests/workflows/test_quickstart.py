"""Oracles: the store's rows, the page on disk, the modules that Python loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from converse.analysis.tables import RESULT_COLUMNS
from converse.data.images import image_set
from converse.experiments.store import Store
from converse.experiments.suites.suite import load_suite
from converse.workflows.plan import plan
from converse.workflows.quickstart import Quickstart, next_step, quickstart
from converse.workflows.run_request import RunRequest

ENTRIES = {"DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN"}


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> RunRequest:
    store = tmp_path_factory.mktemp("quickstart") / "runs"
    return RunRequest("quickstart", "smoke", images=1, store=store, device="cpu", threads=1)


@pytest.fixture(scope="module")
def done(request_: RunRequest) -> Quickstart:
    return quickstart(request_)


def test_what_is_asked_of_it_is_there(done: Quickstart, request_: RunRequest) -> None:
    rows = done.rows()
    assert all(row.keys() == set(RESULT_COLUMNS) for row in rows)
    trained = [row for row in rows if row["source"] == "trained" and row["metric"] == "psnr"]
    assert {row["entry"] for row in trained} == ENTRIES
    assert all(row["seeds"] >= 2 for row in trained)
    assert {row["entry"] for row in rows if row["metric"] == "forward_ms"} == {"converse", "conv", "convt"}
    assert {row["entry"] for row in rows if row["source"] is None and row["metric"] == "psnr"} == {
        "Noisy input",
        "Best Gaussian filter",
    }
    json.dumps(rows, allow_nan=False)
    page = done.page.read_text(encoding="utf-8")
    assert all(entry in page for entry in ENTRIES)
    assert done.page == (request_.store / "report" / "index.html").resolve()


def test_a_second_call_repeats_nothing(done: Quickstart, request_: RunRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converse.experiments.speed.runs.carry_out", None)
    monkeypatch.setattr("converse.experiments.evaluation.filters.classical", None)
    again = quickstart(request_)
    assert again.run.fresh == 0
    assert again.rows() == done.rows()


def test_the_report_is_made_anew_only_when_something_changed(
    done: Quickstart, request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = done.page.stat().st_mtime_ns
    quickstart(request_)
    assert done.page.stat().st_mtime_ns == written
    folder = Store(request_.store).folders()[0]
    folder.append_rows([{"metric": "extra", "value": 1.0}])
    folder.seal_rows()
    quickstart(request_)
    assert done.page.stat().st_mtime_ns > written


def test_the_report_has_filters_and_times(done: Quickstart) -> None:
    page = done.page.read_text(encoding="utf-8")
    for said in ("Best Gaussian filter", "Over the noisy input", "Forward and backward", "far too small to judge"):
        assert said in page


def test_a_second_call_does_not_load_torch(done: Quickstart, request_: RunRequest) -> None:
    code = (
        "import sys; from pathlib import Path; from converse.cli import quickstart;"
        "from converse.workflows.quickstart import quickstart as carry_out;"
        "from converse.workflows.run_request import RunRequest;"
        f"request = RunRequest('quickstart', 'smoke', images=1, store=Path({str(request_.store)!r}),"
        " device='cpu', threads=1); quickstart._conclude(carry_out(request), request);"
        "assert 'torch' not in sys.modules"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert re.search(r"converse reproduce denoising .* \(--dry-run says how long it takes, \d+ MB to download\)$", said)


def test_the_next_step_is_the_same_with_and_without_its_time(request_: RunRequest) -> None:
    """Oracle: the plan of the suite, of which it is the first command that measures."""
    timed, untimed = next_step(request_, timed=True), next_step(request_, timed=False)
    assert untimed == replace(timed, seconds=None)
    assert timed.seconds is not None
    assert 0 < timed.seconds[0] < timed.seconds[1]
    steps = plan(RunRequest("denoising", datasets=("set12",), store=request_.store, device="cpu", threads=1)).steps
    assert next(step["command"] for step in steps if step["multiply_adds"]) == timed.command


def test_there_is_no_file_beside_the_rows(done: Quickstart, request_: RunRequest) -> None:
    """Earlier versions kept filters and times in files of their own: those are not read, whatever is in them."""
    folder = request_.store / "quickstart"
    assert not folder.exists()
    folder.mkdir()
    for name in ("speed.json", "comparisons.json"):
        (folder / name).write_text("{")
    again = quickstart(request_)
    assert again.comparisons == done.comparisons
    assert again.speeds == done.speeds


def test_the_page_has_the_times_of_the_rows(done: Quickstart, request_: RunRequest) -> None:
    """Oracle: the medians that the store has."""
    rows = Store(request_.store, create=False).speed_rows()
    rows = rows[~rows["twin"].astype(bool)]
    medians = {(row["subject"], row["pass"]): 1e3 * row["median_s"] for row in rows.to_dict("records")}
    page = (done.page.parent / "tables" / "quickstart-smoke-operators.csv").read_text("utf-8")
    for speeds in done.speeds:
        assert speeds["forward"] == medians[speeds["operator"], "evaluation"]
        assert speeds["training"] == medians[speeds["operator"], "forward+backward"]
        assert f",{speeds['operator']},,forward,ms,{speeds['forward']:#.6g}," in page


def test_training_and_test_images_are_disjoint_and_need_no_download() -> None:
    (plan, *_) = load_suite("quickstart").resolve("quick")
    sums: dict[str, Any] = {
        name: {image.sha256 for image in image_set(name).images} for name in (*plan.train, *plan.test)
    }
    assert sums.keys() == {"skimage_train", "skimage_test"}
    assert not sums["skimage_train"] & sums["skimage_test"]
    assert len(load_suite("quickstart").seeds) >= 2


def test_the_trials_are_in_the_store(done: Quickstart, request_: RunRequest) -> None:
    store = Store(request_.store, create=False)
    assert {folder.status().state for folder in store.folders()} == {"done"}
    assert len(store.folders()) == 8
