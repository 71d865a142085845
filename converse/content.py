"""Where the content folders lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Folder = Literal["benchmarks", "ablations", "datasets", "reports"]

_PACKAGE = Path(__file__).resolve().parent


def content(folder: Folder) -> Path:
    """The content folder of that name.

    Args:
        folder: ``benchmarks``, ``ablations``, ``datasets`` or ``reports``.

    Returns:
        An existing directory.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    installed = _PACKAGE / "_content" / folder
    beside = _PACKAGE.parent / folder
    for place in (installed, beside):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"content folder {folder!r} is neither at {installed} nor at {beside}: reinstall converse")
