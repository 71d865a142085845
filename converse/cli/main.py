"""The command ``converse``: one application, one place where errors become messages and exit statuses."""

from __future__ import annotations

import gc
import signal
import warnings
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from converse import __version__
from converse.cli.check import check
from converse.cli.compare import compare
from converse.cli.data import data
from converse.cli.explain import explain
from converse.cli.listing import listing
from converse.cli.plan import plan
from converse.cli.printing import say
from converse.cli.quickstart import quickstart
from converse.cli.report import report
from converse.cli.reproduce import reproduce
from converse.cli.run import run
from converse.cli.speed import speed
from converse.cli.status import status
from converse.cli.store import store
from converse.cli.streams import Command, OutputLost, standard_streams
from converse.cli.tune import tune
from converse.cli.verify import verify
from converse.errors import ConverseError, ConverseWarning, NotAtHand
from converse.plain_text import visible


class Commands(TyperGroup):
    """A command returns its exit status; a user's mistake ends in one message, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named, and leave with its status."""
        try:
            code = super().invoke(ctx) or 0
        except OutputLost as lost:
            if ctx.invoked_subcommand in MEASURING:
                lost.kept = "; what was measured is kept, and the same command shows it"
            raise
        except KeyboardInterrupt as stopped:
            _say_ended("interrupted", stopped)
            code = 130
        except ConverseError as error:
            _say_ended(f"error: {error}", error)
            code = 3 if isinstance(error, NotAtHand) else 2
        ctx.exit(code)


def _say_ended(line: str, error: BaseException) -> None:
    """Why a command ended early; then what is noted on the error, such as where something is kept."""
    for text in (line, *getattr(error, "__notes__", ())):
        say(text, err=True)


app = typer.Typer(
    name="converse",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 something failed (check: regressed), 2 usage or unreadable input, "
    "3 nothing was measured, 4 check alone: inconclusive, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"converse {__version__}")
        raise typer.Exit


@app.callback()
def _converse(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Does reverse convolution help, by how much, and at what cost?"""


MEASURING = ("compare", "quickstart", "reproduce", "run", "speed", "tune")
"""Commands whose numbers are in a store by the time they are shown."""

START, STUDIES, SHELF = "Start here", "Studies", "What there is"
app.command(rich_help_panel=START, cls=Command)(quickstart)
app.command(rich_help_panel=START, cls=Command)(reproduce)
app.command(rich_help_panel=START, cls=Command)(verify)
app.command(rich_help_panel=START, cls=Command)(compare)
app.command(rich_help_panel=STUDIES, cls=Command)(plan)
app.command(rich_help_panel=STUDIES, cls=Command)(run)
app.command(rich_help_panel=STUDIES, cls=Command)(tune)
app.command(rich_help_panel=STUDIES, cls=Command)(speed)
app.command(rich_help_panel=STUDIES, cls=Command)(check)
app.command(rich_help_panel=STUDIES, cls=Command)(status)
app.command(rich_help_panel=STUDIES, cls=Command)(explain)
app.command(rich_help_panel=STUDIES, cls=Command)(report)
app.command("list", rich_help_panel=SHELF, cls=Command)(listing)
app.add_typer(data, name="data", rich_help_panel=SHELF)
app.add_typer(store, name="store", rich_help_panel=SHELF)


LIVELY: Final = 20_000
"""So many objects more are made before Python looks for cycles among the youngest."""

_python_format = warnings.formatwarning


def _format_warning(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
    """Our own warnings are meant for users, who gain nothing from the place in our sources."""
    if issubclass(category, ConverseWarning):
        return f"warning: {visible(str(message))}\n"
    return _python_format(message, category, *place, **line)


def main() -> None:
    """Run the command line; the exit status is the command's.

    Being asked to end (SIGTERM) is an interruption as Ctrl-C is: what was begun is put away, the exit status is 130.
    """
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    warnings.formatwarning = _format_warning
    # A command makes many small objects that live as long as it does: to look through them every 700 is a tenth of a
    # report's time.
    gc.set_threshold(LIVELY, *gc.get_threshold()[1:])
    with standard_streams():
        app(prog_name="converse")
