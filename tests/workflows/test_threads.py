"""What another number of cores, another torch or another machine would train anew. Oracles: stores filled by hand, and
real runs whose trials are counted."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from converse.data.resources import Resources
from converse.experiments.running import execute
from converse.experiments.store import Store
from converse.experiments.trials import Trial
from converse.workflows.preview import preview_reproduction, preview_run
from converse.workflows.reproduce import reproduce
from converse.workflows.reproduce_plan import ReproduceRequest
from converse.workflows.run import _at_once, run
from converse.workflows.run_request import RunRequest
from converse.workflows.threads import Choice, choose
from converse.workflows.work import Progress
from tests.workflows.tiny import TINY

PLATFORM = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "deterministic": True}


def trials(threads: int, seeds: Sequence[int] = range(4), **platform: Any) -> list[Trial]:
    kind = {**PLATFORM, "threads": threads, **platform}
    return [Trial("denoising", "A", "trained", seed, "quick", {"lr": 0.1}, {}, platform=kind) for seed in seeds]


Fill = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def fill(store: Store) -> Fill:
    def add(some: Sequence[Trial], state: str = "done") -> None:
        for trial in some:
            folder = store.folder(trial)
            with folder.lock():
                folder.set_status("running")
                folder.append_rows([{"metric": "psnr", "value": 30.0}])
                if state == "failed":
                    folder.write_failure("NaN", "")
                else:
                    folder.set_status(state)  # type: ignore[arg-type]

    return add


def chosen(store: Store, threads: int = 2, *, given: bool = False, **platform: Any) -> Choice:
    return choose(trials(threads, **platform), store.folders(), threads, given=given)


def test_an_empty_store_and_a_finished_request_have_nothing_to_say(store: Store, fill: Fill) -> None:
    assert chosen(store) == Choice(2)
    fill(trials(4))
    fill(trials(2))
    assert chosen(store) == Choice(2)


@pytest.mark.parametrize("given", [False, True])
def test_what_is_done_with_other_threads_is_said_with_the_option_that_uses_it(
    store: Store, fill: Fill, given: bool
) -> None:
    fill(trials(4, [0, 1, 2]))
    fill([dataclasses.replace(trials(4, [3])[0], configuration={"lr": 0.2})])
    said = "3 of 4 trials are done with 4 threads; this run would train them anew with 2 threads: --threads 4 uses them"
    assert chosen(store, given=given) == Choice(2, (said,))


@pytest.mark.parametrize("state", ["interrupted", "planned", "failed"])
def test_a_request_goes_on_with_the_threads_of_its_own_unfinished_trials(store: Store, fill: Fill, state: str) -> None:
    fill(trials(4, [0, 1]))
    if state == "planned":
        store.folder(trials(4, [2])[0])
    else:
        fill(trials(4, [2]), state)
    store.folder(trials(4, [3])[0])
    found = chosen(store)
    assert found.threads == 4
    assert "--threads 4" in found.notes[0]
    assert "2 done" in found.notes[0]
    assert chosen(store, given=True).threads == 2


def test_what_is_all_done_is_used_and_this_machines_own_comes_before_what_is_begun(store: Store, fill: Fill) -> None:
    fill(trials(8, [0, 1]), "interrupted")
    fill(trials(2, [0]), "interrupted")
    assert chosen(store).threads == 2
    fill(trials(4))
    found = chosen(store)
    assert found.threads == 4
    said = "of 4 trials 4 done with 4 threads: this run uses these, as --threads 4 does; --threads 2 would train anew"
    assert found.notes == (said,)


def test_another_torch_and_another_machine_are_named(store: Store, fill: Fill) -> None:
    fill(trials(2, [0], torch="2.9"))
    fill(trials(2, [1], model="Another CPU"))
    fill([dataclasses.replace(one, numerics=1) for one in trials(2, [2])])
    assert set(chosen(store).notes) == {
        "1 of 4 trials is done with torch 2.9; this run would train it anew with torch 2.14: "
        "an environment with torch 2.9 uses it",
        "1 of 4 trials is done with Another CPU; this run would train it anew with A CPU",
        f"1 of 4 trials is done with numerics version 1; this run would train it anew with numerics version "
        f"{trials(2)[0].numerics}",
    }


def test_a_damaged_description_is_passed_over(store: Store, fill: Fill) -> None:
    fill(trials(4, [0, 1]))
    (store.root / "trials" / trials(4, [0])[0].id / "trial.json").write_text("{")
    assert chosen(store).notes[0].startswith("1 of 4 trials is done with 4 threads")


def test_a_finished_request_reads_no_other_description(
    store: Store, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(trials(2))
    monkeypatch.setattr("converse.workflows.threads.twins", None)
    assert chosen(store) == Choice(2)


# Real runs


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRequest:
    numbers = np.random.default_rng(0)
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        Image.fromarray(numbers.integers(0, 256, (20, 22), dtype=np.uint8)).save(tmp_path / folder / "0.png")
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    return RunRequest(str(tmp_path / "tiny.toml"), store=tmp_path / "runs", device="cpu")


def told(request: RunRequest) -> tuple[list[str], int]:
    """The notes before the first trial, and how many trials were worked on."""
    steps: list[Progress] = []
    done = run(request, steps.append)
    first = next((index for index, step in enumerate(steps) if step.name), len(steps))
    assert all(step.note == "" for step in steps[first:])
    return [step.note for step in steps[:first]], done.fresh


@pytest.mark.slow
def test_a_run_says_what_it_would_train_anew_before_it_does(request_: RunRequest) -> None:
    assert told(dataclasses.replace(request_, threads=1, seeds=(0,))) == ([], 1)
    assert preview_run(request_).notes == (
        "1 of 2 trials is done with 1 thread; this run would train it anew with 2 threads: --threads 1 uses it",
    )
    (note,), fresh = told(request_)
    assert (fresh, "--threads 1 uses it" in note) == (2, True)
    assert len(Store(request_.store).folders()) == 3


@pytest.mark.slow
def test_a_run_goes_on_with_its_own_threads_and_is_then_answered_from_the_store(request_: RunRequest) -> None:
    run(dataclasses.replace(request_, threads=1, seeds=(0,)))
    store = Store(request_.store)
    (folder,) = store.folders()
    begun = dataclasses.replace(folder.trial(), seed=1)
    store.folder(begun)
    notes, fresh = told(request_)
    assert "goes on with" in notes[0]
    assert fresh == 1
    assert {folder.trial().platform["threads"] for folder in store.folders()} == {1}
    assert all(line["state"] == "done" for line in preview_run(request_).lines)
    code = (
        "import sys; from pathlib import Path; from converse.workflows.run import run;"
        "from converse.workflows.run_request import RunRequest; told = [];"
        f"done = run(RunRequest({request_.suite!r}, store=Path({str(request_.store)!r}), device='cpu'), told.append);"
        "assert done.fresh == 0 and done.trials == 2; assert 'torch' not in sys.modules; print(told[0].note)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert "of 2 trials 2 done with 1 thread: this run uses these" in said.stdout
    assert told(dataclasses.replace(request_, threads=2))[1] == 2


@pytest.mark.parametrize(
    ("processes", "usual", "threads", "expected"),
    [(4, 1, 1, 4), (4, 1, 2, 2), (4, 1, 3, 1), (4, 1, 8, 1), (2, 4, 1, 2)],
)
def test_trials_at_once_take_no_more_cores_than_were_meant(
    processes: int, usual: int, threads: int, expected: int
) -> None:
    assert _at_once(RunRequest("quickstart", processes=processes, usual_threads=usual), threads) == expected


@pytest.mark.slow
def test_usual_threads_give_way_to_those_of_what_was_begun(request_: RunRequest) -> None:
    usual = dataclasses.replace(request_, usual_threads=1)  # as the quickstart has them
    run(dataclasses.replace(usual, seeds=(1,)))
    store = Store(request_.store)
    (folder,) = store.folders()
    assert folder.trial().platform["threads"] == 1
    store.folder(dataclasses.replace(folder.trial(), seed=0, platform={**folder.trial().platform, "threads": 2}))
    run(dataclasses.replace(usual, seeds=(0,)))
    assert {one.trial().seed: one.trial().platform["threads"] for one in store.folders()} == {1: 1, 0: 2}


def test_reproduce_uses_what_is_measured_and_says_what_it_would_measure_anew(
    request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: nn.Conv2d(1, 1, 1))
    monkeypatch.setattr(nn.Conv2d, "inputs", ("input",), raising=False)
    images = Path(request_.suite).with_name("test")
    asked = ReproduceRequest(
        task="denoising", entries=("DnCNN",), datasets=(str(images),), metrics=("psnr",), store=request_.store
    )
    asked = dataclasses.replace(asked, device="cpu")
    there, here = torch.get_num_threads() + 1, torch.get_num_threads()
    assert reproduce(dataclasses.replace(asked, threads=there)).fresh == 1
    steps: list[Progress] = []
    assert reproduce(asked, steps.append).fresh == 0
    planned = preview_reproduction(asked)
    assert [line["images"] for line in planned.lines] == [0]
    said = f"of 1 trial 1 done with {there} threads: this run uses these, as --threads {there} does; "
    assert (steps[0].note,) == planned.notes == (f"{said}--threads {here} would measure anew",)
    assert torch.get_num_threads() == here
    assert reproduce(dataclasses.replace(asked, threads=here), steps.append).fresh == 1
    assert any(step.note.endswith(f"--threads {there} uses it") for step in steps)


@pytest.mark.slow
def test_the_command_line_says_it_beside_one_document(request_: RunRequest) -> None:
    run(dataclasses.replace(request_, threads=1, seeds=(0,)))
    words = ["run", request_.suite, "--store", str(request_.store), "--device", "cpu", "--format", "json"]
    for more in (["--dry-run"], []):
        command = [sys.executable, "-c", "from converse.cli.main import main; main()", *words, *more]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert isinstance(json.loads(done.stdout), list)
        assert "note: 1 of 2 trials is done with 1 thread" in done.stderr
