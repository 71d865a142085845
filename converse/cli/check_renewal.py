"""``converse check --write``: carries it out, and prints what changes in the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from converse.cli.options import OutputFormat
from converse.cli.printing import print_json, print_table, say
from converse.cli.run import trial_progress
from converse.errors import OptionError

if TYPE_CHECKING:
    from converse.workflows.check_request import CheckRequest


def renew(request: CheckRequest, held: Mapping[str, Any], *, accept: bool, output: OutputFormat) -> int:
    """Write the baseline, and show what it changes before it does.

    Args:
        request: file, entries, operator, device and so on.
        held: what else the baseline is to hold, by the names of :class:`converse.workflows.check_write.WriteRequest`.
        accept: also what lets pass more than the file that is there.
        output: table or JSON.

    Returns:
        0 where the file is as it should be, 1 where it was not written because it would let pass more.

    Raises:
        OptionError: an option has no meaning here.
    """
    from converse.workflows.check_write import WriteRequest
    from converse.workflows.check_write import write as carry_out

    for name in ("taken_from", "store"):
        if getattr(request, name) is not None:
            option = name.replace("taken_from", "from")
            raise OptionError(f"--{option} is not for --write: a baseline is what this version gives, measured anew")
    wanted = WriteRequest(
        **{field.name: getattr(request, field.name) for field in fields(request)}, **held, accept=accept
    )
    with trial_progress() as progress:
        done = carry_out(wanted, progress)
    changes = [asdict(change) for change in done.changes or ()]
    if output is OutputFormat.json:
        print_json({"written": done.written, "refused": done.refused, "changes": changes})
    elif done.changes:
        rows = [[one.what, one.before, one.now, "looser" if one.loosens else ""] for one in done.changes]
        print_table(("what", "before", "now", ""), rows)
    err = output is not OutputFormat.table
    if done.refused:
        looser = sum(change.loosens for change in done.changes or ())
        say(
            f"not written: {looser} of these would let pass what {request.baseline} does not; --accept writes it",
            err=err,
        )
        return 1
    say(f"written: {request.baseline}" if done.written else f"unchanged: {request.baseline}", err=err)
    return 0
