"""Oracles: the files of the trial's folder, and the same trial carried out without trouble."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from skimage.metrics import peak_signal_noise_ratio

from converse.data.images import image_set, read_image
from converse.errors import DataError, StoreError
from converse.experiments.evaluation.images import evaluate
from converse.experiments.evaluation.keeping import Keeping
from converse.experiments.running import execute as module
from converse.experiments.running.execute import execute
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.outcomes import Outcome
from converse.experiments.running.torch_settings import TorchSettings
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import Busy, Lost
from converse.experiments.store.outputs import Outputs
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.checkpoints import unpack
from converse.experiments.training.interruption import Stop, Stopped
from converse.experiments.training.learner import Learner
from converse.metrics import metrics_for

HERE = TorchSettings("cpu", 1)


def job(entry: str = "Converse-DnCNN", images: int = 2, **training: Any) -> Job:
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=[entry])
    settings = TrainingSettings.model_validate({**plan.training.model_dump(exclude={"milestones"}), **training})
    plan = dataclasses.replace(plan, training=settings)
    train = (image_set("skimage_train"),)
    return Job(
        plan=plan,
        trial=trained_trial(plan, train, "cpu", 1),
        train=train,
        validation=image_set("skimage_test").first(1),
        test=(image_set("skimage_test").first(images),),
        metrics=tuple(metrics_for("grey", 0, ["psnr", "lpips"], "no backbone here")),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def carry_out(store: Store, work: Job, **options: Any) -> tuple[Outcome, TrialFolder]:
    folder = store.folder(work.trial)
    return execute(work, folder, HERE, **options), folder


def test_a_trial_leaves_all_that_is_needed(store: Store) -> None:
    outcome, folder = carry_out(store, job())
    assert outcome == Outcome("done", True)
    assert folder.status().state == "done"
    rows = folder.rows()
    assert sorted(zip(rows["image"].fillna("-"), rows["metric"], strict=True)) == [
        ("-", "parameters"),
        *[(image, metric) for image in ("astronaut.png", "camera.png") for metric in ("lpips", "psnr")],
    ]
    assert rows.loc[rows["metric"] == "psnr", "value"].between(1, 40).all()
    assert rows.loc[rows["metric"] == "lpips", "reason"].str.contains("no backbone here").all()
    assert (rows["seed"] == 0).all()
    assert unpack(folder.path / "checkpoint.safetensors").step == 4
    provenance = json.loads((folder.path / "provenance.json").read_text())
    assert provenance["not_deterministic"] == []
    assert not list((folder.path / "resume").glob("*")) if (folder.path / "resume").exists() else True


def test_what_is_done_is_not_done_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(store, job())
    monkeypatch.setattr(module, "_network", None)
    assert carry_out(store, job())[0] == Outcome("done", False)


def test_new_images_train_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = carry_out(store, job(images=1))
    before = (folder.path / "checkpoint.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(module, "_train", None)
    outcome, again = carry_out(store, job(images=3))
    assert outcome.fresh
    assert again.path == folder.path
    assert (folder.path / "checkpoint.safetensors").stat().st_mtime_ns == before
    assert len(folder.rows()) == 1 + 3 * 2


def test_damaged_weights_are_trained_again_to_the_same(store: Store) -> None:
    _, folder = carry_out(store, job(images=1))
    path = folder.path / "checkpoint.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-4])
    carry_out(store, job(images=2))
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["missing", "one bit", "another file"])
def test_weights_of_a_finished_trial_are_made_anew(store: Store, damage: str) -> None:
    """Nothing is left to measure, and yet what the trial promises is not there."""
    _, folder = carry_out(store, job(images=1))
    path = folder.path / "checkpoint.safetensors"
    before, rows = path.read_bytes(), folder.rows()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]) if damage == "one bit" else b"weights")
    assert folder.unsound() is not None
    outcome, _ = carry_out(store, job(images=1))
    assert outcome == Outcome("done", True)
    assert path.read_bytes() == before
    assert folder.rows().equals(rows)
    assert folder.unsound() is None


def test_a_finished_trial_of_an_older_version_gets_digests(store: Store) -> None:
    _, folder = carry_out(store, job(images=1))
    (folder.path / "digests.json").unlink()
    assert folder.unsound() == f"{folder.path / 'digests.json'} is missing"
    outcome, _ = carry_out(store, job(images=1))
    assert outcome == Outcome("done", False)
    assert folder.unsound() is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no such kernel\nand more"), "RuntimeError: no such kernel"),
        (torch.OutOfMemoryError("tried to allocate 2 TiB"), "out of memory: tried to allocate 2 TiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 5 bytes"), "out of memory: DefaultCPUAllocator"),
        (MemoryError(), "out of memory: "),
    ],
    ids=["crash", "gpu-memory", "cpu-memory", "memory"],
)
def test_a_crash_is_a_result(store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", fail)
        outcome, folder = carry_out(store, job())
    assert (outcome.state, outcome.fresh) == ("failed", True)
    assert outcome.reason.startswith(reason)
    assert folder.status().state == "failed"
    assert "Traceback" in (folder.path / "failure.txt").read_text()
    again, _ = carry_out(store, job())
    assert again == Outcome("failed", False, outcome.reason)
    assert carry_out(store, job(), retry_failed=True)[0] == Outcome("done", True)


def test_operations_that_are_not_deterministic_are_named_by_the_trial_that_met_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, inference = Learner.step, evaluate

    def training(self: Learner, number: int, batch: Any) -> torch.Tensor:
        HERE.not_deterministic.add("fold_cuda")
        return step(self, number, batch)

    def measuring(*arguments: Any, **options: Any) -> Any:
        HERE.not_deterministic.add("bicubic_cuda")
        return inference(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", training)
        patch.setattr(module, "evaluate", measuring)
        patch.setattr(module, "_validate", lambda *_: 0.0)
        _, folder = carry_out(store, job())
    assert (folder.read_json("provenance.json") or {})["not_deterministic"] == ["bicubic_cuda", "fold_cuda"]
    _, other = carry_out(store, job("Conv-DnCNN"))
    assert (other.read_json("provenance.json") or {})["not_deterministic"] == []


def test_an_error_of_the_user_is_no_result(store: Store) -> None:
    with pytest.raises(DataError, match=r"training image brick\.png is 512×512 pixels, smaller than the patch"):
        carry_out(store, job(patch=1000))
    (folder,) = store.folders()
    assert folder.status().state == "interrupted"


def test_a_store_that_cannot_be_written_is_no_result(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: TrialFolder, name: str, data: bytes) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "write_bytes", full)
        with pytest.raises(StoreError, match="the disk is full"):
            carry_out(store, job())
    assert carry_out(store, job())[0] == Outcome("done", True)


def test_stopped_between_images_it_keeps_them(store: Store) -> None:
    stop = Stop()

    def report(what: str, done: int, total: int, upcoming: str) -> None:
        stop.asked = what.startswith("measuring")

    work = job(images=3)
    with pytest.raises(Stopped):
        carry_out(store, work, stop=stop, report=report)
    folder = store.folder(work.trial)
    assert folder.status().state == "interrupted"
    assert len(folder.rows()) == 1 + 2
    outcome, _ = carry_out(store, work)
    assert outcome == Outcome("done", True)
    assert len(folder.rows()) == 1 + 3 * 2
    assert folder.status().attempts == 2


def test_what_another_process_works_on_is_left(store: Store) -> None:
    work = job()
    with store.folder(work.trial).lock(), pytest.raises(Busy):
        carry_out(store, work)


def test_layers_shared_by_two_entries_start_equal_and_see_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    step = Learner.step

    def noting(self: Learner, number: int, batch: Any) -> torch.Tensor:
        if number == 0:
            name = "operator" if hasattr(self.model.body[0].spatial.operator, "lam") else "conv"  # type: ignore[index,union-attr]
            seen[name] = (batch, {key: value.clone() for key, value in self.model.state_dict().items()})
        return step(self, number, batch)

    monkeypatch.setattr(Learner, "step", noting)
    for entry in ("Conv-DnCNN", "Converse-DnCNN"):
        carry_out(store, job(entry))
    (one, first), (other, second) = seen.values()
    assert torch.equal(one.input, other.input)
    assert torch.equal(one.target, other.target)
    shared = [name for name in first if name in second and "operator" not in name]
    assert len(shared) == 16
    assert all(torch.equal(first[name], second[name]) for name in shared)


@pytest.mark.parametrize("moment", ["training", "measuring", "last"])
def test_who_was_overtaken_stops_and_changes_nothing(store: Store, moment: str) -> None:
    work, before = job(images=1), {}

    def overtake() -> None:
        (claim,) = store.folder(work.trial).path.glob(".owner-*")
        claim.rename(claim.with_name(".writing-gone"))  # what a new owner does
        before.update(files_of(store, work))

    def report(what: str, done: int, total: int, upcoming: str) -> None:
        at_the_end = moment == "last" and what.startswith("measuring") and done == total
        if not before and (at_the_end or what.startswith(moment)):
            overtake()

    with pytest.raises(Lost, match="was taken over"):
        carry_out(store, work, report=report)
    assert before
    assert files_of(store, work) == before
    assert store.folder(work.trial).status().state == "interrupted"
    assert carry_out(store, work)[0] == Outcome("done", True)


def test_a_beat_that_finds_the_trial_lost_ends_the_training(store: Store) -> None:
    work, steps = job(images=1), []
    folder = store.folder(work.trial)

    def report(what: str, done: int, total: int, upcoming: str) -> None:
        steps.append(done)
        if folder._hold is not None and done == 1:
            (claim,) = folder.path.glob(".owner-*")
            claim.rename(claim.with_name(".writing-gone"))
            folder._hold._lost.set()  # what the next beat does

    with pytest.raises(Lost):
        execute(work, folder, HERE, report=report)
    assert max(steps) <= 2


def files_of(store: Store, work: Job) -> dict[str, bytes]:
    folder = store.folder(work.trial).path
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_outputs_are_kept_as_they_were_measured(store: Store) -> None:
    whole = dataclasses.replace(job(), keeping=Keeping("all", limit=10**9))
    _, folder = carry_out(store, whole)
    outputs = Outputs(folder)
    rows = folder.rows()
    for one in outputs.kept().values():
        image = next(image for image in whole.test[0].images if image.sha256 == one.image_sha256)
        restored = np.asarray(Pillow.open(io.BytesIO(outputs.read(one))))
        psnr = peak_signal_noise_ratio(read_image(image.path, "grey")[:, :, 0], restored)
        value = rows.loc[(rows["image"] == image.name) & (rows["metric"] == "psnr"), "value"].item()
        assert psnr == pytest.approx(value, abs=1e-9)
    assert len(outputs.kept()) == 2


def test_a_finished_trial_restores_again_only_what_is_asked_for(store: Store) -> None:
    carry_out(store, job())
    usual = dataclasses.replace(job(), keeping=Keeping("crops", limit=10**9))
    assert carry_out(store, usual)[0] == Outcome("done", False)
    asked = dataclasses.replace(usual, keeping=Keeping("crops", asked=True, limit=10**9))
    outcome, folder = carry_out(store, asked)
    assert outcome == Outcome("done", True)
    assert {one.window is None for one in Outputs(folder).kept().values()} == {False}
    assert folder.status().state == "done"
    assert carry_out(store, asked)[0] == Outcome("done", False)
