"""A folder that may not be written, also where the tests run as root, whom permissions do not bind."""

from __future__ import annotations

import ctypes
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def heed_permissions() -> None:
    """Give up root's right to write anywhere; that to read stays, so that it does not matter where anything lies.

    For a child that is about to end. What lies in private folders (the checkout, the interpreter, TMPDIR) could not be
    reached by another user.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    version, dac_read_search = struct.pack("Ii", 0x20080522, 0), 1 << 2  # <linux/capability.h>
    has = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; twice, for 64 bits
    if libc.capget(version, has):
        raise OSError(ctypes.get_errno(), "capget")
    kept = struct.unpack("6I", has.raw)[1] & dac_read_search
    if libc.capset(version, struct.pack("6I", kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "capset")


def heeding(act: Callable[[], str]) -> str:
    """What `act` says in a child that permissions bind; the name and text of its exception if it raises one."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            heed_permissions()
            said = act()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def write_protect(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Take the right to write from a folder and all in it, until the test has ended; skip where that binds nobody."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    protected: list[Path] = []

    def protect(folder: Path) -> None:
        for path in [folder, *sorted(folder.rglob("*"))]:
            protected.append(path)
            path.chmod(0o555 if path.is_dir() else 0o444)

    def attempt() -> str:
        Path(__file__).read_bytes()
        Path(tempfile.__file__).read_bytes()
        (tmp_path / "protected" / "file").touch()
        return "written"

    (tmp_path / "protected").mkdir()
    protect(tmp_path / "protected")
    said = heeding(attempt)
    if not (said.startswith("PermissionError") and "protected" in said):
        pytest.skip(f"no child of this process can read what it needs and not write what is protected: {said}")
    yield protect
    for path in protected:
        path.chmod(0o755)


@pytest.fixture(name="heeding")
def _heeding() -> Callable[[Callable[[], str]], str]:
    return heeding
