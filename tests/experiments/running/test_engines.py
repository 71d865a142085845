"""Oracle: lists of what was done."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from converse.experiments.running import engines
from converse.experiments.running.engines import helped, run_here
from converse.experiments.store.locks import Busy


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "POLL", 0.0)


def test_all_is_done_in_order() -> None:
    assert list(run_here("abc", str.upper)) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_what_is_busy_comes_last_and_is_waited_for() -> None:
    asked: list[str] = []
    waited: list[str] = []

    def do(work: str) -> int:
        asked.append(work)
        if work == "b" and asked.count("b") < 4:
            raise Busy(Path("b"), None)
        return len(asked)

    assert [work for work, _ in run_here("abc", do, lambda work, busy: waited.append(work))] == ["a", "c", "b"]
    assert "".join(asked) == "abcbbb"
    assert waited == ["b", "b"]


def test_waiting_may_give_up() -> None:
    def do(work: str) -> None:
        raise Busy(Path(work), None)

    def waiting(work: str, busy: Busy) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_here("a", do, waiting))


def test_helpers_work_beside_this_process(tmp_path: Path) -> None:
    with helped(1, partial(Path.touch, tmp_path / "done")):
        begun = time.monotonic()
        while not (tmp_path / "done").exists():
            assert time.monotonic() - begun < 60
            time.sleep(0.01)


def test_helpers_are_stopped_and_waited_for() -> None:
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), helped(2, partial(time.sleep, 100)):
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 60


def test_no_helper_is_no_process() -> None:
    with helped(0, print):
        pass
