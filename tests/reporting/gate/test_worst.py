"""Oracles: networks that were put into a store here, and the files on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from converse.analysis.gate.findings import Finding, OneImage
from converse.data.catalogue import sha256_of
from converse.data.resources import Resources
from converse.experiments.store import Store
from converse.experiments.suites.user_operators import build_network
from converse.experiments.training.checkpoints import Checkpoints
from converse.experiments.trials import Trial
from converse.nn.models import create_model
from converse.reporting.figure import Figure
from converse.reporting.gate.worst import MOST, worst_images
from converse.reporting.inputs.material import Material, gather
from converse.reporting.inputs.networks import Networks
from converse.reporting.report import Missing
from tests.workflows.conftest import PLATFORM, Filled

OPERATOR = """
import torch

class Mine(torch.nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return self.weight * x
"""
WORST = OneImage("Plain", 0, "test", None, "b.png")


@pytest.fixture
def place(filled: Filled, tmp_path: Path) -> Path:
    """A folder with test images, an operator, and a store with a network of each kind that restored them."""
    rng = np.random.default_rng(0)
    (tmp_path / "test").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (72, 80), dtype=np.uint8)).save(tmp_path / "test" / name)
    (tmp_path / "operator.py").write_text(OPERATOR)
    plain = create_model("dncnn", features=2, layers=2)
    keep(
        filled, tmp_path, "Plain", plain, {"model": "dncnn", "operator": None, "options": {"features": 2, "layers": 2}}
    )
    options = {"features": 2, "blocks": 1, "kernel_size": 3}
    own = build_network("block-dncnn", str(tmp_path / "operator.py:Mine"), options)
    keep(filled, tmp_path, "Own", own, {"model": "block-dncnn", "operator": "operator.py:Mine", "options": options})
    return tmp_path


def keep(filled: Filled, place: Path, entry: str, network: nn.Module, configuration: dict[str, Any]) -> None:
    """A trial as its run leaves it."""
    trial = Trial("denoising", entry, "trained", 0, "smoke", configuration, {}, platform=PLATFORM)
    folder = filled.store.folder(trial)
    with folder.lock():
        folder.set_status("running")
        Checkpoints(folder).write_weights(network.state_dict(), 1)
        named = {"dataset": "test", "metric": "psnr", "signature": "psnr|x", "value": 30.0, "device": "cpu"}
        folder.append_rows(
            [
                {**named, "image": file.name, "image_sha256": sha256_of(file), "seconds": 0.1}
                for file in sorted((place / "test").iterdir())
            ]
        )
        folder.set_status("done")


@pytest.fixture
def material(place: Path) -> Material:
    return gather([Store(place / "runs")])


def found(image: OneImage | None, what: str = "PSNR, worst image: b.png") -> Finding:
    return Finding("quality", "Plain", "test", what, "regressed", "worse", "dB", 31.2, 30.1, 1.1, image=image)


def drawn(
    finding: Finding, material: Material, place: Path, own: dict[str, str] | None = None
) -> list[Figure | Missing]:
    networks = Networks(Resources(None, fetch=False), own=own)
    return list(worst_images([finding], material, networks, {"test": str(place / "test")}))


def test_the_crop_has_input_output_and_truth(place: Path, material: Material) -> None:
    (figure,) = drawn(found(WORST), material, place)
    assert isinstance(figure, Figure)
    assert figure.name == "worst-1"
    assert "b.png" in figure.title
    assert "PSNR, worst image: b.png: 31.2 dB in the baseline, 30.1 dB here (seed 0)" in figure.caption
    assert "input, Plain, truth" in figure.alt
    assert figure.svg.startswith("<svg")


def test_a_users_operator_runs_only_where_it_was_named(place: Path, material: Material) -> None:
    image = replace(WORST, entry="Own")
    (missing,) = drawn(found(image), material, place)
    assert isinstance(missing, Missing)
    assert "cannot be built again" in missing.what
    (figure,) = drawn(found(image), material, place, own={"operator.py:Mine": str(place / "operator.py:Mine")})
    assert isinstance(figure, Figure)
    assert "input, Own, truth" in figure.alt


@pytest.mark.parametrize(
    ("image", "text"),
    [
        pytest.param(replace(WORST, entry="Gone"), "the store has no trial that restored it", id="no-trial"),
        pytest.param(replace(WORST, seed=7), "the store has no trial that restored it", id="no-seed"),
        pytest.param(replace(WORST, case="kernel_1"), "the store has no trial that restored it", id="no-case"),
    ],
)
def test_what_cannot_be_shown_says_why(image: OneImage, text: str, place: Path, material: Material) -> None:
    (missing,) = drawn(found(image), material, place)
    assert isinstance(missing, Missing)
    assert text in missing.what


def test_images_that_are_elsewhere_or_others_now(place: Path, material: Material, tmp_path: Path) -> None:
    networks = Networks(Resources(None, fetch=False))
    (nowhere,) = worst_images([found(WORST)], material, networks)
    assert isinstance(nowhere, Missing)
    assert "Plain on b.png: no crop is shown: " in nowhere.what
    Image.fromarray(np.zeros((72, 80), dtype=np.uint8)).save(tmp_path / "b.png")
    (other,) = worst_images([found(WORST)], material, networks, {"test": str(tmp_path)})
    assert isinstance(other, Missing)
    assert "test has no image with the checksum" in other.what


def test_an_image_is_shown_once_and_few_of_them(place: Path, material: Material) -> None:
    networks = Networks(Resources(None, fetch=False))
    many = [found(replace(WORST, name=f"{index}.png")) for index in range(MOST + 3)]
    assert len(list(worst_images([found(None), *many, *many], material, networks))) == MOST
    assert list(worst_images([found(None)], material, networks)) == []
