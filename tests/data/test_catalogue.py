"""The catalogue: committed files load, hostile and careless ones are refused, nothing unverified is ever used."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.data.catalogue import Dataset, dataset, datasets, read_dataset
from converse.data.local import locate, locate_files
from converse.errors import ConverseWarning, DataError

NAMES = {
    *("set5", "set12", "set14", "bsd68", "bsd100", "urban100", "train400", "bsds500_train", "bsds500_test"),
    *("blur_kernels", "converse_weights", "dncnn_weights", "lpips_alexnet", "skimage_train", "skimage_test"),
}
CONTENT = {"a.png": b"first", "b.png": b"second, longer"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own for each test, and no data folder from outside."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    return tmp_path / "cache"


def said(**changes: Any) -> dict[str, Any]:
    """A good TOML document as a table, with changes."""
    files = [
        {"name": name, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in CONTENT.items()
    ]
    table = {
        "title": "Toy Set",
        "kind": "images",
        "colour": "grey",
        "source": "download",
        "base_url": "http://127.0.0.1:9/",
        "folders": ["data/Toys"],
        "licence": "CC0",
        "citation": "none",
        "files": files,
    }
    return {**table, **changes}


def toy(**changes: Any) -> Dataset:
    return Dataset.model_validate({"name": "toy", **said(**changes)})


def fill(folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in content.items():
        (folder / name).write_bytes(body)
    return folder


def toml(table: dict[str, Any]) -> str:
    """Enough TOML for these tables: JSON's strings, numbers and arrays are TOML's."""

    def value(it: Any) -> str:
        if isinstance(it, dict):
            return "{ " + ", ".join(f"{key} = {value(one)}" for key, one in it.items()) + " }"
        return "[" + ", ".join(map(value, it)) + "]" if isinstance(it, list) else json.dumps(it)

    return "\n".join(f"{key} = {value(it)}" for key, it in table.items())


def test_the_committed_catalogue() -> None:
    assert set(datasets()) == NAMES
    for one in datasets().values():
        assert one.licence
        assert one.citation
        assert one.base_url.startswith("https://")
        assert any(len(part) == 40 for part in one.base_url.split("/")) or one.name == "lpips_alexnet"  # a commit


def test_the_manifests_and_the_catalogue_agree(shared: Path) -> None:
    # Oracle: the manifests that the addresses and checksums were published with.
    for path in (shared / "manifests").glob("*.json"):
        manifest, one = json.loads(path.read_text()), dataset(path.stem)
        assert one.base_url == manifest["base_url"]
        files = [{"name": entry.name, "sha256": entry.sha256, "bytes": entry.bytes} for entry in one.files]
        assert files == manifest["files"]


@pytest.mark.parametrize("name", sorted(NAMES - {"bsd100", "urban100"}))
def test_the_shared_folder_works_as_it_is(shared: Path, name: str) -> None:
    paths = locate(name, shared, fetch=False)
    expected = [entry.name for entry in dataset(name).files][: 1 if dataset(name).any_one else None]
    assert [path.name for path in paths] == expected


def test_scikit_image_says_the_same_checksums() -> None:
    # Oracle: scikit-image's own registry, which is also where the pinned address stands.
    from skimage.data._registry import registry, registry_urls

    for one in (dataset("skimage_train"), dataset("skimage_test")):
        for entry in one.files:
            assert registry[f"data/{entry.name}"] == entry.sha256
            assert registry_urls[f"data/{entry.name}"] == one.base_url + entry.name
    assert not {e.sha256 for e in dataset("skimage_train").files} & {e.sha256 for e in dataset("skimage_test").files}


def test_a_name_in_any_case_or_a_near_one() -> None:
    assert dataset("SET12") is datasets()["set12"]
    with pytest.raises(DataError, match=r"unknown dataset 'ste5': did you mean 'set5'\?"):
        dataset("ste5")


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


def one_file(**changes: Any) -> dict[str, Any]:
    return said(files=[{**said()["files"][0], **changes}])


HOSTILE = [
    *(
        "/etc/passwd",
        "../a.png",
        "..",
        ".",
        "",
        "a/b.png",
        "a\\b.png",
        "C:a.png",
        "C:\\a.png",
        "\\\\host\\a",
        "a\0.png",
    ),
    *("a\n.png", "~/..", " a.png", "a.png.", "a.png ", "a|b", "a?.png"),
]


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_a_name_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.toml"
    path.write_text(toml(one_file(name=name)))
    with pytest.raises(DataError, match=r"evil\.toml: files\.0\.name: .*not a plain file name"):
        read_dataset(path)


@given(st.text(max_size=12))
def test_an_accepted_name_stays_in_its_folder(name: str) -> None:
    # Oracle: pathlib's own resolution, on both families of systems.
    from pathlib import PurePosixPath, PureWindowsPath

    try:
        Dataset.model_validate({"name": "toy", **one_file(name=name)})
    except ValueError:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        inside = kind("folder") / name
        assert inside.parent == kind("folder")
        assert inside.name == name
        assert not kind(name).drive


MISTAKES = {
    "unknown-key": (said(adress="x"), r"adress: unknown key 'adress'"),
    "unknown-file-key": (one_file(md5="x"), r"files\.0\.md5: unknown key 'md5'.*known: bytes, download, name, sha256"),
    "no-files": (said(files=[]), "files: .*at least 1"),
    "kind": (said(kind="image"), "kind: Input should be 'images', 'kernels' or 'weights', got 'image'"),
    "short-checksum": (one_file(sha256="abc"), r"files\.0\.sha256"),
    "size-as-text": (one_file(bytes="5"), r"files\.0\.bytes: Input should be a valid integer, got '5'"),
    "no-size": (one_file(bytes=0), r"files\.0\.bytes: Input should be greater than 0"),
    "scheme": (said(base_url="file:///etc/"), r"base_url: .*not an http\(s\) address"),
    "no-slash": (said(base_url="https://x.org/a"), "base_url: .*ends in '/'"),
    "mirror": (said(mirrors=["ftp://x.org/"]), r"mirrors\.0"),
    "folder": (said(folders=["../x"]), r"folders\.0: .*plain file name"),
    "absolute-folder": (said(folders=["/x"]), r"folders\.0: .*plain file name"),
    "no-licence": (said(licence=""), "licence"),
    "no-colour": ({key: it for key, it in said().items() if key != "colour"}, "colour is given for images"),
    "twice": (said(files=[said()["files"][0], {**said()["files"][0], "name": "A.png"}]), "files named twice: a.png"),
    "name": (said(name="other"), "name: leave it out"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_catalogue_file_names_file_and_key(tmp_path: Path, case: str) -> None:
    table, message = MISTAKES[case]
    (tmp_path / "toy.toml").write_text(toml(table))
    with pytest.raises(DataError, match=f"toy\\.toml: {message}"):
        read_dataset(tmp_path / "toy.toml")


@pytest.mark.parametrize("text", ["title = ", "\xff\xfe"], ids=["syntax", "encoding"])
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "toy.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"toy\.toml cannot be read"):
        read_dataset(tmp_path / "toy.toml")


def test_a_document_written_and_read_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(toml(said(mirrors=["http://localhost/x/"])))
    assert read_dataset(tmp_path / "toy.toml") == toy(mirrors=("http://localhost/x/",))


def test_identity_is_that_of_names_and_contents() -> None:
    lines = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in CONTENT.items())
    assert toy().sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert toy(title="Other", licence="MIT").sha256 == toy().sha256
    assert one_differs().sha256 != toy().sha256


def one_differs() -> Dataset:
    return toy(files=list(reversed(said()["files"])))


def test_a_read_only_data_folder_is_enough(tmp_path: Path, shared: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shared / "kernels", copy / "kernels")
    copy.chmod(0o555)
    assert len(locate("blur_kernels", copy)) == 5
