"""Oracles: made-up rounds; an operator in which something was planted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from converse.analysis.gate.baseline import Baseline, read_baseline, write_baseline
from converse.analysis.gate.findings import NOT_MEASURED, REGRESSED
from converse.analysis.gate.speed_table import SpeedTable
from converse.errors import OptionError
from converse.experiments.running.other_machines import Played
from converse.experiments.store import Store
from converse.workflows import check_speed as module
from converse.workflows.check import check
from converse.workflows.check_request import CheckRequest
from converse.workflows.check_write import WriteRequest, write
from converse.workflows.speed_rounds import Rounds, SpeedGate, machine_of, speed_gate
from tests.analysis.gate.speed_made import CASE, rounds
from tests.workflows.gated import gated
from tests.workflows.speed_gated import SUITE


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite of speed of one small case."""
    (tmp_path / "small.toml").write_text(SUITE)
    return str(tmp_path / "small.toml")


@pytest.fixture
def folder(suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline without speed beside a suite of speed, in a folder that is not the working one."""
    gated(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_ratios_are_written_with_what_they_move_by(folder: Path, suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that nobody runs: what they say is known, and so is where they would be run."""
    asked: list[tuple[object, ...]] = []
    busy: list[bool] = []

    def measured(gate: SpeedGate, store: Store, least: int, **rest: Any) -> Rounds:
        asked.append((least, "beside" if busy else "alone", *dict(rest.get("environment", ()))))
        slower = {"converse": 1.04 if busy else 1.2 if rest.get("environment") else 1.0}
        return Rounds(rounds(least, slower=slower, subjects=((CASE, "converse"),), seed=len(asked)), (), least, 1.0)

    @contextmanager
    def neighbours() -> Iterator[None]:
        busy.append(True)
        yield
        busy.clear()

    sse = Played("instructions up to SSE4", 1, {"ATEN_CPU_CAPABILITY": "default"})
    monkeypatch.setattr(module, "playable", lambda threads, capability: [sse, Played("2 threads", 2)])
    monkeypatch.setattr(module, "measure_rounds", measured)
    monkeypatch.setattr(module, "neighbours", neighbours)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    file = folder / "baseline.toml"
    before = read_baseline(file)
    done = write(WriteRequest(file, parts=("speed",), speed_suite=suite, speed_budget="smoke"))
    assert done.written
    assert [(one.what, one.loosens) for one in done.changes or ()] == [("speed", False)]
    assert asked == [(12, "alone"), (12, "beside"), (3, "alone", "ATEN_CPU_CAPABILITY")]
    table = read_baseline(file).speed
    assert table is not None
    assert read_baseline(file).values == before.values  # what is not measured anew stays
    assert (table.suite, table.budget, table.rounds, table.threads) == ("small.toml", "smoke", 12, 1)
    (case,) = table.cases
    assert case.ratio == pytest.approx(0.25 * 1.02, rel=0.02)  # halfway between alone and beside
    assert case.elsewhere == pytest.approx(1.2**1.5 - 1, abs=0.06)


def with_ratios(file: Path, suite: str, time: float, memory: float) -> Baseline:
    """The baseline with ratios of this machine."""
    gate = speed_gate(suite, "smoke", "cpu")
    columns = gate.groups[0].case.columns()
    case = {name: value for name, value in columns.items() if name != "padding"}
    ratios = {"ratio": time, "floor": 0.05, "elsewhere": 0.05}
    ratios |= {"memory_ratio": memory, "memory_floor": 0.05, "memory_elsewhere": 0.05}
    table = {"suite": "small.toml", "budget": "smoke", "rounds": 12, **machine_of(gate.described())}
    made = SpeedTable.model_validate({**table, "cases": [{**case, "subject": "converse", **ratios}]})
    write_baseline(file, read_baseline(file).model_copy(update={"speed": made}))
    return read_baseline(file)


def test_rounds_are_held_against_ratios_and_judged_again(folder: Path, suite: str, tmp_path: Path) -> None:
    file, kept = folder / "baseline.toml", folder / "kept"
    with_ratios(file, suite, 1e-6, 1e-6)
    found = check(CheckRequest(file, parts=("speed",), store=kept, seconds=0))
    assert [(one.aspect, one.outcome) for one in found.findings] == [("time", "regressed"), ("memory", "regressed")]
    again = check(CheckRequest(file, parts=("speed",), taken_from=kept, seconds=0))
    assert again.findings == found.findings  # the same rounds say the same
    time, memory = (one.now for one in found.findings)
    assert isinstance(time, float)
    assert isinstance(memory, float)
    with_ratios(file, suite, time, memory)
    equal = check(CheckRequest(file, parts=("speed",), taken_from=kept, seconds=0))
    assert [one.change for one in equal.findings] == pytest.approx([0, 0], abs=1e-9)

    mine = tmp_path / "mine.py"
    mine.write_text(
        "import time\nfrom converse import Converse2D\n\n\nclass Mine(Converse2D):\n"
        "    def forward(self, y):\n        time.sleep(0.1)\n        return super().forward(y)\n"
    )
    slower = check(CheckRequest(file, parts=("speed",), operator=f"{mine}:Mine", seconds=0))
    assert slower.exit_status == REGRESSED
    assert {one.aspect for one in slower.findings if one.outcome == "regressed"} == {"time"}
    assert slower.findings[0].look.startswith(f"converse check {file} --operator {mine}:Mine --part speed --seconds")


def test_speed_that_there_is_nothing_to_compare_with_is_not_measured(folder: Path) -> None:
    done = check(CheckRequest(folder / "baseline.toml", parts=("speed",)))
    assert done.exit_status == NOT_MEASURED
    assert "has no [speed]: converse check" in done.findings[0].reason


def test_a_suite_without_a_yardstick_is_no_gate() -> None:
    with pytest.raises(OptionError, match="sweep 'size': a gate holds subjects against the yardstick, which must"):
        speed_gate("speed", "smoke", "cpu")
    with pytest.raises(OptionError, match=r"--operator converse\?channels=3: channels is set"):
        speed_gate("gate", "smoke", "cpu", operator="converse?channels=3")
