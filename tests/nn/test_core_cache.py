"""How large a core's cache is. Oracle: files as Linux has them, written here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from converse.errors import OptionError
from converse.nn import core_cache as module
from converse.nn.core_cache import core_cache


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CONVERSE_CORE_CACHE", raising=False)
    core_cache.cache_clear()
    yield
    core_cache.cache_clear()


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
    assert core_cache() == expected


def test_what_the_user_says_goes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHES", told(tmp_path, L1, ("2", "Unified", "512K")))
    monkeypatch.setenv("CONVERSE_CORE_CACHE", "1280")
    assert core_cache() == 1280 * 1024


@pytest.mark.parametrize("said", ["0", "-4", "1 MiB", "1.5"])
def test_what_is_no_size_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CORE_CACHE", said)
    with pytest.raises(OptionError, match=f"CONVERSE_CORE_CACHE={said}: expected the KiB"):
        core_cache()
