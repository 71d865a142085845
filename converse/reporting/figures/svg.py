"""matplotlib's SVG → an element that stands inside a page beside others and takes the page's colours."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final
from xml.etree import ElementTree

from converse.data.opening import own_png
from converse.plain_text import visible
from converse.reporting.figures.style import INK

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_HREF: Final = f"{{{_XLINK}}}href"
_LONG: Final = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE: Final = re.compile(r"url\(#([^)]*)\)")
_NO_TURN: Final = re.compile(r"rotate\(-?0( [^)]*)?\)")
_PNG: Final = "data:image/png;base64,"
_GROUP: Final = f"{{{_SVG}}}g"
_USE: Final = f"{{{_SVG}}}use"
_MANY: Final = 3
"""So many marks of one look get a group that has it."""

_LENGTHS: Final = ("d", "x", "y", "width", "height", "points")

_FONT: Final = "'DejaVu Sans'"
_OWN_FONT: Final = f"font-family:{_FONT};"
_FONTS: Final = f"{_FONT},Verdana,sans-serif"
"""Where a reader does not have the font that was measured with, one of about the same widths."""

_OWN_INK: Final = f"svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:#e6edf3;background:#0d1117}}}}"

ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def tidied(source: str, name: str, alt: str) -> str:
    """Make matplotlib's document an element for a page.

    Ink becomes ``currentColor``; text stays text, in fonts that readers have; ids are the name and a number, and those
    that nothing refers to go, as do style sheets, which would hold for the whole page, comments and metadata; lengths
    have two decimals. What says nothing goes too: groups without a property, turns by nothing, the colours of grey
    pictures; and what is said of many marks is said once.

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
    _unwrap(root)
    _gather(root)
    for side in ("width", "height"):
        root.set(side, str(round(float(root.attrib[side].removesuffix("pt")) * 96 / 72)))
    root.set("role", "img")
    root.set("aria-label", visible(alt))
    root.set("style", f"stroke-linejoin:round;stroke-linecap:butt;font-family:{_FONTS}")
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
    if _NO_TURN.fullmatch(attributes.get("transform", "")):
        del attributes["transform"]
    if own in used:
        attributes["id"] = used[own]
    for key, value in attributes.items():
        if key in _LENGTHS:
            attributes[key] = " ".join(_LONG.sub(_short, value).split())
        elif key == _HREF and value.startswith("#"):
            attributes[key] = f"#{used[value[1:]]}"
        elif key == _HREF and value.startswith(_PNG):
            attributes[key] = _PNG + _smallest(value.removeprefix(_PNG))
        elif key in ("style", "clip-path"):
            inked = value.replace(INK, "currentColor").replace(": ", ":").replace("; ", ";")
            inked = inked.replace(_OWN_FONT, "").rstrip(";")
            attributes[key] = _REFERENCE.sub(lambda found: f"url(#{used[found[1]]})", inked)


def _unwrap(element: ElementTree.Element) -> None:
    """Put what is in groups that have no property in their places."""
    children: list[ElementTree.Element] = []
    for child in element:
        _unwrap(child)
        children += list(child) if child.tag == _GROUP and not child.attrib else [child]
    element[:] = children


def _gather(element: ElementTree.Element) -> None:
    """Put marks that follow one another and look the same into a group that says it once."""
    children: list[ElementTree.Element] = []
    for (tag, style), found in groupby(element, key=lambda child: (child.tag, child.get("style"))):
        run = list(found)
        for child in run:
            _gather(child)
        if tag == _USE and style and len(run) >= _MANY:
            group = ElementTree.Element(_GROUP, {"style": style})
            for child in run:
                del child.attrib["style"]
            group[:] = run
            run = [group]
        children += run
    element[:] = children


def _smallest(picture: str) -> str:
    """A PNG in base64 with as few channels as its colours need, and the same colours."""
    from PIL import Image

    pixels = own_png(base64.b64decode(picture))
    red, colours, clear = pixels[..., 0], pixels[..., :3], pixels[..., 3:]
    if (colours != red[..., None]).any() or (clear != 255).any():
        return picture
    grey = io.BytesIO()
    Image.fromarray(red).save(grey, "PNG", optimize=True)
    return base64.b64encode(grey.getvalue()).decode()


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
