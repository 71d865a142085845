"""Devices: which one is meant, waiting for it, its random numbers, its memory, and running out of it.

Memory on a GPU is the allocator's. On a CPU the peak is that of the process above what it held before: Linux counts it,
and can begin to count anew; where the system doesn't offer that, there is no number. The limit is one on the process's
data (``RLIMIT_DATA``): an allocation beyond it fails at once, inside the call, as an exception of torch. A limit on the
address space would count libraries and reservations that take no memory, and a watch over the resident size would come
too late for one large allocation, after which the system kills whomever it likes.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from converse.counted import counted
from converse.errors import OptionError

OUT_OF_MEMORY: Final = "out of memory"
"""How a reason begins, and the status of a subject of speed, where memory did not suffice."""

_MOST: Final = 0.8
_PROC: Final = Path("/proc/self")
_DRIVERS: Final = tuple(map(Path, ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))
"""What there is on Linux where the driver of a GPU is loaded: NVIDIA's, AMD's, and that of Windows underneath."""
_WORDS: Final = (OUT_OF_MEMORY, "can't allocate memory", "cannot allocate memory", "bad_alloc", "bad allocation")


def resolve_device(name: str) -> str:
    """The device that a name means.

    Args:
        name: ``auto`` (a CUDA device if there is one), ``cpu``, ``mps``, ``cuda`` or ``cuda:N``.

    Raises:
        OptionError: it is none of these, or this machine has no such device.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise OptionError(f"device must be auto, cpu, mps, cuda or cuda:N, got {name!r}")
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device 'mps': torch sees no such device on this machine; use --device cpu")
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise OptionError(f"device {name!r}: this machine has {counted(torch.cuda.device_count(), 'CUDA device')}")
    return name


def device_at_a_glance(name: str) -> str | None:
    """The device that a name means, where that is known without torch; ``None`` where torch has to be asked.

    Args:
        name: ``auto``, or that of a device.
    """
    if name == "auto" and sys.platform == "linux" and not any(map(Path.exists, _DRIVERS)):
        return "cpu"
    return name if name == "cpu" else None


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was given."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def seed_generator(device: str, seed: int) -> None:
    """Seed the generator of the CPU, and that of the device."""
    import torch

    # torch.manual_seed would also note a stack trace for each kind of device that is not in use.
    torch.default_generator.manual_seed(seed)
    if device != "cpu":
        getattr(torch, device.partition(":")[0]).manual_seed(seed)


@contextmanager
def generators_put_back(device: str) -> Iterator[None]:
    """Leave the state of torch's generators as it was: that of the CPU, and that of the device."""
    import torch

    kind = device.partition(":")[0]
    with torch.random.fork_rng(device_type=kind) if kind != "cpu" else torch.random.fork_rng(devices=[]):
        yield


@dataclass(frozen=True)
class Peak:
    """Memory of one call, in bytes; ``None`` where the system doesn't offer it.

    Attributes:
        allocated: peak above what was allocated before.
        reserved: what the allocator of a GPU had taken from the device at most.
    """

    allocated: int | None
    reserved: int | None = None


def peak_memory(call: Callable[[], object], device: str) -> Peak:
    """Call once and see how much memory that takes.

    Args:
        call: what to call.
        device: where it computes.
    """
    import torch

    if device.startswith("cuda"):
        synchronise(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        synchronise(device)
        return Peak(torch.cuda.max_memory_allocated(device) - before, torch.cuda.max_memory_reserved(device))
    if device != "cpu":
        call()
        return Peak(None)
    release_memory()
    counted = _count_anew()
    resident = _status("VmRSS")
    call()
    highest = _status("VmHWM")
    if not counted or resident is None or highest is None:
        return Peak(None)
    return Peak(max(0, highest - resident))


def release_memory() -> None:
    """Give memory that nothing uses back to the system, so that it is not taken for a baseline."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library other than GNU's
            ctypes.CDLL(None).malloc_trim(0)


def most_of_memory(device: str) -> int | None:
    """Bytes that work which may take too much is given on a CPU: 80 % of what is free; ``None`` on other devices."""
    return int(_MOST * psutil.virtual_memory().available) if device == "cpu" else None


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
    import torch

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
