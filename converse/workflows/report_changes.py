"""``converse report A B --compare``: two stores side by side, in a folder with a page and tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from converse.experiments.store import Store
from converse.reporting.folder import Written, check_folder, write


def report_changes(
    before: Path,
    after: Path,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write what changed from one store to another; both are only read. The same rows give the same bytes.

    Args:
        before: folder of the first store.
        after: folder of the second one.
        folder: where to; made if need be. Files of a former report that this one does not have are removed.
        progress: told how many trials of how many of a store are read.

    Returns:
        What was written.

    Raises:
        ConverseError: there is no store, it has a newer schema, or the folder cannot be written.
    """
    from converse.reporting.chapters.changed import changed_report
    from converse.reporting.inputs.material import gather

    check_folder(folder)
    old, new = (gather([Store(store, create=False)], progress) for store in (before, after))
    command = shlex.join(["converse", "report", str(before), str(after), "--compare"])
    return write(changed_report(old, new, (str(before), str(after)), command), folder)
