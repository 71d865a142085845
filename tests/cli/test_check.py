"""``converse check`` as it is typed. Oracles: the exit status, JSON, and the file that is written."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converse.workflows import check as checking
from converse.workflows import check_write
from converse.workflows.check_measured import measure
from tests.workflows.gated import edited, gated

Converse = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    gated(folder)
    return folder


@pytest.fixture
def check(project: Path, converse: Converse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Converse:
    """The command with a baseline at hand. No other machines are played: tests of ``check_write`` do."""
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)

    def measured_here(request: Any, trials: Any, provisional: Any, place: Path, progress: Any) -> Any:
        return measure(dataclasses.replace(trials, store=place / "again"), None, progress), {}

    monkeypatch.setattr(check_write, "_elsewhere", measured_here)

    def call(*words: str) -> tuple[int, str, str]:
        return converse("check", *words)

    return call


def test_passed_and_regressed(check: Converse, tmp_path: Path) -> None:
    status, out, err = check("baseline.toml")
    assert status == 0
    assert "[1/1] Plain seed 0: done" in err
    assert "trials:" not in err  # the temporary ones are gone
    status, out, err = check(edited(tmp_path, "b.png", 0.01).name, "--store", "kept", "--format", "json")
    assert status == 1
    document = json.loads(out)
    assert (document["answer"], document["exit_status"]) == ("regressed", 1)
    assert {one["outcome"] for one in document["findings"]} == {"passed", "regressed", "extra"}
    assert "trials: kept" in err


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """The folders of checks that lie in the system's folder for temporary files, which is one of our own."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return lambda: sorted(place.glob("converse-check-*"))


def test_an_interruption_says_where_it_goes_on(
    check: Converse, temporary: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checking, "quality", stopped)  # what is measured is finished
        status, out, err = check("baseline.toml")
    (folder,) = temporary()
    rows = next(folder.glob("trials/*/rows.parquet"))
    before = rows.stat().st_mtime_ns
    assert (status, out) == (130, "")
    assert err.splitlines()[-2:] == [
        "interrupted",
        f"what was finished is kept in {folder}; the same command with --store {folder} goes on there",
    ]
    status, out, err = check("baseline.toml", "--store", str(folder))
    assert (status, rows.stat().st_mtime_ns) == (0, before)  # nothing was measured again
    shutil.rmtree(folder)
    with monkeypatch.context() as patch:
        patch.setattr(checking, "measure", stopped)  # nothing is
        status, out, err = check("baseline.toml")
    assert (status, err.splitlines()) == (130, ["interrupted"])
    assert temporary() == []


def test_what_ends_early_leaves_no_temporary_folder(
    check: Converse, temporary: Callable[[], list[Path]], tmp_path: Path
) -> None:
    suite = tmp_path / "gated.toml"
    suite.write_text(suite.read_text().replace('"./test"', '"wed"'))
    assert check("baseline.toml")[0] == 3  # nothing was measured
    suite.write_text("schema = 0")
    assert check("baseline.toml")[0] == 2
    assert temporary() == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("none.toml",), 2, "none.toml: cannot be read: No such file"),
        (("baseline.toml", "--part", "speeds"), 2, "--part: unknown part 'speeds': did you mean 'speed'?"),
        (("baseline.toml", "--format", "csv"), 2, "--format table or --format json"),
        (("baseline.toml", "--only", "Plane"), 2, "did you mean 'Plain'"),
        (("baseline.toml", "--from", "none"), 2, "no store at none"),
        (("baseline.toml", "--seeds", "0"), 2, "--seeds: only with --write"),
        (("baseline.toml", "--accept"), 2, "--accept: only with --write"),
        (("baseline.toml", "--write", "--html", "x.html"), 2, "--html: not with --write, which compares nothing"),
        (("baseline.toml", "--write", "--from", "runs"), 2, "--from is not for --write"),
        (("baseline.toml", "--write", "--store", "runs"), 2, "--store is not for --write"),
        (("new.toml", "--write"), 2, "new.toml is not there yet: say what it is to hold"),
    ],
)
def test_mistakes(check: Converse, words: tuple[str, ...], status: int, message: str) -> None:
    found, out, err = check(*words)
    assert (found, out) == (status, "")
    assert message in err


def test_an_empty_baseline_never_passes(check: Converse, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    status, out, err = check("empty.toml")
    assert (status, out) == (2, "")
    assert "empty.toml: is empty; make one with converse check empty.toml --write" in err


def test_renewing_shows_what_changes_and_refuses_what_is_worse(check: Converse, tmp_path: Path) -> None:
    def write(*words: str) -> tuple[int, Any]:
        status, out, _ = check(*words, "--write", "--format", "json")
        return status, json.loads(out)

    status, found = write("baseline.toml", "--accept")
    assert (status, found["written"], found["refused"]) == (0, True, False)
    file = edited(tmp_path, "b.png", 0.01)
    before = file.read_bytes()
    status, found = write(file.name)
    assert (status, found["written"], found["refused"]) == (1, False, True)
    assert [one["what"] for one in found["changes"]] == ["Plain, test, psnr"]
    assert file.read_bytes() == before
    status, out, _ = check(file.name, "--write", "--accept")
    assert status == 0
    assert "Plain, test, psnr" in out
    assert out.splitlines()[-1] == f"written: {file.name}"
    assert file.read_bytes() == (tmp_path / "baseline.toml").read_bytes()
    status, out, _ = check(file.name, "--write")
    assert (status, out) == (0, f"unchanged: {file.name}\n")
