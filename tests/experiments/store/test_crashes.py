"""Real runs, killed before any of their file-system calls, at any moment, or stopped, overtaken and woken.

Oracle: a run that was left alone. A few of all cases are tried; ``CONVERSE_CRASHES=all`` tries every call, 30 moments,
and more processes (minutes).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import notes
from tests.experiments.run_server import RunServer
from tests.photographs import write_photographs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.skipif(sys.platform != "linux", reason="names of descriptors are read from /proc"),
]

EVERY = os.environ.get("CONVERSE_CRASHES") == "all"

# What the processes of a RunServer do.
RUNS = """
import errno, fcntl, io, json, os, pathlib, signal, sys, time
from pathlib import Path
import converse.experiments.running.execute, converse.workflows.run_plan
from converse.errors import ConverseError
from converse.experiments.running import engines
from converse.experiments.store import locks
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.utime"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

class Watch:
    # Counts the calls that change files under a folder, writes them down, and ends the process before one of them.
    def __init__(self, root, log, crash):
        self.root, self.crash, self.count = root, crash, 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, what, path, other=""):
        if not str(path).startswith(self.root):
            return False
        self.count += 1
        if self.count == self.crash:
            os.kill(os.getpid(), signal.SIGKILL)
        self.note("calls", what, path, other)
        return True

    def note(self, kind, what, path, other="", moment=None):
        entry = [kind, moment or time.monotonic_ns(), os.getpid(), what, str(path), str(other)]
        os.write(self.log, (json.dumps(entry) + "\\n").encode())

    def audit(self, event, arguments):
        if event in CHANGES and not isinstance(arguments[0], int):
            self(event, os.fspath(arguments[0]), os.fspath(arguments[1]) if event == "os.rename" else "")
        elif event == "open" and isinstance(arguments[0], str) and arguments[2] & WRITES:
            self(event, arguments[0])

    def install(self):
        # An append is written in halves, so that a crash can tear it.
        synchronise, open_, replace = os.fsync, os.fdopen, Path.replace
        def fsync(descriptor):
            self("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
            synchronise(descriptor)
        def opened(descriptor, mode="r", *arguments, **options):
            file = open_(descriptor, mode, *arguments, **options)
            return Halves(file, os.readlink(f"/proc/self/fd/{descriptor}")) if mode == "ab" else file
        def replaced(path, target):
            moment = time.monotonic_ns()  # what is done late fails: the note itself may be late
            found = replace(path, target)
            self.note("done", "replace", target, moment=moment)
            return found
        watch = self
        class Halves:
            def __init__(self, file, path):
                self.file, self.path = file, path
            def __getattr__(self, name):
                return getattr(self.file, name)
            def __enter__(self):
                return self
            def __exit__(self, *error):
                self.file.close()
            def write(self, data):
                watch("write", self.path)
                half = self.file.write(data[: len(data) // 2])
                watch("write", self.path)
                rest = self.file.write(data[half:])
                watch.note("done", "append", self.path)
                return half + rest
        os.fsync, os.fdopen, Path.replace = fsync, opened, replaced
        sys.addaudithook(self.audit)

def alone(period):
    # As on machines that share a file system without locks, each with clocks of its own.
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.flock = flock
    locks._machine = lambda: f"machine {os.getpid()}"
    locks._boot = lambda: f"boot {os.getpid()}"
    locks.held.__wrapped__.__kwdefaults__["period"] = period
    engines.POLL = period / 4

def say(step):
    if step.finished.startswith("lost"):
        print(step.finished, file=sys.stderr, flush=True)

def work(suite, store, crash=None, period=None):
    Watch(store, str(Path(store).with_suffix(".log")), crash).install()
    if period is not None:
        alone(period)
    try:
        done = run(RunRequest(suite, store=Path(store), device="cpu", threads=1), say)
        return 1 if done.failures else 0
    except ConverseError as error:
        print(error, file=sys.stderr, flush=True)
        return 2

# Once in this process, so that none of its children imports or compiles anything.
run(RunRequest(sys.argv[1], store=Path(sys.argv[2]), device="cpu", threads=1))
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
steps = {steps}
patch = 8
batch = 1
validate_every = 2
checkpoint_every = 1
ema = 0.9
clip = 1.0

[[entries]]
name = "Converse-DnCNN"
model = "block-dncnn"
operator = "converse"
options = {{ features = 2, blocks = 1 }}
"""


Call = tuple[str, int, int, str, str, str]


def calls(store: Path, kind: str = "calls") -> list[Call]:
    """What runs on the store noted, in the order in which they did it."""
    lines = store.with_suffix(".log").read_text().splitlines()
    return [tuple(entry) for entry in map(json.loads, lines) if entry[0] == kind]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunServer]:
    folder = tmp_path_factory.mktemp("server")
    started = RunServer(folder, RUNS, str(make_suite(folder)), str(folder / "runs"))
    yield started
    started.close()


def make_suite(folder: Path, **changes: Any) -> Path:
    write_photographs(folder, (12, 16), train=2, test=2)
    path = folder / "tiny.toml"
    path.write_text(SUITE.format(**{"steps": 3, "seeds": "[0]", **changes}))
    return path


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def whole(server: RunServer, suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a run was left alone."""
    store = tmp_path_factory.mktemp("whole") / "runs"
    assert server.run(store, suite) == [0], server.errors.read_text()
    return store


def same(store: Path, whole: Path) -> None:
    """The two stores have the same trials, done, with the same weights, curves and rows to the bit."""
    ones, others = (Store(root, create=False).folders() for root in (store, whole))
    assert [folder.id for folder in ones] == [folder.id for folder in others]
    for one, other in zip(ones, others, strict=True):
        _same_trial(one, other)
    assert [one.id for one in notes(Store(store))] == [one.id for one in notes(Store(whole))]


def _same_trial(one: TrialFolder, other: TrialFolder) -> None:
    assert one.status().state == other.status().state == "done"
    for name in ("trial.json", "checkpoint.safetensors", "curve.jsonl"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    rows = [folder.rows().drop(columns="seconds") for folder in (one, other)]
    assert len(rows[0]) > 2
    assert rows[0].equals(rows[1])
    owned = [path for path in one.path.iterdir() if path.name.startswith(".owner-") or path.name == "rows.jsonl"]
    assert not owned


def _points(whole: Path) -> list[int]:
    count = len(calls(whole))
    return list(range(1, count + 1)) if EVERY else sorted(random.Random(7).sample(range(1, count + 1), 10))


def test_killed_before_any_call_and_continued_it_is_the_same_to_the_bit(
    server: RunServer, suite: Path, whole: Path, tmp_path: Path
) -> None:
    for point in _points(whole):
        store = tmp_path / "runs"
        assert server.run(store, suite, crash=point) == [-signal.SIGKILL], point
        killed = calls(store)
        assert len(killed) == point - 1
        assert server.run(store, suite) == [0], (point, server.errors.read_text())
        try:
            same(store, whole)
        except AssertionError as error:
            raise AssertionError(f"killed before call {point}, after {killed[-1:]}") from error
        shutil.rmtree(store)
        store.with_suffix(".log").unlink()
    print(f"killed before {len(_points(whole))} of {len(calls(whole))} calls")


def test_killed_twice_it_is_the_same_to_the_bit(server: RunServer, suite: Path, whole: Path, tmp_path: Path) -> None:
    """The second kill meets what repairs the first."""
    numbers = random.Random(8)
    for attempt in range(20 if EVERY else 3):
        store = tmp_path / f"runs-{attempt}"
        first, second = (numbers.randint(1, len(calls(whole))) for _ in range(2))
        assert server.run(store, suite, crash=first) == [-signal.SIGKILL]
        assert server.run(store, suite, crash=second)[0] in (-signal.SIGKILL, 0)
        assert server.run(store, suite) == [0], (first, second, server.errors.read_text())
        same(store, whole)


def test_killed_at_any_moment_it_is_the_same_to_the_bit(
    server: RunServer, suite: Path, whole: Path, tmp_path: Path
) -> None:
    moments, kills, attempt = random.Random(9), 0, 0
    times = [call[1] for call in calls(whole)]
    duration = (times[-1] - times[0]) / 1e9
    while kills < (30 if EVERY else 3):
        store, attempt = tmp_path / f"runs-{attempt}", attempt + 1
        (child,) = server.start(store, suite)
        time.sleep(duration * moments.uniform(0.1, 1.5))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        kills += server.wait() == [-signal.SIGKILL]
        assert server.run(store, suite) == [0], server.errors.read_text()
        same(store, whole)


def test_what_is_renamed_was_synchronised_and_its_folder_is_before_the_next_step(whole: Path) -> None:
    """What a power cut may take is what was not synchronised: nothing, once the next file is begun."""
    done, synchronised = calls(whole), set()
    pending: dict[str, str] = {}
    renames = 0
    for _, _, _, what, path, other in done:
        if what == "fsync":
            synchronised.add(path)
            pending.pop(path, None)
            continue
        if what == "open" and Path(path).name.startswith(".writing-"):
            assert not pending, f"{path} is begun while {pending} are not synchronised"
        lock = any(part.startswith((".owner-", ".writing-")) for part in Path(other or path).relative_to(whole).parts)
        if what == "os.rename" and not lock:
            renames += 1
            assert path in synchronised or Path(path).name.startswith(".new-"), path
            pending[str(Path(other).parent)] = other
        elif what == "os.mkdir" and not lock and not Path(path).name.startswith(".new-") and Path(path) != whole:
            pending[str(Path(path).parent)] = path
    assert not pending
    assert renames > 10
    for journal in ("rows.jsonl", "curve.jsonl"):
        first = next(index for index, call in enumerate(done) if call[3] == "open" and call[4].endswith(journal))
        assert [call[3] for call in done[first : first + 5]] == ["open", "write", "write", "fsync", "fsync"], journal
        assert [call[4] for call in done[first + 3 : first + 5]] == [done[first][4], str(Path(done[first][4]).parent)]


@pytest.mark.parametrize("system_locks", [True, False], ids=["locks", "no locks"])
def test_a_stopped_and_woken_owner_among_four_processes(server: RunServer, tmp_path: Path, system_locks: bool) -> None:
    """With locks the others wait for it. Without, as from another machine, it is overtaken and can write nothing."""
    suite = make_suite(tmp_path, steps=12, seeds=list(range(12 if EVERY else 4)))
    assert server.run(tmp_path / "whole", suite) == [0]
    store = tmp_path / "runs"
    period = None if system_locks else 0.25
    children = server.start(store, suite, processes=4, period=period)
    victim, claim = _stop_an_owner(store, children)
    try:
        if system_locks:
            time.sleep(1)
            assert claim.exists()
        else:
            deadline = time.monotonic() + 120
            while claim.exists():
                assert time.monotonic() < deadline, "it was not overtaken"
                time.sleep(0.02)
    finally:
        os.kill(victim, signal.SIGCONT)
    assert server.wait() == [0] * 4, server.errors.read_text()
    same(store, tmp_path / "whole")
    assert _overlaps(store) == []
    assert (f"{claim.parent} was taken over by" in server.errors.read_text()) is not system_locks
    trials = Store(store, create=False).folders()
    print(f"{len(trials)} trials by {len({call[2] for call in calls(store, 'done')})} processes, 0 overlaps")


def _stop_an_owner(store: Path, children: list[int]) -> tuple[int, Path]:
    """Stop a process that is in the middle of a training; its claim."""
    deadline = time.monotonic() + 120
    while True:
        for resume in store.glob("trials/*/resume"):
            for claim in resume.parent.glob(".owner-*"):
                with contextlib.suppress(OSError, ValueError):
                    pid = json.loads((claim / "owner.json").read_text())["pid"]
                    if pid in children:
                        os.kill(pid, signal.SIGSTOP)
                        time.sleep(0.05)  # until it stands still
                        if claim.exists():
                            return pid, claim
                        os.kill(pid, signal.SIGCONT)
        assert time.monotonic() < deadline, "nobody trains"
        time.sleep(0.002)


def _overlaps(store: Path) -> list[str]:
    """Trials in which a process wrote after another one had begun to."""
    writers: dict[str, list[int]] = defaultdict(list)
    for _, _, pid, _, path, _ in sorted(calls(store, "done"), key=lambda call: call[1]):
        parts = Path(path).relative_to(store).parts
        if parts[0] == "trials" and parts[2] != "trial.json" and writers[parts[1]][-1:] != [pid]:
            writers[parts[1]].append(pid)
    return [f"{trial}: {pids}" for trial, pids in writers.items() if len(set(pids)) < len(pids)]
