"""The tutorials and their operators, as a new user tries them. Oracle: what the pages say that is seen."""

from __future__ import annotations

import os
import re
import runpy
import shlex
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import converse
from converse.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples" / "operators"
PAGE = (ROOT / "docs" / "tutorials" / "own-operator.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.split("\n")
    if line
]
TRAINS = [command for command in COMMANDS if "compare" in command and "--dry-run" not in command]
SOUND = {
    "global_filter": "GlobalFilter",
    "large_kernel": "LargeKernel",
    "richardson_lucy": "RichardsonLucy",
    "involution": "Involution",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return tmp_path


def typed(command: str) -> tuple[int, str]:
    program, *words = shlex.split(command)
    assert program == "converse"
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.stdout


def test_every_example_is_on_the_page_and_tried() -> None:
    names = {file.stem for file in EXAMPLES.glob("*.py")}
    assert names == {*SOUND, "wiener", "broken"}
    assert set(re.findall(r"`docs/examples/operators/(\w+)\.py`", PAGE)) == names


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_operator_passes(name: str) -> None:
    answer = converse.verify(f"{EXAMPLES / name}.py:{SOUND[name]}", threads=1, progress=False)
    assert answer.passed, answer.verified.failed


def test_commands_of_the_page_do_what_it_says(here: Path) -> None:
    wiener, broken, forecast, *trains = COMMANDS
    assert trains == TRAINS
    status, out = typed(wiener)
    assert status == 0, out
    assert "As an inverse, measured and not judged:" in out
    status, out = typed(broken)
    assert status == 1
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in shown.splitlines():
        assert line.removesuffix(" …") in out
    assert set(re.findall(r"^✗ (.*)$", shown, re.MULTILINE)) == set(
        re.findall(r"^✗ ((?!failed).*)$", out, re.MULTILINE)
    )
    status, out = typed(forecast)
    assert status == 0
    assert "Converse-DnCNN: Wiener" in out
    assert not (here / "runs").exists()


@pytest.mark.slow
@pytest.mark.skipif("CONVERSE_WHOLE" not in os.environ, reason="trainings of a minute: CONVERSE_WHOLE=1")
@pytest.mark.parametrize("command", TRAINS)
def test_trainings_of_the_page(here: Path, command: str) -> None:
    status, out = typed(command)
    assert status == 0, out
    assert re.search(r"Wiener is (better|equal|worse|undecided)", out)
    assert list(here.glob("runs/compare/*/index.html"))


def test_what_a_network_costs_can_be_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = str(ROOT / "benchmarks" / "speed" / "upsampling_in_a_network.py")
    monkeypatch.setattr("sys.argv", [script, "--features", "2", "--blocks", "1", "--size", "16", "--rounds", "2"])
    threads = torch.get_num_threads()
    runpy.run_path(script, run_name="__main__")
    torch.set_num_threads(threads)
    rows = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    page = (ROOT / "docs" / "tutorials" / "own-network.md").read_text("utf-8")
    assert len(rows) == 5
    assert all(f"\n| {row} |" in page for row in rows if row != "---")
