"""A figure of a report, drawn already, and the numbers that it draws."""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | float | None


@dataclass(frozen=True)
class Values:
    """The numbers of a figure as a table.

    Attributes:
        columns: names, with the unit where there is one: ``psnr_db``.
        rows: for each, as many as there are columns; ``None`` where there is nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Figure:
    """One figure, in all the formats that a report needs.

    Attributes:
        name: stable, unique in a report, of lower-case letters, digits and hyphens: the name of its files.
        title: a heading, without markup.
        caption: what must be known to read it.
        alt: what a reader who cannot see it must know: what is drawn, and what it shows.
        svg: for HTML: one element ``<svg>`` with a ``viewBox``, without scripts and references to other files; ids in
            it begin with the name. A figure of pixels has a PNG as a data address inside.
        pdf: for LaTeX.
        tall: an element like ``svg`` for narrow screens, for which that is too wide; empty where it is not.
        values: what is drawn, as numbers.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    pdf: bytes = b""
    tall: str = ""
    values: Values = Values((), ())
