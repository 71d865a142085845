"""Oracles: real processes, killed, forked and racing; what each of them wrote to its own file."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store, files, locks
from converse.experiments.store.files import Journal
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.locks import MISSED, OWNER_FILE, Busy, Hold, Lost, Owner, held, owner
from converse.experiments.trials import Trial

HOLD = """
import sys, time
from pathlib import Path
from converse.experiments.store.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

RACE = """
import errno, fcntl, os, sys, time
from pathlib import Path
if sys.argv[3] == "without":
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.flock = flock
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

NO_LOCKS = ["ENOTSUP", "EOPNOTSUPP", "ENOLCK", "ENOSYS", "EINVAL"]
"""What file systems without locks say."""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def foreign(folder: Path, number: int = 7, **changes: Any) -> Owner:
    """The claim of a process on another machine."""
    there = Owner(1, 1.0, "elsewhere", "another", 0.0, token="t", number=number, boot="another", locked=True)
    there = dataclasses.replace(there, **changes)
    claim = folder / f".owner-{number}"
    (claim / there.token).mkdir(parents=True)
    (claim / OWNER_FILE).write_text(json.dumps(dataclasses.asdict(there)))
    return there


def moved(path: Path, seconds: float) -> None:
    """Set a file's time as another machine's clock would."""
    now = path.stat().st_mtime
    os.utime(path, (now + seconds, now + seconds))


def without_locks(monkeypatch: pytest.MonkeyPatch, name: str = "ENOTSUP") -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_second_one_is_told_who_has_it(tmp_path: Path) -> None:
    with held(tmp_path) as hold:
        mine = hold.owner
        assert owner(tmp_path) == mine
        with pytest.raises(Busy, match=rf"being worked on by process {os.getpid()} on .* since \d{{4}}") as caught:
            held(tmp_path).__enter__()
        assert caught.value.owner == mine
        assert owner(tmp_path) == mine
    assert owner(tmp_path) is None
    assert not list(tmp_path.glob(f"**/{OWNER_FILE}"))
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
    moved(tmp_path / ".owner-1" / OWNER_FILE, -10 * MISSED * locks.PERIOD)
    with pytest.raises(Busy):
        held(tmp_path).__enter__()


def test_a_killed_process_frees_it_at_once(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".owner-1" / OWNER_FILE).exists()
    assert owner(tmp_path) is None
    with held(tmp_path) as mine:
        assert mine.owner.pid == os.getpid()


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
        "    if child == 0:\n        print(os.getpid(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        with held(tmp_path) as mine:
            assert mine.owner.pid == os.getpid()
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


def test_a_held_system_lock_is_busy_whatever_the_heartbeat_says(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    (claim,) = tmp_path.glob(".owner-*")
    claim.rename(tmp_path / "gone")
    foreign(tmp_path)
    moved(tmp_path / ".owner-7" / OWNER_FILE, -1e6)
    for _ in range(3):
        with pytest.raises(Busy):
            held(tmp_path, period=1e-6).__enter__()


@pytest.mark.parametrize("skew", [-1e5, 0, 1e5], ids=["behind", "equal", "ahead"])
def test_another_machines_heartbeat_is_respected_while_it_beats(tmp_path: Path, skew: float) -> None:
    there = foreign(tmp_path)
    path = tmp_path / ".owner-7" / OWNER_FILE
    moved(path, skew)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.02):
            moved(path, 0.02)

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        with pytest.raises(Busy) as caught:
            held(tmp_path, period=0.5).__enter__()
        assert (caught.value.owner, caught.value.silent) == (there, None)
        assert owner(tmp_path, period=0.5) == (there if skew >= 0 else None)
    finally:
        stop.set()
        beats.join()
    assert json.loads(path.read_text())["token"] == "t"


@pytest.mark.parametrize("skew", [-1e5, 0, 1e5], ids=["behind", "equal", "ahead"])
def test_another_machines_silent_owner_is_taken_over(tmp_path: Path, skew: float) -> None:
    foreign(tmp_path)
    moved(tmp_path / ".owner-7" / OWNER_FILE, skew)
    begun = time.monotonic()
    with held(tmp_path, period=0.02) as mine:
        assert time.monotonic() - begun > MISSED * 0.02
        assert mine.owner.number == 8
        assert owner(tmp_path, period=0.02) == mine.owner
        assert not (tmp_path / ".owner-7").exists()


def test_who_asks_again_anyway_is_not_kept_waiting_and_what_was_seen_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    foreign(tmp_path)
    for look in range(MISSED):
        with pytest.raises(Busy, match=rf"no sign of life within {look * 5} s") as caught:
            held(tmp_path, wait=False).__enter__()
        assert caught.value.silent == look * 5
        clock[0] += 1e6 if look == 3 else 5.0  # a pause of who watches is not held against who is watched
    with held(tmp_path, wait=False) as mine:
        assert mine.owner.number == 8


def test_another_container_of_this_system_is_dead_when_its_lock_is_free(tmp_path: Path) -> None:
    with held(tmp_path) as mine:
        here = mine.owner
    foreign(tmp_path, boot=here.boot)
    with held(tmp_path, wait=False) as mine:
        assert mine.owner.number == 8
    foreign(tmp_path, number=9, boot=here.boot, locked=False)  # it never had one
    with pytest.raises(Busy, match="no sign of life"):
        held(tmp_path, wait=False).__enter__()


def test_to_a_reader_an_owner_before_a_restart_of_the_machine_is_dead(tmp_path: Path) -> None:
    foreign(tmp_path, host=platform.node())
    assert owner(tmp_path) is None


def test_a_reader_without_a_right_to_write_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    there = foreign(tmp_path)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert owner(tmp_path, period=0.01) is None
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.01):
            moved(tmp_path / ".owner-7" / OWNER_FILE, 1)

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        assert owner(tmp_path, period=0.1) == there
    finally:
        stop.set()
        beats.join()


def test_a_process_id_used_again_is_not_the_owner(tmp_path: Path) -> None:
    with held(tmp_path) as hold:
        mine = hold.owner
    foreign(tmp_path, pid=os.getpid(), machine=mine.machine, process_started=mine.process_started - 7)
    assert owner(tmp_path) is None
    with held(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "1"}', "[" * 100_000])
@pytest.mark.parametrize("place", [".owner-7", "."], ids=["claim", "version 0.1.0"])
def test_an_owner_that_cannot_be_read_is_watched(tmp_path: Path, content: str, place: str) -> None:
    path = tmp_path / place / OWNER_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(Busy, match="another process"):
        held(tmp_path, wait=False).__enter__()
    assert owner(tmp_path) is None
    with held(tmp_path, period=0.01):
        assert not path.exists()


def test_an_owner_of_version_0_1_0_is_respected_and_replaced(tmp_path: Path) -> None:
    with held(tmp_path) as hold:
        mine = dataclasses.asdict(hold.owner)
    old = {name: mine[name] for name in ("pid", "process_started", "host", "machine", "since", "token")}
    (tmp_path / OWNER_FILE).write_text(json.dumps(old))
    with pytest.raises(Busy, match=f"process {os.getpid()} on"):
        held(tmp_path).__enter__()
    (tmp_path / OWNER_FILE).write_text(json.dumps({**old, "process_started": 7.0}))
    with held(tmp_path):
        assert not (tmp_path / OWNER_FILE).exists()


def test_the_heart_beats(tmp_path: Path) -> None:
    with held(tmp_path, period=0.02) as mine:
        path = mine.workspace.parent / OWNER_FILE
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 60
        while path.stat().st_mtime < 100:
            assert time.monotonic() < deadline, "no beat within a minute"
            time.sleep(0.01)
        assert not mine.lost


def test_numbers_only_grow(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        with held(tmp_path) as mine:
            numbers.append(mine.owner.number)
    assert numbers == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]


def test_who_looked_long_ago_takes_no_number_that_was_used_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between one process's look and its claim, another takes the same number and gives it back."""
    without_locks(monkeypatch)
    original, numbers = locks._this_process, []

    def this_process(number: int, locked: bool) -> Owner:
        with monkeypatch.context() as patch:
            patch.setattr(locks, "_this_process", original)
            with held(tmp_path) as other:
                numbers.append(other.owner.number)
        return original(number, locked)

    with monkeypatch.context() as patch:
        patch.setattr(locks, "_this_process", this_process)
        with pytest.raises(Busy):
            held(tmp_path).__enter__()
    with held(tmp_path) as mine:
        assert [*numbers, mine.owner.number] == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]


@contextlib.contextmanager
def overtaken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Hold the lock, and have another machine take it over, on a file system without locks."""
    without_locks(monkeypatch)
    monkeypatch.setattr(locks, "_machine", lambda: "this machine")
    with held(folder, period=0.02) as mine:
        mine._stop.set()  # as if the process were stopped
        mine._beats.join()
        with monkeypatch.context() as patch:
            patch.setattr(locks, "_machine", lambda: "another machine")
            with held(folder, period=0.02):
                yield mine


def test_who_was_overtaken_can_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    with overtaken(tmp_path, monkeypatch) as mine:
        new = owner(tmp_path)
        with pytest.raises(Lost, match=rf"was taken over by process {os.getpid()} on .*: this process had given no"):
            mine.check()
        assert mine.lost
        with pytest.raises(Lost):
            files.write_json(tmp_path / "a.json", {"a": 2}, mine)
        with pytest.raises(Lost):
            Journal(tmp_path / "rows.jsonl", mine).append([{"a": 1}])
        assert (tmp_path / "a.json").read_text() == '{"a": 1}'
        assert not (tmp_path / "rows.jsonl").exists()
        assert owner(tmp_path) == new
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.json"]


def test_the_rename_itself_fails_however_late_the_lock_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch)

    def write(mine: Hold) -> None:
        with files.replacing(tmp_path / "a.json", mine) as temporary:
            temporary.write_text("{}")
            mine.check()
            locks._discard(mine.workspace.parent)  # what a new owner does, between the check and the rename

    with held(tmp_path) as mine:
        with pytest.raises(Lost):
            write(mine)
        assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("moment", [1, 2], ids=["before it opens", "before it writes"])
def test_a_line_that_comes_however_late_goes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The old owner is stopped right after it has seen that it still has the lock."""
    without_locks(monkeypatch)
    folder = Store(tmp_path).folder(Trial("denoising", "DnCNN", "trained", 0, "quick", {}, {}))
    check, checks, text = Hold.check, [], {}

    def stopped(self: Hold) -> None:
        check(self)
        checks.append(self)
        if len(checks) == moment:
            monkeypatch.setattr(Hold, "check", check)
            claim = self.workspace.parent
            there = json.loads((claim / OWNER_FILE).read_text())
            (claim / OWNER_FILE).write_text(json.dumps({**there, "process_started": 1.0}))  # as if it were dead
            with TrialFolder(folder.path).lock() as new:
                assert new._hold is not None
                assert new._hold.overtook
                text.update({path: path.read_bytes() for path in folder.path.glob("*") if path.is_file()})

    with folder.lock():
        folder.journal("rows.jsonl").append([{"trial": folder.id, "value": 1.0}])
        before = (folder.path / "rows.jsonl").read_bytes()
        monkeypatch.setattr(Hold, "check", stopped)
        with contextlib.suppress(Lost):
            folder.journal("rows.jsonl").append([{"trial": folder.id, "value": 2.0}])
        assert len(checks) == moment
        with pytest.raises(Lost):
            folder.log("still here")
    assert (folder.path / "rows.jsonl").read_bytes() == before
    assert {path: path.read_bytes() for path in folder.path.glob("*") if path.is_file()} == text


def test_a_beat_finds_out_that_the_lock_is_lost(tmp_path: Path) -> None:
    with held(tmp_path, period=0.02) as mine:
        locks._discard(mine.workspace.parent)
        deadline = time.monotonic() + 60
        while not mine.lost:
            assert time.monotonic() < deadline, "no beat within a minute"
            time.sleep(0.01)


def test_an_error_of_the_disk_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(tmp_path) as mine:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", lambda *arguments, **options: (_ for _ in ()).throw(OSError(errno.EIO, "EIO")))
            with pytest.raises(StoreError, match="cannot read") as caught:
                mine.check()
        assert not isinstance(caught.value, Busy)
        mine.check()


@pytest.mark.parametrize("name", NO_LOCKS)
def test_without_system_locks_the_claim_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    without_locks(monkeypatch, name)
    with held(tmp_path) as mine:
        assert not mine.owner.locked
        with pytest.raises(Busy) as caught:
            held(tmp_path).__enter__()
        assert caught.value.owner == mine.owner
    with held(tmp_path):
        pass


@pytest.mark.parametrize("name", ["EAGAIN", "EACCES"])
def test_a_lock_that_is_held_is_not_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without_locks(monkeypatch, name)
    with pytest.raises(Busy):
        held(tmp_path).__enter__()


def test_an_error_of_the_disk_is_not_a_missing_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, "EIO")
    with pytest.raises(StoreError, match=r"cannot lock .*Input/output error"):
        held(tmp_path).__enter__()
    assert not list(tmp_path.glob(".owner-*"))


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


def test_a_stopped_owner_in_another_container_is_respected_and_a_killed_one_is_not(tmp_path: Path) -> None:
    """Oracle: a process in a process namespace of its own, whose process id says nothing here."""
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", HOLD, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], check=False).returncode:
        pytest.skip("process namespaces cannot be made here")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        (child,) = (int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        os.kill(child, signal.SIGSTOP)
        moved(tmp_path / ".owner-1" / OWNER_FILE, -1e6)
        there = json.loads((tmp_path / ".owner-1" / OWNER_FILE).read_text())
        assert there["pid"] == 1
        assert there["machine"] != locks._machine()
        for _ in range(3):
            with pytest.raises(Busy) as caught:
                held(tmp_path, period=1e-6).__enter__()
            assert caught.value.owner is not None
            assert caught.value.owner.token == there["token"]
        os.kill(child, signal.SIGKILL)
        process.wait()
        with held(tmp_path, wait=False) as mine:
            assert mine.owner.number == 2
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
