"""Oracles: what the operating system says of a process, and what the same function does here."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from converse.errors import ConverseWarning, DataError
from converse.experiments.running.apart import _LOADED, Ended, Tell, apart
from converse.experiments.store.locks import Busy
from converse.experiments.training.interruption import Stop, Stopped


def triple(number: int, *, tell: Tell, stop: Stop) -> int:
    for index in range(number):
        tell("counting", index + 1, number)
    return 3 * number


def leave(status: int, *, tell: Tell, stop: Stop) -> None:
    tell("counting", 2, 6)
    os._exit(status)


def crash(number: int, *, tell: Tell, stop: Stop) -> None:
    os.kill(os.getpid(), number)


def hang(*, tell: Tell, stop: Stop) -> None:
    tell("counting", 1, 6)
    time.sleep(3600)


def wait_for_stop(*, tell: Tell, stop: Stop) -> None:
    tell("waiting", 0, 1)
    while True:
        stop.check()
        time.sleep(0.01)


def raise_(kind: type[BaseException], *given: Any, tell: Tell, stop: Stop) -> None:
    raise kind(*given)


def raise_own(*, tell: Tell, stop: Stop) -> None:
    class TooOdd(ValueError):
        pass

    TooOdd.__module__ = "somebodys_file"
    raise TooOdd("3 is odd")


def talk(*, tell: Tell, stop: Stop) -> None:
    print("printed by Python")
    os.write(1, b"written by native code\n")
    warnings.warn(ConverseWarning("mind the step"), stacklevel=1)


def environment(name: str, *, tell: Tell, stop: Stop) -> tuple[str | None, int]:
    return os.environ.get(name), os.getpid()


def test_the_result_and_what_is_told_come_back() -> None:
    told: list[Any] = []
    assert apart(partial(triple, 4), tell=lambda *what: told.append(what)) == 12
    assert told == [("counting", index, 4) for index in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", _LOADED)
def test_what_is_loaded_in_advance_is_there(name: str) -> None:
    """What cannot be loaded in advance is passed over in silence, and each process then takes a second for it."""
    assert importlib.util.find_spec(name)


def test_it_is_another_process_in_the_same_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("CONVERSE_TEST", value)
        found, pid = apart(partial(environment, "CONVERSE_TEST"))
        assert (found, pid == os.getpid()) == (value, False)


@pytest.mark.parametrize("status", [0, 3])
def test_leaving_is_noticed_whatever_the_status(status: int) -> None:
    with pytest.raises(Ended, match=rf"^its process ended with status {status}, while counting \(2 of 6\)$"):
        apart(partial(leave, status))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "says"), [(9, "was killed, as the system does when memory runs out"), (11, "ended with SIGSEGV")]
)
def test_a_crash_is_named_with_its_place(number: int, says: str) -> None:
    with pytest.raises(Ended, match=says) as found:
        apart(partial(crash, number))
    if number == signal.SIGSEGV:
        assert "Segmentation fault" in found.value.trace
        assert 'test_apart.py", line' in found.value.trace


def test_what_takes_too_long_is_ended_and_says_where_it_was() -> None:
    with pytest.raises(Ended, match=r"^took longer than 0\.5 s, while counting \(1 of 6\)$") as found:
        apart(hang, limit=0.5)
    assert "in hang" in found.value.trace
    assert not [child for child in psutil.Process().children(recursive=True) if child.name() == "converse-apart"]


def steps(*lengths: float, tell: Tell, stop: Stop) -> str:
    for number, seconds in enumerate(lengths, 1):
        tell("stepping", number, len(lengths))
        time.sleep(seconds)
    return "done"


def test_a_limit_may_be_that_of_each_step() -> None:
    assert apart(partial(steps, 0.6, 0.6, 0.6), limit=1.0, each=True) == "done"
    with pytest.raises(Ended, match=r"^took longer than 1 s, while stepping \(2 of 3\)$") as found:
        apart(partial(steps, 0.1, 60.0, 0.1), limit=1.0, each=True)
    assert "in steps" in found.value.trace


@pytest.mark.parametrize(
    "raised",
    [
        (DataError, "no such image"),
        (Busy, Path("there"), None),
        (Stopped, "stopped"),
        (KeyError, "key"),
        (SystemExit, 3),
    ],
    ids=lambda raised: raised[0].__name__,
)
def test_what_it_raises_is_raised_here(raised: tuple[Any, ...]) -> None:
    kind, *given = raised
    with pytest.raises(kind) as found:
        apart(partial(raise_, kind, *given))
    assert type(found.value) is kind
    assert str(found.value) == str(kind(*given))
    assert vars(found.value).keys() - {"__notes__"} == vars(kind(*given)).keys()


def test_an_exception_that_is_only_the_users_keeps_its_name() -> None:
    with pytest.raises(RuntimeError, match="TooOdd: 3 is odd") as found:
        apart(raise_own)
    assert "in raise_own" in "".join(found.value.__notes__)


def test_what_it_prints_is_no_output_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(ConverseWarning, match="mind the step"):
        apart(talk)
    assert capfd.readouterr().out == ""


def test_a_request_to_stop_is_handed_on() -> None:
    stop = Stop()

    def told(*what: Any) -> None:
        stop.asked = True

    with pytest.raises(Stopped):
        apart(wait_for_stop, tell=told, stop=stop)


def test_who_insists_is_obeyed_at_once() -> None:
    def told(*what: Any) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        apart(hang, tell=told)
    assert time.monotonic() - begun < 60  # of 3600
    assert threading.active_count() < 20
