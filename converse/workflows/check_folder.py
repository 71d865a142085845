"""The folder in which a check keeps its trials: one's own, or a temporary one that stays while it has something."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converse.errors import ConverseError
from converse.experiments.store import Store
from converse.workflows.check_measured import refuse_used
from converse.workflows.check_request import CheckRequest


@dataclass(frozen=True)
class TrialsFolder:
    """Where the trials of a check are.

    Attributes:
        path: the folder.
        temporary: whether it lies in the system's folder for temporary files.
    """

    path: Path
    temporary: bool

    @property
    def worth_keeping(self) -> bool:
        """Whether a trial in it has ended, or a round of speed: what has only begun says nothing to anybody."""
        if not (self.path / "store.json").exists():
            return False
        store = Store(self.path, create=False)
        ended = any(folder.status().state in ("done", "failed") for folder in store.folders())
        return ended or bool(store.speed.folders())

    def put_away(self, *, wanted: bool) -> None:
        """Remove it if it is a temporary one that nobody wants, or with nothing in it.

        Args:
            wanted: whether somebody may look into it.
        """
        if self.temporary and not (wanted and self.worth_keeping):
            shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def trials_folder(request: CheckRequest) -> Iterator[TrialsFolder]:
    """The folder for a check; where the check ends early, a temporary one goes, unless it has what took time.

    Args:
        request: with ``store``, or with ``taken_from``, or with neither.

    Yields:
        The folder. A temporary one stays after an orderly end, for the answer may need what is in it.

    Raises:
        OptionError: ``store`` has trials of other code.
        BaseException: what ended the check. Where trials are kept, a note on it says where, and how to go on.
    """
    if request.taken_from is not None:
        folder = TrialsFolder(request.taken_from, temporary=False)
    elif request.store is not None:
        refuse_used(request.store)
        folder = TrialsFolder(request.store, temporary=False)
    else:
        folder = TrialsFolder(Path(tempfile.mkdtemp(prefix="converse-check-")), temporary=True)
    try:
        yield folder
    except BaseException as error:
        kept = False
        with contextlib.suppress(ConverseError, OSError):  # what ended the check is what the user must read
            kept = request.taken_from is None and folder.worth_keeping
            folder.put_away(wanted=True)
        if kept:
            same = f"the same command with --store {folder.path}" if folder.temporary else "the same command"
            error.add_note(f"what was finished is kept in {folder.path}; {same} goes on there")
        raise
