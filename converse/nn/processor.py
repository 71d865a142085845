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
    which looks at the instructions and not at the maker, is ahead by as much (docs/log/performance.md). The maker is in
    the platform class by the processor's name, so equal classes have equal bits.

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
