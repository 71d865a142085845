"""How much a core's own cache holds, by the system's account or the user's."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from converse.errors import OptionError

VARIABLE: Final = "CONVERSE_CORE_CACHE"
"""In KiB, where the system does not say it, or to compute as on another machine."""

UNKNOWN: Final = 2**20
"""In bytes, where the system does not say: as much as most cores have, or share."""

SMALLEST: Final = 2**18
LARGEST: Final = 2**22
"""In bytes. Beyond these a number is no core's second cache: several share it, or it is a first one."""

_CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")


@lru_cache(maxsize=1)
def core_cache() -> int:
    """Size of the second cache of one core, in bytes.

    Returns:
        What the variable :data:`VARIABLE` says; otherwise that of Linux' first core, elsewhere :data:`UNKNOWN`.

    Raises:
        OptionError: the variable holds something else than a whole number ≥ 1.
    """
    if said := os.environ.get(VARIABLE):
        if not said.isdecimal() or int(said) < 1:
            raise OptionError(f"{VARIABLE}={said}: expected the KiB of a core's second cache, such as 1024, or nothing")
        return int(said) * 1024
    return min(max(_told(_CACHES) or UNKNOWN, SMALLEST), LARGEST)


def _told(caches: Path) -> int | None:
    """What ``/sys`` says; ``None`` where it says nothing."""
    for cache in sorted(caches.glob("index*")):
        try:
            level, kind, size = (
                (cache / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")
            )
            if level == "2" and kind in ("Unified", "Data"):
                return int(size.removesuffix("K")) * 1024
        except (OSError, ValueError):
            continue
    return None
