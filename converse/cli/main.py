"""The command ``converse``: one application, one place where errors become messages and exit statuses."""

from __future__ import annotations

import sys

import click
import typer

from converse.cli.data import data
from converse.cli.reproduce import reproduce
from converse.errors import ConverseError

app = typer.Typer(
    name="converse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Does reverse convolution help, by how much, and at what cost? "
    "Exit status: 0 done, 1 something failed or regressed, 2 usage or unreadable input, "
    "3 nothing was measured, 4 inconclusive, 130 interrupted.",
)
app.command()(reproduce)
app.add_typer(data, name="data")


def main() -> None:
    """Run the command line; a user's mistake ends in one message, never in a traceback."""
    try:
        status = app(standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = 2
    except KeyboardInterrupt:
        typer.echo("interrupted; what was finished is kept, the same command continues", err=True)
        status = 130
    except ConverseError as error:
        typer.echo(f"error: {error}", err=True)
        status = 2
    sys.exit(status or 0)
