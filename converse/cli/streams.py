"""Standard output and error as they are found: of any encoding, full, closed, or left by their reader.

Only commands write to standard output. What anything else prints while a command runs, an operator of a user's or a
library, goes to standard error, so that ``--format json`` is one document.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO, cast

from typer.core import TyperCommand

FALLBACK: Final = "converse-fallback"
"""The name of the handler of characters that an encoding lacks, for ``errors=``."""

READER_GONE: Final = 141
"""What a shell says of a program that wrote into a pipe without a reader: 128 + SIGPIPE."""

_WORDS: Final = {
    "×": "x", "±": "+/-", "∓": "-/+", "−": "-", "–": "-", "—": "--", "‑": "-", "…": "...", "→": "->", "←": "<-",
    "↑": "up", "↓": "down", "↗": "^", "∞": "inf", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "∝": "~", "√": "sqrt",
    "·": "*", "°": "*", "†": "*", "‡": "**", "‖": "||", "½": "1/2", "✓": "ok", "✗": "x", "ᵃ": "^a", "ᵀ": "^T",
    "λ": "lambda", "σ": "sigma", "Σ": "Sigma", "Δ": "Delta", "α": "alpha", "β": "beta", "γ": "gamma", "χ": "chi",
    "π": "pi", "Φ": "Phi", "μ": "u", "µ": "u", "⊗": "(x)", "⊙": "(.)", "⌊": "floor(", "⌋": ")", "⌈": "ceil(",
    "⌉": ")", "⇓": "v", "⁻": "^-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "•": "*",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|",
    "▲": "^", "▼": "v", "∼": "~",
    **{raised: f"^{digit}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{lowered: str(digit) for digit, lowered in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
"""Our own symbols in ASCII; other characters are shown by their numbers, so that names stay distinct."""


class OutputLost(Exception):
    """Standard output takes nothing any more: its disk is full, or whoever read it has gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error
        self.kept = ""

    @property
    def reader_gone(self) -> bool:
        """Whether it was a pipe, whose reader has seen enough."""
        return self.error.errno in (errno.EPIPE, errno.ESHUTDOWN)


class _Guarded:
    """A text stream whose failures are ours to judge."""

    def __init__(self, stream: TextIO, *, lossy: bool) -> None:
        self._stream, self._lossy = stream, lossy

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            return self._failed(error, len(text))

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error, 0)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def _failed(self, error: OSError, length: int) -> int:
        if self._lossy:
            return length
        raise OutputLost(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Make standard output and error safe to write to for as long as the command line runs.

    Progress and warnings that cannot be written are dropped: nobody's measurements end for want of a progress bar.
    Standard output that cannot be written ends the command with one message and status 1, or, where a pipe's reader
    has gone, silently with :data:`READER_GONE`.

    Yields:
        Nothing.

    Raises:
        SystemExit: standard output could not be written.
    """
    _fill_closed()
    codecs.register_error(FALLBACK, _fallback)
    out, err = sys.stdout, sys.stderr
    for stream in (out, err):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            cast(Any, stream).reconfigure(errors=FALLBACK)
    sys.stdout = cast(TextIO, _Guarded(out, lossy=False))
    sys.stderr = cast(TextIO, _Guarded(err, lossy=True))
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # now, not when the interpreter ends
    except OutputLost as lost:
        _abandon(out)
        if lost.reader_gone:
            raise SystemExit(READER_GONE) from None
        reason = lost.error.strerror or str(lost.error)
        sys.stderr.write(f"error: cannot write to standard output: {reason}{lost.kept}\n")
        raise SystemExit(1) from None
    finally:
        try:
            err.flush()
        except OSError:
            _abandon(err)
        sys.stdout, sys.stderr = out, err


class Command(TyperCommand):
    """A command beside whose output nothing else gets into standard output."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; what it does not write through :func:`output` goes to standard error."""
        global _output
        before, _output = _output, sys.stdout
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return super().invoke(ctx)
        finally:
            _output = before


_output: TextIO | None = None


def output() -> TextIO:
    """The standard output of the command that runs, or Python's where none does."""
    return sys.stdout if _output is None else _output


def fitting(text: str, stream: TextIO) -> str:
    """Text in the characters that a stream has: for tables, whose columns are counted before they are written.

    Args:
        text: any.
        stream: where it will be written.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        codecs.register_error(FALLBACK, _fallback)
        return text.encode(encoding, FALLBACK).decode(encoding)
    return text


def _fallback(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    # One by one: a handler's answer must itself be in the encoding, and ASCII is in all that terminals have.
    return "".join(_WORDS.get(one) or one.encode("ascii", "backslashreplace").decode() for one in lacking), error.end


def _fill_closed() -> None:
    """Open what was closed (``>&-``), or a file of the store would become standard output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (for the process's life)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _abandon(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, or the interpreter would complain when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
