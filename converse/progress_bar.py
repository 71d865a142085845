"""A bar on standard error, for whoever sits at a terminal or in a notebook; elsewhere none."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Part = Literal["text", "bar", "count", "bytes", "time left"]


@contextmanager
def progress_bar(
    *parts: Part, text: str = "", total: float | None = None, wanted: bool = True
) -> Iterator[tuple[Progress, TaskID]]:
    """Show how far something is for as long as it takes; nothing of it stays on the screen.

    Args:
        parts: what the bar shows, from left to right.
        text: what it says at first, in place of ``text``.
        total: how much there is to do, if that is known.
        wanted: whether to show it at all.

    Yields:
        rich's bar, whose ``console`` prints above it, and the one task on it.

    Warns:
        UserWarning: this is a notebook, in which rich needs ipywidgets, and they are not installed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = {
        "text": TextColumn("{task.description}", markup=False),
        "bar": BarColumn(20),
        "count": MofNCompleteColumn(),
        "bytes": DownloadColumn(),
        "time left": TimeRemainingColumn(),
    }
    console = Console(stderr=True, highlight=False)
    seen = wanted and _shows_bars(console)
    with Progress(*(columns[part] for part in parts), console=console, transient=True, disable=not seen) as bar:
        yield bar, bar.add_task(text, total=total)


def _shows_bars(console: Console) -> bool:
    if not console.is_jupyter:
        return console.is_terminal
    if find_spec("ipywidgets") is None:
        way_out = "pip install 'converse-bench[notebook]', and restart the kernel"
        warnings.warn(f"no progress bars: in a notebook they need ipywidgets; {way_out}", stacklevel=4)
        return False
    return True
