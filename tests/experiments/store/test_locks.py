"""Oracles: real processes, killed, forked and racing; what each of them wrote to its own file."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import locks
from converse.experiments.store.locks import MISSED, OWNER_FILE, Busy, Owner, held, owner

PERIOD = 60.0  # so long that no pause of a busy machine counts as a missed beat

HOLD = """
import sys, time
from pathlib import Path
from converse.experiments.store.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

RACE = """
import contextlib, sys, time
from pathlib import Path
import filelock
if sys.argv[3] == "without":
    class NoLock:
        def __init__(self, path): pass
        def acquire(self, timeout): return contextlib.nullcontext()
    filelock.FileLock = NoLock
from converse.experiments.store.locks import Busy, held
root, mine = Path(sys.argv[1]), Path(sys.argv[2])
while not (root / "go").exists():
    time.sleep(0.001)
while any(not (folder / "done").exists() for folder in root.glob("trial*")):
    for folder in sorted(root.glob("trial*")):
        try:
            with held(folder):
                if not (folder / "done").exists():
                    time.sleep(0.01)
                    with mine.open("a") as file:
                        file.write(folder.name + "\\n")
                    (folder / "done").touch()
        except Busy:
            pass
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def foreign(folder: Path, age: float, **changes: Any) -> Owner:
    """The owner file of a process on another machine, last renewed ``age`` seconds ago."""
    there = Owner(pid=1, process_started=1.0, host="elsewhere", machine="another", since=0.0, token="t")
    there = dataclasses.replace(there, **changes)
    path = folder / OWNER_FILE
    path.write_text(json.dumps(dataclasses.asdict(there)))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return there


def test_a_second_one_is_told_who_has_it(tmp_path: Path) -> None:
    with held(tmp_path) as mine:
        assert owner(tmp_path) == mine
        with pytest.raises(Busy, match=rf"being worked on by process {os.getpid()} on .* since \d{{4}}") as caught:
            held(tmp_path).__enter__()
        assert caught.value.owner == mine
        assert owner(tmp_path) == mine
    assert owner(tmp_path) is None
    assert not (tmp_path / OWNER_FILE).exists()
    with held(tmp_path):
        pass


def test_a_second_thread_is_refused(tmp_path: Path) -> None:
    found: list[bool] = []

    def attempt() -> None:
        try:
            with held(tmp_path):
                found.append(True)
        except Busy:
            found.append(False)

    with held(tmp_path):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert found == [False]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_lets_go(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), held(tmp_path):
        raise error
    with held(tmp_path):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "converse-lock"]


def test_a_living_process_is_respected(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(Busy) as caught:
        held(tmp_path).__enter__()
    assert caught.value.owner is not None
    assert caught.value.owner.pid == holder.pid


def test_a_suspended_process_is_respected(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    moment = time.time() - 10 * MISSED * locks.PERIOD
    os.utime(tmp_path / OWNER_FILE, (moment, moment))
    with pytest.raises(Busy):
        held(tmp_path).__enter__()


def test_a_killed_process_frees_it_at_once(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / OWNER_FILE).exists()
    assert owner(tmp_path) is None
    with held(tmp_path) as mine:
        assert mine.pid == os.getpid()


def test_a_killed_process_that_nobody_has_waited_for_is_dead(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert owner(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_orphan_with_the_descriptor_does_not_keep_it(tmp_path: Path) -> None:
    """A forked child, a loader of images perhaps, inherits the lock's descriptor and outlives its killed parent."""
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom converse.experiments.store.locks import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(60)\n"
        "    print(child, flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        with held(tmp_path) as mine:
            assert mine.pid == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_its_parents_lock_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys, subprocess\nfrom pathlib import Path\n"
        "from converse.experiments.store.locks import Busy, held\n"
        "try:\n"
        "    with held(Path(sys.argv[1])):\n"
        "        parent = os.getpid()\n"
        "        if os.fork() == 0:\n"
        "            sys.exit(0)\n"  # leaves the with block in the child
        "        os.wait()\n"
        "        again = 'from pathlib import Path; import sys; from converse.experiments.store.locks import held\\n'\n"
        "        again += 'with held(Path(sys.argv[1])): print(\"stolen\")'\n"
        "        done = subprocess.run([sys.executable, '-c', again, sys.argv[1]], capture_output=True, text=True)\n"
        "        print('Busy' in done.stderr, done.stdout)\n"
        "finally:\n    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_another_machines_heartbeat_is_respected_while_it_beats(tmp_path: Path) -> None:
    there = foreign(tmp_path, age=MISSED * PERIOD / 2)
    assert owner(tmp_path, period=PERIOD) == there
    with pytest.raises(Busy) as caught:
        held(tmp_path, period=PERIOD).__enter__()
    assert caught.value.owner == there
    assert json.loads((tmp_path / OWNER_FILE).read_text())["token"] == "t"


def test_another_machines_stale_heartbeat_is_taken_over(tmp_path: Path) -> None:
    foreign(tmp_path, age=MISSED * PERIOD * 2)
    assert owner(tmp_path, period=PERIOD) is None
    with held(tmp_path, period=PERIOD) as mine:
        assert owner(tmp_path, period=PERIOD) == mine


def test_another_machines_stale_heartbeat_with_its_system_lock_still_held(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    """A network file system may keep the lock of a machine that crashed: ``holder`` plays the file server."""
    foreign(tmp_path, age=MISSED * PERIOD * 2)
    with held(tmp_path, period=PERIOD) as mine:
        assert owner(tmp_path, period=PERIOD) == mine


def test_a_process_id_used_again_is_not_the_owner(tmp_path: Path) -> None:
    with held(tmp_path) as mine:
        pass
    foreign(tmp_path, age=0, pid=os.getpid(), machine=mine.machine, process_started=mine.process_started - 7)
    assert owner(tmp_path) is None
    with held(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_torn_owner_file_is_waited_for_one_beat(tmp_path: Path, content: str) -> None:
    path = tmp_path / OWNER_FILE
    path.write_text(content)
    with pytest.raises(Busy, match="another process"):
        held(tmp_path, period=PERIOD).__enter__()
    os.utime(path, (0, time.time() - 2 * PERIOD))
    with held(tmp_path, period=PERIOD):
        pass


def test_the_heart_beats(tmp_path: Path) -> None:
    with held(tmp_path, period=0.02):
        os.utime(tmp_path / OWNER_FILE, (0, 0))
        deadline = time.monotonic() + 60
        while (tmp_path / OWNER_FILE).stat().st_mtime < time.time() - 100:
            assert time.monotonic() < deadline, "no beat within a minute"
            time.sleep(0.01)


def test_who_lost_it_neither_renews_nor_removes_the_new_owners_file(tmp_path: Path) -> None:
    with held(tmp_path, period=0.02):
        foreign(tmp_path, age=1000, token="new")
        time.sleep(0.1)  # a beat that had begun before may still have renewed it
        os.utime(tmp_path / OWNER_FILE, (0, time.time() - 1000))
        time.sleep(0.2)
        assert (tmp_path / OWNER_FILE).stat().st_mtime < time.time() - 900
    assert json.loads((tmp_path / OWNER_FILE).read_text())["token"] == "new"


@pytest.mark.parametrize("system_locks", ["with", "without"])
def test_two_processes_do_each_of_twenty_trials_once(tmp_path: Path, system_locks: str) -> None:
    root = tmp_path / "store"
    for number in range(20):
        (root / f"trial{number:02}").mkdir(parents=True)
    files = [tmp_path / "one", tmp_path / "other"]
    racers = [subprocess.Popen([sys.executable, "-c", RACE, str(root), str(file), system_locks]) for file in files]
    time.sleep(0.3)  # both wait by then, or else one comes later
    (root / "go").touch()
    assert [racer.wait(timeout=300) for racer in racers] == [0, 0]
    done = [name for file in files if file.exists() for name in file.read_text().split()]
    assert sorted(done) == [f"trial{number:02}" for number in range(20)]


def test_a_missing_folder_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot lock"):
        held(tmp_path / "nowhere").__enter__()
