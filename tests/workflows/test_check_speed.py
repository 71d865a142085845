"""Oracles: versions of the package in which something was planted; made-up ratios."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import converse
from converse.analysis.gate.baseline import read_baseline
from converse.analysis.gate.findings import NOT_MEASURED, REGRESSED, Finding
from converse.analysis.gate.timing import Bounds, Held
from converse.errors import OptionError
from converse.experiments.store import Store
from converse.workflows import check_speed as module
from converse.workflows.check import check
from converse.workflows.check_request import CheckRequest
from converse.workflows.check_speed import check_other
from converse.workflows.check_write import WriteRequest, write
from converse.workflows.other_version import OtherVersion, other_version
from converse.workflows.speed_rounds import SpeedGate, speed_gate
from converse.workflows.work import Progress
from tests.workflows.gated import gated

PACKAGE = Path(converse.__file__).parent
SLEEP = "        __import__('time').sleep(0.01)\n"


def planted(folder: Path, file: str, change: Callable[[str], str]) -> str:
    """A version of the package of which one file is different."""
    shutil.copytree(PACKAGE / "nn", folder / "converse" / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "converse" / "nn" / file
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    return str(folder)


def slow(source: str) -> str:
    """Converse2D with a sleep in each call."""
    forward = source.index("    def forward(self", source.index("class Converse2D"))
    body = source.index('"""\n', source.index('"""', forward) + 3) + 4
    return source[:body] + SLEEP + source[body:]


SUITE = """
schema = 1
name = "small"
title = "One small case"

[[sweeps]]
name = "operator"
title = "The operator"
subjects = ["yardstick", "converse"]
passes = ["evaluation"]
vary = "size"
values = [32]
channels = 16

[budgets.smoke]
turns = 2
turn_seconds = 0.005
case_seconds = 60
steady = true
"""


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite of speed of one small case."""
    (tmp_path / "small.toml").write_text(SUITE)
    return str(tmp_path / "small.toml")


@pytest.fixture
def gate(suite: str) -> SpeedGate:
    return speed_gate(suite, "smoke", "cpu")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def said(held: tuple[Held, ...]) -> dict[str, Finding]:
    return {one.finding.aspect: one.finding for one in held}


def test_two_versions_take_turns_and_the_slower_one_is_found(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    told: list[Progress] = []
    after = planted(tmp_path / "after", "operators.py", slow)
    # What is slow is the other one here: this version is then better, and in no case worse.
    with other_version(after) as other:
        found = check_other(gate, other, None, store, 300.0, told.append, "look")
    assert found.count == 5
    time = said(found.held)["time"]
    assert (time.outcome, time.subject, time.unit) == ("better", "converse", "ms")
    assert isinstance(time.before, float)
    assert time.before > 10
    assert said(found.held)["memory"].outcome == "passed"
    assert [one.trial for one in told if one.done == 0] == [1, 2, 3, 4, 5]
    assert len(store.speed.runs()) == 5


def test_a_version_that_does_not_fit(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    other = planted(tmp_path / "old", "complexity.py", lambda source: source.replace("def complexity(", "def count("))
    with (
        other_version(other) as version,
        pytest.raises(OptionError, match=r"its converse does not fit .*: ImportError"),
    ):
        check_other(gate, version, None, store, 60.0, lambda step: None, "")
    assert len(store.speed.runs()) == 1


def test_a_version_without_anything_to_measure(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    empty = OtherVersion("main", tmp_path, None)
    for operator, what in ((None, "it has no converse, so"), ("mine.py:Mine", "neither a converse nor mine.py:Mine")):
        with pytest.raises(OptionError, match=what):
            check_other(gate, empty, operator, store, 60.0, lambda step: None, "")


@pytest.fixture
def folder(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline without speed beside a suite of speed, in a folder that is not the working one."""
    gated(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_ratios_are_kept_in_a_baseline_and_found_again(
    folder: Path, suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITTEN", 5)  # as few as make a case
    monkeypatch.setattr(module, "PLAYED", 1)
    monkeypatch.setattr(module, "BOUNDS", {"time": Bounds(0.05, math.inf)})  # from so few, on a machine so busy
    file = folder / "baseline.toml"
    told: list[Progress] = []
    before = read_baseline(file)
    done = write(WriteRequest(file, parts=("speed",), speed_suite=suite, speed_budget="smoke"), told.append)
    assert done.written
    assert [(one.what, one.loosens) for one in done.changes or ()] == [("speed", False)]
    table = read_baseline(file).speed
    assert table is not None
    assert read_baseline(file).values == before.values  # what is not measured anew stays
    assert (table.suite, table.budget, table.rounds, table.threads) == ("small.toml", "smoke", 5, 1)
    assert [case.subject for case in table.cases] == ["converse"]
    assert told[-1].trial == told[-1].trials >= 5

    found = check(CheckRequest(file, parts=("speed",), store=folder / "kept", seconds=0))
    assert {one.outcome for one in found.findings} <= {"passed", "inconclusive"}
    assert {one.aspect for one in found.findings} == {"time", "memory"}
    again = check(CheckRequest(file, parts=("speed",), taken_from=folder / "kept", seconds=0))
    assert again.findings == found.findings  # the same rounds say the same

    mine = tmp_path / "mine.py"
    mine.write_text(
        "import time\nfrom converse import Converse2D\n\n\nclass Mine(Converse2D):\n"
        "    def forward(self, y):\n        time.sleep(0.01)\n        return super().forward(y)\n"
    )
    slower = check(CheckRequest(file, parts=("speed",), operator=f"{mine}:Mine"))
    assert slower.exit_status == REGRESSED
    assert {one.aspect for one in slower.findings if one.outcome == "regressed"} == {"time"}
    assert slower.findings[0].look.startswith(f"converse check {file} --operator {mine}:Mine --part speed --seconds")


def test_another_version_needs_no_numbers_of_speed(folder: Path, suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "baseline.toml"
    monkeypatch.setattr(module, "SPEED_SUITE", suite)
    monkeypatch.setattr(module, "SPEED_BUDGET", "smoke")
    done = check(CheckRequest(file, parts=("speed",), against=str(PACKAGE.parent), seconds=0))
    assert {one.sure for one in done.findings} == {"99% interval of 3 rounds"}  # there was no time for more
    assert {one.outcome for one in done.findings} <= {"passed", "inconclusive"}
    assert {one.aspect for one in done.findings} == {"time", "memory"}
    assert done.notes == (f"time and memory are compared with those of {PACKAGE.parent}, which took turns here",)


def test_speed_that_there_is_nothing_to_compare_with_is_not_measured(folder: Path) -> None:
    done = check(CheckRequest(folder / "baseline.toml", parts=("speed",)))
    assert done.exit_status == NOT_MEASURED
    assert "has no [speed]: converse check" in done.findings[0].reason


def test_a_suite_without_a_yardstick_is_no_gate() -> None:
    with pytest.raises(OptionError, match="sweep 'size': a gate holds subjects against the yardstick, which must"):
        speed_gate("speed", "smoke", "cpu")
    with pytest.raises(OptionError, match=r"--operator converse\?channels=3: channels is set"):
        speed_gate("gate", "smoke", "cpu", operator="converse?channels=3")
