"""Plain files and folders alone: what else may lie in a store (links, pipes, devices) is never followed or opened.

A store may come from anybody. A link in it could lead to a secret that merging would copy, a pipe would make its reader
wait for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LARGEST_DOCUMENT: Final = 256 * 2**20
"""Bytes beyond which no JSON document is read: the largest that are written have some hundred kilobytes."""

_KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
)
# Without O_NONBLOCK to open a pipe is to wait for its writer; Windows has neither.
_CAREFUL: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class NotPlain(OSError):
    """A link, pipe, socket or device stands where a plain file or folder should.

    Attributes:
        kind: what stands there: ``a link``.
    """

    def __init__(self, path: Path, kind: str, wanted: str = "a plain file") -> None:
        said = f"it is {kind}, which a store must not have: expected {wanted}; it is not followed or opened, remove it"
        super().__init__(errno.EINVAL, said, str(path))
        self.kind = kind

    @staticmethod
    def what(path: Path) -> str:
        """What stands there: ``a link to /etc/passwd``, ``a pipe``, ``missing``."""
        mode = _mode(path)
        if stat.S_ISLNK(mode):
            return f"a link to {path.readlink()}"
        return kind_of(mode) if mode else "missing"


def kind_of(mode: int) -> str:
    """What a file is, by its mode: ``a file``, ``a folder``, ``a link``."""
    return next((name for test, name in _KINDS if test(mode)), "something else")


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a plain file; nothing else is followed, waited for or created.

    Args:
        path: the file; links among its parents are followed.
        flags: of ``os.open``.

    Returns:
        A descriptor, which the caller closes.

    Raises:
        NotPlain: it is a link, pipe, socket, device or folder.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | _CAREFUL, 0o666)
    except OSError as error:
        kind = _strange(path)
        raise (error if kind is None else NotPlain(path, kind)) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) or (not hasattr(os, "O_NOFOLLOW") and path.is_symlink()):
        os.close(descriptor)
        raise NotPlain(path, _strange(path) or kind_of(mode))
    return descriptor


def open_to_append(path: Path) -> int:
    """As :func:`open_plain`, to write at the end of a file, which is made if it is not there."""
    return open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def read_plain(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a plain file.

    Args:
        path: the file.
        limit: bytes that it may have at most.

    Raises:
        NotPlain: as :func:`open_plain`.
        OSError: it cannot be read, or is larger.
    """
    with os.fdopen(open_plain(path), "rb") as file:
        if limit is not None and os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"it has more than the {limit} bytes that are read of such a file", str(path))
        return file.read()


def check_folder(path: Path) -> None:
    """Refuse a folder that is a link, and one with anything in it but plain files and folders.

    Args:
        path: the folder; folders within it are not looked into.

    Raises:
        NotPlain: it, or the first such entry.
        OSError: it is missing or cannot be read.
    """
    mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise NotPlain(path, kind_of(mode), "a folder")
    with os.scandir(path) as entries:
        for entry in entries:
            if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                raise NotPlain(Path(entry.path), _strange(Path(entry.path)) or "something else")


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder and in those within it but the folders themselves; links are entries like any.

    Args:
        folder: the folder; one that is a link, or is not there, has nothing in it.

    Raises:
        OSError: a folder cannot be read.
    """
    waiting = [str(folder)] if stat.S_ISDIR(_mode(folder)) else []
    while waiting:
        try:
            entries = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue  # another process removed it
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                yield entry


def _strange(path: Path) -> str | None:
    """What stands there, if it is no plain file."""
    mode = _mode(path)
    return kind_of(mode) if mode and not stat.S_ISREG(mode) else None


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0
