"""Oracles: operators written for the purpose, which sleep, raise, take too much or end their process."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from converse.experiments.speed.cases import Case, Subject
from converse.experiments.speed.turns import Spending, Workers, measure
from converse.experiments.speed.workers import Settings
from converse.experiments.store.speed_rows import CASE_COLUMNS, MEASURED_COLUMNS, SUBJECT_COLUMNS

CASE = Case("size", "forward", 2, 3, 1, 1, 8, 8)
OPERATORS = """
import ctypes, os, signal, time, torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, channels, kernel_size, scale=1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(7))
    def forward(self, y):
        return y + 1

class Sleeps(Plain):
    def forward(self, y):
        time.sleep(0.02)
        return y

class Raises(Plain):
    def forward(self, y):
        raise ValueError("no such luck\\nsecond line")

class Greedy(Plain):
    def forward(self, y):
        return torch.ones(4 * 2**30, dtype=torch.uint8)

class Dies(Plain):
    def forward(self, y):
        os.kill(os.getpid(), signal.SIGKILL)

class Trains(Plain):
    def forward(self, y):
        if not self.training:
            raise ValueError("in training alone")
        return y

def heap_with_holes(size, number):
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    taken = [library.malloc(ctypes.c_size_t(size)) for _ in range(2 * number)]
    for one in taken:
        library.memset(one, 1, size)
    for one in taken[::2]:
        library.free(one)

class Holes(Plain):
    known = []
    def forward(self, y):
        if not Holes.known:
            Holes.known.append(heap_with_holes(100 * 1024, 80))
        del [torch.ones(90 * 1024, dtype=torch.uint8) for _ in range(80)][:]
        return torch.ones(8 * 2**20, dtype=torch.uint8)

class Tires(Plain):
    calls = 0
    def forward(self, y):
        Tires.calls += 1
        if Tires.calls > 60:
            raise ValueError("tired")
        return y
"""


LONG_TURNS = 0.02
"""Seconds of a turn: a stall of less, in the first call, doesn't decide how many calls make one."""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("operators") / "mine.py"
    file.write_text(OPERATORS)
    return lambda name: Subject(name, "operator", f"{file}:{name}")


@pytest.fixture(scope="module")
def rows(named: Any) -> dict[tuple[str, bool], dict[str, Any]]:
    names = ("Plain", "Sleeps", "Raises", "Greedy", "Dies", "Tires")
    shares: list[float] = []
    with Workers(Settings("cpu", 1, LONG_TURNS, 2**30)) as workers:
        found = measure(CASE, [named(name) for name in names], workers, Spending(5, 300), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return {(row["subject"], row["twin"]): {**row} for row in found}


def test_there_is_a_row_for_each_and_for_the_first_ones_twin(rows: Any) -> None:
    names = [
        ("Plain", False),
        ("Plain", True),
        *((name, False) for name in ("Sleeps", "Raises", "Greedy", "Dies", "Tires")),
    ]
    assert list(rows) == names
    known = {*SUBJECT_COLUMNS, *CASE_COLUMNS, *MEASURED_COLUMNS}
    assert all(row.keys() <= known for row in rows.values())
    assert {row["height"] for row in rows.values()} == {8}


def test_what_could_be_measured(rows: Any) -> None:
    plain, twin, sleeps = rows["Plain", False], rows["Plain", True], rows["Sleeps", False]
    for row in (plain, twin, sleeps):
        assert (row["status"], row["reason"], row["repeats"], len(row["turns_s"])) == ("ok", None, 5, 5)
        assert row["q25_s"] <= row["median_s"] <= row["q75_s"]
        assert row["parameters"] == 7
    assert plain["calls"] == twin["calls"] > 1
    assert sleeps["calls"] == 1
    assert plain["median_s"] < 0.02 <= sleeps["median_s"]
    assert plain["multiply_adds"] == 0
    assert twin["multiply_adds"] is None


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("Raises", "failed", "ValueError: no such luck"),
        ("Greedy", "out of memory", "more than 1.0 GiB were asked for"),
        ("Dies", "out of memory", "its process was killed, as the system does when memory runs out"),
        ("Tires", "failed", "ValueError: tired"),
    ],
)
def test_what_goes_wrong_is_a_row_and_the_others_go_on(rows: Any, name: str, status: str, reason: str) -> None:
    row = rows[name, False]
    assert (row["status"], row["reason"]) == (status, reason)
    assert "median_s" not in row


def test_what_cannot_be_counted_is_timed_all_the_same(named: Any) -> None:
    with Workers(Settings("cpu", 1, 0.001, None)) as workers:
        row, twin = measure(CASE, [named("Trains")], workers, Spending(3, 300))
    assert (row["status"], row["repeats"], row["multiply_adds"]) == ("ok", 3, None)
    assert twin["status"] == "ok"


def test_what_takes_too_long_is_skipped_with_its_memory(named: Any) -> None:
    with Workers(Settings("cpu", 1, 0.001, None)) as workers:
        (row, twin) = measure(CASE, [named("Sleeps")], workers, Spending(5, 0.01))
        assert row["status"] == twin["status"] == "skipped"
        assert "the budget has 0 s for a case" in str(row["reason"])
        assert row["parameters"] == 7


def test_time_ends_a_case_once_there_are_three_turns(named: Any) -> None:
    # Twelve sleeps come before the time is looked at; one call must not take so long, or it is skipped.
    with Workers(Settings("cpu", 1, 0.001, None)) as workers:
        rows = measure(CASE, [named("Sleeps")], workers, Spending(1000, 12 * 0.02))
    assert [row["repeats"] for row in rows] == [3, 3]


def test_turns_go_on_until_the_case_is_settled_or_they_are_sixteen_times_as_many(named: Any) -> None:
    asked: list[list[int]] = []

    def settled(turns: Any) -> bool:
        asked.append([len(one) for one in turns])
        return len(asked) == 3

    with Workers(Settings("cpu", 1, 0.0001, None)) as workers:
        rows = measure(CASE, [named("Plain")], workers, Spending(2, 300), settled=settled)
        assert asked == [[2, 2], [4, 4], [8, 8]]
        assert [row["repeats"] for row in rows] == [8, 8]
        rows = measure(CASE, [named("Plain")], workers, Spending(2, 300), settled=lambda turns: False)
        assert [row["repeats"] for row in rows] == [32, 32]


def test_a_process_is_kept_from_case_to_case_and_replaced_when_it_died(named: Any) -> None:
    with Workers(Settings("cpu", 1, 0.001, None)) as workers:
        wanted = {("a", False): None, ("b", False): None}
        workers.keep(wanted)
        first = {name: workers[name] for name in wanted}
        first["b", False].prepare(named("Dies"), CASE)
        workers.keep(wanted)
        assert workers["a", False] is first["a", False]
        assert workers["b", False] is not first["b", False]
        assert workers["b", False].alive
    assert not first["a", False].alive


def test_where_they_are_to_be_steady_each_case_has_new_processes() -> None:
    with Workers(Settings("cpu", 1, 0.001, None, steady=True)) as workers:
        workers.keep({("a", False): None})
        first = workers["a", False]
        workers.keep({("a", False): None})
        assert workers["a", False] is not first
        assert not first.alive


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is Linux's")
def test_steady_memory_is_what_a_call_takes_and_not_what_the_library_kept(named: Any) -> None:
    large = replace(CASE, channels=48, height=256, width=256)
    output = 4 * 48 * 256 * 256
    with Workers(Settings("cpu", 1, 0.001, None, steady=True)) as workers:
        found = measure(large, [named("Plain")], workers, Spending(1, 300))
    assert [row["peak_bytes"] for row in found] == pytest.approx([output] * 2, rel=0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is Linux's")
def test_steady_memory_does_not_depend_on_holes_in_a_processes_heap(named: Any) -> None:
    with Workers(Settings("cpu", 1, 0.001, None, steady=True)) as workers:
        found = measure(CASE, [named("Holes")], workers, Spending(1, 300))
    assert [row["peak_bytes"] for row in found] == pytest.approx([8 * 2**20] * 2, rel=0.1)
