"""The project's command in a process of its own: in another environment, or of another version."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LAST: Final = 20
"""Lines that are kept of what it says."""

_GRACE: Final = 10.0
"""Seconds that it has to put away what it was at."""


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        status: exit status.
        said: the last lines on standard error.
    """

    status: int
    said: tuple[str, ...]

    @property
    def last(self) -> str:
        """What it said last, in one line."""
        return next((line for line in reversed(self.said) if line.strip()), f"it ended with status {self.status}")


def command_elsewhere(
    words: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    library: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Ended:
    """Run ``converse`` with these words in a process of its own, and listen to what it says.

    Args:
        words: of the command line, without ``converse``.
        environment: variables beside those of this process.
        library: the folder that another version's package ``converse`` lies in; ``None`` for this version.
        tell: told each line of its standard error.

    Returns:
        How it ended.

    Raises:
        KeyboardInterrupt: it was stopped, and the process with it.
    """
    # This version's too, wherever it was imported from: the process begins in the same folder, and not with its paths.
    where = str(library or Path(__file__).resolve().parents[2])
    paths = [where, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    variables = {**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    said: deque[str] = deque(maxlen=_LAST)
    process = subprocess.Popen(
        [sys.executable, "-m", "converse", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=variables,
        encoding="utf-8",
        errors="replace",
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.rstrip())
            tell(line.rstrip())
        return Ended(process.wait(), tuple(said))
    except BaseException:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
