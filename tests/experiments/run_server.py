"""A process that has loaded everything and forks a child for each run that a test asks for: no run loads torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SERVE = """
for line in sys.stdin:
    asked = json.loads(line)
    children = []
    for _ in range(asked.pop("processes", 1)):
        children.append(os.fork())
        if children[-1] == 0:
            status = 99
            try:
                status = work(**asked)
            finally:
                os._exit(status)
    print(json.dumps(children), flush=True)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)
"""
"""What the process does once its script has defined ``work``, whose keywords are what a test asks for."""


class RunServer:
    """Starts runs; each is a process of its own.

    Args:
        folder: of the cache and of what the processes write to standard error.
        script: Python that imports what runs need and defines ``work``, which returns an exit status.
        arguments: of the script.
    """

    def __init__(self, folder: Path, script: str, *arguments: str) -> None:
        self.errors = folder / "errors.txt"
        # The user's own cache may be closed to others.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        environment["CONVERSE_CACHE"] = str(folder / "cache")
        with self.errors.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", script + SERVE, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
            )

    def start(self, store: Path, suite: Path, **asked: Any) -> list[int]:
        """Start a run, or several at once; their process ids."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"store": str(store), "suite": str(suite), **asked}) + "\n")
        self.process.stdin.flush()
        return self.wait()

    def wait(self) -> list[int]:
        """What the server says next: after :meth:`start` the exit statuses."""
        assert self.process.stdout is not None
        numbers: list[int] = json.loads(self.process.stdout.readline())
        return numbers

    def run(self, store: Path, suite: Path, **asked: Any) -> list[int]:
        """Start a run and wait for its end; the exit statuses."""
        self.start(store, suite, **asked)
        return self.wait()

    def close(self) -> None:
        """End the server when its runs have ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=300)
