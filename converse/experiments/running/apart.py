"""Work in a process of its own, for code that may end it, hang in it or print: a user's operator.

The process that works tells how far it is, and gives its result or its exception. The one that waits notices when the
other ends without an answer, whatever its status, and ends it when it takes too long. A process whose parent is gone
ends at once; what it was at can be continued, as after a kill.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar, cast

from converse.errors import ConverseError, ConverseWarning, OptionError
from converse.experiments.processes import clean_context, end, how_it_ended
from converse.experiments.training.interruption import Stop, stoppable

Result = TypeVar("Result")
Done = TypeVar("Done", covariant=True)

Tell = Callable[..., None]
"""Told what is being done, how much of it is done, and perhaps more: ``("training", 120, 300)``."""

_LOOK: Final = 0.1  # seconds between two looks at the clock, and at whether somebody asks to stop
_AFTER_LIMIT: Final = 0.5  # seconds in which it can still write down where it is
_LOADED: Final = (
    "converse.experiments.running.execute",
    "converse.experiments.running.rehearsal",
    "converse.experiments.running.watched",
    "converse.nn.complexity",
    "torch._dynamo",  # by the first step of an optimiser
    "PIL.Image",
    "skimage.metrics._structural_similarity",  # `skimage.metrics` itself loads nothing before it is asked
    "skimage.metrics.simple_metrics",
    "pyarrow.parquet",
    "pyarrow.pandas_compat",
    "pandas",
    "filelock",
)


class Work(Protocol[Done]):
    """What is done apart: a function of a module, or a ``partial`` of one, whose arguments can be pickled."""

    def __call__(self, *, tell: Tell, stop: Stop) -> Done:
        """Do it; tell how far it is, and look now and then whether somebody asks to stop."""


class Ended(Exception):
    """The process ended without an answer, or was ended because it took too long.

    Args:
        reason: in a sentence.
        trace: what is known of where it was.
    """

    def __init__(self, reason: str, trace: str) -> None:
        super().__init__(reason)
        self.reason, self.trace = reason, trace


def apart(
    work: Work[Result],
    *,
    limit: float | None = None,
    each: bool = False,
    tell: Tell = lambda *what: None,
    stop: Stop | None = None,
) -> Result:
    """Do something in a process of its own. What it prints goes to standard error; what it warns of is warned of here.

    Args:
        work: what to do.
        limit: seconds after which it is ended; ``None`` for no limit.
        each: the limit is for each step that the work tells of, and not for all of it.
        tell: told what the work tells.
        stop: when it is asked, so is the work.

    Returns:
        What the work returned.

    Raises:
        Ended: the process ended by itself, or took longer than the limit.
        OptionError: it did not come to its work: a script that calls this has no ``if __name__ == "__main__"``.
        BaseException: what the work raised.
    """
    with tempfile.TemporaryDirectory(prefix="converse-") as folder:
        trace = Path(folder) / "trace.txt"
        ours, theirs = multiprocessing.Pipe()
        # Not a daemon, since those may have no processes of their own.
        process = clean_context(_LOADED).Process(
            target=_serve,
            args=(theirs, work, dict(os.environ), trace, limit, each),
            name="converse-apart",
            daemon=False,
        )
        followed = None
        try:
            process.start()
            theirs.close()
            followed = _follow(ours, limit, each, tell, stop or Stop())
        finally:
            ours.close()
            end(process, patiently=followed is not None and followed.kind != "late")
        if followed.kind == "returned":
            return cast(Result, followed.content)
        if followed.kind == "raised":
            raise unpacked_error(followed.content)
        if followed.kind == "never began":
            raise OptionError(
                f"a process for a user's operator {how_it_ended(process)} before it began: a script that runs trials "
                'has to do so under `if __name__ == "__main__":`, for other processes import it too'
            )
        reason = f"took longer than {limit:g} s" if followed.kind == "late" else f"its process {how_it_ended(process)}"
        where = f", while {followed.last}" if followed.last else ""
        written = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
        raise Ended(f"{reason}{where}", f"The trial {reason}{where}.\n\n{written}".rstrip() + "\n")


def warm_up() -> None:
    """Begin to load what such a process needs, beside what this one is doing."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        clean_context(_LOADED)
        forkserver.ensure_running()


@dataclass(frozen=True)
class _Followed:
    """How it went, the result or the exception, and what was told last."""

    kind: Literal["returned", "raised", "gone", "late", "never began"]
    content: Any = None
    last: str = ""


def _follow(pipe: Connection, limit: float | None, each: bool, tell: Tell, stop: Stop) -> _Followed:
    """Listen until there is an answer, or none to be expected."""
    deadline: float | None = None
    last, began, asked = "", False, False
    while True:
        if stop.asked and not asked:
            asked = True
            with contextlib.suppress(OSError):
                pipe.send("stop")
        if deadline is not None and time.monotonic() > deadline:
            return _Followed("late", last=last)
        if not pipe.poll(_LOOK):
            continue
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError):
            return _Followed("gone" if began else "never began", last=last)
        if limit is not None and (kind == "began" or (kind == "told" and each)):
            deadline = time.monotonic() + limit + _AFTER_LIMIT
        if kind == "began":
            began = True
        elif kind == "told":
            last = "{} ({} of {})".format(*content)
            tell(*content)
        elif kind == "warned":
            warnings.warn(ConverseWarning(content), stacklevel=3)
        else:
            return _Followed(kind, content, last)


def _serve(
    pipe: Connection, work: Work[Any], environment: dict[str, str], trace: Path, limit: float | None, each: bool
) -> None:
    """What the process does."""
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # standard output is for the one document of whoever asked
    sys.stdout = sys.stderr
    os.environ.clear()  # that of a process which was forked from another is the other's
    os.environ.update(environment)
    sending = threading.Lock()

    def send(kind: str, content: Any) -> None:
        with sending, contextlib.suppress(OSError):  # nobody listens any more
            pipe.send((kind, content))

    with trace.open("w", encoding="utf-8") as file, stoppable() as stop:
        faulthandler.enable(file)
        threading.Thread(target=_listen, args=(pipe, stop), name="converse-listens", daemon=True).start()

        def watch() -> None:
            if limit is not None:
                faulthandler.dump_traceback_later(limit, file=file)

        def tell(*what: Any) -> None:
            if each:
                watch()
            send("told", what)

        send("began", None)
        watch()
        try:
            with _warnings_sent(lambda text: send("warned", text)):
                answer = "returned", work(tell=tell, stop=stop)
        except BaseException as error:
            answer = "raised", packed_error(error)
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        send(*answer)


def _listen(pipe: Connection, stop: Stop) -> None:
    """Hear when to stop; and when nobody is there any more, end."""
    while True:
        try:
            pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        stop.asked = True


@contextlib.contextmanager
def _warnings_sent(send: Callable[[str], None]) -> Any:
    with warnings.catch_warnings():
        show = warnings.showwarning

        def sent(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> None:
            if issubclass(category, ConverseWarning):
                send(str(message))
            else:
                show(message, category, *place, **line)

        warnings.showwarning = sent
        yield


def packed_error(error: BaseException) -> tuple[type[BaseException], tuple[Any, ...], dict[str, Any], str]:
    """An exception as it can be sent: one of a class that only the user's file knows becomes a ``RuntimeError``."""
    kind, trace = type(error), "".join(traceback.format_exception(error))
    packed = kind, error.args, {key: value for key, value in vars(error).items() if key != "__notes__"}, trace
    with contextlib.suppress(Exception):
        if kind.__module__.partition(".")[0] in ("builtins", "converse", "torch"):
            pickle.dumps(packed)
            return packed
    return RuntimeError, (f"{kind.__name__}: {error}",), {}, trace


def unpacked_error(sent: tuple[type[BaseException], tuple[Any, ...], dict[str, Any], str]) -> BaseException:
    """The exception that :func:`packed_error` has made ready."""
    kind, arguments, state, trace = sent
    error = kind.__new__(kind)
    error.args = arguments
    vars(error).update(state)
    if not isinstance(error, ConverseError | KeyboardInterrupt):
        error.add_note(trace)
    return error
