"""What becomes of a command when machines of its cluster are gone; Ray is played in this process.

Oracle: the same command without a cluster, on this machine, which plays all of the others.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from converse.data.resources import Resources
from converse.errors import OptionError
from converse.experiments.running import execute
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.store import Store
from converse.experiments.trials import cpu_model
from converse.workflows import reproduce as reproduce_module
from converse.workflows import run as run_module
from converse.workflows.reproduce import reproduce
from converse.workflows.reproduce_plan import ReproduceRequest
from converse.workflows.run import Run, run
from converse.workflows.run_request import RunRequest
from converse.workflows.work import Progress
from tests.experiments.running.played_ray import PlayedNode, PlayedRay, played_cluster
from tests.workflows.identity import Identity
from tests.workflows.tiny import TINY

pytest.importorskip("ray", reason="Ray is not installed")

SEEDS = (0, 1, 2, 3, 4, 5)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, folder in enumerate(("train", "test")):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(number).integers(0, 256, (20, 22), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "0.png")
    return tmp_path / "test"


@pytest.fixture
def suite(tmp_path: Path, photos: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def two_classes() -> PlayedRay:
    return PlayedRay({"mine": PlayedNode(cpu_model()), "other": PlayedNode("Another CPU")})


def gone(ray: PlayedRay, name: str, at: int) -> None:
    """Have a machine lost while it carries out its ``at``-th trial."""

    def before(machine: str, number: int) -> None:
        if (machine, number) == (name, at):
            ray.machines[name].alive = False

    ray.before = before


def run_on(
    ray: PlayedRay, suite: Path, store: Path, patch: pytest.MonkeyPatch, options: RayOptions | None = None
) -> tuple[Run, list[Progress]]:
    engine, told = played_cluster(patch, ray, options), list[Progress]()
    patch.setattr(run_module, "cluster_of", lambda request: _Connected(engine))
    asked = RunRequest(
        suite=str(suite), store=store, device="cpu", threads=1, budget="smoke", seeds=SEEDS, ray=RayOptions()
    )
    return run(asked, told.append), told


class _Connected:
    """What :func:`converse.workflows.cluster.cluster_of` gives."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __enter__(self) -> Any:
        return self._engine

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured, without on which machine."""
    kept = rows[["entry", "seed", "metric", "image", "value"]]
    return kept.sort_values(["seed", "metric", "image"], ignore_index=True)


def models(store: Path) -> dict[str, list[int]]:
    """The CPU of each class → the seeds that are done on it."""
    found: dict[str, list[int]] = {}
    for folder in Store(store).folders():
        if folder.status().state == "done":
            trial = folder.trial()
            found.setdefault(trial.platform["model"], []).append(trial.seed or 0)
    return {model: sorted(seeds) for model, seeds in found.items()}


def test_a_run_begins_anew_on_another_class_what_waited_for_one_that_is_gone(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = two_classes()
    gone(ray, "other", 1)
    done, told = run_on(ray, suite, tmp_path / "spread", monkeypatch)
    assert (done.trials, done.failures) == (6, ())
    assert sum("3 trials carry this platform class" in step.note for step in told) == 2
    left = [step.name for step in told if step.finished.startswith("left: no machine of its platform class")]
    assert len(set(left)) == len(left) == 2
    by_model = models(tmp_path / "spread")
    (stayed,) = by_model["Another CPU"]
    assert by_model[cpu_model()] == [seed for seed in SEEDS if seed != stayed]
    alone = run(RunRequest(suite=str(suite), store=tmp_path / "alone", device="cpu", threads=1, seeds=SEEDS))
    pd.testing.assert_frame_equal(numbers(done.rows), numbers(alone.rows), check_exact=True)


def test_what_is_done_on_a_class_that_is_gone_and_lacks_an_image_is_begun_anew(
    suite: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is something left to do it cannot stay, and the command must not look for its machine for ever."""
    store = tmp_path / "spread"
    run_on(two_classes(), suite, store, monkeypatch)
    assert len(models(store)["Another CPU"]) == 3
    pixels = np.random.default_rng(7).integers(0, 256, (20, 22), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "1.png")
    ray = two_classes()
    gone(ray, "other", 1)
    done, _ = run_on(ray, suite, store, monkeypatch)
    assert (done.trials, done.failures, done.gaps) == (6, (), ())
    psnr = done.rows[done.rows["metric"] == "psnr"]
    assert sorted(psnr.groupby("seed")["image"].nunique()) == [2] * 6


@pytest.mark.parametrize("classes", [1, 2])
def test_a_run_says_that_no_machine_is_left_and_goes_on_with_the_next(
    classes: int, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = two_classes()
    if classes == 1:
        del ray.machines["other"]

    def before(machine: str, number: int) -> None:
        if (machine, number) == ("mine", 1):
            for one in ray.machines.values():
                one.alive = False

    def idle(times: int) -> None:
        if times == 3:
            ray.machines["next"] = PlayedNode(cpu_model())

    ray.before, ray.idle = before, idle
    done, told = run_on(ray, suite, tmp_path / "runs", monkeypatch)
    assert (done.trials, done.failures) == (6, ())
    (note,) = (step.note for step in told if "no machine is left" in step.note)
    assert note.endswith("trials wait for one")
    assert models(tmp_path / "runs")[cpu_model()]


def test_a_machine_of_another_class_that_comes_last_gets_all_that_is_left(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = PlayedRay({"mine": PlayedNode(cpu_model())})
    gone(ray, "mine", 1)
    ray.idle = lambda times: ray.machines.update(next=PlayedNode("Another CPU"))
    done, _ = run_on(ray, suite, tmp_path / "runs", monkeypatch)
    assert (done.trials, done.failures) == (6, ())
    assert {model: len(seeds) for model, seeds in models(tmp_path / "runs").items()} == {
        cpu_model(): 1,
        "Another CPU": 5,
    }


def test_same_platform_holds_for_machines_that_come_later(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = PlayedRay({"mine": PlayedNode(cpu_model())})
    gone(ray, "mine", 1)
    ray.idle = lambda times: ray.machines.update(next=PlayedNode("Another CPU"))
    with pytest.raises(OptionError, match=r"--same-platform: .* 2 platform classes: .*Another CPU"):
        run_on(ray, suite, tmp_path / "runs", monkeypatch, RayOptions(same_platform=True))


def test_reproduce_begins_anew_on_another_class_what_waited_for_one_that_is_gone(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (weights, digest))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity())
    asked: dict[str, Any] = {"task": "denoising", "datasets": (str(photos),), "metrics": ("psnr",), "threads": 1}
    alone = reproduce(ReproduceRequest(**asked, store=tmp_path / "alone"))

    ray, told = two_classes(), list[Progress]()
    gone(ray, "mine", 0)  # what has no seed goes to the first class
    engine = played_cluster(monkeypatch, ray)
    monkeypatch.setattr(reproduce_module, "cluster_of", lambda request: _Connected(engine))
    done = reproduce(ReproduceRequest(**asked, store=tmp_path / "spread", ray=RayOptions()), told.append)
    assert any(step.finished.startswith("left: ") for step in told)
    finished = [folder.trial() for folder in Store(tmp_path / "spread").folders() if folder.status().state == "done"]
    assert {trial.platform.get("model") for trial in finished} == {"Another CPU", None}  # and what networks are given
    assert len(finished) == len(Store(tmp_path / "alone").folders()) > 2
    columns = ["entry", "metric", "measured", "images"]
    pd.testing.assert_frame_equal(done.results[columns], alone.results[columns], check_exact=True)
