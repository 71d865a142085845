"""Evaluation with small fakes: what comes out is what numpy says of the same images, and failures become rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from converse.data.images import ImageFile, ImageSet
from converse.data.tasks import TASKS
from converse.errors import CheckpointError
from converse.experiments.evaluation.images import evaluate, image_jobs, parameter_row, settled
from converse.metrics import METRICS, Metric, metrics_for


class Fake(nn.Module):
    """A network of one function, which counts its calls."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[str, ...] = ("input",)) -> None:
        super().__init__()
        self.function, self.inputs, self.calls = function, inputs, 0

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        self.calls += 1
        result: torch.Tensor = self.function(*inputs)
        return result


def images(folder: Path, *sizes: tuple[int, int], channels: int = 1) -> ImageSet:
    files = []
    for index, (height, width) in enumerate(sizes):
        pixels = np.random.default_rng(index).integers(0, 256, (height, width, channels), dtype=np.uint8)
        path = folder / f"{index}.png"
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
        files.append(ImageFile(path.name, path, hashlib.sha256(path.read_bytes()).hexdigest()))
    return ImageSet("tiny", "Tiny", tuple(files))


def flat(model: nn.Module, task: str, chosen: ImageSet, metrics: Sequence[Metric], **options: Any) -> list[Any]:
    return [row for rows in evaluate(model, TASKS[task], chosen, metrics, **options) for row in rows]


PSNR = metrics_for("grey", 0, ("psnr",))


def test_rows_hold_what_numpy_says(tmp_path: Path) -> None:
    chosen = images(tmp_path, (24, 20), (16, 33))
    rows = flat(Fake(lambda x: x), "denoising", chosen, metrics_for("grey", 0, ("psnr", "ssim")))
    assert [(r["image"], r["metric"]) for r in rows] == [(f"{i}.png", m) for i in (0, 1) for m in ("psnr", "ssim")]
    for row, file in zip(rows[::2], chosen.images, strict=True):
        clean = np.asarray(Image.open(file.path)).astype(np.float64)
        # The protocol: seed 0 anew for every image, sum not clipped, output clipped and rounded.
        noisy = clean / 255 + np.random.RandomState(0).normal(0, 25 / 255, (*clean.shape, 1))[..., 0]
        restored = np.rint(np.clip(noisy, 0, 1) * 255)
        # A value within float32's rounding of n + ½ may go either way: one level in one of 480 pixels.
        assert row["value"] == pytest.approx(10 * math.log10(255**2 / ((restored - clean) ** 2).mean()), abs=1e-2)
        assert row["dataset"] == "tiny"
        assert row["image_sha256"] == file.sha256
        assert row["reason"] is None
        assert row["case"] is None
        assert row["seconds"] > 0


def test_further_noise_levels_are_cases_and_leave_the_own_level_as_it_is(tmp_path: Path) -> None:
    chosen, kept = images(tmp_path, (24, 20), (16, 33)), []
    alone = flat(Fake(lambda x: x), "denoising", chosen, PSNR)
    task = replace(TASKS["denoising"], noise_levels=(12.5, 50.0))
    found = evaluate(Fake(lambda x: x), task, chosen, PSNR, keep=lambda image, case, *more: kept.append(case))
    rows = [row for some in found for row in some]
    assert [row["case"] for row in rows] == [None] * 2 + ["noise_level_12.5"] * 2 + ["noise_level_50"] * 2
    timeless = [{**row, "seconds": None} for row in rows]
    assert timeless[:2] == [{**row, "seconds": None} for row in alone]
    for row, level, file in zip(rows[2:], (12.5, 12.5, 50, 50), chosen.images * 2, strict=True):
        clean = np.asarray(Image.open(file.path)).astype(np.float64)
        noisy = clean / 255 + np.random.RandomState(0).normal(0, level / 255, (*clean.shape, 1))[..., 0]
        restored = np.rint(np.clip(noisy, 0, 1) * 255)
        # As above: float32's rounding of n + ½ may go either way.
        assert row["value"] == pytest.approx(10 * math.log10(255**2 / ((restored - clean) ** 2).mean()), abs=1e-2)
    assert kept == [None] * 2  # outputs are kept of the task as it is
    done = settled(rows, PSNR)
    assert image_jobs(task, chosen, PSNR, done) == []
    more = replace(task, noise_levels=(12.5, 35.0, 50.0))
    assert [job.case for job in image_jobs(more, chosen, PSNR, done)] == ["noise_level_35"] * 2


def test_networks_get_the_inputs_they_name(tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def network(x: torch.Tensor, kernel: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        seen.append((*kernel.shape, *noise.shape))
        return x

    kernels = {case: np.full((7, 7), 1 / 49) for case in TASKS["deblurring"].cases}
    model = Fake(network, ("input", "kernel", "noise_level"))
    rows = flat(
        model, "deblurring", images(tmp_path, (24, 24), channels=3), metrics_for("rgb", 1, ("psnr",)), kernels=kernels
    )
    assert [row["case"] for row in rows] == list(TASKS["deblurring"].cases)
    assert set(seen) == {(1, 1, 7, 7, 1, 1, 1, 1)}


def test_each_image_is_yielded_as_soon_as_it_is_measured(tmp_path: Path) -> None:
    model = Fake(lambda x: x)
    stream = evaluate(model, TASKS["denoising"], images(tmp_path, (12, 12), (12, 12)), PSNR)
    next(stream)
    assert model.calls == 1


def test_what_is_done_is_not_computed_again(tmp_path: Path) -> None:
    chosen, model = images(tmp_path, (16, 16), (16, 16)), Fake(lambda x: x)
    rows = flat(model, "denoising", chosen, PSNR)
    more = metrics_for("grey", 0, ("psnr", "ssim"))
    left = flat(model, "denoising", chosen, more, done=settled(rows[:1], more))
    assert [(r["image"], r["metric"]) for r in left] == [("0.png", "ssim"), ("1.png", "psnr"), ("1.png", "ssim")]
    calls = model.calls
    assert flat(model, "denoising", chosen, more, done=settled(rows + left, more)) == []
    assert model.calls == calls
    assert image_jobs(TASKS["denoising"], chosen, more, settled(rows + left, more)) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_output_that_is_not_finite_is_a_row_with_that_reason(tmp_path: Path, bad: float) -> None:
    def network(x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[..., 0, 0] = bad
        return y

    (row,) = flat(Fake(network), "denoising", images(tmp_path, (16, 16)), PSNR)
    assert math.isnan(row["value"])
    assert row["reason"] == "output is not finite"
    assert settled([row], PSNR)


def test_an_image_too_small_gives_its_reason_and_the_next_is_measured(tmp_path: Path) -> None:
    def network(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x, (9, 9, 9, 9), "circular")[..., 9:-9, 9:-9]

    first, second = flat(Fake(network), "denoising", images(tmp_path, (8, 30), (16, 16)), PSNR)
    assert math.isnan(first["value"])
    assert "does not take an input of 8×30 pixels" in first["reason"]
    assert second["value"] > 0
    assert len(settled([first, second], PSNR)) == 2


def test_an_image_smaller_than_the_degradation_needs_gives_its_reason(tmp_path: Path) -> None:
    chosen = images(tmp_path, (3, 40), (64, 64), channels=3)
    upsample = Fake(lambda x: nn.functional.interpolate(x, scale_factor=4))
    first, second = flat(upsample, "super_resolution", chosen, metrics_for("y", 4, ("psnr",)))
    assert "3×40" in first["reason"]
    assert second["reason"] is None


def test_a_metric_that_does_not_apply_leaves_the_others(tmp_path: Path) -> None:
    rows = flat(Fake(lambda x: x), "denoising", images(tmp_path, (10, 10)), metrics_for("grey", 0, METRICS, "no file"))
    value = {row["metric"]: (math.isnan(row["value"]), row["reason"]) for row in rows}
    assert value["psnr"] == (False, None)
    assert value["ssim"] == (True, "image of 10×10 pixels is smaller than the 11×11 window")
    assert value["lpips"] == (True, "AlexNet's features are not at hand: no file")


def test_lpips_is_measured_once_its_backbone_is_at_hand_and_not_asked_again_before(tmp_path: Path) -> None:
    without = metrics_for("grey", 0, ("lpips",), "no file")
    rows = flat(Fake(lambda x: x), "denoising", images(tmp_path, (40, 40)), without)
    assert settled(rows, without)
    assert not settled(rows, metrics_for("grey", 0, ("lpips",), tmp_path / "alexnet.npz"))


def test_an_unreadable_image_is_named_and_tried_again(tmp_path: Path) -> None:
    chosen = images(tmp_path, (16, 16), (16, 16))
    chosen.images[0].path.write_bytes(b"\x89PNG torn")
    first, second = flat(Fake(lambda x: x), "denoising", chosen, PSNR)
    assert first["reason"].startswith("unreadable: ")
    assert "0.png" in first["reason"]
    assert second["reason"] is None
    assert len(settled([first, second], PSNR)) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=str,
)
def test_out_of_memory_is_a_reason_that_may_pass(tmp_path: Path, error: Exception) -> None:
    def network(x: torch.Tensor) -> torch.Tensor:
        raise error

    (row,) = flat(Fake(network), "denoising", images(tmp_path, (16, 24)), PSNR)
    assert row["reason"] == "out of memory with an input of 16×24 pixels"
    assert not settled([row], PSNR)


def test_output_of_another_size_says_both(tmp_path: Path) -> None:
    (row,) = flat(Fake(lambda x: x[..., 1:]), "denoising", images(tmp_path, (16, 16)), PSNR)
    assert "(16, 16, 1) and (16, 15, 1)" in row["reason"]


def test_a_corrupt_backbone_is_not_passed_over(tmp_path: Path) -> None:
    def measure(reference: np.ndarray, image: np.ndarray) -> float:
        raise CheckpointError("corrupt")

    with pytest.raises(CheckpointError):
        flat(Fake(lambda x: x), "denoising", images(tmp_path, (16, 16)), [Metric("x", "x", False, measure)])


def test_parameters_are_counted_in_a_row_of_their_own() -> None:
    # 1×1 convolution of 3 to 5 channels with bias: 3 · 5 + 5.
    assert parameter_row(nn.Conv2d(3, 5, 1))["value"] == 20
