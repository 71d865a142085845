"""A drawing → a figure of a report, as the same bytes wherever matplotlib is the same."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from converse.plain_text import visible
from converse.reporting.figure import Figure, Value, Values
from converse.reporting.figures.style import styled
from converse.reporting.figures.svg import tidied
from converse.reporting.figures.ticks import few_everywhere

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing
    from matplotlib.text import Text

_NO_DATE: Final = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None},
}


_DIGITS: Final = 7
"""Of a number that is drawn: more than can be seen."""
_PLACES: Final = 12
"""Decimals of where axes stand, in parts of the drawing."""
_WHOLE: Final = 2.0**53
"""Whole numbers below it have all their digits."""


def drawn(
    drawing: Drawing,
    *,
    name: str,
    title: str,
    caption: str,
    alt: str,
    values: pd.DataFrame,
    tall: Drawing | None = None,
) -> Figure:
    """Finish a figure.

    Args:
        drawing: by matplotlib, made inside of :func:`converse.reporting.figures.style.styled`.
        name: unique in a report, of lower-case letters, digits and hyphens.
        title: one line.
        caption: what is drawn and by which rule.
        alt: what it shows, with numbers.
        values: what is drawn; its columns are text and numbers, NaN where there is nothing.
        tall: the same drawing, :data:`converse.reporting.figures.style.TALL` wide.

    Returns:
        The figure. Its SVG has the page's ink (``currentColor``) on nothing, its PDF dark ink on nothing. Pixels are
        made of the SVG by the page, where somebody wants them.
    """
    svg, pdf = _laid_out(drawing, "svg", "pdf")
    (narrow,) = _laid_out(tall, "svg") if tall is not None else (b"",)
    return Figure(
        name,
        title,
        caption,
        alt,
        tidied(svg.decode(), name, alt),
        pdf,
        tidied(narrow.decode(), f"{name}-tall", alt) if narrow else "",
        Values(tuple(values.columns), tuple(tuple(map(_value, row)) for row in values.itertuples(index=False))),
    )


def _laid_out(drawing: Drawing, *kinds: str) -> list[bytes]:
    """The drawing in some formats."""
    import matplotlib

    few_everywhere(drawing)
    for text in _texts(drawing):
        if (shown := visible(text.get_text(), keep="\n")) != text.get_text():
            text.set_text(shown)
    with styled():
        if (engine := drawing.get_layout_engine()) is not None:
            engine.execute(drawing)
            _settle(drawing)
        # Laid out once for all: with any engine, even one that does nothing, each of them would be drawn twice.
        with matplotlib.rc_context({"figure.constrained_layout.use": False}):
            drawing.set_layout_engine(None)
            return [_saved(drawing, kind) for kind in kinds]


def _texts(drawing: Drawing) -> Iterator[Text]:
    """All texts but those of ticks, whose names are made by :func:`converse.reporting.figures.style.label`.

    To ask an axis for its ticks makes as many as there may be.
    """
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    for artist in drawing.get_children():
        for part in artist.get_children() if isinstance(artist, Axes) else (artist,):
            if isinstance(part, Axis):
                yield part.label
            else:
                yield from (found for found in part.findobj(Text) if isinstance(found, Text))


def _settle(drawing: Drawing) -> None:
    """Take from the places of axes the last bits, which the layout's solver gives by the order of things in memory."""
    from matplotlib.transforms import Bbox

    for axes in drawing.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(_PLACES)))
        axes.set_in_layout(True)  # as it was: who sets a place takes the axes out of it


def _value(value: Any) -> Value:
    """A cell of a frame as text, a number, or nothing."""
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() and abs(number) < _WHOLE else float(f"{number:.{_DIGITS}g}")


def _saved(drawing: Drawing, kind: str) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format=kind, metadata=_NO_DATE[kind])
    return buffer.getvalue()
