"""Errors that a user can correct. The command line prints them without a traceback and exits with status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConverseError(Exception):
    """A user's mistake; its message says what was expected, what came, and the way out."""


class ConverseWarning(UserWarning):
    """Something that a user should know and that stops nothing; the command line prints it as one line."""


class DataError(ConverseError):
    """A dataset, an image or a download is missing, corrupt or unreadable."""


class NotAtHand(DataError):
    """What nothing can be measured without is neither here nor to be had: nobody's mistake, and exit status 3."""


class CheckpointError(ConverseError):
    """A file of weights is not what it should be."""


class SuiteError(ConverseError):
    """A suite file says something that it may not say."""


class StoreError(ConverseError):
    """The store cannot be read or written."""


class OptionError(ConverseError):
    """A name or value given on the command line or to a function is not known."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is not known, with the nearest known one and the whole choice.

    Args:
        what: the kind of thing, singular: ``"dataset"``.
        name: what came.
        known: what may stand there.

    Returns:
        For example ``unknown dataset 'set21': did you mean 'set12'? known: set5, set12``.
    """
    choice = sorted(known)
    near = difflib.get_close_matches(name.lower(), [c.lower() for c in choice], n=1)
    hint = "" if not near else f" did you mean {next(c for c in choice if c.lower() == near[0])!r}?"
    return f"unknown {what} {name!r}:{hint} known: {', '.join(choice) or 'none'}"
