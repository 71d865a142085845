"""``converse report --compare``: two stores, or two dates of one, side by side, in a folder with a page and tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from converse.experiments.store import Store
from converse.reporting.folder import Written, check_folder, write


def report_changes(
    before: Path,
    after: Path | datetime,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write what changed from one store to another; both are only read. The same rows give the same bytes.

    Args:
        before: folder of the first store.
        after: folder of the second one; or, with a time zone, the moment at which the first store is taken as it was
            then and held against what it is now (:func:`converse.reporting.inputs.as_of.as_of`).
        folder: where to; made if need be. Files of a former report that this one does not have are removed.
        progress: told how many trials of how many of a store are read.

    Returns:
        What was written.

    Raises:
        ConverseError: there is no store, it has a newer schema, or the folder cannot be written.
    """
    from converse.reporting.chapters.changed import changed_report
    from converse.reporting.inputs.as_of import as_of
    from converse.reporting.inputs.material import gather

    check_folder(folder)
    if isinstance(after, datetime):
        new = gather([Store(before, create=False)], progress)
        day = f"{after:%Y-%m-%d}"
        command = shlex.join(["converse", "report", str(before), "--compare", "--since", day])
        names = (f"{before} as it was before {day}", f"{before} as it is")
        return write(changed_report(as_of(new, after), new, names, command), folder)
    old, new = (gather([Store(store, create=False)], progress) for store in (before, after))
    command = shlex.join(["converse", "report", str(before), str(after), "--compare"])
    return write(changed_report(old, new, (str(before), str(after)), command), folder)
