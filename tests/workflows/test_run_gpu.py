"""On a CUDA device. Oracle: the same trial once more; what may not come out the same is named in its provenance."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from converse.workflows.work import Progress

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

Ask = Callable[[str], RunRequest]


@pytest.fixture(params=["denoising", "super_resolution", "deblurring"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """The smoke budget of a suite, in a store of that name; only the blur kernels are not always here."""
    data_dir = request.getfixturevalue("shared") if request.param == "deblurring" else None
    return lambda name: RunRequest(request.param, "smoke", store=tmp_path / name, data_dir=data_dir, device="cuda")


def hold_to_the_bit(one: Path, other: Path) -> None:
    """All trials of two stores have the same weights, curve and rows, or say which operation is not deterministic."""
    for folder in Store(one, create=False).folders():
        twin = Store(other, create=False).find(folder.id)
        assert folder.status().state == twin.status().state == "done"
        named = (folder.read_json("provenance.json") or {})["not_deterministic"]
        if not same(folder, twin):
            assert named, f"{folder.description()['entry']} is not the same twice, and names no operation"
            warnings.warn(f"{folder.description()['entry']} is not the same twice: {', '.join(named)}", stacklevel=1)


def same(one: TrialFolder, other: TrialFolder) -> bool:
    files = all(
        (one.path / name).read_bytes() == (other.path / name).read_bytes()
        for name in ("checkpoint.safetensors", "curve.jsonl")
    )
    return files and one.rows().drop(columns="seconds").equals(other.rows().drop(columns="seconds"))


def test_twice_is_the_same_to_the_bit(ask: Ask, tmp_path: Path) -> None:
    for store in ("one", "other"):
        assert run(ask(store)).failures == ()
    hold_to_the_bit(tmp_path / "one", tmp_path / "other")


def test_stopped_and_continued_is_the_same_to_the_bit(ask: Ask, tmp_path: Path) -> None:
    def stop(step: Progress) -> None:
        if (step.what, step.done) == ("training", 2):
            os.kill(os.getpid(), signal.SIGINT)

    run(ask("whole"))
    stops = 0
    while True:
        try:
            run(ask("stopped"), stop)
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops == len(Store(tmp_path / "stopped", create=False).folders())
    hold_to_the_bit(tmp_path / "stopped", tmp_path / "whole")
