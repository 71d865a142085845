"""Oracle: PSNR by scikit-image on what the networks make of an image, restored here once more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from converse.data.degradations import degrade
from converse.data.images import ImageSet, image_set, read_image
from converse.data.tasks import TASKS
from converse.experiments.evaluation.images import evaluate, parameter_row
from converse.experiments.store import Store
from converse.experiments.training.checkpoints import Checkpoints
from converse.experiments.trials import Trial
from converse.metrics import metrics_for
from converse.nn.models import create_model
from converse.reporting.report import Report
from converse.workflows.report import report

OPERATORS = {"Converse-DnCNN": "converse", "Conv-DnCNN": "conv"}
OPTIONS = {"features": 2, "blocks": 1, "kernel_size": 3}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """The one image that is smallest."""
    every = image_set("skimage_test")
    return ImageSet(every.name, every.title, tuple(one for one in every.images if one.name == "camera.png"))


@pytest.fixture
def store(tmp_path: Path, images: ImageSet) -> Store:
    """Two networks as they begin, measured on one image."""
    store = Store(tmp_path / "runs")
    for entry, operator in OPERATORS.items():
        configuration = {"task": "denoising", "model": "block-dncnn", "operator": operator, "options": OPTIONS}
        trial = Trial("denoising", entry, "trained", 0, "smoke", configuration, {}, platform={"device": "cpu"})
        torch.manual_seed(0)
        network = create_model("block-dncnn", operator, **OPTIONS)
        folder = store.folder(trial)
        with folder.lock():
            folder.set_status("running")
            Checkpoints(folder).write_weights(network.state_dict(), 1)
            folder.append_rows([parameter_row(network)])
            for rows in evaluate(network, TASKS["denoising"], images, metrics_for("grey", 0, ["psnr"], None)):
                folder.append_rows(rows)
            folder.journal("curve.jsonl").append([{"step": s, "loss": 1 / s, "lr": 1.0, "psnr": 20.0} for s in (1, 2)])
            folder.set_status("done")
    return store


def figures(found: Report) -> dict[str, Any]:
    return {re.sub("-other-denoising-smoke", "", figure.name): figure for figure in found.figures}


def test_the_crops_are_of_the_networks_that_the_table_has(store: Store, tmp_path: Path, images: ImageSet) -> None:
    done = report([store.root], tmp_path / "report", compute_images=True)
    found = figures(done.report)
    assert {"comparison-largest", "paired", "training", "kernels", "operator-error"} <= found.keys()
    said = found["comparison-largest"].alt
    task = TASKS["denoising"]
    sample = degrade(task, read_image(images.images[0].path, task.colour))
    for folder in store.folders():
        trial = folder.trial()
        network = create_model("block-dncnn", OPERATORS[trial.entry], **OPTIONS)
        network.load_state_dict(Checkpoints(folder).weights() or {})
        with torch.inference_mode():
            output = network.eval()(sample.input)
        restored = (output.clamp(0, 1) * 255).round().byte().numpy()[0, 0]
        psnr = peak_signal_noise_ratio(sample.target[:, :, 0], restored, data_range=255)
        assert f"{trial.entry} {psnr:.2f} dB" in said
    noisy = np.round(np.clip(sample.input.numpy()[0, 0], 0, 1) * 255).astype(np.uint8)
    assert f"input {peak_signal_noise_ratio(sample.target[:, :, 0], noisy, data_range=255):.2f} dB" in said
    assert "squared errors differ most" in found["comparison-largest"].caption


def test_every_file_is_there_and_the_same_again(store: Store, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    first = report([store.root], tmp_path / "a", embedded_only=True, compute_images=True)
    contents = {name: (first.folder / name).read_bytes() for name in first.files}
    restored = sorted(name for name in first.kept if name.startswith("restored/"))
    assert len(restored) == 2
    for folder in ("a", "b"):  # read the second time, made again in another place
        again = report([store.root], tmp_path / folder, embedded_only=True, compute_images=True)
        assert contents == {name: (again.folder / name).read_bytes() for name in again.files}
        assert sorted(f"restored/{path.name}" for path in (again.folder / "restored").iterdir()) == restored
        assert again.kept == first.kept
    assert before == {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}  # a report never writes there
    assert {Path(name).suffix for name in contents} == {".html", ".tex", ".csv", ".md", ".json", ".svg", ".pdf"}
    tex = (first.folder / "report.tex").read_text("utf-8")
    drawings = re.findall(r"^\\drawing\{([^}]*)\}", tex, re.M)
    assert drawings
    assert all(f"figures/{name}.pdf" in contents for name in drawings)
    assert all(f"{name}.tex" in contents for name in re.findall(r"\\input\{([^}]*)\}", tex))


@pytest.mark.usefixtures("sketched")
def test_without_weights_the_page_does_without_crops(store: Store, tmp_path: Path) -> None:
    for path in store.root.glob("trials/*/checkpoint.safetensors"):
        path.unlink()
    found = figures(report([store.root], tmp_path / "report").report)
    assert "paired" in found
    assert not any(name.startswith(("comparison", "kernels")) for name in found)


def timed(store: Store, run: str, model: str, seconds: dict[str, float], counts: dict[str, int]) -> None:
    """A run of speed of these networks on one machine."""
    described = {"suite": "mine", "budget": "quick", "device": "cpu", "model": model, "threads": 1, "torch": "2.14"}
    case = {"kind": "network", "twin": False, "sweep": "n", "channels": 1, "scale": 1, "batch": 1, "height": 10}
    case |= {"width": 10, "dtype": "float32", "compiled": False, "pass": "evaluation", "status": "ok"}
    store.speed.folder(run, {**described, "time": run}).add(
        [
            {**case, "subject": name, "median_s": time, "turns_s": [time], "parameters": counts[name]}
            for name, time in seconds.items()
        ]
    )


@pytest.mark.usefixtures("sketched")
def test_throughputs_of_two_machines_never_stand_in_one_drawing(filled: Any, tmp_path: Path) -> None:
    counts = {"Converse-DnCNN": 1000, "Conv-DnCNN": 1001, "DnCNN": 1002, "USRNet": 1003}
    trials = [(filled.trained(name, 0, [30.0 + count % 10], parameters=count), name) for name, count in counts.items()]
    filled.asked(trials, contrasts=())
    timed(filled.store, "2026-01-01", "Slow", {"Converse-DnCNN": 1e-3, "Conv-DnCNN": 2e-3}, counts)
    timed(filled.store, "2026-01-02", "Fast", {"Converse-DnCNN": 1e-5, "DnCNN": 2e-5, "USRNet": 4e-5}, counts)
    found = {figure.name: figure for figure in report([filled.store.root], tmp_path / "report").report.figures}
    cost = found["cost-mine-quick"]
    assert "Throughput: evaluation, 1×1×10×10, float32; Fast, 1 thread, torch 2.14." in cost.caption
    assert "Converse-DnCNN 30.00 dB, 1\u202f000 parameters, 10 megapixels per second" in cost.alt
    assert "DnCNN 32.00 dB, 1\u202f002 parameters, 5 megapixels per second;" in cost.alt
    assert "Conv-DnCNN 31.00 dB, 1\u202f001 parameters;" in cost.alt  # timed on the other machine only


@pytest.mark.usefixtures("sketched")
def test_drawings_of_an_ablation_call_entries_as_its_tables_do(filled: Any, tmp_path: Path) -> None:
    name = "Converse-DnCNN: without LayerNorm"
    trials = [
        (filled.trained(entry, 0, [psnr], parameters=count), entry)
        for entry, psnr, count in (("Converse-DnCNN", 30.0, 1000), (name, 29.0, 900), (f"{name}, α", 28.0, 950))
    ]
    filled.asked(trials, "Converse-DnCNN")
    found = {figure.name: figure for figure in report([filled.store.root], tmp_path / "report").report.figures}
    assert "; without LayerNorm 29.00 dB" in found["cost-mine-quick"].alt


@pytest.mark.usefixtures("sketched")
def test_images_that_may_not_be_shown_are_not(filled: Any, tmp_path: Path) -> None:
    for entry in ("DnCNN", "Converse-DnCNN"):
        filled.released(entry, [30.0, 31.0])
    found = report([filled.store.root], tmp_path / "report", data_dir=tmp_path, embedded_only=True).report
    assert not any(figure.name.startswith("comparison") for figure in found.figures)
    assert any(figure.name == "paired-denoising-released" for figure in found.figures)


@pytest.mark.usefixtures("sketched")
def test_differences_to_several_networks_are_told_apart(filled: Any, tmp_path: Path) -> None:
    trials = []
    for seed in range(2):
        for index, name in enumerate(("New", "One", "Two")):
            trials.append((filled.trained(name, seed, [30.0 + index, 31.0 + seed * index]), name))
    filled.asked(trials, contrasts=(("New", "One", "New"), ("New", "Two", "New")))
    found = report([filled.store.root], tmp_path / "report").report
    drawn = {figure.name: figure.alt for figure in found.figures}
    for name in ("effects-mine-quick", "paired-mine-quick"):
        assert "New − One on mine" in drawn[name]
        assert "New − Two on mine" in drawn[name]
