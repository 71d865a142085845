"""``converse check`` as it is typed. Oracles: the exit status, JSON, and the file that is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converse.workflows import check_write
from tests.workflows.gated import edited, gated

Converse = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    gated(folder)
    return folder


@pytest.fixture
def check(project: Path, converse: Converse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Converse:
    """The command with a baseline at hand; no other machines are played."""
    shutil.copytree(project, tmp_path, ignore=shutil.ignore_patterns("made"), dirs_exist_ok=True)
    monkeypatch.setattr(check_write, "playable", lambda threads, capability: [])

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
