"""Oracles: sizes of arrays that are known, the account that Linux keeps of a process."""

from __future__ import annotations

import mmap
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from converse.experiments.processes import clean_context
from converse.experiments.speed import allocator

MIB = 2**20
SIZE = 24 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the account of a process is Linux's")


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE


def held(set_up: Callable[[], None], pipe: Connection) -> None:
    """Send what the process holds more after a large piece of memory was taken, filled and freed."""
    import ctypes

    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    set_up()
    before = resident()
    taken = library.malloc(ctypes.c_size_t(SIZE))
    library.memset(taken, 1, SIZE)
    with_it = resident()
    library.free(taken)
    pipe.send((with_it - before, resident() - before))


@pytest.mark.parametrize(
    ("set_up", "kept"), [(allocator.give_back_at_once, False), (allocator.keep, True)], ids=["give-back", "keep"]
)
def test_what_is_freed_is_the_systems_or_stays(set_up: Callable[[], None], kept: bool) -> None:
    mine, theirs = multiprocessing.Pipe()
    process = clean_context(()).Process(target=held, args=(set_up, theirs))
    process.start()
    taken, left = mine.recv()
    process.join()
    assert taken == pytest.approx(SIZE, rel=0.1)
    assert (left > SIZE / 2) is kept
