"""The files that continuous integration reads: JUnit, Markdown, HTML, and the summary of a step of GitHub's."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.errors import ConverseWarning, OptionError, StoreError
from converse.experiments.store import files

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub names the file that a step adds its summary to."""


@dataclass(frozen=True)
class Outputs:
    """Which files are wanted; their folders are made if need be.

    Attributes:
        junit: for ``--junit``.
        markdown: for ``--markdown``.
        html: for ``--html``.
    """

    junit: Path | None = None
    markdown: Path | None = None
    html: Path | None = None

    def check(self) -> None:
        """Say before anything is measured what cannot be written afterwards.

        Raises:
            OptionError: a path is that of a folder, or two of them are the same.
        """
        for option, path in self.wanted.items():
            if path.is_dir():
                raise OptionError(f"{option} names a file to write, got the folder {path}")
        if len({path.resolve() for path in self.wanted.values()}) < len(self.wanted):
            raise OptionError(f"{', '.join(self.wanted)} must name different files")

    @property
    def wanted(self) -> dict[str, Path]:
        """Option → file, for those that are wanted."""
        named = {"--junit": self.junit, "--markdown": self.markdown, "--html": self.html}
        return {option: path for option, path in named.items() if path is not None}


def write(
    outputs: Outputs,
    *,
    junit: Callable[[], bytes],
    markdown: Callable[[], str],
    html: Callable[[], str] = lambda: "",
    environment: Mapping[str, str] = os.environ,
) -> list[Path]:
    """Write the files, each whole or not at all; within GitHub's Actions the summary of the step too.

    Args:
        outputs: which files.
        junit: makes what goes into each, and is asked for only where it is wanted.
        markdown: of the file, and of the summary.
        html: of a page.
        environment: of the process.

    Returns:
        What was written, but for the summary of the step.

    Raises:
        StoreError: a file cannot be written.
    """
    written = []
    if outputs.junit is not None:
        written.append(_file(outputs.junit, junit()))
    if outputs.markdown is not None:
        written.append(_file(outputs.markdown, markdown().encode()))
    if outputs.html is not None:
        written.append(_file(outputs.html, html().encode()))
    if place := environment.get(STEP_SUMMARY):
        _add(Path(place), markdown())
    return written


def _file(path: Path, data: bytes) -> Path:
    with files.explained(path.parent, "make"):
        path.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(path, data)
    return path


def _add(path: Path, text: str) -> None:
    """Add to what other commands of the step have said. That it cannot be added changes no answer."""
    try:
        with files.explained(path, "write"), path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except StoreError as error:
        warnings.warn(ConverseWarning(f"no summary of the step: {error}"), stacklevel=2)
