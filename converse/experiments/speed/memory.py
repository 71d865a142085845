"""How much memory one call takes at its peak, and a limit that turns too much of it into an error.

On a GPU both are the allocator's. On a CPU the peak is that of the process above what it held before: Linux counts it,
and can begin to count anew; where the system doesn't offer that, there is no number. The limit is one on the process's
data (``RLIMIT_DATA``): an allocation beyond it fails at once, inside the call, as an exception of torch. A limit on the
address space would count libraries and reservations that take no memory, and a watch over the resident size would come
too late for one large allocation, after which the system kills whomever it likes.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from converse.experiments.speed.timing import wait

_PROC: Final = Path("/proc/self")
_WORDS: Final = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "bad allocation")


@dataclass(frozen=True)
class Peak:
    """Memory of one call, in bytes; ``None`` where the system doesn't offer it.

    Attributes:
        allocated: peak above what was allocated before.
        reserved: what the allocator of a GPU had taken from the device at most.
    """

    allocated: int | None
    reserved: int | None = None


def peak(call: Callable[[], object], device: str) -> Peak:
    """Call once and see how much memory that takes.

    Args:
        call: what to call.
        device: where it computes.
    """
    if device.startswith("cuda"):
        wait(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        wait(device)
        return Peak(torch.cuda.max_memory_allocated(device) - before, torch.cuda.max_memory_reserved(device))
    if device != "cpu":
        call()
        return Peak(None)
    release()
    counted = _count_anew()
    resident = _status("VmRSS")
    call()
    highest = _status("VmHWM")
    if not counted or resident is None or highest is None:
        return Peak(None)
    return Peak(max(0, highest - resident))


def release() -> None:
    """Give memory that nothing uses back to the system, so that it is not taken for a baseline."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library other than GNU's
            ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def limited(limit: int | None) -> Iterator[None]:
    """Let what allocates more than so many bytes above what there is fail.

    Args:
        limit: bytes; ``None`` for no limit. Outside Linux there is none either.
    """
    held = _status("VmData") if sys.platform == "linux" and limit is not None else None
    if held is None or limit is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    hard = before[1]
    wanted = held + limit if hard == resource.RLIM_INFINITY else min(held + limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was not to be had."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


def _count_anew() -> bool:
    """Make Linux's peak of this process what is resident now."""
    try:
        (_PROC / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _status(key: str) -> int | None:
    """A line of Linux's account of this process, bytes."""
    try:
        lines = (_PROC / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
