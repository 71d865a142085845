"""How the C library hands out memory while something is measured: GNU's, on Linux; another one is left as it is."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # the parameters of mallopt(3), from malloc.h

_LARGE: Final = 2**16
_MOST: Final = 2**31 - 1


def give_back_at_once() -> None:
    """From now on what is freed is the system's again: memory that a process holds is memory that it uses.

    By default the library keeps some of it, more or less by what came before, and the peak of one and the same call
    differs from process to process.
    """
    _set({_MMAP_THRESHOLD: _LARGE, _MMAP_MAX: _MOST, _TRIM_THRESHOLD: 0})


def keep() -> None:
    """From now on what is freed stays with the process, and no further call pays for fresh pages.

    By default it depends on what came before whether calls do, and one and the same call takes longer in one process
    than in another.
    """
    _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: _MOST})


def _set(parameters: dict[int, int]) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # a C library other than GNU's
        library = ctypes.CDLL(None)
        for parameter, value in parameters.items():
            library.mallopt(parameter, value)
