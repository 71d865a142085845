"""Oracles: the input itself; and for enlarging, the mean PSNR of MATLAB's bicubic on Set5 that the field prints."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
import torch

from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.experiments.evaluation.degraded_input import DegradedInput
from converse.experiments.evaluation.images import evaluate, parameter_row
from converse.metrics import metrics_for


def test_what_is_not_enlarged_stays_as_it_is() -> None:
    image = torch.rand(1, 3, 5, 7) * 3 - 1
    network = DegradedInput(1)
    assert torch.equal(network(image), image)
    assert parameter_row(network)["value"] == 0


@pytest.mark.parametrize("value", [0.25, -0.5])
def test_a_constant_image_stays_constant_in_four_times_the_size(value: float) -> None:
    large = DegradedInput(4)(torch.full((1, 3, 5, 7), value))
    assert large.shape == (1, 3, 20, 28)
    torch.testing.assert_close(large, torch.full_like(large, value))


def test_the_bicubic_psnr_of_set5_is_the_one_that_is_known(shared: Path) -> None:
    task = TASKS["super_resolution"]
    psnr = metrics_for(task.psnr_colour, task.border, ["psnr"], None)
    rows = [row for rows in evaluate(DegradedInput(4), task, image_set("set5", shared), psnr) for row in rows]
    # 28.42 dB, of MATLAB on the cropped images, in the tables of SRCNN, VDSR, EDSR and their successors; those take the
    # luminance before it is rounded, and their border is that of the scale too.
    assert fmean(float(row["value"]) for row in rows) == pytest.approx(28.42, abs=0.02)
