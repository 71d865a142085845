"""Every view of a store takes the same rows. Oracle: means of PSNR of noise, computed image by image with numpy."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converse.cli.store import export_command
from converse.data.catalogue import sha256_of
from converse.data.images import read_image
from converse.data.resources import Resources
from converse.experiments.running import execute
from converse.experiments.store import Store
from converse.experiments.store.merging import merge
from converse.reporting import csv as csv_table
from converse.reporting import latex, markdown
from converse.reporting.chapters.contents import make_report
from converse.reporting.html import render
from converse.reporting.inputs.material import gather
from converse.reporting.report import Report
from converse.workflows.reproduce import Reproduction, reproduce
from converse.workflows.reproduce_plan import ReproduceRequest
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from tests.workflows.identity import Identity
from tests.workflows.tiny import TINY


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every released network's weights are at hand, and it is the identity."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity())
    Identity.calls = 0


def image(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Saturated pixels take noise away, so that each image has a PSNR of its own.
    low = seed * 12
    pixels = np.random.default_rng(seed).integers(low, low + 40, (24, 20), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mean(*images: Path) -> float:
    """Mean PSNR in dB of what a network gets of these images: with noise of level 25, clipped and rounded."""
    found = []
    for path in images:
        clean = read_image(path, "grey")[..., 0].astype(float)
        noisy = clean + np.random.RandomState(0).normal(0, 25, (*clean.shape, 1))[..., 0]
        found.append(10 * math.log10(255**2 / ((noisy.clip(0, 255).round() - clean) ** 2).mean()))
    return sum(found) / len(found)


def measure(store: Path, *folders: Path, **changes: Any) -> Reproduction:
    asked: dict[str, Any] = {"task": "denoising", "entries": ("DnCNN",), "metrics": ("psnr",), "store": store}
    asked |= {"device": "cpu", "threads": 1, "datasets": tuple(map(str, folders)), **changes}
    return reproduce(ReproduceRequest(**asked))


def shown(done: Reproduction) -> dict[str, float]:
    found = done.results[done.results["metric"] == "psnr"]
    return dict(zip(found["dataset"], found["measured"], strict=True))


def made(*stores: Path) -> Report:
    return make_report(gather([Store(store, create=False) for store in stores]))


def own(report: Report, key: str = "denoising-released-own") -> dict[str, float]:
    sheet = next(one for one in report.sheets if one.key == key)
    return {head.key: cell.measured for _, head, cell in sheet.cells() if cell.measured and head.key != "parameters"}


def exported(store: Path, tmp_path: Path, *, everything: bool = False) -> dict[str, float]:
    """Means over the rows of an export, by what it calls the dataset."""
    file = tmp_path / "rows.csv"
    export_command(file, store, everything=everything)
    values: dict[str, list[float]] = {}
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["metric"] == "psnr":
                values.setdefault(row["dataset"], []).append(float(row["value"]))
    return {name: sum(of_set) / len(of_set) for name, of_set in values.items()}


def near(found: dict[str, float], wanted: dict[str, float]) -> bool:
    return found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    "requests", [[(0, 1)], [(0,), (1,)], [(1,), (0,)]], ids=["at once", "one, other", "other, one"]
)
def test_two_folders_of_one_name(tmp_path: Path, requests: Sequence[Sequence[int]]) -> None:
    one, other = image(tmp_path / "site_a/photos/x.png", 0), image(tmp_path / "site_b/photos/x.png", 1)
    assert abs(mean(one) - mean(other)) > 0.1
    wanted = {"site_a/photos": mean(one), "site_b/photos": mean(other)}
    store = tmp_path / "runs"
    for asked in requests:
        done = measure(store, *((one.parent, other.parent)[index] for index in asked))
        assert done.notes == ()
        assert near(shown(done), wanted if len(asked) == 2 else {"photos": mean((one, other)[asked[0]])})
    assert Identity.calls == 2
    report = made(store)
    assert near(own(report), wanted)
    assert near(exported(store, tmp_path), wanted)
    (paper,) = (sheet for sheet in report.sheets if sheet.key == "denoising-released")
    assert {head.group for head in paper.heads} == {"", "Test set"}
    assert not any("photos" in head.title for head in paper.heads)
    (sheet,) = (sheet for sheet in report.sheets if sheet.key == "denoising-released-own")
    for text in (latex.table(sheet), csv_table.table(sheet), markdown.table(sheet)):
        assert "site_a/photos" in text.replace("\\_", "_").replace("\\allowbreak{}", "")


def test_a_replaced_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, folder = tmp_path / "runs", tmp_path / "photos"
    kept, changed = image(folder / "a.png", 0), image(folder / "b.png", 1)
    before = mean(kept, changed)
    assert near(shown(measure(store, folder)), {"photos": before})
    image(changed, 2)
    after = mean(kept, changed)
    assert abs(before - after) > 0.1
    for calls in (3, 3):
        done = measure(store, folder)
        assert (Identity.calls, near(shown(done), {"photos": after})) == (calls, True)
        assert [note.partition(" whose")[0] for note in done.notes] == ["photos: rows of an older image"]
    report = made(store)
    assert near(own(report), {"photos": after})
    assert "rows of an older image whose place another one has taken since are in the store (b.png)" in render(report)
    assert near(exported(store, tmp_path), {"photos": after})
    assert "1 row is left out" in capsys.readouterr().err
    assert not near(exported(store, tmp_path, everything=True), {"photos": after})


def test_a_moved_folder_is_not_measured_again(tmp_path: Path) -> None:
    store, first = tmp_path / "runs", image(tmp_path / "photos/a.png", 0)
    wanted = mean(first)
    measure(store, first.parent)
    shutil.move(first.parent, tmp_path / "pictures")
    assert near(shown(measure(store, tmp_path / "pictures")), {"pictures": wanted})
    assert Identity.calls == 1
    assert near(own(made(store)), {"pictures": wanted})
    assert near(exported(store, tmp_path), {"pictures": wanted})


def test_an_image_in_two_folders_is_measured_once_and_counts_in_both(tmp_path: Path) -> None:
    store, common = tmp_path / "runs", image(tmp_path / "one/a.png", 0)
    other = image(tmp_path / "two/b.png", 1)
    shutil.copy(common, other.parent)
    wanted = {"one": mean(common), "two": mean(common, other)}
    assert near(shown(measure(store, common.parent, other.parent)), wanted)
    assert Identity.calls == 2
    assert near(own(made(store)), wanted)
    assert near(exported(store, tmp_path), wanted)


def test_two_folders_with_the_same_images_are_shown_once(tmp_path: Path) -> None:
    first = image(tmp_path / "one/a.png", 0)
    shutil.copytree(first.parent, tmp_path / "two")
    done = measure(tmp_path / "runs", first.parent, tmp_path / "two")
    assert near(shown(done), {"one": mean(first)})
    assert "has the same images as" in done.notes[0]


def test_stores_of_two_machines(tmp_path: Path) -> None:
    one, other = image(tmp_path / "site_a/photos/x.png", 0), image(tmp_path / "site_b/photos/x.png", 1)
    stores = [tmp_path / "here", tmp_path / "there"]
    for store, path in zip(stores, (one, other), strict=True):
        measure(store, path.parent)
    wanted = {"site_a/photos": mean(one), "site_b/photos": mean(other)}
    assert near(own(made(*stores)), wanted)
    list(merge(Store(stores[0]), [Store(stores[1], create=False)]))
    assert near(own(made(stores[0])), wanted)


def test_another_number_of_threads_is_not_averaged_in(tmp_path: Path) -> None:
    store, first = tmp_path / "runs", image(tmp_path / "photos/a.png", 0)
    second = image(tmp_path / "photos/b.png", 1)
    measure(store, first.parent, images=1)
    done = measure(store, first.parent, threads=2)
    assert near(shown(done), {"photos": mean(first, second)})
    report = made(store)
    assert near(own(report), {"photos": mean(first, second)})  # a.png, which two trials have, weighs no more than b.png
    assert "photos: rows of an image by another trial (of other threads, machine or code) are in the store" in render(
        report
    )


def test_a_store_without_notes_shows_what_was_measured_last(tmp_path: Path) -> None:
    store, folder = tmp_path / "runs", tmp_path / "photos"
    changed = image(folder / "a.png", 0)
    measure(store, folder)
    image(changed, 1)
    measure(store, folder)
    shutil.rmtree(store / "asked")
    report = made(store)
    assert near(own(report), {"photos": mean(changed)})
    assert "rows of an older image" in render(report)


SUITE = TINY.replace("[0, 1]", "[0]").replace('["./test"]', '["./site_a/photos", "./site_b/photos"]')


def test_the_views_of_a_suite_agree(tmp_path: Path) -> None:
    one, other = image(tmp_path / "site_a/photos/x.png", 0), image(tmp_path / "site_b/photos/x.png", 1)
    image(tmp_path / "train/t.png", 3)
    (tmp_path / "tiny.toml").write_text(SUITE)
    store = tmp_path / "runs"
    request = RunRequest(suite=str(tmp_path / "tiny.toml"), store=store, device="cpu", threads=1)

    def views() -> list[dict[str, float]]:
        done = run(request)
        found = done.results[done.results["metric"] == "psnr"]
        values = next(sheet for sheet in made(store).sheets if sheet.key == "tiny-smoke-values")
        page = {head.group: cell.measured for _, head, cell in values.cells() if head.title == "PSNR" and cell.measured}
        return [dict(zip(found["dataset"], found["measured"], strict=True)), page, exported(store, tmp_path)]

    first = views()
    assert set(first[0]) == {"site_a/photos", "site_b/photos"}
    assert all(near(view, first[0]) for view in first)
    image(other, 2)
    second = views()
    assert all(near(view, second[0]) for view in second)
    assert second[0]["site_a/photos"] == first[0]["site_a/photos"]
    assert second[0]["site_b/photos"] != first[0]["site_b/photos"]
    rows = Store(store, create=False).rows()
    assert rows["trial"].nunique() == 1  # nothing was trained again
    by_image = rows[rows["metric"] == "psnr"].set_index("image_sha256")["value"]
    assert second[0] == {"site_a/photos": by_image[sha256_of(one)], "site_b/photos": by_image[sha256_of(other)]}
    assert "rows of an older image" in run(request).notes[0]
