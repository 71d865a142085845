"""The catalogue: committed files load, hostile and careless ones are refused.

Oracles: the published manifests, scikit-image's own registry, pathlib, and hashlib over names and contents.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.data.catalogue import Dataset, dataset, datasets, read_dataset
from converse.errors import DataError
from tests.data.toy import CONTENT, toy, toy_table

NAMES = {
    *("set5", "set12", "set14", "bsd68", "bsd100", "urban100", "train400", "bsds500_train", "bsds500_test"),
    *("blur_kernels", "converse_weights", "dncnn_weights", "lpips_alexnet", "skimage_train", "skimage_test"),
    *("div2k", "flickr2k", "wed"),
}


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
        assert any(len(part) == 40 for part in one.base_url.split("/")) or (  # a commit
            one.name == "lpips_alexnet" or one.contents
        )


def test_the_folders_that_users_have() -> None:
    # Oracle: the numbers of images that the papers of the datasets state.
    counts = {one.name: one.count for one in datasets().values() if one.source == "folder"}
    assert counts == {"div2k": 800, "flickr2k": 2650, "wed": 4744}


def test_the_manifests_and_the_catalogue_agree(shared: Path) -> None:
    # Oracle: the manifests that the addresses and checksums were published with.
    for path in (shared / "manifests").glob("*.json"):
        manifest, one = json.loads(path.read_text()), dataset(path.stem)
        assert one.base_url == manifest["base_url"]
        files = [{"name": entry.name, "sha256": entry.sha256, "bytes": entry.bytes} for entry in one.files]
        assert files == manifest["files"]


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


def one_file(**changes: Any) -> dict[str, Any]:
    return toy_table(files=[{**toy_table()["files"][0], **changes}])


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
    "unknown-key": (toy_table(adress="x"), r"adress: unknown key 'adress'"),
    "unknown-file-key": (
        one_file(md5="x"),
        r"files\.0\.md5: unknown key 'md5'.*known: bytes, download, fingerprint, name, part, sha256",
    ),
    "no-files": (toy_table(files=[]), 'a dataset has files, or source = "folder" and contents'),
    "folder-without-contents": (toy_table(source="folder"), 'a dataset has files, or source = "folder" and contents'),
    "kind": (toy_table(kind="image"), "kind: Input should be 'images', 'kernels' or 'weights', got 'image'"),
    "short-checksum": (one_file(sha256="abc"), r"files\.0\.sha256"),
    "size-as-text": (one_file(bytes="5"), r"files\.0\.bytes: Input should be a valid integer, got '5'"),
    "no-size": (one_file(bytes=0), r"files\.0\.bytes: Input should be greater than 0"),
    "scheme": (toy_table(base_url="file:///etc/"), r"base_url: .*not an http\(s\) address"),
    "no-slash": (toy_table(base_url="https://x.org/a"), "base_url: .*ends in '/'"),
    "mirror": (toy_table(mirrors=["ftp://x.org/"]), r"mirrors\.0"),
    "folder": (toy_table(folders=["../x"]), r"folders\.0: .*plain file name"),
    "absolute-folder": (toy_table(folders=["/x"]), r"folders\.0: .*plain file name"),
    "no-licence": (toy_table(licence=""), "licence"),
    "no-colour": ({key: it for key, it in toy_table().items() if key != "colour"}, "colour is given for images"),
    "twice": (
        toy_table(files=[toy_table()["files"][0], {**toy_table()["files"][0], "name": "A.png"}]),
        "files named twice: a.png",
    ),
    "name": (toy_table(name="other"), "name: leave it out"),
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
    (tmp_path / "toy.toml").write_text(toml(toy_table(mirrors=["http://localhost/x/"])))
    assert read_dataset(tmp_path / "toy.toml") == toy(mirrors=("http://localhost/x/",))


def test_identity_is_that_of_names_and_contents() -> None:
    lines = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in CONTENT.items())
    assert toy().sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert toy(title="Other", licence="MIT").sha256 == toy().sha256
    assert one_differs().sha256 != toy().sha256


def one_differs() -> Dataset:
    return toy(files=list(reversed(toy_table()["files"])))
