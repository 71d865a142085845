"""Whether numbers have moved: tiny trials of every entry against weights and losses that were written down.

On a platform whose digests are known, weights must be equal to the bit; elsewhere losses must agree to a tolerance.
When numbers are meant to move, raise ``NUMERICS_VERSION`` and run ``python tests/experiments/test_numerics.py``, which
writes the file anew (on a platform that is not in it yet, its digests are added).
"""

from __future__ import annotations

import json
import math
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from converse.data.batches import Batches
from converse.data.images import image_set
from converse.data.tasks import TASKS
from converse.data.training_images import training_images
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.checkpoints import digest_of
from converse.experiments.training.learner import Learner, initialised
from converse.experiments.trials import NUMERICS_VERSION
from converse.nn.models import create_model

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "numerics.json"
SUITES = ("denoising", "super_resolution", "deblurring")
TOLERANCE = 1e-5
"""Relative, on losses of four steps. Other instructions, threads or libraries were seen to move them by 3e-7."""


def kernels() -> dict[str, np.ndarray]:
    """Stand-ins for the blur kernels, which cannot be here without a download: five positive ones that sum to one."""
    grid = np.stack(np.meshgrid(np.arange(7), np.arange(7)))
    made = [np.exp(-((grid[0] - 3) ** 2) / (1 + i) - (grid[1] - 3) ** 2 / 2) for i in range(5)]
    return {f"kernel_{i + 1}": kernel / kernel.sum() for i, kernel in enumerate(made)}


@cache
def plans() -> dict[str, RunPlan]:
    return {f"{name}/{plan.entry}": plan for name in SUITES for plan in load_suite(name).resolve("smoke", seeds=[0])}


def tiny(plan: RunPlan) -> tuple[str, list[float]]:
    """The digest of the weights after a tiny training, and its losses."""
    task = TASKS[plan.task]
    images = training_images(task, (image_set("skimage_test"),))
    settings = plan.training
    batches = Batches(
        task,
        images,
        patch=settings.patch,
        batch=settings.batch,
        seed=0,
        kernels=kernels() if task.cases else None,
    )
    model = initialised(lambda: create_model(plan.model, plan.operator, **plan.options), 0, settings.start)
    learner = Learner(model, settings, seed=0, device="cpu")
    losses = [learner.step(step, batches(step)).item() for step in range(settings.steps)]
    return digest_of(learner.model.state_dict()), losses


def platform_key() -> str:
    """What the last bits depend on: torch's build, the instructions and the caches of the CPU."""
    processor = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        said = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
        names = ("vendor_id", "cpu family", "model", "stepping", "cache size")
        processor = " ".join([processor, *(said.get(name, "?").strip() for name in names)])
    except OSError:
        pass
    return f"torch {torch.__version__}, {processor}, {torch.backends.cpu.get_cpu_capability()}"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def test_the_file_is_of_this_version(golden: dict[str, Any]) -> None:
    assert golden["numerics"] == NUMERICS_VERSION
    assert golden["losses"].keys() == plans().keys()
    assert all(digests.keys() == plans().keys() for digests in golden["digests"].values())


@pytest.mark.parametrize("name", plans())
def test_numbers_have_not_moved(golden: dict[str, Any], name: str) -> None:
    with torch_settings("cpu", 1):
        digest, losses = tiny(plans()[name])
    moved = "numbers have moved: raise NUMERICS_VERSION and run python tests/experiments/test_numerics.py"
    known = golden["digests"].get(platform_key())
    if known is not None:
        assert digest == known[name], moved
    assert losses == pytest.approx(golden["losses"][name], rel=TOLERANCE), moved


def write() -> None:
    """Write the file anew; digests of other platforms stay while the losses are the same."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {"digests": {}}
    with torch_settings("cpu", 1):
        measured = {name: tiny(plan) for name, plan in plans().items()}
    before = found.get("losses", {})
    same = before.keys() == measured.keys() and all(
        math.isclose(a, b, rel_tol=TOLERANCE)
        for name, (_, losses) in measured.items()
        for a, b in zip(losses, before[name], strict=True)
    )
    kept = found["digests"] if same and found.get("numerics") == NUMERICS_VERSION else {}
    document = {
        "numerics": NUMERICS_VERSION,
        "losses": {name: losses for name, (_, losses) in measured.items()},
        "digests": {**kept, platform_key(): {name: digest for name, (digest, _) in measured.items()}},
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
