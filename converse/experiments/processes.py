"""Processes of their own for code that may crash, hang or ask for too much: how they begin, and how they ended."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from typing import Any, Final

GRACE: Final = 5.0
"""Seconds that a process has to end by itself."""


def clean_context(loaded: Iterable[str]) -> Any:
    """Where processes come from that share nothing with this one.

    On Linux they are forked from a clean one that has loaded some modules and computed nothing, since to load torch
    anew takes each of them two seconds; elsewhere each begins anew.

    Args:
        loaded: the modules.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(loaded))
    return context


def end(process: BaseProcess, *, patiently: bool) -> None:
    """End a process, with some seconds to do so by itself if ``patiently``."""
    if process.pid is None:
        return
    if patiently:
        process.join(GRACE)
    if process.is_alive():
        process.kill()
    process.join()


def how_it_ended(process: BaseProcess) -> str:
    """How a process ended, in words that go on after its name."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"ended with status {code}"
    if -code == signal.SIGKILL:
        return "was killed, as the system does when memory runs out"
    return f"ended with {signal.Signals(-code).name}"
