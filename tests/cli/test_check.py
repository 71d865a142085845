"""``converse check`` as it is typed. Oracles: the exit status, JSON, and the file that is written."""

from __future__ import annotations

import dataclasses
import json
import re
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


Change = Callable[[str], str]


def put(before: str, after: str) -> Change:
    """The first of these in its place another text."""

    def change(text: str) -> str:
        assert before in text
        return text.replace(before, after, 1)

    return change


def held(table: str) -> Change:
    """A table ``[speed]`` beside the values."""
    return put("\n[[entries]]", f"\n[speed]\n{table}\n\n[[entries]]")


COMMIT = f'suite = "gate"\nbudget = "smoke"\nagainst = "{"0" * 40}"'
RATIO = """suite = "gate"
budget = "smoke"
rounds = 12
device = "cpu"
model = "A CPU"
torch = "2.9.0"
[[speed.cases]]
subject = "converse"
sweep = "operator"
pass = "evaluation"
channels = 4
height = 16
width = 16
ratio = 0.25
floor = 0.05
elsewhere = 0.3
"""

BROKEN: dict[str, tuple[Change, str]] = {
    "empty": (lambda text: "", ": is empty; make one with converse check broken.toml --write"),
    "only blanks": (lambda text: " \n\n", ": is empty"),
    "another encoding": (lambda text: f"\N{LATIN SMALL LETTER E WITH ACUTE}{text}", ": byte 1 is not UTF-8"),
    "cut within a table's head": (lambda text: text[: text.index("tries.tol")], ": end of document: not TOML"),
    "cut within values": (lambda text: text[: text.rindex('"b.png"')], ': [[values]] #1 "Plain": key "images": lacks'),
    "cut before values": (lambda text: text[: text.index("[[values]]")], ': key "values": missing; expected at least'),
    "a newer schema": (put("schema = 1", "schema = 2"), ': key "schema": came 2; this converse reads baselines up to'),
    "no schema": (put("schema = 1\n", ""), ': key "schema": missing'),
    "a suite that is not there": (put("gated.toml", "gone.toml"), ": key \"suite\": unknown suite 'gone.toml'"),
    "another suite": (
        put('"gated.toml"', '"gate"'),
        ": key \"suite\": suite 'gate' has none of the file's entries (Plain): the file is of another suite",
    ),
    "a task": (put('suite = "gated.toml"', 'task = "denoising"'), ": key \"task\": task 'denoising' has none"),
    "another budget": (put('"smoke"', '"paper"'), ": key \"budget\": suite 'gated': unknown budget 'paper'"),
    "other settings": (put("layers", "leyers"), ': [[entries]] #1 "Plain": key "settings": options.l'),
    "another test set": (
        put("seeds = [0]", 'seeds = [0]\ntest = ["set21"]'),
        ": key \"test[1]\": unknown dataset 'set21'",
    ),
    "another device": (put('"cpu"', '"mps"'), ": [platform]: key \"device\": device 'mps'"),
    "no device": (put('"cpu"', '"tpu"'), ': [platform]: key "device": device must be auto, cpu'),
    "NaN as a value": (
        lambda text: re.sub('"a.png" = [0-9.]+\n', '"a.png" = nan\n', text),
        ': [[values]] #1 "Plain": key "images.a.png": came nan; expected the value that was measured',
    ),
    "NaN as a tolerance": (put("mean = 0.004", "mean = nan"), 'key "tolerances.psnr.mean": came nan'),
    "NaN as a setting": (
        put('lr" = 0.01', 'lr" = nan'),
        ': [[entries]] #1 "Plain": key "settings.training.lr": came nan',
    ),
    "NaN as a number of parameters": (put("parameters = 39", "parameters = nan"), 'key "parameters": came nan'),
    "NaN as a ratio": (held(RATIO.replace("0.25", "nan")), ': key "speed.cases[1].ratio": came nan'),
    "infinite noise": (held(RATIO.replace("0.05", "inf")), ': key "speed.cases[1].floor": came inf'),
    "ratios of another device": (held(RATIO.replace('"cpu"', '"cuda"')), ': key "speed.device": came "cuda"'),
    "a suite of speed that is not there": (
        held(COMMIT.replace('"gate"', '"gat"')),
        ": key \"speed.suite\": unknown suite 'gat': did you mean 'gate'?",
    ),
    "another budget of speed": (
        held(COMMIT.replace('"smoke"', '"paper"')),
        ": key \"speed.budget\": suite of speed 'gate': unknown budget 'paper'",
    ),
    "a branch in the place of a commit": (
        held(COMMIT.replace("0" * 40, "main")),
        ': key "speed.against": came "main"; expected the full hash of a commit',
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_baseline_never_passes(
    check: Converse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It is refused before anything is measured, with file and key."""

    def begun(*given: Any, **named: Any) -> None:
        raise AssertionError("something is measured")

    for name in ("measure", "speed"):
        monkeypatch.setattr(checking, name, begun)
    change, message = BROKEN[how]
    text = (tmp_path / "baseline.toml").read_text()
    assert change(text) != text
    (tmp_path / "broken.toml").write_text(change(text), encoding="latin-1")
    status, out, err = check("broken.toml", "--format", "json")
    assert (status, out) == (2, "")
    assert err.startswith("error: broken.toml: ")
    assert message in err


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
