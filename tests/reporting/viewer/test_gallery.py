"""Oracles: pixels that were put into a store, and degradations by the modules that networks are tested with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from converse.data.degradations import blur, degraded
from converse.data.images import ImageSet, image_set, read_image
from converse.data.resize import imresize
from converse.data.resources import Resources
from converse.data.tasks import TASKS
from converse.experiments.evaluation.keeping import cut, encoded
from converse.experiments.store import Store
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.outputs import Outputs, Window
from converse.experiments.store.requests import RequestedEntry, RequestedSet, StoredRequest, note
from converse.experiments.trials import Trial
from converse.metrics import as_uint8, psnr
from converse.reporting.inputs.material import gather
from converse.reporting.inputs.networks import Networks
from converse.reporting.viewer.clean import given
from converse.reporting.viewer.gallery import Wanted, make_gallery, nothing_kept
from converse.reporting.viewer.page import gallery_view
from converse.reporting.viewer.pictures import Gallery

HEIGHT, WIDTH = 24, 32


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    """Three photographs of noise, in a folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        (folder / f"{number}.png").write_bytes(encoded(image))
    return image_set(folder)


def measured(
    store: Store, images: ImageSet, entry: str, task: str = "denoising", window: Window | None = None, keep: int = 3
) -> Trial:
    """A trial whose outputs are the clean images, upside down."""
    trial = Trial(task, entry, "trained", 0, "quick", {"net": entry}, {}, platform={"device": "cpu"})
    folder = store.folder(trial)
    with folder.lock():
        folder.set_status("running")
        for number, one in enumerate(images.images):
            row = {"dataset": images.name, "image": one.name, "image_sha256": one.sha256, "metric": "psnr"}
            folder.append_rows([{**row, "signature": "s", "value": 30.0 + number}])
            if number < keep:
                output = cut(read_image(one.path, TASKS[task].colour)[::-1], window)
                Outputs(folder).add(
                    encoded(output), image=one.name, place=(one.sha256, None), size=(HEIGHT, WIDTH), window=window
                )
        folder.set_status("done")
    return trial


def asked(store: Store, trials: list[Trial], images: ImageSet, task: str = "denoising", **more: Any) -> None:
    names = [one.entry for one in trials]
    said: dict[str, Any] = {"suite": "mine", "title": "Mine", "description": "", "task": task, "budget": "quick"}
    said |= {"base": None, "contrasts": (), "missing": {}, "command": "converse run mine", **more}
    entries = tuple(RequestedEntry(name, name) for name in names)
    answers = tuple((one.id, one.entry, one.seed) for one in trials)
    sets = (RequestedSet.of(images),)
    note(store, StoredRequest(**said, entries=entries, trials=answers, sets=sets, time="2026-01-02T03:04:05.000Z"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def made(store: Store, folder: Path, **wanted: Any) -> tuple[Gallery, tuple[str, ...]]:
    networks = Networks(Resources(None, fetch=False), compute=False)
    return make_gallery(gather([store]), networks, folder, Wanted(**wanted))


def pixels(folder: Path, file: str) -> np.ndarray:
    return np.asarray(Pillow.open(folder / "images" / file))


def test_the_pictures_are_what_was_kept_and_what_networks_were_given(
    store: Store, images: ImageSet, tmp_path: Path
) -> None:
    asked(store, [measured(store, images, "A"), measured(store, images, "B", keep=2)], images)
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    gallery, files = made(store, tmp_path / "report")
    assert before == {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}  # a report never writes there
    (shelf,) = gallery.shelves
    assert [one.title for one in shelf.layers] == ["truth", "noisy input", "A", "B"]
    assert [len(one.prints) for one in shelf.pictures] == [4, 4, 3]
    assert len(files) == len(set(files)) == 11
    for one, picture in zip(images.images, shelf.pictures, strict=True):
        noisy, truth = degraded(TASKS["denoising"], read_image(one.path, "grey"))
        shown = {key: pixels(tmp_path / "report", of.file) for key, of in picture.prints.items()}
        assert np.array_equal(shown["truth"], truth[:, :, 0])
        assert np.array_equal(shown["input"], as_uint8(noisy)[:, :, 0])
        assert np.array_equal(shown[shelf.layers[2].key], truth[::-1, :, 0])
        value = psnr(truth, as_uint8(noisy), colour="grey", border=0)
        assert picture.prints["input"].values["psnr"] == pytest.approx(value)
    assert shelf.pictures[1].prints[shelf.layers[2].key].values == {"psnr": 31.0}


@pytest.mark.parametrize("off", [0.0, 0.01], ids=["the-same-pixels", "other-noise"])
def test_lpips_of_an_input_is_what_the_store_has(store: Store, images: ImageSet, tmp_path: Path, off: float) -> None:
    """A report computes no network, and LPIPS is one; a store has it of inputs that ``converse reproduce`` measured."""
    asked(store, [measured(store, images, "A")], images)
    trial = Trial("denoising", "Noisy input", "released", None, None, {}, {}, platform={"device": "cpu"})
    folder = store.folder(trial)
    first, *_ = images.images
    noisy, truth = degraded(TASKS["denoising"], read_image(first.path, "grey"))
    value = psnr(truth, as_uint8(noisy), colour="grey", border=0) + off
    with folder.lock():
        folder.set_status("running")
        for metric, number in (("psnr", value), ("lpips", 0.25)):
            row = {"dataset": images.name, "image": first.name, "image_sha256": first.sha256, "metric": metric}
            folder.append_rows([{**row, "signature": "s", "value": number}])
        folder.set_status("done")
    gallery, _ = made(store, tmp_path / "report")
    shelf = gallery.shelves[-1]
    found = [dict(picture.prints["input"].values) for picture in shelf.pictures]
    assert [one.get("lpips") for one in found] == [None if off else 0.25, None, None]
    assert found[0]["psnr"] == pytest.approx(value - off)


def test_where_one_keeps_a_window_all_are_shown_in_it(store: Store, images: ImageSet, tmp_path: Path) -> None:
    window = Window(4, 8, 12, 16)
    asked(store, [measured(store, images, "A"), measured(store, images, "B", window=window)], images)
    gallery, _ = made(store, tmp_path / "report")
    for one, picture in zip(images.images, gallery.shelves[0].pictures, strict=True):
        assert (picture.height, picture.width) == (12, 16)
        assert picture.part.startswith("16×12 pixels at row 4 and column 8, of 32×24")
        whole = read_image(one.path, "grey")
        for key, of in picture.prints.items():
            if key != "input":
                wanted = whole if key == "truth" else whole[::-1]
                assert np.array_equal(pixels(tmp_path / "report", of.file), cut(wanted, window)[:, :, 0])


def test_smaller_inputs_are_shown_with_their_bicubic_enlargement(
    store: Store, images: ImageSet, tmp_path: Path
) -> None:
    window = Window(8, 4, 12, 16)
    trial = measured(store, images, "A", "super_resolution", window)
    asked(store, [trial], images, "super_resolution")
    gallery, _ = made(store, tmp_path / "report")
    (shelf,) = gallery.shelves
    assert [one.key for one in shelf.layers] == ["truth", "input", "bicubic", trial.id]
    picture = shelf.pictures[0]
    small, truth = degraded(TASKS["super_resolution"], read_image(images.images[0].path, "colour"))
    large = as_uint8(imresize(small.astype(np.float64), 4).astype(np.float32))
    folder = tmp_path / "report"
    assert picture.prints["input"].coarse
    assert np.array_equal(pixels(folder, picture.prints["input"].file), as_uint8(small)[2:5, 1:5])
    assert np.array_equal(pixels(folder, picture.prints["bicubic"].file), cut(large, window))
    value = psnr(truth, large, colour="y", border=4)
    assert picture.prints["bicubic"].values["psnr"] == pytest.approx(value)
    assert picture.prints["input"].values == {}


def test_blurred_inputs_have_their_kernel(images: ImageSet) -> None:
    task = TASKS["deblurring"]
    kernel = np.full((7, 7), 1 / 49)
    truth, (one,) = given(task, images.images[0], kernel)
    assert one.title == "blurred input"
    # Noise of σ = 2.55 moves hardly any pixel by more than 4 σ.
    assert np.abs(one.image.astype(int) - blur(truth, kernel)).max() <= 12


def test_a_bound_leaves_whole_images_out_and_says_so(
    store: Store, images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(store, [measured(store, images, "A")], images)
    _, files = made(store, tmp_path / "all")
    whole = sum((tmp_path / "all" / name).stat().st_size for name in files)
    monkeypatch.setattr(Wanted, "bytes", whole // 2)
    gallery, files = made(store, tmp_path / "report")
    assert len(gallery.shelves[0].pictures) == 1
    assert len(files) == 3
    assert gallery.notes[0].startswith("2 images left out")


def test_without_clean_images_networks_alone_are_shown(store: Store, images: ImageSet, tmp_path: Path) -> None:
    asked(store, [measured(store, images, "A"), measured(store, images, "B")], images)
    shutil.rmtree(tmp_path / "mine")
    gallery, _ = made(store, tmp_path / "report")
    assert [one.title for one in gallery.shelves[0].layers] == ["A", "B"]
    assert "mine: the clean images are not at hand" in gallery.notes[0]


def test_a_changed_image_is_not_the_truth(store: Store, images: ImageSet, tmp_path: Path) -> None:
    asked(store, [measured(store, images, "A")], images)
    shutil.copy(tmp_path / "mine" / "1.png", tmp_path / "mine" / "0.png")
    gallery, _ = made(store, tmp_path / "report")
    assert ["truth" in one.prints for one in gallery.shelves[0].pictures] == [False, True, True]


def test_where_nothing_is_kept_the_command_that_keeps_is_said(store: Store, images: ImageSet, tmp_path: Path) -> None:
    trial = measured(store, images, "A", keep=0)
    asked(store, [trial], images, request=CommandLine("run", "mine", {"budget": "quick"}))
    gallery, _ = made(store, tmp_path / "report")
    assert gallery.shelves == ()
    (missing,) = nothing_kept(gather([store]))
    assert missing.command == "converse run mine --budget quick --keep-images crops"


def test_only_what_may_be_shipped(store: Store, images: ImageSet, tmp_path: Path) -> None:
    asked(store, [measured(store, images, "A")], images)
    gallery, files = made(store, tmp_path / "report", embedded_only=True)
    assert (gallery.shelves, files) == ((), ())
    assert not (tmp_path / "report").exists()


def test_damaged_outputs_and_no_images_at_all_are_left_out(store: Store, images: ImageSet, tmp_path: Path) -> None:
    trial = measured(store, images, "A")
    asked(store, [trial], images)
    outputs = Outputs(store.folder(trial))
    first, second, _ = outputs.kept().values()
    (outputs.folder.path / first.file).write_bytes(b"x")
    with outputs.folder.lock():  # as somebody could who made the store
        outputs.add(b"<svg/>", image=second.image, place=second.place, size=second.size, window=None)
    gallery, _ = made(store, tmp_path / "report")
    assert len(gallery.shelves[0].pictures) == 1
    assert any("is damaged" in one for one in gallery.notes)
    assert any("expected a PNG of 32×24 pixels" in one for one in gallery.notes)


def test_pictures_inside_a_page_stand_there_once(store: Store, images: ImageSet, tmp_path: Path) -> None:
    asked(store, [measured(store, images, "A")], images)
    gallery, files = made(store, tmp_path / "report", inside=True)
    assert files == ()
    view = gallery_view(gallery)
    assert view is not None
    assert gallery.inside is not None
    text = view.data + "".join(card.source for shelf in view.shelves for card in shelf.cards)
    assert text.count("data:image/png;base64,") == len(gallery.inside) == 9
