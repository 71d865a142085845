"""Oracles: versions of the package in which something was planted; made-up ratios."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import converse
from converse.analysis.gate.findings import Finding
from converse.analysis.gate.timing import Held
from converse.errors import OptionError
from converse.experiments.store import Store
from converse.workflows.check_speed import SpeedGate, check_other, check_table, measured_table, speed_gate
from converse.workflows.other_version import OtherVersion, other_version
from converse.workflows.work import Progress

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


@pytest.fixture
def gate() -> SpeedGate:
    """The operator in evaluation, in small."""
    made = speed_gate("gate", "smoke", "cpu")
    return SpeedGate(made.suite, made.budget, made.groups[:1], made.spent, made.device, made.threads)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def said(held: tuple[Held, ...]) -> dict[str, Finding]:
    return {one.finding.aspect: one.finding for one in held}


def test_two_versions_take_turns_and_the_slower_one_is_found(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    told: list[Progress] = []
    before = str(PACKAGE.parent)
    after = planted(tmp_path / "after", "operators.py", slow)
    # What is slow is the other one here: this version is then better, and in no case worse.
    with other_version(after) as other:
        found = check_other(gate, other, None, store, 300.0, told.append, "look")
    assert found.rounds == 5
    time = said(found.held)["time"]
    assert (time.outcome, time.subject, time.unit) == ("better", "converse", "ms")
    assert isinstance(time.before, float)
    assert time.before > 10
    assert said(found.held)["memory"].outcome == "passed"
    assert [one.trial for one in told if one.done == 0] == [1, 2, 3, 4, 5]
    assert len(store.speed.runs()) == 5
    with other_version(before) as other:
        equal = check_other(gate, other, None, store, 0.0, told.append, "look")
    assert equal.rounds == 3  # there was no time for more
    assert said(equal.held)["time"].outcome in ("passed", "inconclusive")


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


def test_ratios_are_kept_and_found_again(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    told: list[Progress] = []
    table = measured_table(gate, store, told.append)
    assert (table.suite, table.budget, table.rounds, table.threads) == ("gate", "smoke", 12, 1)
    assert [case.subject for case in table.cases] == ["converse"]
    assert told[-1].trial == told[-1].trials == len(store.speed.runs()) >= 12
    found = check_table(gate, table, store, 60.0, lambda step: None, "look")
    assert {one.finding.outcome for one in found.held} <= {"passed", "inconclusive"}
    file = tmp_path / "mine.py"
    file.write_text(
        "import time\nfrom converse import Converse2D\n\n\nclass Mine(Converse2D):\n"
        "    def forward(self, y):\n        time.sleep(0.01)\n        return super().forward(y)\n"
    )
    made = speed_gate("gate", "smoke", "cpu", operator=f"{file}:Mine")
    mine = SpeedGate(made.suite, made.budget, made.groups[:1], made.spent, made.device, made.threads)
    slower = check_table(mine, table, store, 60.0, lambda step: None, "look")
    assert said(slower.held)["time"].outcome == "regressed"
    assert said(slower.held)["time"].look == "look"


def test_a_suite_without_a_yardstick_is_no_gate() -> None:
    with pytest.raises(OptionError, match="sweep 'size': a gate holds subjects against the yardstick, which must"):
        speed_gate("speed", "smoke", "cpu")
    with pytest.raises(OptionError, match=r"--operator converse\?channels=3: channels is set"):
        speed_gate("gate", "smoke", "cpu", operator="converse?channels=3")
