"""One process at a time: a lock that dies with its owner, and a numbered claim for where such locks do not work.

The operating system frees its lock when the owner dies, also by SIGKILL; who finds it held is refused. On shared file
systems such locks may be missing or local to one machine, so whoever owns a folder has a claim in it too:

```text
.lock                   the file that the operating system locks; in it, the numbers of all claims so far
.owner-7/
    owner.json          who; its modification time is renewed: the heartbeat
    <token>/            where the owner writes what then takes its place by a rename
```

A claim is made whole beside its place and renamed into it, which works for one process alone; its number is higher than
any before. Who overtakes a dead owner first has the next number, then moves the old claim away. So an owner that was
only stopped, and wakes, finds its folder gone: no rename out of it can succeed, whatever was checked before.

Clocks are not compared. An owner of this machine is looked up among its processes; one of another machine is dead when
its heartbeat has not changed for :data:`MISSED` beats, by the monotonic clock of who watches.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import platform
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from converse.errors import StoreError
from converse.experiments.store.files import TEMPORARY, explained
from converse.experiments.store.system_lock import Held, SystemLock

PERIOD: Final = 5.0
"""Seconds between two beats."""

MISSED: Final = 12
"""An owner on another machine that was watched for so many periods without a beat is dead."""

LOCK_FILE: Final = ".lock"
OWNER_FILE: Final = "owner.json"

OWN_FILES: Final = (LOCK_FILE, OWNER_FILE, ".owner-*")
"""Patterns of what locks keep in a folder: it is no part of its content."""

_CLAIM: Final = ".owner-"
_GONE: Final = {errno.ENOENT, errno.ESTALE, errno.ENOTDIR}
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
        since: when the lock was taken, seconds since 1970, for messages.
        token: random; says which of two owners this is.
        number: of the claim: higher than all before it in the same folder.
        boot: identity of its machine's boot, whatever its process namespace; empty where the system has none.
        locked: whether it has the operating system's lock.
    """

    pid: int
    process_started: float
    host: str
    machine: str
    since: float
    token: str
    number: int = 0
    boot: str = ""
    locked: bool = False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {time.strftime('%Y-%m-%d %H:%M', time.localtime(self.since))}"


class Busy(StoreError):
    """Another process has the lock.

    Attributes:
        owner: who; ``None`` in the instant in which it has not said so yet.
        silent: for how long its heartbeat has been watched without a change, seconds; ``None`` for an owner that is
            known to live.
    """

    def __init__(self, folder: Path, owner: Owner | None, silent: float | None = None) -> None:
        said = f"{folder} is being worked on by {owner or 'another process'}: wait for it, or end it"
        if silent is not None:
            said += f" (no sign of life within {silent:.0f} s of watching; it is taken for dead after a minute or so)"
        super().__init__(said)
        self.owner, self.silent = owner, silent


class Lost(Busy):
    """The lock was held and another process has taken it over: nothing can be written any more."""

    def __init__(self, folder: Path, owner: Owner | None) -> None:
        StoreError.__init__(
            self,
            f"{folder} was taken over by {owner or 'another process, which has ended since'}: this process had given "
            "no sign of life; nothing more of it is written there, and the same command continues from what is there",
        )
        self.owner, self.silent = owner, None


class Hold:
    """The lock, as its owner has it.

    Attributes:
        owner: this process.
        workspace: a folder for files that are to be renamed into the locked folder: it is gone once the lock is lost.
        overtook: whether a dead owner's claim was there: should that owner only have been stopped, it may still have
            files open, which :func:`converse.experiments.store.files.renew` takes from it.
    """

    def __init__(self, folder: Path, owner: Owner, system: SystemLock, period: float, overtook: bool) -> None:
        self._folder, self._system = folder, system
        self._claim = folder / f"{_CLAIM}{owner.number}"
        self._period = period
        self.owner, self.overtook = owner, overtook
        self.workspace = self._claim / owner.token
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="converse-lock", daemon=True)
        self._beats.start()

    @property
    def lost(self) -> bool:
        """Whether the last heartbeat found that the lock was lost: a cheap look, at most a period late."""
        return self._lost.is_set()

    def check(self) -> None:
        """See that the lock is still held.

        Raises:
            Lost: it is not.
            StoreError: the folder cannot be read.
        """
        try:
            with explained(self._folder, "read"):
                self.workspace.stat()
        except StoreError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _GONE and self._folder.exists():
                self._lost.set()
                raise Lost(self._folder, owner(self._folder)) from None
            raise

    def let_go(self) -> None:
        """End the claim, then the system's lock. A forked child leaves its parent's lock alone."""
        if os.getpid() != self.owner.pid:
            return
        self._stop.set()
        self._beats.join(self._period)
        with contextlib.suppress(OSError):
            _discard(self._claim)
        self._system.release()

    def _beat(self) -> None:
        while not self._stop.wait(self._period):
            try:
                # Needs no space, so it goes on when the disk is full.
                os.utime(self._claim / OWNER_FILE)
                self.workspace.stat()
            except OSError as error:  # any other beat that is missed comes with the next
                if error.errno in _GONE:
                    self._lost.set()
                    return


@contextlib.contextmanager
def held(folder: Path, *, period: float = PERIOD, wait: bool = True) -> Iterator[Hold]:
    """Hold the folder's lock inside the ``with`` block; let go whatever happens there.

    Args:
        folder: an existing folder.
        period: seconds between two beats; all who use one folder have to use the same.
        wait: where nobody can tell at once whether the owner lives, watch its heartbeat for up to a minute;
            ``False``: refuse, and remember what was seen for the next call.

    Yields:
        The lock.

    Raises:
        Busy: another process has it.
        StoreError: the folder cannot be written.
    """
    while True:
        try:
            hold = _take(folder, period)
            break
        except Busy as error:
            if not wait or error.silent is None:
                raise
        time.sleep(period / 5)
    try:
        yield hold
    finally:
        hold.let_go()


def owner(folder: Path, *, period: float = PERIOD) -> Owner | None:
    """The living owner of the folder's lock, for messages: it writes nothing, and decides nothing.

    An owner on another machine is believed to live if its heartbeat is not older than :data:`MISSED` periods by the
    file system's own clock; where that cannot be asked, if it beats while it is watched.

    Args:
        folder: the locked folder.
        period: seconds between two beats.

    Returns:
        Who has it; ``None`` when nobody does, or a dead process.
    """
    claim = _highest(folder)
    if claim is None or claim.owner is None:
        return None
    lives = _lives(claim.owner)
    if lives is None:
        lives = _seems_to_live(folder, claim, period)
    return claim.owner if lives else None


@dataclasses.dataclass(frozen=True)
class _Claim:
    """A claim as it lies in a folder; ``owner`` is ``None`` for one that cannot be read, ``beat`` its last beat."""

    number: int
    path: Path
    owner: Owner | None
    beat: int


_watched: Final[dict[Path, tuple[_Claim, float, float]]] = {}
"""Claims whose owners cannot be looked up: as they were, when they were looked at last, and for how long they have been
as they are, in seconds."""


def _take(folder: Path, period: float) -> Hold:
    with explained(folder, "lock"):
        folder.stat()
        try:
            system = SystemLock(folder / LOCK_FILE)
        except Held:
            claim = _highest(folder)
            known = claim is not None and claim.owner is not None and _lives(claim.owner) is not False
            raise Busy(folder, claim.owner if claim is not None and known else None) from None
        try:
            mine, overtook = _claim(folder, system, period)
            try:
                return Hold(folder, mine, system, period, overtook)
            except BaseException:
                _discard(folder / f"{_CLAIM}{mine.number}")
                raise
        except BaseException:
            system.release()
            raise


def _claim(folder: Path, system: SystemLock, period: float) -> tuple[Owner, bool]:
    """Put this process's claim into the folder; whether that was in the place of a dead owner's."""
    before = _highest(folder)
    if before is not None:
        _refuse_living(folder, before, system.works, period)
    mine = _this_process(max(before.number if before is not None else 0, system.highest()) + 1, system.works)
    place = folder / f"{_CLAIM}{mine.number}"
    draft = folder / f"{TEMPORARY}{mine.token}"
    try:
        (draft / mine.token).mkdir(parents=True)
        (draft / OWNER_FILE).write_text(json.dumps(dataclasses.asdict(mine)), encoding="utf-8")
        try:
            draft.rename(place)  # for one process alone, since a claim is never empty
        except OSError:
            if place.exists():
                raise Busy(folder, None) from None  # another process was faster
            raise
        others = _numbers(folder)
        if max(others, default=0) != mine.number or system.highest() >= mine.number:
            raise Busy(folder, None)  # overtaken already, or the number has been used and given back since the look
        system.note(mine.number)
        for lower in others:
            if lower < mine.number:
                _discard(folder / f"{_CLAIM}{lower}")
        (folder / OWNER_FILE).unlink(missing_ok=True)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(OSError):
            if (place / mine.token).exists():
                _discard(place)
        raise
    _watched.pop(folder, None)
    return mine, before is not None


def _refuse_living(folder: Path, claim: _Claim, locked: bool, period: float) -> None:
    """Raise :class:`Busy` unless the claim's owner is dead."""
    lives = None
    if claim.owner is not None:
        lives = _lives(claim.owner)
        if lives is None and locked and claim.owner.locked and claim.owner.boot == _boot() != "":
            lives = False  # it had this lock, of this system, and the system has freed it: another container
    if lives is None:
        silent, beats = _watch(folder, claim, period)
        if silent < MISSED * period:
            raise Busy(folder, claim.owner, None if beats else silent)
    elif lives:
        raise Busy(folder, claim.owner)


def _watch(folder: Path, claim: _Claim, period: float) -> tuple[float, bool]:
    """For how many seconds a claim has been as it is, and whether it was seen to change since the last look.

    Between two looks no more than a period counts, so that a pause of this process is not held against the owner.
    """
    known, looked, silent = _watched.get(folder, (None, 0.0, 0.0))
    now = time.monotonic()
    silent = silent + min(now - looked, period) if known == claim else 0.0
    _watched[folder] = (claim, now, silent)
    same = known is not None and (known.number, known.owner) == (claim.number, claim.owner)
    return silent, same and known != claim


def _discard(claim: Path) -> None:
    """Remove a claim: in one step for its owner, which finds nothing under its name any more."""
    aside = claim.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        claim.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def _numbers(folder: Path) -> list[int]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name.removeprefix(_CLAIM) for entry in entries if entry.name.startswith(_CLAIM)]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 16)


def _highest(folder: Path) -> _Claim | None:
    """The claim with the highest number; without one, that of the owner file that version 0.1.0 wrote."""
    for number in reversed(_numbers(folder)):
        if (claim := _read(number, folder / f"{_CLAIM}{number}" / OWNER_FILE)) is not None:
            return claim
    return _read(0, folder / OWNER_FILE)


def _read(number: int, path: Path) -> _Claim | None:
    """The claim in an owner file; ``None`` when there is none."""
    data, beat = b"", 0
    try:
        with path.open("rb") as file:  # opening asks a network file system anew
            data, beat = file.read(), os.fstat(file.fileno()).st_mtime_ns
    except OSError as error:
        if error.errno in _GONE and (number == 0 or not path.parent.exists()):
            return None
    return _Claim(number, path, _parsed(data), beat)


def _parsed(data: bytes) -> Owner | None:
    types = {"pid": int, "process_started": float, "since": float, "number": int, "locked": bool}
    try:
        found: dict[str, Any] = json.loads(data)
        read = Owner(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    whole = all(isinstance(getattr(read, name), (kind, int)) for name, kind in types.items())
    return read if whole and all(isinstance(value, str) for value in (read.host, read.machine, read.token)) else None


def _lives(found: Owner) -> bool | None:
    """Whether the process runs; ``None`` where it cannot be looked up from here."""
    if found.machine == _machine():
        return _process_start(found.pid) == found.process_started
    return None


def _seems_to_live(folder: Path, claim: _Claim, period: float) -> bool:
    if claim.owner is not None and claim.owner.host == platform.node() and claim.owner.boot not in ("", _boot()):
        return False  # this machine was started anew since
    with contextlib.suppress(OSError), tempfile.TemporaryFile(prefix=TEMPORARY, dir=folder) as fresh:
        age = (os.fstat(fresh.fileno()).st_mtime_ns - claim.beat) / 1e9
        if age > -MISSED * period:  # a beat in the future: such clocks say nothing
            return age < MISSED * period
    for _ in range(10):
        time.sleep(period / 5)
        if _highest(folder) != claim:
            return True
    return False


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


def _this_process(number: int, locked: bool) -> Owner:
    return Owner(
        pid=os.getpid(),
        process_started=_own_start(os.getpid()),
        host=platform.node() or "this machine",
        machine=_machine(),
        since=time.time(),
        token=secrets.token_hex(16),
        number=number,
        boot=_boot(),
        locked=locked,
    )


@lru_cache(maxsize=1)
def _own_start(pid: int) -> float:
    """When this process began; it is told its number, for a forked child has another."""
    return _process_start(pid) or 0.0


@lru_cache(maxsize=1)
def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


@lru_cache(maxsize=1)
def _machine() -> str:
    """One string per boot of a machine and process namespace: containers of one host do not see each other."""
    parts = [platform.node(), *filter(None, [_boot()])]
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)
