"""Reproducing with a network that returns its input, on images made here; then the real ones where they are at hand.

The oracle of the small runs is the noise itself: the PSNR of a noisy image is computed with numpy alone.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from converse.data import downloads
from converse.data.catalogue import Dataset
from converse.data.images import read_image
from converse.data.resources import Absent, Resources
from converse.errors import ConverseError, DataError, OptionError
from converse.experiments import devices
from converse.experiments.running import execute
from converse.experiments.store import Store
from converse.experiments.store.requests import notes
from converse.nn.complexity import complexity
from converse.nn.models import create_model
from converse.nn.released_weights import RELEASED
from converse.workflows.preview import preview_reproduction
from converse.workflows.reproduce import Reproduction, reproduce
from converse.workflows.reproduce_plan import ReproduceRequest as Request
from converse.workflows.work import Progress, Work
from tests.workflows.identity import Identity


class Offline:
    """What a download raises when there is no network."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, dataset: Dataset, *arguments: object) -> list[Path]:
        self.asked.append(dataset.name)
        raise DataError("no network")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Offline:
    """No test downloads anything, nor sees the user's cache."""
    network = Offline()
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(downloads, "download", network)
    return network


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every released network's weights are at hand, and it is the identity."""
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(Resources, "_kernels", lambda self: {f"kernel_{i}": np.eye(7) / 7 for i in range(1, 6)})
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity())
    Identity.calls = 0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three colour photographs of noise."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        pixels = np.random.default_rng(index).integers(60, 190, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def request(tmp_path: Path, photos: Path, **changes: Any) -> Request:
    settings: dict[str, Any] = {
        "task": "denoising",
        "entries": ("DnCNN",),
        "datasets": (str(photos),),
        "metrics": ("psnr",),
        "store": tmp_path / "runs",
    }
    return Request(**{**settings, **changes})


def images_of(done: Reproduction) -> list[dict[str, Any]]:
    frame = done.results
    rows = frame[frame["metric"] != "parameters"].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


@pytest.mark.usefixtures("fake")
def test_a_folder_of_the_users_images_is_measured(tmp_path: Path, photos: Path) -> None:
    done = reproduce(request(tmp_path, photos))
    (row,) = images_of(done)
    expected = []
    for path in sorted(photos.iterdir()):
        clean = read_image(path, "grey")[..., 0].astype(float)
        noisy = clean + np.random.RandomState(0).normal(0, 25, (*clean.shape, 1))[..., 0]
        expected.append(10 * math.log10(255**2 / ((noisy.clip(0, 255).round() - clean) ** 2).mean()))
    assert row["measured"] == pytest.approx(np.mean(expected), abs=1e-2)
    assert (row["dataset"], row["images"], row["verdict"], row["reason"]) == ("photos", 3, None, "no published value")
    assert done.measured
    assert done.fresh == 3


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(("task", "given"), [("denoising", "Noisy input"), ("deblurring", "Blurred input")])
def test_what_networks_are_given_is_measured_beside_them(tmp_path: Path, photos: Path, task: str, given: str) -> None:
    done = reproduce(request(tmp_path, photos, task=task, entries=None, images=1, keep_images="all"))
    values = {(row["entry"], row["case"]): row["measured"] for row in images_of(done) if row["measured"] is not None}
    networks = {entry for entry, _ in values} - {given}
    assert len(networks) == 2
    for (entry, case), value in values.items():  # the networks here return their input
        assert value == values[given, case], entry
    (folder,) = (one for one in Store(tmp_path / "runs").folders() if one.trial().entry == given)
    assert (folder.status().state, folder.trial().platform) == ("done", {"device": "cpu"})
    assert not list(folder.path.rglob("*.png")) + list(folder.path.rglob("*.webp"))
    # Any number of threads, and any machine: the same trial, which is not measured again.
    assert reproduce(request(tmp_path, photos, task=task, entries=(given,), images=1, threads=3)).fresh == 0


@pytest.mark.usefixtures("fake")
def test_further_noise_levels_are_measured_in_the_same_trials(tmp_path: Path, photos: Path) -> None:
    asked = request(tmp_path, photos, entries=("DnCNN", "Noisy input"))
    before = reproduce(asked)
    more = replace(asked, noise_levels=(50.0, 25.0, 12.5))
    preview = preview_reproduction(more)
    assert [line["images"] for line in preview.lines] == [6, 6]  # three images at two levels are left
    done = reproduce(more)
    assert done.fresh == 12
    assert reproduce(more).fresh == 0
    rows = {(row["entry"], row["case"]): row for row in images_of(done)}
    assert list(rows) == [
        (entry, case) for entry in ("DnCNN", "Noisy input") for case in (None, "noise_level_12.5", "noise_level_50")
    ]
    for level in (12.5, 50.0):
        expected = []
        for path in sorted(photos.iterdir()):
            clean = read_image(path, "grey")[..., 0].astype(float)
            noisy = clean + np.random.RandomState(0).normal(0, level, (*clean.shape, 1))[..., 0]
            expected.append(10 * math.log10(255**2 / ((noisy.clip(0, 255).round() - clean) ** 2).mean()))
        for entry in ("DnCNN", "Noisy input"):
            row = rows[entry, f"noise_level_{level:g}"]
            assert row["measured"] == pytest.approx(np.mean(expected), abs=1e-2)
            assert (row["images"], row["verdict"], row["published"]) == (3, None, None)
    # The same trials, and of the task as it is the same rows.
    assert [job.trial.id for job in done.work.jobs] == [job.trial.id for job in before.work.jobs]
    pd.testing.assert_frame_equal(done.rows, before.rows)
    own = done.results[~done.results["case"].astype(str).str.startswith("noise")].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, before.results)
    # The note says all that was asked for, and who asks without it later needs nothing measured.
    lines = [str(one.request) for one in notes(Store(asked.store))]
    assert [("--noise-levels 12.5,50" in line) for line in lines] == [True, False]
    assert reproduce(asked).fresh == 0


@pytest.mark.usefixtures("fake")
def test_blur_kernels_are_measured_one_by_one_in_the_same_trial(tmp_path: Path, photos: Path) -> None:
    asked = request(tmp_path, photos, task="deblurring", entries=("Blurred input",), kernels=("4", "kernel_2"))
    assert [line["images"] for line in preview_reproduction(asked).lines] == [6]
    done = reproduce(asked)
    assert (done.fresh, done.gaps) == (6, ())
    assert [row["case"] for row in images_of(done)] == ["kernel_2", "kernel_4"]
    (said,) = notes(Store(asked.store))
    assert "--kernels 2,4" in str(said.request)
    whole = reproduce(replace(asked, kernels=None))
    assert whole.fresh == 9  # three images under the other three
    assert [job.trial.id for job in whole.work.jobs] == [job.trial.id for job in done.work.jobs]
    assert [row["case"] for row in images_of(whole)] == [f"kernel_{number}" for number in range(1, 6)]
    assert reproduce(asked).fresh == 0


@pytest.mark.usefixtures("fake")
def test_without_a_task_the_kernels_are_those_of_the_task_that_has_some(tmp_path: Path, photos: Path) -> None:
    asked = request(tmp_path, photos, task=None, entries=("DnCNN", "Blurred input"), images=1, kernels=("3",))
    done = reproduce(asked)
    assert [(row["task"], row["case"]) for row in images_of(done)] == [
        ("denoising", None),
        ("deblurring", "kernel_3"),
    ]
    lines = {one.task: str(one.request) for one in notes(Store(asked.store))}
    assert "--kernels 3" in lines["deblurring"]
    assert "kernels" not in lines["denoising"]


@pytest.mark.usefixtures("fake")
def test_a_level_that_is_not_measured_is_a_gap(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dark(Identity):
        """Gives nothing finite where it is noisier than it has learnt."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (math.nan if x.max() > 1.2 else 1.0)

    monkeypatch.setattr(execute, "read_released", lambda entry, path: Dark())
    done = reproduce(request(tmp_path, photos, noise_levels=(1.0, 200.0)))
    assert {(gap.case, gap.reason) for gap in done.gaps} == {
        ("noise_level_200", "3 of 3 images not measured: output is not finite")
    }
    rows = {row["case"]: row for row in images_of(done)}
    assert rows["noise_level_200"]["verdict"] == "not measured"
    assert rows["noise_level_1"]["measured"] > 45


@pytest.mark.usefixtures("fake")
def test_without_a_task_the_levels_are_those_of_the_task_that_takes_some(tmp_path: Path, photos: Path) -> None:
    asked = request(tmp_path, photos, task=None, entries=("DnCNN", "Blurred input"), images=1, noise_levels=(15.0,))
    done = reproduce(asked)
    assert {row["case"] for row in images_of(done) if row["task"] == "denoising"} == {None, "noise_level_15"}
    lines = {one.task: str(one.request) for one in notes(Store(asked.store))}
    assert "--noise-levels 15" in lines["denoising"]
    assert "noise" not in lines["deblurring"]


@pytest.mark.parametrize("task", ["deblurring", "super_resolution"])
def test_other_tasks_refuse_noise_levels_before_anything_is_looked_for(tmp_path: Path, photos: Path, task: str) -> None:
    with pytest.raises(OptionError, match=f"--noise-levels: {task} has no noise level to change"):
        reproduce(request(tmp_path, photos, task=task, entries=None, noise_levels=(15.0,)))
    assert not (tmp_path / "runs").exists()


def test_the_input_alone_needs_no_weights(tmp_path: Path, photos: Path) -> None:
    done = reproduce(request(tmp_path, photos, entries=("noisy input",)))
    assert (done.fresh, done.gaps) == (3, ())
    (line,) = preview_reproduction(request(tmp_path, photos, entries=("Noisy input",))).lines
    assert (line["state"], line["images"]) == ("done", 0)
    missing = reproduce(request(tmp_path, photos, task="deblurring", entries=("Blurred input",)))
    assert {row["reason"] for row in images_of(missing)} == {
        "the blur kernels are not at hand: converse data fetch blur_kernels"
    }


def test_single_images_that_differ_count_as_differing() -> None:
    means = pd.DataFrame({"verdict": ["differs", "match"], "metric": "psnr", "reason": None})
    images = pd.DataFrame({"verdict": ["differs", "differs", "close", "not measured"]})
    assert Reproduction(means, pd.DataFrame(), images, Work(()), 0).differing == 3


@pytest.mark.usefixtures("fake")
def test_a_second_call_measures_nothing_loads_no_torch_and_says_the_same(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reproduce(request(tmp_path, photos))
    calls = Identity.calls
    steps: list[Progress] = []
    monkeypatch.setattr(devices, "_DRIVERS", ())
    monkeypatch.setitem(sys.modules, "torch", None)  # refused to who imports it
    asked = request(tmp_path, photos, threads=torch.get_num_threads())
    again = reproduce(asked, steps.append)
    assert (Identity.calls, again.fresh, steps) == (calls, 0, [])
    assert again.results.equals(first.results)


@pytest.mark.usefixtures("fake")
def test_progress_counts_images_over_all_networks(tmp_path: Path, photos: Path) -> None:
    steps: list[Progress] = []
    reproduce(request(tmp_path, photos, entries=None), steps.append)
    assert [step.done for step in steps] == [0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9]  # two networks, and their input
    assert {step.total for step in steps} == {9}
    assert (steps[0].name, steps[0].upcoming) == ("DnCNN", "photos 0.png")


@pytest.mark.usefixtures("fake")
def test_stopped_in_the_middle_it_goes_on_there(tmp_path: Path, photos: Path) -> None:
    def stop(step: Progress) -> None:
        if step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(request(tmp_path, photos), stop)
    (folder,) = Store(tmp_path / "runs").folders()
    assert len(folder.rows().query("metric == 'psnr'")) == 2
    assert folder.owner() is None
    assert folder.status().state == "interrupted"
    done = reproduce(request(tmp_path, photos))
    assert done.fresh == 1
    assert Identity.calls == 3
    assert images_of(done)[0]["images"] == 3
    assert folder.status().state == "done"


@pytest.mark.usefixtures("fake")
def test_fewer_images_show_those_alone_even_when_more_are_known(tmp_path: Path, photos: Path) -> None:
    reproduce(request(tmp_path, photos))
    (row,) = images_of(reproduce(request(tmp_path, photos, images=2)))
    assert row["images"] == 2


@pytest.mark.usefixtures("fake")
def test_another_metric_is_added_to_what_is_there(tmp_path: Path, photos: Path) -> None:
    reproduce(request(tmp_path, photos))
    done = reproduce(request(tmp_path, photos, metrics=("psnr", "ssim", "lpips")))
    found = {row["metric"]: row for row in images_of(done)}
    assert found["ssim"]["images"] == 3
    assert found["lpips"]["verdict"] == "not measured"
    assert "converse data fetch lpips_alexnet" in found["lpips"]["reason"]
    calls = Identity.calls
    reproduce(request(tmp_path, photos, metrics=("psnr", "ssim", "lpips")))
    assert Identity.calls == calls


@pytest.mark.usefixtures("fake")
def test_lpips_is_downloaded_only_for_who_names_it(tmp_path: Path, photos: Path, offline: Offline) -> None:
    reproduce(request(tmp_path, photos, metrics=None, images=1))
    assert "lpips_alexnet" not in offline.asked
    reproduce(request(tmp_path, photos, metrics=("lpips",), images=1))
    assert offline.asked == ["lpips_alexnet"]


@pytest.mark.usefixtures("fake")
def test_every_kernel_is_a_case(tmp_path: Path, photos: Path) -> None:
    done = reproduce(request(tmp_path, photos, task="deblurring", entries=("ConverseNet",)))
    assert [row["case"] for row in images_of(done)] == [f"kernel_{i}" for i in range(1, 6)]
    assert done.fresh == 15


@pytest.mark.usefixtures("fake")
def test_an_image_too_small_is_a_reason_and_the_others_are_measured(tmp_path: Path, photos: Path) -> None:
    Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(photos / "tiny.png")
    done = reproduce(request(tmp_path, photos, task="deblurring", entries=("ConverseNet",)))
    row = images_of(done)[0]
    assert row["images"] == 3
    assert "3 of 4 images" in row["reason"]
    assert "3×3" in row["reason"]


@pytest.mark.usefixtures("fake")
def test_parameters_are_counted_and_unexplained_differences_count(tmp_path: Path, photos: Path) -> None:
    done = reproduce(request(tmp_path, photos))
    (row,) = done.results[done.results["metric"] == "parameters"].to_dict("records")
    assert (row["measured"], row["published"], row["verdict"], row["reason"]) == (7, 557057, "differs", None)
    assert done.differing == 1


@pytest.mark.usefixtures("fake")
def test_a_folder_named_like_a_set_of_the_paper_is_told_apart(tmp_path: Path, photos: Path) -> None:
    folder = photos.rename(tmp_path / "Set12")
    (row,) = images_of(reproduce(request(tmp_path, folder)))
    assert row["dataset"] == "./Set12"
    assert row["published"] is None


@pytest.mark.usefixtures("fake")
def test_missing_images_are_rows_with_the_way_out_and_the_run_goes_on(tmp_path: Path, photos: Path) -> None:
    done = reproduce(request(tmp_path, photos, datasets=("BSD68", str(photos))))
    there, missing = sorted(images_of(done), key=lambda row: row["dataset"] == "BSD68")
    assert there["images"] == 3
    assert missing["verdict"] == "not measured"
    assert missing["published"] == 29.23
    assert missing["reason"] == "BSD68: images are not at hand: converse data fetch bsd68"
    assert done.work.fetch == ("bsd68",)


@pytest.mark.usefixtures("fake")
def test_each_missing_set_is_asked_for_once(tmp_path: Path, photos: Path, offline: Offline) -> None:
    done = reproduce(request(tmp_path, photos, task=None, entries=None, datasets=None))
    assert sorted(offline.asked) == sorted({"set5", "set12", "set14", "bsd68", "bsd100", "urban100"})
    assert not done.measured


def test_without_weights_no_images_are_downloaded_and_no_store_is_made(tmp_path: Path, offline: Offline) -> None:
    done = reproduce(Request(store=tmp_path / "runs"))
    assert not done.measured
    assert set(offline.asked) == {"dncnn_weights", "converse_weights", "blur_kernels"}
    assert {"converse_weights", "dncnn_weights", "set12", "bsd68", "set5", "urban100"} <= set(done.work.fetch)
    assert not (tmp_path / "runs").exists()
    reasons = dict(zip(done.results["entry"], done.results["reason"], strict=True))
    assert reasons["DnCNN"] == "released weights dncnn_25.pth are not at hand: converse data fetch dncnn_weights"
    assert reasons["Conv-DnCNN"] == "no released weights for Conv-DnCNN"
    assert len(done.results[done.results["metric"] == "psnr"]) == 8 + 16 + 40


def test_a_corrupt_checkpoint_is_refused_not_passed_over(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "dncnn_25.pth").write_bytes(b"torn")
    with pytest.raises(ConverseError, match=r"dncnn_25\.pth is corrupt"):
        reproduce(request(tmp_path, photos, data_dir=tmp_path / "data"))


@pytest.mark.usefixtures("fake")
def test_a_corrupt_image_of_the_catalogue_is_refused(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "data" / "Set12").mkdir(parents=True)
    (tmp_path / "data" / "Set12" / "01.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"01\.png is corrupt"):
        reproduce(request(tmp_path, photos, datasets=("set12",), data_dir=tmp_path / "data"))


@pytest.mark.usefixtures("fake")
def test_an_image_that_cannot_be_read_is_a_row_that_says_what_it_is(tmp_path: Path, photos: Path) -> None:
    whole = (photos / "0.png").read_bytes()
    data = whole.index(b"IDAT") - 4
    (photos / "0.png").write_bytes(whole[:data] + whole[-12:])  # header and end
    row = images_of(reproduce(request(tmp_path, photos)))[0]
    said = "has a header but no image data: it was cut short, or never written whole"
    assert row["images"] == 2
    assert f"2 of 3 images; unreadable: {photos / '0.png'} {said}" in row["reason"]


@pytest.mark.usefixtures("fake")
def test_another_process_at_work_is_a_reason(tmp_path: Path, photos: Path) -> None:
    reproduce(request(tmp_path, photos, images=1))
    (folder,) = Store(tmp_path / "runs").folders()
    folder.path.joinpath("rows.parquet").unlink()
    with folder.lock():
        done = reproduce(request(tmp_path, photos, images=1))
    (row,) = images_of(done)
    assert "is being worked on" in row["reason"]


@pytest.mark.usefixtures("fake")
def test_a_network_that_crashes_is_recorded_and_the_others_go_on(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(entry: str, path: Path) -> Identity:
        if entry == "DnCNN":
            raise RuntimeError("the weights do not fit")
        return Identity()

    monkeypatch.setattr(execute, "read_released", load)
    done = reproduce(request(tmp_path, photos, entries=None))
    rows = {row["entry"]: row for row in images_of(done) if row["dataset"] == "photos"}
    assert rows["Converse-DnCNN"]["images"] == 3
    assert (rows["DnCNN"]["measured"], rows["DnCNN"]["verdict"]) == (None, "not measured")
    assert rows["DnCNN"]["reason"] == "RuntimeError: the weights do not fit"
    assert [(failure.name, failure.fresh) for failure in done.failures] == [("DnCNN", True)]
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity())
    assert [failure.fresh for failure in reproduce(request(tmp_path, photos, entries=None)).failures] == [False]
    again = reproduce(request(tmp_path, photos, entries=None, retry_failed=True))
    assert (again.failures, again.fresh) == ((), 3)


@pytest.mark.usefixtures("fake")
def test_networks_compute_as_their_identity_says(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met = []

    def load(entry: str, path: Path) -> Identity:
        met.append((torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()))
        return Identity()

    monkeypatch.setattr(execute, "read_released", load)
    reproduce(request(tmp_path, photos, images=1, threads=3))
    (folder,) = Store(tmp_path / "runs").folders()
    said = folder.trial().platform
    assert met == [(said["deterministic"], said["threads"])] == [(True, 3)]


@pytest.mark.usefixtures("fake")
def test_what_was_asked_for_is_noted_in_the_store_once(tmp_path: Path, photos: Path) -> None:
    for _ in range(2):
        reproduce(request(tmp_path, photos, images=2))
    store = Store(tmp_path / "runs")
    (folder,), (found,) = store.folders(), notes(store)
    assert found.trials == ((folder.id, "DnCNN", None),)
    words = ["converse", "reproduce", "denoising", "--metrics", "psnr", "--only", "DnCNN", "--datasets", str(photos)]
    threads = folder.trial().platform["threads"]
    assert found.request is not None
    assert found.request.words() == [*words, "--images", "2", "--device", "cpu", "--threads", str(threads)]


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has the device")
@pytest.mark.usefixtures("fake")
def test_a_device_that_is_not_there_is_refused_and_no_store_is_made(tmp_path: Path, photos: Path) -> None:
    for call in (reproduce, preview_reproduction):
        with pytest.raises(OptionError, match="device 'mps': torch sees no such device"):
            call(request(tmp_path, photos, device="mps"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "denoisng"}, "did you mean 'denoising'"),
        ({"entries": ("DnCN",)}, "did you mean 'DnCNN'"),
        ({"datasets": ("set21",)}, "unknown dataset 'set21'"),
        ({"datasets": ("./nowhere/photos",)}, "no folder"),
        ({"datasets": ("blur_kernels",)}, "holds kernels, not images"),
        ({"metrics": ("pnsr",)}, "did you mean 'psnr'"),
        ({"device": "gpu"}, "device must be"),
        ({"data_dir": Path("/nowhere")}, "/nowhere"),
    ],
)
def test_mistakes_are_told_before_anything_is_fetched(
    tmp_path: Path, photos: Path, offline: Offline, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConverseError, match=message):
        reproduce(request(tmp_path, photos, **changes))
    assert offline.asked == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("fake")
def test_dry_run_measures_writes_and_fetches_nothing(tmp_path: Path, photos: Path, offline: Offline) -> None:
    reproduce(request(tmp_path, photos, images=1))
    calls, before = Identity.calls, sorted(tmp_path.rglob("*"))
    lines = preview_reproduction(request(tmp_path, photos, entries=None, datasets=(str(photos), "set12"))).lines
    assert (Identity.calls, sorted(tmp_path.rglob("*")), offline.asked) == (calls, before, [])
    by_place: dict[tuple[str, ...], Any] = {(line["entry"], *line["datasets"]): line for line in lines}
    known, new = by_place["DnCNN", "photos"], by_place["Converse-DnCNN", "photos"]
    assert (known["state"], known["images"], new["state"], new["images"]) == ("done", 2, "new", 3)
    pixels = 40 * 48  # of each image
    assert known["multiply_adds"] == 2 * pixels * complexity(create_model("dncnn"), channels=1, scale=1).per_pixel
    assert known["least_seconds"] == known["most_seconds"] > 0
    assert 0 < new["least_seconds"] < new["most_seconds"]
    assert (known["estimated_from"], new["estimated_from"]) == ("rows", "yardstick")
    assert by_place["DnCNN", "Set12"]["reason"].startswith("Set12: images are not at hand")
    assert by_place["Conv-DnCNN", "Set12"]["reason"] == "no released weights for Conv-DnCNN"


def test_the_number_of_threads_is_put_back(tmp_path: Path, photos: Path) -> None:
    before = torch.get_num_threads()
    with pytest.raises(OptionError):
        reproduce(request(tmp_path, photos, threads=before + 1, metrics=("nothing",)))
    assert torch.get_num_threads() == before


def test_supplies_say_what_is_here(tmp_path: Path, offline: Offline) -> None:
    resources = Resources(None, fetch=False)
    assert not resources.here("set12")
    assert isinstance(resources.images("set12"), Absent)
    assert isinstance(resources.kernels(), Absent)
    assert offline.asked == []


@pytest.mark.usefixtures("fake")
def test_the_networks_run_on_another_set_when_the_papers_are_not_at_hand(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Set5").symlink_to(shared / "data" / "Set5")
    done = reproduce(
        request(
            tmp_path,
            tmp_path,
            task="deblurring",
            entries=("ConverseNet",),
            datasets=None,
            images=1,
            data_dir=tmp_path / "data",
        )
    )
    by_set: dict[str, list[dict[str, Any]]] = {}
    for row in images_of(done):
        by_set.setdefault(row["dataset"], []).append(row)
    assert [row["case"] for row in by_set["Set5"]] == [f"kernel_{i}" for i in range(1, 6)]
    assert all(row["measured"] and row["published"] is None for row in by_set["Set5"])
    assert [row["verdict"] for row in by_set["BSD100"]] == ["not measured"] * 5


# What these networks give on the upper left corner of one real image. The means over the whole sets, measured with the
# same code, are the published ones; these values hold it there.
REAL = {
    "DnCNN": ("denoising", "Set12", "01.png", 96, 37.6367),
    "Converse-DnCNN": ("denoising", "Set12", "01.png", 96, 38.0477),
    "Converse-SRResNet": ("super_resolution", "Set5", "butterfly_GT.bmp", 96, 26.504),
    "ConverseNet": ("deblurring", "Set5", "butterfly_GT.bmp", 48, 25.8019),
    "Converse-USRNet": ("deblurring", "Set5", "butterfly_GT.bmp", 48, 32.5261),
}


@pytest.mark.parametrize("entry", list(RELEASED))
def test_real_networks_on_a_corner_of_a_real_image(tmp_path: Path, shared: Path, entry: str) -> None:
    task, dataset, name, side, expected = REAL[entry]
    (tmp_path / "corner").mkdir()
    whole = Image.open(shared / "data" / dataset / name)
    whole.crop((0, 0, side, side)).save(tmp_path / "corner" / "corner.png")
    done = reproduce(
        Request(
            task,
            entries=(entry,),
            datasets=(str(tmp_path / "corner"),),
            metrics=("psnr",),
            store=tmp_path / "runs",
            data_dir=shared,
        )
    )
    assert images_of(done)[0]["measured"] == pytest.approx(expected, abs=2e-3)
