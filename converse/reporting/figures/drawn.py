"""A drawing → a figure of a report, as the same bytes wherever matplotlib is the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from converse.plain_text import visible
from converse.reporting.figure import Figure
from converse.reporting.figures.style import styled
from converse.reporting.figures.svg import tidied

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_NO_DATE: Final = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


def drawn(drawing: Drawing, *, name: str, title: str, caption: str, alt: str) -> Figure:
    """Finish a figure.

    Args:
        drawing: by matplotlib, made inside of :func:`converse.reporting.figures.style.styled`.
        name: unique in a report, of lower-case letters, digits and hyphens.
        title: one line.
        caption: what is drawn and by which rule.
        alt: what it shows, with numbers.

    Returns:
        The figure. Its SVG has the page's ink (``currentColor``) on nothing, its PDF dark ink on nothing, its PNG dark
        ink on white.
    """
    import matplotlib
    from matplotlib.text import Text

    for text in drawing.findobj(Text):
        if (shown := visible(text.get_text(), keep="\n")) != text.get_text():
            text.set_text(shown)
    with styled():
        if (engine := drawing.get_layout_engine()) is not None:
            engine.execute(drawing)
        # Laid out once for all three: with any engine, even one that does nothing, each of them would be drawn twice.
        with matplotlib.rc_context({"figure.constrained_layout.use": False}):
            drawing.set_layout_engine(None)
            svg = tidied(_saved(drawing, "svg").decode(), name, alt)
            pdf, png = _saved(drawing, "pdf"), _saved(drawing, "png")
    return Figure(name, title, caption, alt, svg, pdf, png)


def _saved(drawing: Drawing, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Dark ink on nothing is hard to read on what a viewer of pictures may put behind it.
    ground = "white" if kind == "png" else "none"
    drawing.savefig(buffer, format=kind, metadata=_NO_DATE[kind], facecolor=ground)
    return buffer.getvalue()
