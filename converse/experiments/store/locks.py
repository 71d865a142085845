"""One process at a time: a lock that dies with its owner, and a heartbeat for where such locks do not work.

The operating system frees its lock when the owner dies, also by SIGKILL. On shared file systems such locks may be
missing, local to one machine, or left behind by a machine that crashed; so whoever owns a trial also keeps
``owner.json``, created exclusively, whose modification time it renews. That file decides who owns the trial: on one
machine it is believed as long as its process lives, from another machine as long as it is renewed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from converse.errors import StoreError
from converse.experiments.store.files import TEMPORARY, explained

PERIOD: Final = 5.0
"""Seconds between two beats."""

MISSED: Final = 12
"""An owner on another machine that has missed so many beats is dead."""

LOCK_FILE: Final = ".lock"
OWNER_FILE: Final = "owner.json"

_PROC: Final = Path("/proc/self/stat")


@dataclasses.dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        pid: process id on its machine.
        process_started: when that process began, on its machine's own scale: a process id is used again, a pair
            is not.
        host: name of its machine, for messages.
        machine: identity of its machine, boot and process namespace: where the process id can be looked up.
        since: when the lock was taken, seconds since 1970.
        token: random; says which of two owner files this is.
    """

    pid: int
    process_started: float
    host: str
    machine: str
    since: float
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {time.strftime('%Y-%m-%d %H:%M', time.localtime(self.since))}"


class Busy(StoreError):
    """A living process has the lock.

    Attributes:
        owner: who; ``None`` in the instant in which it has not said so yet.
    """

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        super().__init__(f"{folder} is being worked on by {owner or 'another process'}: wait for it, or end it")
        self.owner = owner


@contextlib.contextmanager
def held(folder: Path, *, period: float = PERIOD) -> Iterator[Owner]:
    """Hold the folder's lock inside the ``with`` block; let go whatever happens there.

    Args:
        folder: an existing folder.
        period: seconds between two beats; all who use one folder have to use the same.

    Yields:
        The owner file's content: this process.

    Raises:
        Busy: a living process has it.
        StoreError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    system_lock = FileLock(folder / LOCK_FILE)
    with contextlib.ExitStack() as stack:
        with explained(folder, "lock"):
            folder.stat()  # filelock would make the folder
            try:
                stack.enter_context(system_lock.acquire(timeout=0))
                free = True
            except (Timeout, NotImplementedError):
                free = False
        mine = _claim(folder, free, period)
        stack.callback(_disclaim, folder, mine)
        stop = threading.Event()
        beats = threading.Thread(target=_beat, args=(folder, mine, period, stop), name="converse-lock", daemon=True)
        beats.start()
        stack.callback(beats.join, timeout=period)
        stack.callback(stop.set)
        yield mine


def owner(folder: Path, *, period: float = PERIOD) -> Owner | None:
    """The living owner of the folder's lock; only reads.

    Args:
        folder: the locked folder.
        period: seconds between two beats.

    Returns:
        Who has it; ``None`` when nobody does, or a dead process.
    """
    found, age = _read(folder / OWNER_FILE)
    return found if found is not None and _alive(found, age, period) else None


def _claim(folder: Path, free: bool, period: float) -> Owner:
    """Create the owner file, if need be in the place of a dead owner's."""
    path = folder / OWNER_FILE
    found, age = _read(path)
    if found is not None and _alive(found, age, period):
        raise Busy(folder, found)
    if found is None and age is not None and age < period:
        raise Busy(folder, None)  # it is being written
    if age is None and not free:
        raise Busy(folder, None)  # its owner is between the system's lock and the owner file
    mine = _this_process()
    with explained(path, "write"):
        if age is not None:
            _remove(path, found)
        try:
            file = path.open(
                "xb", buffering=0
            )  # exclusive, also on network file systems, which may lack locks or links
        except FileExistsError:
            raise Busy(folder, _read(path)[0]) from None
        try:
            with file:
                file.write(json.dumps(dataclasses.asdict(mine)).encode())
        except OSError:
            path.unlink()
            raise
    return mine


def _disclaim(folder: Path, mine: Owner) -> None:
    if os.getpid() == mine.pid:  # a forked child leaves its parent's lock alone
        with contextlib.suppress(OSError):
            _remove(folder / OWNER_FILE, mine)


def _remove(path: Path, judged: Owner | None) -> None:
    """Remove the owner file that was judged, and not another that took its place meanwhile."""
    aside = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    now, _ = _read(aside)
    if now is not None and (judged is None or now.token != judged.token) and not path.exists():
        aside.rename(path)
    aside.unlink(missing_ok=True)


def _beat(folder: Path, mine: Owner, period: float, stop: threading.Event) -> None:
    path = folder / OWNER_FILE
    while not stop.wait(period):
        with contextlib.suppress(OSError):  # a beat that is missed now comes with the next
            found, _ = _read(path)
            if found is not None and found.token == mine.token:
                os.utime(path)  # needs no space, so it goes on when the disk is full


def _read(path: Path) -> tuple[Owner | None, float | None]:
    """The owner file's content (``None``: unreadable) and the seconds since its last beat (``None``: no file)."""
    try:
        text = path.read_bytes()
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None, None
    except OSError:
        return None, 0.0
    try:
        return Owner(**json.loads(text)), age
    except (ValueError, TypeError):
        return None, age


def _alive(found: Owner, age: float | None, period: float) -> bool:
    if found.machine == _machine():
        return _process_start(found.pid) == found.process_started
    return age is not None and age < MISSED * period


def _process_start(pid: int) -> float | None:
    """When the process began; ``None`` when it does not run."""
    if _PROC.exists():
        # Ticks since boot. psutil turns them into a date, which moves when the clock is set.
        try:
            fields = (_PROC.parent.parent / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        state, *numbers = fields.rpartition(")")[2].split()
        return None if state in "ZX" else float(numbers[18])
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _this_process() -> Owner:
    return Owner(
        pid=os.getpid(),
        process_started=_process_start(os.getpid()) or 0.0,
        host=platform.node() or "this machine",
        machine=_machine(),
        since=time.time(),
        token=secrets.token_hex(16),
    )


@lru_cache(maxsize=1)
def _machine() -> str:
    """One string per boot of a machine and process namespace: containers of one host do not see each other."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)
