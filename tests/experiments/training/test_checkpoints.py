"""Oracles: safetensors reading the files by itself, bytes flipped and cut off here."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from converse.errors import CheckpointError, StoreError
from converse.experiments.store import Store, files
from converse.experiments.training.checkpoints import KEPT, Checkpoints, Snapshot, digest_of, pack, unpack
from converse.experiments.trials import Trial


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    trial = Trial("denoising", "DnCNN", "trained", 0, "quick", {}, {})
    return Checkpoints(Store(tmp_path / "runs").folder(trial))


def snapshot(step: int = 1) -> Snapshot:
    tensors = {
        "model.weight": torch.full((2, 3), float(step)),
        "model.count": torch.tensor(step),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "none": torch.zeros(0),
    }
    return Snapshot(step, tensors, {"precision": {"scale": 65536.0}})


def same(one: Snapshot, other: Snapshot) -> bool:
    equal = all(torch.equal(value, other.tensors[name]) for name, value in one.tensors.items())
    return equal and one.tensors.keys() == other.tensors.keys() and (one.step, one.notes) == (other.step, other.notes)


def test_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "one.safetensors").write_bytes(pack(snapshot()))
    assert same(unpack(tmp_path / "one.safetensors"), snapshot())
    assert torch.equal(load_file(tmp_path / "one.safetensors")["model.weight"], torch.ones(2, 3))
    assert snapshot().part("model.").keys() == {"weight", "count"}


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "foreign", "pickle"])
def test_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "one.safetensors"
    data = pack(snapshot())
    if damage == "foreign":
        save_file({"a": torch.zeros(1)}, path)
    elif damage == "pickle":
        torch.save({"a": torch.zeros(1)}, path)
    else:
        changed = {"cut": data[:-1], "empty": b"", "flip": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]}
        path.write_bytes(changed[damage])
    with pytest.raises(CheckpointError, match=r"one\.safetensors is (not|damaged)"):
        unpack(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a whole checkpoint"):
        unpack(tmp_path / "none.safetensors")


def test_the_newest_are_kept(checkpoints: Checkpoints) -> None:
    for step in (5, 10, 15, 1000):
        checkpoints.write(snapshot(step))
    assert len(list((checkpoints.folder.path / "resume").iterdir())) == KEPT
    found = checkpoints.latest()
    assert found is not None
    assert same(found, snapshot(1000))
    checkpoints.clear()
    assert checkpoints.latest() is None


def test_a_damaged_one_falls_back_to_the_one_before_and_then_to_the_start(checkpoints: Checkpoints) -> None:
    checkpoints.write(snapshot(1))
    checkpoints.write(snapshot(2))
    resume = checkpoints.folder.path / "resume"
    for step in (2, 1):
        path = resume / f"step-{step:09}.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
        found = checkpoints.latest()
        assert (found.step if found else 0) == step - 1
        assert (resume / f"{path.name}.damaged-1").exists()
    assert (checkpoints.folder.path / "log.txt").read_text().count("is not a whole checkpoint") == 2


def test_a_full_disk_leaves_the_one_before(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.write(snapshot(1))

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_write_new", full)
    with pytest.raises(StoreError, match="the disk is full: free some space"):
        checkpoints.write(snapshot(2))
    monkeypatch.undo()
    found = checkpoints.latest()
    assert found is not None
    assert same(found, snapshot(1))
    assert len(list((checkpoints.folder.path / "resume").iterdir())) == 1


def test_weights(checkpoints: Checkpoints) -> None:
    assert checkpoints.weights() is None
    weights = {"weight": torch.arange(6.0).view(2, 3).T}  # not contiguous
    checkpoints.write_weights(weights, 3)
    found = checkpoints.weights()
    assert found is not None
    assert torch.equal(found["weight"], weights["weight"])
    path = checkpoints.folder.path / "checkpoint.safetensors"
    path.write_bytes(b"torn")
    assert checkpoints.weights() is None
    assert path.with_name("checkpoint.safetensors.damaged-1").read_bytes() == b"torn"


def test_a_digest_sees_every_bit() -> None:
    one = {"a": torch.zeros(2, 2), "b": torch.ones(1)}
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    others = [
        {**one, "a": torch.zeros(4, 1)},
        {**one, "a": torch.zeros(2, 2, dtype=torch.int32)},
        {**one, "a": torch.tensor([[0.0, -0.0], [0.0, 0.0]])},
        {"a": one["a"], "c": one["b"]},
    ]
    assert len({digest_of(other) for other in (one, *others)}) == 5
