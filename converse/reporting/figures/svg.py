"""matplotlib's SVG → an element that stands inside a page beside others and takes the page's colours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree import ElementTree

from converse.plain_text import visible
from converse.reporting.figures.style import INK

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_HREF: Final = f"{{{_XLINK}}}href"
_LONG: Final = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE: Final = re.compile(r"url\(#([^)]*)\)")
_LENGTHS: Final = ("d", "x", "y", "width", "height", "points")

_FONT: Final = "'DejaVu Sans'"
_FONTS: Final = f"{_FONT},Verdana,sans-serif"
"""Where a reader does not have the font that was measured with, one of about the same widths."""

_OWN_INK: Final = f"svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:#e6edf3;background:#0d1117}}}}"

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def tidied(source: str, name: str, alt: str) -> str:
    """Make matplotlib's document an element for a page.

    Ink becomes ``currentColor``; text stays text, in fonts that readers have; ids are the name and a number, and those
    that nothing refers to go, as do style sheets, which would hold for the whole page, comments and metadata; lengths
    have two decimals.

    Args:
        source: the document.
        name: unique in the page.
        alt: what is drawn, in words.

    Returns:
        An ``<svg>`` element.
    """
    root = ElementTree.fromstring(source)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata"):
                parent.remove(child)
    # In the order in which they are meant: matplotlib makes some of its ids from where Python keeps a thing.
    used = {id_: f"{name}-{number}" for number, id_ in enumerate(dict.fromkeys(_references(root)), start=1)}
    for element in root.iter():
        _rewrite(element, used)
        # Line breaks between elements say nothing.
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None
    for side in ("width", "height"):
        root.set(side, str(round(float(root.attrib[side].removesuffix("pt")) * 96 / 72)))
    root.set("role", "img")
    root.set("aria-label", visible(alt))
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    return ElementTree.tostring(root, encoding="unicode")


def alone(svg: str) -> str:
    """The element as a file of its own, with ink for light and dark screens: there is no page to take it from."""
    end = svg.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg[:end]}<style>{_OWN_INK}</style>{svg[end:]}\n'


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for value in element.attrib.values():
            yield from _REFERENCE.findall(value)
        if reference := element.get(_HREF):
            yield reference.removeprefix("#")


def _rewrite(element: ElementTree.Element, used: Mapping[str, str]) -> None:
    attributes = element.attrib
    own = attributes.pop("id", "")
    if own in used:
        attributes["id"] = used[own]
    for key, value in attributes.items():
        if key in _LENGTHS:
            attributes[key] = " ".join(_LONG.sub(_short, value).split())
        elif key == _HREF and value.startswith("#"):
            attributes[key] = f"#{used[value[1:]]}"
        elif key in ("style", "clip-path"):
            inked = value.replace(INK, "currentColor").replace(": ", ":").replace("; ", ";")
            inked = inked.replace(_FONT, _FONTS)
            attributes[key] = _REFERENCE.sub(lambda found: f"url(#{used[found[1]]})", inked)


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
