"""How large a core's cache is. Oracle: files as Linux has them, written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.nn import core_cache as module
from converse.nn.core_cache import core_cache


def told(folder: Path, *caches: tuple[str, str, str]) -> Path:
    for number, cache in enumerate(caches):
        (folder / f"index{number}").mkdir()
        for name, value in zip(("level", "type", "size"), cache, strict=True):
            (folder / f"index{number}" / name).write_text(f"{value}\n")
    return folder


L1, L3 = ("1", "Data", "32K"), ("3", "Unified", "32768K")


@pytest.mark.parametrize(
    ("caches", "expected"),
    [
        ((L1, ("2", "Unified", "512K"), L3), 2**19),
        ((L1, ("2", "Unified", "16384K"), L3), module.LARGEST),
        ((L1, L3), module.UNKNOWN),
        ((), module.UNKNOWN),
        ((L1, ("2", "Unified", "?")), module.UNKNOWN),
    ],
)
def test_what_the_system_says_counts_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caches: tuple[tuple[str, str, str], ...], expected: int
) -> None:
    monkeypatch.setattr(module, "_CACHES", told(tmp_path, *caches))
    core_cache.cache_clear()
    assert core_cache() == expected
    core_cache.cache_clear()
