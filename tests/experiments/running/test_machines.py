"""Oracles: counts by hand; what holds of every division of trials, tried by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from converse.experiments.running.machines import Machine, MachineClass, Stored, classes_of, deal, machine_part, on
from converse.experiments.store.state import State
from converse.experiments.trials import Trial, platform_class

A: dict[str, Any] = {"device": "cpu", "model": "A CPU", "torch": "2.9"}
B: dict[str, Any] = {"device": "cpu", "model": "Another CPU", "torch": "2.9"}
PLATFORM = {**A, "precision": "float32", "deterministic": True, "threads": 1}


def trial(entry: str, seed: int | None) -> Trial:
    return Trial("denoising", entry, "trained", seed, "quick", {"entry": entry}, {}, platform=PLATFORM)


def two(slots_a: int, slots_b: int) -> tuple[MachineClass, MachineClass]:
    return MachineClass(A, ("a",), slots_a), MachineClass(B, ("b",), slots_b)


def stored(state: Callable[[str], State]) -> Stored:
    """A store of trials of which nothing is left to do where they are done."""
    return Stored(state, lambda asked, there: True)


PLANNED = stored(lambda trial: "planned")


def test_a_machine_runs_as_many_as_its_cpus_and_gpus_allow() -> None:
    machine = Machine("1", A, cpus=8, gpus=2)
    assert [machine.slots(threads, 0) for threads in (1, 3, 8, 9)] == [8, 2, 1, 0]
    assert [machine.slots(1, gpus) for gpus in (1, 0.25, 0.1, 2, 4)] == [2, 8, 8, 1, 0]


def test_classes_begin_with_this_machines_own() -> None:
    machines = [Machine("1", B, 8, 0), Machine("2", A, 1, 0), Machine("3", B, 8, 0)]
    there = {"1", "2", "3"}
    assert classes_of(machines, there, 2, 0, {}) == (MachineClass(B, ("1", "3"), 8), MachineClass(A, ("2",), 0))
    assert [one.platform for one in classes_of(machines, there, 2, 0, A)] == [A, B]


def test_a_class_stays_when_its_machines_are_gone() -> None:
    machines = [Machine("1", A, 8, 0), Machine("2", B, 8, 0), Machine("3", B, 2, 0)]
    assert classes_of(machines, {"3"}, 2, 0, {}) == (MachineClass(B, ("3",), 1), MachineClass(A, (), 0))


def test_what_a_machine_is_and_what_a_trial_asks_make_its_platform_class() -> None:
    planned = Trial("denoising", "x", "trained", 0, "quick", {}, {}, platform=platform_class("cpu", threads=3))
    assert planned.moved(on(MachineClass(machine_part("cpu"), ("1",), 1), planned)) == planned
    gpu = planned.moved(on(MachineClass({"device": "cuda", "model": "A GPU", "torch": "2.9"}, ("1",), 1), planned))
    assert "threads" not in gpu.platform
    assert (gpu.platform["model"], gpu.platform["precision"]) == ("A GPU", "float32")


def test_what_was_begun_somewhere_stays_there() -> None:
    one, other = trial("x", 0), trial("y", 0)
    classes = two(4, 1)
    begun = one.moved(on(classes[1], one)).id
    for state in ("done", "failed", "interrupted", "running"):
        dealt = deal([one, other], classes, stored(lambda trial, state=state: state if trial == begun else "planned"))  # type: ignore[misc]
        assert [dealt[id_].platform for id_ in (one.id, other.id)] == [B, A]


def test_what_was_begun_where_nothing_runs_any_more_is_begun_elsewhere_and_what_is_done_stays() -> None:
    one, classes = trial("x", 0), two(4, 0)
    there = one.moved(on(classes[1], one)).id
    begun = stored(lambda trial: "interrupted" if trial == there else "planned")
    assert deal([one], classes, begun)[one.id].platform == A
    for nothing_left, stays in ((True, B), (False, A)):
        seen: list[tuple[str, str]] = []

        def whole(asked: str, found: str, answer: bool = nothing_left, seen: list[tuple[str, str]] = seen) -> bool:
            seen.append((asked, found))
            return answer

        dealt = deal([one], classes, Stored(lambda trial: "done" if trial == there else "planned", whole))
        assert (dealt[one.id].platform, seen) == (stays, [(one.id, there)])


@given(some.integers(1, 9), some.integers(1, 9), some.lists(some.tuples(some.sampled_from("xyz"), some.integers(0, 9))))
def test_entries_of_a_seed_are_together_and_all_is_dealt(a: int, b: int, pairs: list[tuple[str, int]]) -> None:
    trials = [trial(entry, seed) for entry, seed in dict.fromkeys(pairs)]
    dealt = deal(trials, two(a, b), PLANNED)
    assert set(dealt) == {one.id for one in trials}
    for seed in range(10):
        assert len({dealt[one.id].machines for one in trials if one.seed == seed}) <= 1


def test_seeds_go_where_they_are_finished_first() -> None:
    dealt = deal([trial("x", seed) for seed in range(12)], two(2, 1), PLANNED)
    assert [one.machines for one in dealt.values()].count(("a",)) == 8
