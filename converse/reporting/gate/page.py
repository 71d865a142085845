"""An answer as one HTML file, complete in itself, with crops of the worst images: an artefact of a CI."""

from __future__ import annotations

from collections.abc import Sequence

from converse import __version__
from converse.reporting import numbers
from converse.reporting.figure import Figure
from converse.reporting.gate.answer import Answer, closer
from converse.reporting.gate.sheets import gate_sheets
from converse.reporting.pages import page_template
from converse.reporting.report import Missing


def page(answer: Answer, images: Sequence[Figure | Missing] = ()) -> str:
    """The page, without scripts.

    Args:
        answer: any.
        images: crops of the worst images, or why there is none.

    Returns:
        HTML. The same answer gives the same text.
    """
    sheets = {sheet.key: sheet for sheet in gate_sheets(answer)}
    return page_template("check.html").render(
        answer=answer,
        attention=sheets.get("attention"),
        fine=sheets.get("fine"),
        closer=closer(answer.grave),
        figures=[image for image in images if isinstance(image, Figure)],
        missing=[image for image in images if isinstance(image, Missing)],
        looks=numbers.LOOKS,
        version=__version__,
    )
