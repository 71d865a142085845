"""Real processes: killed at any moment, asked to stop, two at once, without disk, without permission.

Oracle: a process that was left alone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from tests.experiments.run_server import RunServer
from tests.photographs import write_photographs

# What the processes of a RunServer do.
RUNS = """
import importlib, json, os, resource, sys, time
from pathlib import Path
import converse.workflows.run_plan
from converse.errors import ConverseError
from converse.experiments.running.apart import _LOADED
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest

for name in _LOADED:  # else each child would take seconds for them
    importlib.import_module(name)

sys.path.insert(0, sys.argv[1])
from conftest import heed_permissions

def gated(folder):
    # A progress that stands still after step 30 until somebody opens the gate.
    def progress(step):
        if step.what == "training" and step.done == 30:
            (folder / "reached").touch()
            while not (folder / "open").exists():
                time.sleep(0.01)
    return progress

def work(suite, store, file_size=None, heeding=False, gate=None):
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if heeding:
        heed_permissions()
    try:
        request = RunRequest(suite, store=Path(store), device="cpu", threads=1)
        done = run(request, gated(Path(gate))) if gate else run(request)
        return 1 if done.failures else 0
    except KeyboardInterrupt:
        return 130
    except ConverseError as error:
        print(error, file=sys.stderr, flush=True)
        return 2

"""

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = {seeds}

[data]
train = ["./train"]
test = ["./test"]
validation = {{ cut = 1 }}

[budgets.smoke]
steps = 60
patch = 16
batch = 2
validate_every = 10
checkpoint_every = {every}
ema = {ema}
clip = 1.0

[[entries]]
name = "Converse-DnCNN"
model = "block-dncnn"
operator = "converse"
options = {{ features = 4, blocks = 1 }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunServer]:
    started = RunServer(tmp_path_factory.mktemp("server"), RUNS, str(Path(__file__).parents[1]))
    yield started
    started.close()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_photographs(tmp_path, (24, 28), train=3, test=4)
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE.format(every=7, ema=0.9, seeds="[0]"))
    return path


def only(store: Path) -> TrialFolder:
    (folder,) = Store(store, create=False).folders()
    return folder


def same(one: TrialFolder, other: TrialFolder) -> None:
    assert one.id == other.id
    assert one.status().state == other.status().state == "done"
    for name in ("checkpoint.safetensors", "curve.jsonl"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    rows = [folder.rows().drop(columns="seconds") for folder in (one, other)]
    assert len(rows[0]) > 8
    assert rows[0].equals(rows[1])


@pytest.fixture
def whole(server: RunServer, suite: Path, tmp_path: Path) -> Path:
    assert server.run(tmp_path / "whole", suite) == [0]
    return tmp_path / "whole"


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_it_is_the_same_to_the_bit(
    server: RunServer, suite: Path, whole: Path, tmp_path: Path
) -> None:
    duration = only(whole).status().seconds
    moments = random.Random(5)
    for attempt in range(2):
        store, kills = tmp_path / f"killed-{attempt}", 0
        while True:
            (child,) = server.start(store, suite)
            if kills < 4:
                time.sleep(duration * moments.uniform(0.05, 0.95 if kills == 0 else 0.5))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            (status,) = server.wait()
            if status == 0:
                break
            assert status == -signal.SIGKILL
            kills += 1
        same(only(store), only(whole))
        assert only(store).status().attempts <= kills + 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_keeps_a_checkpoint(
    server: RunServer, suite: Path, tmp_path: Path, number: signal.Signals
) -> None:
    suite.write_text(SUITE.format(every=0, ema=0.0, seeds="[0]"))
    assert server.run(tmp_path / "whole", suite) == [0]
    (child,) = server.start(tmp_path / "stopped", suite, gate=str(tmp_path))
    while not (tmp_path / "reached").exists():
        os.kill(child, 0)  # it has not ended
        time.sleep(0.01)
    os.kill(child, number)
    (tmp_path / "open").touch()
    assert server.wait() == [130]
    stopped = only(tmp_path / "stopped")
    assert stopped.status().state == "interrupted"
    assert stopped.status().reason == "stopped; the same command continues after step 31"  # the one after the gate
    assert len(list((stopped.path / "resume").glob("step-*"))) == 1
    assert server.run(tmp_path / "stopped", suite) == [0]
    same(stopped, only(tmp_path / "whole"))
    assert "continues after step 31" in (stopped.path / "log.txt").read_text()


@pytest.mark.slow
def test_the_same_trial_twice_has_the_same_rows(server: RunServer, suite: Path, whole: Path, tmp_path: Path) -> None:
    assert server.run(tmp_path / "again", suite) == [0]
    same(only(tmp_path / "again"), only(whole))


@pytest.mark.slow
def test_two_processes_do_each_trial_once(server: RunServer, suite: Path, tmp_path: Path) -> None:
    suite.write_text(SUITE.format(every=0, ema=0.0, seeds="[0, 1, 2]"))
    assert server.run(tmp_path / "runs", suite, processes=2) == [0, 0]
    folders = Store(tmp_path / "runs", create=False).folders()
    assert [folder.status().state for folder in folders] == ["done"] * 3
    assert [folder.status().attempts for folder in folders] == [1] * 3


@pytest.mark.slow
def test_where_files_may_not_grow_nothing_is_lost(server: RunServer, suite: Path, whole: Path, tmp_path: Path) -> None:
    assert server.run(tmp_path / "runs", suite, file_size=3000) == [2]  # journals fit, checkpoints do not
    assert "the file may not grow further: raise the limit on file sizes" in server.errors.read_text()
    assert only(tmp_path / "runs").status().state == "interrupted"
    assert server.run(tmp_path / "runs", suite) == [0]
    same(only(tmp_path / "runs"), only(whole))


@pytest.mark.slow
def test_a_store_that_may_not_be_written(
    server: RunServer, suite: Path, whole: Path, write_protect: Callable[[Path], None]
) -> None:
    suite.write_text(SUITE.format(every=7, ema=0.9, seeds="[7]"))
    write_protect(whole)
    assert server.run(whole, suite, heeding=True) == [2]
    said = server.errors.read_text().splitlines()[-1]
    assert "permission denied: name a folder that you may write" in said
    assert only(whole).status().state == "done"
