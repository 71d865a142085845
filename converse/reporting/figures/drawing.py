"""Figures drawn: each once, several at a time where there are cores, and none of which the drawing is kept."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, fields, is_dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from converse.content import content
from converse.experiments.processes import clean_context
from converse.experiments.provenance import code_hash
from converse.experiments.store import files
from converse.reporting.figure import Figure, Values
from converse.reporting.report import Missing

DRAWINGS: Final = "cache"
"""Folder beside a report's page: figures that it has drawn, which need not be drawn again. It may be removed."""

ToDraw: TypeAlias = partial[Figure] | partial[Figure | Missing]
"""A function of a module that draws one figure, with all that it needs: names, numbers, frames, arrays and records."""

_LOADED: Final = ("matplotlib.backends.backend_pdf", "matplotlib.backends.backend_svg", "matplotlib.figure", "pandas")
_LIBRARIES: Final = ("matplotlib", "numpy", "pandas", "pillow", "scipy", "torch")
_FEW: Final = 4
"""So few figures are drawn sooner than other processes have begun."""


def draw(
    wanted: Sequence[ToDraw],
    *,
    kept: Path | None = None,
    processes: int = 1,
    progress: Callable[[str], None] = lambda what: None,
) -> list[Figure | Missing]:
    """Draw figures.

    Args:
        wanted: what draws each of them.
        kept: folder of drawings; made if need be. One that was made by the same function of the same package and
            libraries from the same content is taken from there; those that nobody wants any more are removed. ``None``:
            all are drawn anew.
        processes: at most so many figures at a time, each in a process of its own. A script whose top level has no
            ``if __name__ == "__main__"`` can have but one.
        progress: told how many of how many are drawn.

    Returns:
        The figures, or what is missing, in the order of ``wanted``.

    Raises:
        StoreError: the folder cannot be written.
    """
    keys = [fingerprint(one) for one in wanted] if kept is not None else [""] * len(wanted)
    found: dict[int, Figure | Missing] = {}
    if kept is not None:
        found = {at: figure for at, key in enumerate(keys) if (figure := _read(kept / f"{key}.json")) is not None}
    missing = [at for at in range(len(wanted)) if at not in found]
    for at, drawn in zip(missing, _drawn([wanted[at] for at in missing], processes), strict=True):
        progress(f"figure {len(found) + 1} of {len(wanted)}")
        found[at] = drawn
        if kept is not None and isinstance(drawn, Figure):
            _write(kept / f"{keys[at]}.json", drawn)
    if kept is not None:
        _remove_all_but(kept, set(keys))
    return [found[at] for at in range(len(wanted))]


def fingerprint(wanted: ToDraw) -> str:
    """A hash of all that a drawing depends on: the function, what it is given, this package, its libraries.

    Raises:
        TypeError: the function is given something whose content is not known.
    """
    digest = hashlib.sha256(_drawn_by().encode())
    _feed(digest.update, [wanted.func.__module__, wanted.func.__qualname__, list(wanted.args), wanted.keywords])
    return digest.hexdigest()


def _drawn(wanted: Sequence[ToDraw], processes: int) -> Iterable[Figure | Missing]:
    """The figures, one after another, in this process or in several."""
    done = 0
    workers = min(processes, len(wanted))
    if workers > 1 and len(wanted) > _FEW:
        context = clean_context(_LOADED)
        with (
            contextlib.suppress(BrokenProcessPool),  # memory ran out, perhaps: what is not drawn yet is drawn here
            ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool,
        ):
            waiting = [pool.submit(one) for one in wanted]
            try:
                for figure in waiting:
                    yield figure.result()
                    done += 1
            finally:
                pool.shutdown(cancel_futures=True)
    for one in wanted[done:]:
        yield one()


def _begin() -> None:
    """An interruption is the business of the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read(path: Path) -> Figure | None:
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        values = Values(tuple(record["values"]["columns"]), tuple(map(tuple, record["values"]["rows"])))
        return Figure(**record | {"pdf": base64.b64decode(record["pdf"]), "values": values})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, figure: Figure) -> None:
    record = {
        key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for key, value in asdict(figure).items()
    }
    with files.explained(path.parent, "make"):
        files.make_folder(path.parent)
    files.write_bytes(path, json.dumps(record).encode())


def _remove_all_but(folder: Path, keys: set[str]) -> None:
    for path in folder.glob(f"{'[0-9a-f]' * 64}.json"):
        if path.stem not in keys:
            with contextlib.suppress(OSError):
                path.unlink()


@cache
def _drawn_by() -> str:
    """This package with the style of its figures, and the libraries that draw."""
    style = hashlib.sha256((content("reports") / "figures.mplstyle").read_bytes()).hexdigest()
    return " ".join([code_hash(), style, *(f"{name} {version(name)}" for name in _LIBRARIES)])


def _feed(update: Callable[[bytes], Any], value: Any) -> None:
    """Hash any value by its content, each with its kind and length, so that no two are told by the same bytes."""
    if isinstance(value, pd.DataFrame):
        _feed(update, [list(map(str, value.columns)), list(map(str, value.dtypes)), len(value)])
        for name in value.columns:
            try:
                update(pd.util.hash_pandas_object(value[name], index=False).to_numpy().tobytes())
            except TypeError:  # lists, or arrays, in a column
                _feed(update, value[name].tolist())
    elif isinstance(value, np.ndarray):
        _feed(update, ["array", str(value.dtype), list(value.shape)])
        update(np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(update, [type(value).__qualname__, {one.name: getattr(value, one.name) for one in fields(value)}])
    elif isinstance(value, Mapping):
        _feed(update, [["mapping", len(value)], *([key, inner] for key, inner in value.items())])
    elif isinstance(value, list | tuple):
        update(f"sequence {len(value)};".encode())
        for inner in value:
            _feed(update, inner)
    elif value is None or isinstance(value, bool | int | float | str | bytes | Path | np.generic):
        text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        update(f"{type(value).__name__} {len(text)};".encode() + text)
    else:
        raise TypeError(f"a drawing is given a {type(value).__qualname__}, whose content is not known")
