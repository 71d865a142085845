"""How much a core's own cache holds, by the system's account."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

UNKNOWN: Final = 2**20
"""In bytes, where the system does not say: as much as most cores have, or share."""

SMALLEST: Final = 2**18
LARGEST: Final = 2**22
"""In bytes. Beyond these a number is no core's second cache: several share it, or it is a first one."""

_CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")


@lru_cache(maxsize=1)
def core_cache() -> int:
    """Size of the second cache of one core, in bytes: of Linux' first core, elsewhere :data:`UNKNOWN`."""
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
