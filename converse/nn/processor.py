"""Which library's matrix products suit the processor."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import torch

Library = Literal["MKL", "oneDNN"]

_ACCOUNT: Final = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def product_library() -> Library:
    """The library that multiplies matrices on this CPU.

    Intel's MKL has its fastest kernels for Intel's processors alone, and takes slower ones on others, where oneDNN,
    which looks at the instructions and not at the maker, is ahead by as much (docs/log/performance.md). The two differ
    in last bits. The platform class has the processor's name, which mostly says the maker, though that of a virtual
    machine ("QEMU Virtual CPU") need not; and it has torch's version, though not whether that torch was built with MKL.
    So equal classes have almost always the same library; provenance has the one that was taken (``products``).

    Returns:
        ``MKL`` where torch has it and the processor is Intel's; otherwise ``oneDNN``.
    """
    return "MKL" if torch.backends.mkl.is_available() and _made_by_intel(_ACCOUNT) else "oneDNN"


def _made_by_intel(account: Path) -> bool:
    """By Linux' account, and elsewhere by what Python says."""
    try:
        lines = account.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "GenuineIntel" in platform.processor()  # Windows: "Intel64 Family 6 Model 85 Stepping 7, GenuineIntel"
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() == "GenuineIntel" for key, _, value in pairs if key.strip() == "vendor_id"), False)
