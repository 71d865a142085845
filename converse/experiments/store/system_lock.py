"""The operating system's lock on a file: free the moment its owner ends, also by SIGKILL.

It tells apart what ``filelock`` does not: that another process has the lock, and that the file system has no locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Final

_HELD: Final = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_NO_LOCKS: Final = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}

_open: Final[set[int]] = set()
"""Descriptors of locks that this process has."""


class Held(Exception):
    """Another process, or another part of this one, has the lock."""


class SystemLock:
    """A lock on a file, which is made if need be and stays.

    Args:
        path: the file.

    Attributes:
        works: whether the lock is had; ``False`` where the file system has no locks.

    Raises:
        Held: another process has it.
        OSError: the file cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self.works = True
        self._process = os.getpid()
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        _open.add(self._descriptor)
        try:
            _lock(self._descriptor)
        except OSError as error:
            self.works = False
            if error.errno not in _NO_LOCKS:
                self.release()
                raise (Held() if error.errno in _HELD else error) from error
        except BaseException:
            self.release()
            raise

    def highest(self) -> int:
        """The highest number that was noted in the file; 0 when there is none."""
        if self._descriptor is None:
            raise ValueError("the lock was let go")
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        lines = os.read(self._descriptor, size).split()
        return max((int(line) for line in lines if line.isdigit() and len(line) < 16), default=0)

    def note(self, number: int) -> None:
        """Add a number to the file, which nobody shortens: so the highest never falls, whoever comes late."""
        if self._descriptor is None:
            raise ValueError("the lock was let go")
        os.write(self._descriptor, f"{number}\n".encode())

    def release(self) -> None:
        """Let go. A forked child leaves its parent's lock alone: its copy of the descriptor was closed by the fork."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._process == os.getpid():
            _open.discard(descriptor)
            with contextlib.suppress(OSError):  # closing unlocks, whatever it says
                os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _close_in_child() -> None:
        # A child that outlives its killed parent would keep the lock, and one that unlocked would free its parent's.
        for descriptor in _open:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _open.clear()

    os.register_at_fork(after_in_child=_close_in_child)
