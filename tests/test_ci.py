"""What continuous integration runs. Oracles: a command that ends as it is told, and the command line's own parser."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.test_docs import refused

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = (ROOT / "docs" / "ci" / "github.yml", ROOT / "docs" / "ci" / "gitlab.yml")

pytestmark = [
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"),
    pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="a source distribution has no .ci"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with a command that ends with the next of the statuses in a file, and says its arguments."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "check", tmp_path / ".ci" / "check")
    command = tmp_path / "converse"
    command.write_text('#!/bin/sh\necho "$@"\nread -r status rest <statuses\necho "$rest" >statuses\nexit "$status"\n')
    command.chmod(0o755)
    return tmp_path


def run(place: Path, statuses: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (place / "statuses").write_text(f"{statuses}\n")
    command = [str(place / ".ci" / "check"), str(place / "converse"), *options]
    path = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=path, timeout=60)


STATUSES = pytest.mark.parametrize(
    ("statuses", "status", "attempts"),
    [
        pytest.param("0", 0, 1, id="passed"),
        pytest.param("1", 1, 1, id="regressed"),
        pytest.param("2", 2, 1, id="broken"),
        pytest.param("3", 3, 1, id="not-measured"),
        pytest.param("4 0", 0, 2, id="inconclusive-then-passed"),
        pytest.param("4 1", 1, 2, id="inconclusive-then-regressed"),
        pytest.param("4 4", 0, 2, id="inconclusive"),
        pytest.param("130", 130, 1, id="interrupted"),
    ],
)


@STATUSES
def test_only_noise_is_tried_again(place: Path, statuses: str, status: int, attempts: int) -> None:
    done = run(place, statuses)
    assert done.returncode == status
    assert done.stdout.splitlines() == ["check benchmarks/baselines/gate.toml"] * attempts
    assert ("WARNING: converse check is INCONCLUSIVE" in done.stderr) == (statuses == "4 4")
    assert done.stderr.count("too noisy to say") == statuses.count("4")


@STATUSES
def test_the_workflow_to_copy_does_the_same(place: Path, statuses: str, status: int, attempts: int) -> None:
    text = (ROOT / "docs" / "ci" / "github.yml").read_text("utf-8")
    (script,) = re.findall(r"^( +)run: \|\n((?:\1  .*\n)+)", text, re.MULTILINE)
    (place / "statuses").write_text(f"{statuses}\n")
    (place / "step.sh").write_text(textwrap.dedent(script[1]))
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh"]  # as GitHub's runners call it
    environment = {"PATH": f"{place}:/usr/bin:/bin", "BASELINE": "my baseline.toml"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment, timeout=60)
    assert done.returncode == status, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:attempts] == ["check my baseline.toml --junit check.xml --html check.html"] * attempts
    assert (lines[attempts:] != []) == (statuses == "4 4")


def test_what_is_found_is_kept_and_options_go_on(place: Path) -> None:
    done = run(place, "0", "--against", "origin/main", CONVERSE_CHECK=str(place / "a b"))
    assert done.stdout == (
        f"check benchmarks/baselines/gate.toml --against origin/main --junit {place}/a b/check.xml "
        f"--markdown {place}/a b/check.md --html {place}/a b/check.html\n"
    )


def test_the_overview_of_github_shows_the_warning(place: Path) -> None:
    done = run(place, "4 4", GITHUB_ACTIONS="true")
    assert done.stdout.splitlines()[-1].startswith("::warning title=converse check is inconclusive::")


def test_without_the_commit_that_takes_turns_speed_is_not_checked_and_that_is_said(place: Path) -> None:
    baseline = place / "benchmarks" / "baselines" / "gate.toml"
    baseline.parent.mkdir(parents=True)
    baseline.write_text(f'[speed]\nagainst = "{"0" * 40}"\n')
    git = ["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "converse"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    done = run(place, "0", GITHUB_ACTIONS="true")
    assert done.stdout.splitlines()[-1] == "check benchmarks/baselines/gate.toml --part quality"
    assert "::warning title=converse check has no speed::" in done.stdout
    assert "time and memory are NOT CHECKED" in done.stderr
    # What was asked for is asked for.
    assert run(place, "0", "--against", "main").stdout == "check benchmarks/baselines/gate.toml --against main\n"
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    baseline.write_text(f'[speed]\nagainst = "{head}"\n')
    done = run(place, "0")
    assert (done.stdout, done.stderr) == ("check benchmarks/baselines/gate.toml\n", "")


@pytest.mark.parametrize("file", WORKFLOWS, ids=[file.name for file in WORKFLOWS])
def test_commands_of_workflows_are_commands(file: Path) -> None:
    lines = [line.strip().removeprefix("- ") for line in file.read_text("utf-8").splitlines()]
    commands = [line.partition("||")[0] for line in lines if line.startswith("converse ")]
    commands = [line for line in commands if not line.endswith(":")]  # the name of a job
    assert commands
    for command in commands:
        assert refused(shlex.split(command.replace('"$BASELINE"', "gate.toml"))[1:]) is None, command


def test_the_container_has_the_system_packages_of_the_gate() -> None:
    packages = re.compile(r"\b(?:chromium|poppler-utils|texlive-[\w-]+|lmodern)\b")
    gate, recipe = (set(packages.findall((ROOT / name).read_text("utf-8"))) for name in (".ci/run", "Containerfile"))
    assert gate == recipe
    assert len(gate) == 7
