"""``converse data``: what it prints, where it finds things, and with which status it ends."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from converse.cli.data import data
from converse.data.catalogue import datasets
from converse.data.local import find
from converse.errors import DataError, NotAtHand, OptionError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no data folder from outside, and a wide terminal."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "cache"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command as the entry point does; gives status and standard output."""

    def call(*arguments: object) -> tuple[int, str]:
        status = data([str(argument) for argument in arguments], standalone_mode=False)
        return int(status or 0), capsys.readouterr().out

    return call


@pytest.fixture
def kernels(tmp_path: Path, shared: Path) -> Path:
    """A data folder with the blur kernels alone, which a test may damage."""
    shutil.copytree(shared / "kernels", tmp_path / "mine" / "kernels", copy_function=shutil.copyfile)
    (tmp_path / "mine" / "kernels").chmod(0o755)
    return tmp_path / "mine"


def test_list_without_anything(run: Any) -> None:
    status, out = run("list")
    lines = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert status == 0
    assert len(lines) == 18
    assert "0/12" in lines["set12"]
    assert "absent" in lines["set12"]
    assert "scikit-image" in lines["skimage_test"]
    assert "3/3" in lines["skimage_test"]


def test_list_as_documents(run: Any, shared: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--data-dir", shared, "--format", "json")[1])}
    table = {
        row["name"]: row for row in csv.DictReader(io.StringIO(run("list", "--data-dir", shared, "--format", "csv")[1]))
    }
    assert rows.keys() == table.keys()
    for row in (rows["set12"], table["set12"]):
        assert row["where"] == "data-dir"
        assert row["folder"] == str(shared / "data" / "Set12")
        assert int(row["present"]) == int(row["files"]) == 12
    assert (rows["urban100"]["where"], rows["urban100"]["folder"]) == ("absent", None)
    assert (rows["lpips_alexnet"]["files"], rows["lpips_alexnet"]["present"]) == (1, 1)


def test_a_folder_that_the_user_has(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = datasets()["div2k"].contents
    assert contents is not None
    small = datasets()["div2k"].model_copy(update={"contents": contents.model_copy(update={"count": 2})})
    monkeypatch.setattr("converse.data.catalogue.datasets", lambda: {"div2k": small})
    folder = tmp_path / "mine" / "DIV2K_train_HR"
    folder.mkdir(parents=True)

    def state() -> tuple[int, str, int, str, str]:
        status, out = run("verify", "div2k", "--data-dir", tmp_path / "mine", "--format", "json")
        (checked,) = json.loads(out)
        (row,) = json.loads(run("list", "--data-dir", tmp_path / "mine", "--format", "json")[1])
        return status, checked["state"], row["present"], row["where"], " ".join(checked["corrupt"])

    assert state()[:4] == (1, "corrupt", 0, "absent")
    for name, size in (("0001.png", (2040, 4)), ("0002.png", (1020, 4))):
        Image.new("L", size).save(folder / name)
    status, found, present, where, wrong = state()
    assert (status, found, present, where) == (1, "corrupt", 2, "data-dir")
    assert "0002.png is 4×1020 pixels: expected a side of at least 1500; is it a smaller copy of the dataset?" in wrong
    Image.new("L", (4, 2040)).save(folder / "0002.png")
    assert state() == (0, "good", 2, "data-dir", "")
    assert run("fetch", "div2k", "--data-dir", tmp_path / "mine")[0] == 0
    (folder / "0001.png").unlink()
    status, found, present, where, wrong = state()
    assert (status, found, present, where) == (1, "corrupt", 1, "data-dir (incomplete)")
    assert "is not DIV2K: expected 2 files whose names end in .png, found 1; converse does not download it" in wrong


def test_a_folder_that_the_user_has_not(run: Any) -> None:
    with pytest.raises(NotAtHand, match=r"'wed' is not on this machine .*: get the 4,744 images \(https:.*--data-dir"):
        run("fetch", "wed")
    (row,) = (one for one in json.loads(run("verify", "wed", "--format", "json")[1]))
    assert (row["state"], row["files"], row["verified"]) == ("absent", 4744, 0)


def test_list_tells_what_is_incomplete(run: Any, kernels: Path) -> None:
    (kernels / "kernels" / "kernel_2.npy").unlink()
    row = next(
        r for r in json.loads(run("list", "--data-dir", kernels, "--format", "json")[1]) if r["name"] == "blur_kernels"
    )
    assert (row["where"], row["present"], row["files"]) == ("data-dir (incomplete)", 4, 5)


def test_verify_names_what_is_corrupt_and_missing(run: Any, kernels: Path) -> None:
    assert run("verify", "blur_kernels", "--data-dir", kernels)[0] == 0
    (kernels / "kernels" / "kernel_2.npy").unlink()
    status, out = run("verify", "BLUR_KERNELS", "--data-dir", kernels)
    assert status == 0
    assert "incomplete" in out
    assert "kernel_2.npy is missing" in out
    broken = kernels / "kernels" / "kernel_4.npy"
    broken.write_bytes(bytes(broken.stat().st_size))
    status, out = run("verify", "blur_kernels", "--data-dir", kernels, "--format", "json")
    row = json.loads(out)[0]
    assert status == 1
    assert (row["state"], row["verified"], row["missing"]) == ("corrupt", 3, ["kernel_2.npy"])
    assert str(broken) in row["corrupt"][0]


def test_verify_everything(run: Any, shared: Path) -> None:
    status, out = run("verify", "--data-dir", shared, "--format", "json")
    assert status == 0
    states = {row["dataset"]: row["state"] for row in json.loads(out)}
    # Oracle: the folder itself; which sets lie in it differs from one machine to another.
    enough = {True: any, False: all}
    here = {
        name
        for name, one in datasets().items()
        if one.files and enough[one.any_one](find(one, entry, shared) for entry in one.files)
    }
    assert {name for name, state in states.items() if state == "good"} >= here
    assert set(states) - here <= {"bsd100", "urban100", "div2k", "flickr2k", "wed"}
    assert all(states[name] == "absent" for name in set(states) - here)


def test_verify_with_nothing_found(run: Any) -> None:
    status, out = run("verify", "set5", "set12")
    assert status == 3
    assert "absent" in out


def test_fetch_says_where_things_are(run: Any, shared: Path) -> None:
    status, out = run("fetch", "Set12", "blur_kernels", "--data-dir", shared)
    assert status == 0
    assert out.splitlines() == [
        f"set12: 12 files in {shared / 'data' / 'Set12'}",
        f"blur_kernels: 5 files in {shared / 'kernels'}",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("fetch",), OptionError, "name the datasets to fetch, or give --all"),
        (("fetch", "set5", "--all"), OptionError, "name the datasets"),
        (("fetch", "set55"), DataError, "did you mean 'set5'"),
        (("verify", "set55"), DataError, "did you mean 'set5'"),
        (("list", "--data-dir", "/nowhere"), DataError, "/nowhere .*is not there"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes(run: Any, arguments: tuple[str, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(*arguments)
