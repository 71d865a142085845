"""What the training loop costs beside a bare PyTorch loop of the same work (`tox -e bench`).

``python benchmarks/speed/test_loop.py`` prints the overhead: both take turns, and CPU time is compared, which other
processes on the machine do not lengthen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from converse.data.batches import Batches
from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.data.training_images import training_images
from converse.experiments.store import Store
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.training.checkpoints import Checkpoints
from converse.experiments.training.learner import Learner
from converse.experiments.training.loop import Training
from converse.experiments.trials import Trial
from converse.nn.models import create_model

NETWORKS = {
    "quick": {"features": 16, "blocks": 5, "kernel_size": 5},
    "full": {"features": 64, "blocks": 20, "kernel_size": 5},
    "least": {"features": 1, "blocks": 1, "kernel_size": 1},  # what the loop costs where nothing else does
}


def settings(steps: int) -> TrainingSettings:
    return TrainingSettings(steps=steps, patch=40, batch=8, clip=1.0, schedule="constant")


def batches(steps: int) -> Batches:
    images = training_images(TASKS["denoising"], (image_set("skimage_test"),))
    chosen = settings(steps)
    return Batches(TASKS["denoising"], images, patch=chosen.patch, batch=chosen.batch, seed=0)


def ours(size: str, steps: int, folder: Path):
    """The loop: looks at losses, reports progress, asks whether to stop, writes the curve's last point."""
    learner = Learner(create_model("block-dncnn", "converse", **NETWORKS[size]), settings(steps), seed=0, device="cpu")
    trial = Store(folder).folder(Trial("denoising", size, "trained", 0, None, {}, {}))
    training = Training(learner, batches(steps), Checkpoints(trial), trial.journal("curve.jsonl"))
    return training.run


def bare(size: str, steps: int, folder: Path):
    """The same work with nothing around it."""
    model = create_model("block-dncnn", "converse", **NETWORKS[size])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    drawn = batches(steps)

    def run():
        for step in range(steps):
            batch = drawn(step)
            F.l1_loss(model(batch.input), batch.target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()

    return run


@pytest.mark.parametrize("loop", [ours, bare])
def test_loop(benchmark, loop, tmp_path):
    benchmark.group = "50 training steps, 16 features, 5 blocks, 8 × 40×40"
    benchmark.pedantic(loop("quick", 50, tmp_path), rounds=3, warmup_rounds=1)


def main() -> None:
    """Print the overhead as a percentage, with the quartiles over turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=NETWORKS, default="quick")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ratios, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        loops = [loop(arguments.size, arguments.steps, Path(folder)) for loop in (ours, bare)]
        for turn in range(arguments.rounds + 1):
            spent = []
            for loop in loops if turn % 2 else loops[::-1]:
                start = time.process_time()
                loop()
                spent.append(time.process_time() - start)
            own, other = spent if turn % 2 else spent[::-1]
            if turn:  # the first is not counted
                ratios.append(own / other - 1)
                times.append(other / arguments.steps)
    low, middle, high = (100 * value for value in statistics.quantiles(ratios, n=4))
    step = 1e3 * statistics.median(times)
    print(
        f"overhead {middle:+.1f} % (quartiles {low:+.1f} to {high:+.1f} %) of a bare step of {step:.2f} ms, "
        f"that is {step * middle / 100:.3f} ms, CPU time"
    )


if __name__ == "__main__":
    main()
