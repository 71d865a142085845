"""What a figure is: a drawing with a title, a caption and a description in words; and how it is written."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from converse.experiments import files
from converse.reporting.figures.style import styled
from converse.reporting.figures.svg import alone, tidied

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Figure:
    """A figure of a report. The same drawing is written as the same bytes, wherever matplotlib is the same.

    Attributes:
        name: stem of its files, letters, digits and hyphens: ``effects-padding``.
        title: one line.
        caption: what is drawn and by which rule, in sentences.
        alt: what it shows, with numbers, for who cannot see it.
        drawing: matplotlib's.
    """

    name: str
    title: str
    caption: str
    alt: str
    drawing: Drawing = field(repr=False, compare=False)

    @cached_property
    def svg(self) -> str:
        """The drawing as an ``<svg>`` element to stand inside a page.

        Its background is transparent and its ink ``currentColor``, so that it takes the page's colours; its ids begin
        with the name, so that several figures stand in one page. ``role="img"`` and ``aria-label`` are set.
        """
        raw = self._saved("svg", {"Date": None, "Creator": None, "Format": None, "Type": None})
        return tidied(raw.decode(), self.name, self.alt)

    def pdf(self) -> bytes:
        """The drawing as a PDF of one page, without a date."""
        return self._saved("pdf", {"CreationDate": None})

    def png(self) -> bytes:
        """The drawing as a PNG on white, 160 pixels per inch."""
        return self._saved("png", {"Software": None})

    def write(self, folder: Path) -> list[Path]:
        """Write ``NAME.svg``, ``NAME.pdf`` and ``NAME.png``.

        Args:
            folder: an existing folder.

        Returns:
            The three files.

        Raises:
            StoreError: one could not be written.
        """
        contents = {"svg": alone(self.svg).encode(), "pdf": self.pdf(), "png": self.png()}
        for suffix, data in contents.items():
            files.write_bytes(folder / f"{self.name}.{suffix}", data)
        return [folder / f"{self.name}.{suffix}" for suffix in contents]

    def _saved(self, kind: str, metadata: dict[str, None]) -> bytes:
        buffer = io.BytesIO()
        with styled():
            # Dark ink on nothing is hard to read on what a viewer of pictures may put behind it.
            self.drawing.savefig(buffer, format=kind, metadata=metadata, facecolor="white" if kind == "png" else "none")
        return buffer.getvalue()


@dataclass(frozen=True)
class NoFigure:
    """A figure that could not be drawn.

    Attributes:
        name: as it would have had.
        title: as it would have had.
        reason: why, and how to get what is missing.
    """

    name: str
    title: str
    reason: str
