"""Numbers and verdicts as readers see them, the same on a terminal, in HTML and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from converse.counted import counted
from converse.reporting.tables.sheet import Cell, Head, Infinite

MINUS: Final = "−"
THIN: Final = "\u202f"
"""Between groups of three digits, as in 734 913; narrow, and no line breaks there."""


@dataclass(frozen=True)
class Look:
    """How a verdict is shown beside its word, without which none of this ever stands.

    Attributes:
        symbol: a letter.
        latex: the symbol in LaTeX's mathematics.
        tone: how it is coloured.
    """

    symbol: str
    latex: str
    tone: Literal["good", "fair", "bad", "none"]


LOOKS: Final[Mapping[str, Look]] = {
    "match": Look("✓", r"\checkmark", "good"),
    "close": Look("≈", r"\approx", "fair"),
    "differs": Look("✗", r"\times", "bad"),
    "not measured": Look("·", r"\cdot", "none"),
    "reproduced": Look("✓", r"\checkmark", "good"),
    "consistent": Look("∼", r"\sim", "fair"),
    "same direction": Look("↗", r"\nearrow", "fair"),
    "contradicted": Look("✗", r"\times", "bad"),
    "undecided": Look("?", "?", "none"),
    "not run": Look("·", r"\cdot", "none"),
    "better here": Look("▲", r"\triangle", "none"),
    "worse here": Look("▼", r"\nabla", "none"),
    "equal here": Look("=", "=", "none"),
    "undecided here": Look("?", "?", "none"),
    "regressed": Look("✗", r"\times", "bad"),
    "inconclusive": Look("?", "?", "fair"),
    "passed": Look("✓", r"\checkmark", "good"),
    "better": Look("▲", r"\triangle", "good"),
    "extra": Look("+", "+", "none"),
}
"""By verdict."""


def number(value: float | None, digits: int, *, sign: bool = False) -> str:
    """A number as text.

    Args:
        value: what was measured; ``None`` for nothing.
        digits: behind the point; 0 for counts, which are grouped by three.
        sign: show a plus too.

    Returns:
        ``30.70``, ``−0.02``, ``734 913``, ``∞``; empty for ``None``.
    """
    if value is None:
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")  # what rounds to nothing has no sign
    return text.replace(",", THIN).replace("-", MINUS)


def measured(cell: Cell, head: Head) -> str:
    """The measured number of a cell; the text of a cell that has one.

    Returns:
        ``30.70 ± 0.02`` with a deviation; ``∞ in 2 of 3; others 30.70 ± 0.02`` where the mean leaves out images.
    """
    if cell.text is not None:
        return cell.text
    return mean(cell.measured, cell.deviation, cell.infinite, head.digits, sign=head.signed)


def mean(
    value: float | None, deviation: float | None, infinite: Infinite | None, digits: int, *, sign: bool = False
) -> str:
    """A mean with its deviation over seeds, and before them the images that it leaves out.

    Args:
        value: the mean of the images whose value is finite.
        deviation: the standard deviation of that mean over seeds.
        infinite: images whose value is infinite.
        digits: behind the point.
        sign: show a plus too.

    Returns:
        ``30.70 ± 0.02``, ``∞ in 2 of 3; others 30.70 ± 0.02``, ``∞``; empty for ``None``.
    """
    text = number(value, digits, sign=sign)
    if deviation is not None:
        text += f" ± {number(deviation, digits)}"
    if infinite is None or not infinite.some or not text:
        return text
    return f"∞ in {infinite.images} of {infinite.of}; others {text}"


def left_out(infinite: Infinite | None) -> tuple[str, ...]:
    """What stands beside a mean without some images: ``∞ in 2 of 3 images``, ``mean of the others``; else nothing."""
    if infinite is None or not infinite.some:
        return ()
    return (f"∞ in {counted(infinite.images, 'image', of=infinite.of)}", "mean of the others")


def interval(cell: Cell, head: Head) -> str:
    """The interval, of a difference ``[−0.01, +0.03]``; empty where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    low, high = (number(value, head.digits, sign=head.signed) for value in (cell.low, cell.high))
    return f"[{low}, {high}]"


def published(cell: Cell, head: Head) -> str:
    """The published number; one that a third party quotes carries a dagger."""
    text = number(cell.published, head.published_digits, sign=head.signed)
    return f"{text}†" if text and cell.trust == "secondary" else text


def verdict(word: str | None) -> str:
    """A verdict with its symbol: ``✓ match``."""
    if word is None:
        return ""
    return f"{LOOKS[word].symbol} {word}" if word in LOOKS else word
