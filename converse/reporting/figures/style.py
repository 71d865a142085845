"""How figures look: one style sheet, and one colour and marker for each entry, wherever it appears."""

from __future__ import annotations

import contextlib
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from converse.content import content

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK: Final = "#1f2328"
"""Text and lines of the style sheet; in a page, ``currentColor``."""

QUIET: Final = "#767c85"
"""What stands behind the data; 3:1 against white and against near black."""

WIDTH: Final = 7.2
"""Inches: a page of a report."""

TALL: Final = 3.7
"""Inches: a page of a report on a screen of 390 pixels, in which letters keep their size."""

LABEL: Final = 32
"""Letters of a name that a drawing has room for."""


@dataclass(frozen=True)
class Look:
    """How an entry is drawn, everywhere the same."""

    colour: str
    marker: str


# After Okabe and Ito, made so that each has a contrast of 3:1 to white and to near black. Roles of the paper first.
_ROLES: Final = {
    "converse": Look("#d55e00", "o"),
    "conv": Look("#0072b2", "s"),
    "convt": Look("#009473", "^"),
    "plain": Look("#9a5fb8", "D"),
}
_OTHERS: Final = ("#a97900", "#c0517f", "#4a86c7", "#6d8a24", "#8d6e63", "#767c85")
_MARKERS: Final = ("v", "P", "X", "<", ">", "p", "h", "*")


def looks(entries: Iterable[str], base: str | None = None) -> dict[str, Look]:
    """A colour and a marker for each entry.

    The paper's four roles have their own, recognised by name (``Converse…``, ``ConvT-…``, ``Conv-…`` and ``ConvNet``,
    or the operator's own name; the networks without an operator); all others take what is left, in the order in which
    they come.

    Args:
        entries: in the order of the report.
        base: takes the colour of reverse convolution, whatever its name.

    Returns:
        One look per entry; up to 14 entries have different ones.
    """
    chosen: dict[str, Look] = {}
    taken: set[Look] = set()
    names = list(dict.fromkeys(entries))
    for entry in names:
        look = _ROLES["converse"] if entry == base else _ROLES.get(_role(entry) or "")
        if look is not None and look not in taken and (base is None or entry == base or look != _ROLES["converse"]):
            chosen[entry] = look
            taken.add(look)
    colours = [*_OTHERS, *(look.colour for look in _ROLES.values())]
    others = (Look(colours[i % len(colours)], _MARKERS[i % len(_MARKERS)]) for i in range(len(names)))
    return {entry: chosen.get(entry) or next(others) for entry in names}


def is_converse(entry: str) -> bool:
    """Whether a name is that of a network with reverse convolution, as the paper names them."""
    return entry.startswith("Converse")


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw and save by the style sheet alone, whatever the user has set for matplotlib."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcParams.update(_style())  # type: ignore[arg-type]
        yield


def new_drawing(width: float, height: float) -> Drawing:
    """An empty drawing; inches. Only inside of :func:`styled`."""
    from matplotlib.figure import Figure as Drawing

    return Drawing(figsize=(width, height))


def in_panels(number: int, wide: float, below: float, *, tall: bool) -> tuple[Drawing, Sequence[Axes]]:
    """A drawing of axes with one scale: beside each other, or in a tall one below one another. As :func:`new_drawing`.

    Args:
        number: of the axes.
        wide: inches, the height where they share the vertical axis.
        below: inches, the height where they share the horizontal one.
        tall: which it is.

    Returns:
        The drawing, and its axes in order; ``label_outer`` leaves labels to those at the rim.
    """
    if tall:
        drawing = new_drawing(TALL, below)
        return drawing, list(drawing.subplots(number, 1, squeeze=False, sharex=True).flat)
    drawing = new_drawing(WIDTH, wide)
    return drawing, list(drawing.subplots(1, number, squeeze=False, sharey=True).flat)


def label(name: str, length: int = LABEL) -> str:
    """A name as a drawing can show it: what the font lacks as ``U+1F600``, and the middle of long names left out."""
    glyphs = _glyphs()
    shown = "".join(
        letter
        if (ord(letter) in glyphs and unicodedata.category(letter)[0] not in "CZ") or letter == " "
        else _code(letter)
        for letter in name
    )
    if len(shown) <= length:
        return shown
    tail = length // 3
    return f"{shown[: length - tail - 1]}…{shown[-tail:]}"


def dot(colour: str, size: float) -> dict[str, Any]:
    """Options of ``plot`` for dots of which many may lie on one another: half clear, with an edge that stands out."""
    from matplotlib.colors import to_rgba

    return {
        "marker": "o",
        "linestyle": "none",
        "markersize": size,
        "markerfacecolor": to_rgba(colour, 0.5),
        "markeredgecolor": colour,
        "markeredgewidth": 0.6,
    }


def folded(name: str, letters: int, lines: int = 2) -> str:
    """A name as a drawing can show it in so many lines of so many letters; :func:`label` where it has no room."""
    for room in range(letters * lines, 0, -1):
        found = textwrap.wrap(label(name, room), letters)
        if len(found) <= lines:
            break
    return "\n".join(found)


def _code(letter: str) -> str:
    return " " if letter.isspace() else f"U+{ord(letter):04X}"


def text_width(text: str, size: float) -> float:
    """Points that a line of text takes in letters of so many points."""
    font = _font()
    font.set_size(size, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64  # its units are 1/64 of a point


@cache
def _font() -> Any:
    from matplotlib import font_manager

    return font_manager.get_font(font_manager.findfont("DejaVu Sans", fallback_to_default=True))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(_font().get_charmap())


@cache
def _style() -> dict[str, Any]:
    import matplotlib

    sheet = matplotlib.rc_params_from_file(content("reports") / "figures.mplstyle", fail_on_error=True)
    return {key: value for key, value in sheet.items() if not key.startswith(("backend", "date.epoch"))}


def _role(entry: str) -> str | None:
    if is_converse(entry):
        return "converse"
    if entry.startswith("ConvT-") or entry == "transposed convolution":
        return "convt"
    if entry.startswith("Conv-") or entry in ("ConvNet", "depthwise convolution"):
        return "conv"
    return "plain" if entry in ("DnCNN", "SRResNet", "USRNet") else None
