"""SIGKILL at any moment: real processes, killed and continued, against one that was never interrupted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converse.experiments.store import Store, TrialFolder

# Loads torch once, then forks one process for each line that it reads: a store, and a suite for it.
SERVER = """
import os, sys
from pathlib import Path
import converse.experiments.execution, converse.workflows.run_plan
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest

for line in sys.stdin:
    store, suite = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            done = run(RunRequest(suite, store=Path(store), device="cpu", threads=1))
            status = 1 if done.failures else 0
        except KeyboardInterrupt:
            status = 130
        finally:
            os._exit(status)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

SUITE = """
schema = 1
name = "tiny"
title = "Tiny"
task = "denoising"
seeds = [0]

[data]
train = ["./train"]
test = ["./test"]
validation = {{ dataset = "./test", images = 1 }}

[budgets.smoke]
steps = 120
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


class Server:
    """Starts runs; each is a process of its own."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, store: Path, suite: Path) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{store}\t{suite}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    assert started.process.stdin is not None
    started.process.stdin.close()
    started.process.wait(timeout=30)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    numbers = np.random.default_rng(0)
    for folder, count in (("train", 3), ("test", 4)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            pixels = numbers.integers(0, 256, (24, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE.format(every=7, ema=0.9))
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


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_it_is_the_same_to_the_bit(
    server: Server, suite: Path, tmp_path: Path
) -> None:
    begun = time.monotonic()
    server.start(tmp_path / "whole", suite)
    assert server.wait() == 0
    duration = time.monotonic() - begun
    moments = random.Random(5)
    for attempt in range(4):
        store, kills = tmp_path / f"killed-{attempt}", 0
        while True:
            child = server.start(store, suite)
            if kills < 4:
                time.sleep(duration * moments.uniform(0.05, 0.95 if kills == 0 else 0.5))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            status = server.wait()
            if status == 0:
                break
            assert status == -signal.SIGKILL
            kills += 1
        same(only(store), only(tmp_path / "whole"))
        assert only(store).status().attempts <= kills + 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_keeps_a_checkpoint(
    server: Server, suite: Path, tmp_path: Path, number: signal.Signals
) -> None:
    suite.write_text(SUITE.format(every=0, ema=0.0))
    server.start(tmp_path / "whole", suite)
    assert server.wait() == 0
    child = server.start(tmp_path / "stopped", suite)
    curve = tmp_path / "stopped" / "trials" / only(tmp_path / "whole").id / "curve.jsonl"
    while not curve.exists():
        time.sleep(0.002)
    os.kill(child, number)
    assert server.wait() == 130
    stopped = only(tmp_path / "stopped")
    assert stopped.status().state == "interrupted"
    assert "the same command continues after step" in stopped.status().reason
    assert len(list((stopped.path / "resume").glob("step-*"))) == 1
    server.start(tmp_path / "stopped", suite)
    assert server.wait() == 0
    same(stopped, only(tmp_path / "whole"))
    assert "continues after step" in (stopped.path / "log.txt").read_text()


@pytest.mark.slow
def test_the_same_trial_twice_has_the_same_rows(server: Server, suite: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        server.start(tmp_path / name, suite)
        assert server.wait() == 0
    same(only(tmp_path / "one"), only(tmp_path / "two"))
