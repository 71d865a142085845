"""Where files are found, and that nothing unverified is ever used.

Oracles: the bytes that each test writes, their SHA-256 by hashlib, and the folder of real data as it was handed over.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from converse.data.catalogue import dataset, datasets
from converse.data.local import locate, locate_files
from converse.errors import ConverseWarning, DataError
from tests.data.toy import CONTENT, fill, toy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own for each test, and no data folder from outside."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "name", sorted({name for name, one in datasets().items() if one.files} - {"bsd100", "urban100"})
)
def test_the_shared_folder_works_as_it_is(shared: Path, name: str) -> None:
    paths = locate_files(dataset(name), shared, fetch=False)
    expected = [entry.name for entry in dataset(name).files][: 1 if dataset(name).any_one else None]
    assert [path.name for path in paths] == expected


@pytest.mark.parametrize("folder", ["data/Toys", "Toy Set", "toy"])
def test_finds_a_local_folder(tmp_path: Path, folder: str) -> None:
    place = fill(tmp_path / "mine" / folder)
    assert locate_files(toy(), tmp_path / "mine", fetch=False) == [place / "a.png", place / "b.png"]


def test_the_variable_names_the_folder_and_the_option_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "one" / "toy")
    fill(tmp_path / "two" / "toy")
    monkeypatch.setenv("CONVERSE_DATA", str(tmp_path / "one"))
    assert locate_files(toy(), fetch=False)[0] == tmp_path / "one" / "toy" / "a.png"
    assert locate_files(toy(), tmp_path / "two", fetch=False)[0] == tmp_path / "two" / "toy" / "a.png"
    monkeypatch.setenv("CONVERSE_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"none \(--data-dir or CONVERSE_DATA\) is not there"):
        locate_files(toy(), fetch=False)


def test_what_a_folder_lacks_is_found_in_the_cache(tmp_path: Path, cache: Path) -> None:
    mine = fill(tmp_path / "mine" / "toy", {"b.png": CONTENT["b.png"]})
    fill(cache / "toy", {"a.png": CONTENT["a.png"]})
    assert locate_files(toy(), tmp_path / "mine", fetch=False) == [cache / "toy" / "a.png", mine / "b.png"]


@pytest.mark.parametrize("body", [b"FIRST", b"fir", b""], ids=["changed", "truncated", "empty"])
def test_a_corrupt_file_in_the_users_folder_is_refused(tmp_path: Path, cache: Path, body: bytes) -> None:
    fill(cache / "toy")  # a good copy elsewhere does not hide it
    place = fill(tmp_path / "toy", {**CONTENT, "a.png": body})
    with pytest.raises(DataError, match=r"a\.png is corrupt: expected .*, found .*; replace or remove it") as caught:
        locate_files(toy(), tmp_path, fetch=False)
    assert str(place / "a.png") in str(caught.value)
    if len(body) == 5:
        assert hashlib.sha256(b"first").hexdigest() in str(caught.value)
        assert hashlib.sha256(b"FIRST").hexdigest() in str(caught.value)


def test_a_corrupt_file_in_the_cache_is_said_and_not_used(cache: Path) -> None:
    fill(cache / "toy", {**CONTENT, "a.png": b"FIRST"})
    with (
        pytest.warns(ConverseWarning, match=r"a\.png is corrupt.*not used"),
        pytest.raises(DataError, match="1 of 2 files"),
    ):
        locate_files(toy(), fetch=False)


def test_a_missing_file_says_where_was_looked_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        locate_files(toy(), tmp_path, fetch=False)
    for part in (
        "'toy'",
        "2 of 2 files",
        "a.png",
        str(tmp_path / "data" / "Toys"),
        "converse data fetch toy",
        "--data-dir",
    ):
        assert part in str(caught.value)


def test_some_files_only(shared: Path) -> None:
    assert [path.name for path in locate("set12", shared, files=["03.png", "01.png"])] == ["01.png", "03.png"]
    with pytest.raises(DataError, match=r"unknown file of dataset 'set12' '01\.pgn': did you mean '01\.png'"):
        locate("set12", shared, files=["01.pgn"])


def test_any_one_of_alternatives_suffices(tmp_path: Path) -> None:
    one = toy(any_one=True)
    place = fill(tmp_path / "toy", {"b.png": CONTENT["b.png"]})
    assert locate_files(one, tmp_path, fetch=False) == [place / "b.png"]
    fill(tmp_path / "toy")
    assert locate_files(one, tmp_path, fetch=False) == [place / "a.png"]
    assert one.bytes == len(CONTENT["a.png"])


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "toy")

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    with pytest.raises(DataError, match=r"a\.png cannot be read: Permission denied"):
        locate_files(toy(), tmp_path, fetch=False)


def test_a_read_only_data_folder_is_enough(tmp_path: Path, shared: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shared / "kernels", copy / "kernels")
    copy.chmod(0o555)
    assert len(locate("blur_kernels", copy)) == 5
