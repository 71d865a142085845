"""What figures look like, asked of matplotlib: every drawing that they are made from, laid out, and what is in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from converse.reporting.figures import drawn
from converse.reporting.figures.style import styled

GROUNDS: Final = {"light": "#ffffff", "dark": "#121518", "dark, alone": "#0d1117"}
"""What lies behind a drawing: the page, and a picture of its own."""

_NOTHING: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="1pt" height="1pt"/>'
_TOUCH: Final = 0.5
"""Points that boxes of two texts may share: they are as tall as the tallest letter of the font."""


@contextlib.contextmanager
def watched() -> Iterator[list[Drawing]]:
    """The drawings that are finished inside, which are not written in any format."""
    seen: list[Drawing] = []

    def saved(drawing: Drawing, kind: str) -> bytes:
        if drawing not in seen:
            seen.append(drawing)
        return _NOTHING

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "_saved", saved)
        yield seen


def texts(drawing: Drawing) -> list[tuple[Text, Bbox]]:
    """The texts that are drawn, each with its box in points."""
    found: dict[int, Text] = {}
    draw = Text.draw

    def noted(text: Text, renderer: Any, *more: Any, **others: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            found[id(text)] = text
        draw(text, renderer, *more, **others)

    with styled(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", noted)
        drawing.set_layout_engine(None)
        renderer = RendererAgg(*drawing.bbox.size, drawing.dpi)  # type: ignore[no-untyped-call]
        drawing.draw(renderer)
        scale = 72 / drawing.dpi
        boxes = (Text.get_window_extent(text, renderer) for text in found.values())
        return [(text, Bbox(box.get_points() * scale)) for text, box in zip(found.values(), boxes, strict=True)]


def words(drawing: Drawing) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """The texts that are drawn: what each says, and its colour with what of it is clear."""
    yield from ((text.get_text(), to_rgba(text.get_color(), text.get_alpha())) for text, _ in texts(drawing))


def collisions(drawing: Drawing) -> list[str]:
    """Texts that lie on another, or leave the drawing."""
    found = texts(drawing)
    said = [
        f"{one.get_text()!r} on {other.get_text()!r}"
        for (one, box), (other, second) in combinations(found, 2)
        if _share(box, second)
    ]
    width, height = drawing.get_size_inches() * 72
    return said + [
        f"{text.get_text()!r} leaves the drawing"
        for text, box in found
        if box.x0 < -_TOUCH or box.y0 < -_TOUCH or box.x1 > width + _TOUCH or box.y1 > height + _TOUCH
    ]


def _share(one: Bbox, other: Bbox) -> bool:
    both = Bbox.intersection(one, other)
    return both is not None and both.width > _TOUCH and both.height > _TOUCH


def crossed(drawing: Drawing) -> list[str]:
    """Texts inside of axes that a line of data crosses."""
    found = texts(drawing)
    scale = drawing.dpi / 72
    return [
        f"{text.get_text()!r} is crossed by a line"
        for axes in drawing.axes
        for line in axes.lines
        if line.get_linestyle() not in ("None", "none", "", " ")
        for text, box in found
        if text.axes is axes
        and text in axes.texts
        and line.get_transform()
        .transform_path(line.get_path())
        .intersects_bbox(Bbox(box.get_points() * scale), filled=False)
    ]


def led_over(drawing: Drawing) -> list[str]:
    """Texts inside of axes on which the line lies that leads from another text to what it names."""
    found = [(text, box) for text, box in texts(drawing) if text.axes is not None and text in text.axes.texts]
    scale = drawing.dpi / 72
    return [
        f"{text.get_text()!r} lies below the line of {other.get_text()!r}"
        for other, _ in found
        if (line := getattr(other, "arrow_patch", None)) is not None
        for text, box in found
        if text is not other
        and line.get_transform()
        .transform_path(line.get_path())
        .intersects_bbox(Bbox(box.get_points() * scale), filled=False)
    ]


def luminance(colour: Any) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: Any, other: Any) -> float:
    """The contrast of two colours, as WCAG 2 defines it."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def marks(drawing: Drawing) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Lines and markers of data: what each is, and its colour with what of it is clear."""
    for axes in drawing.axes:
        for line in axes.lines:
            yield from _marks_of(axes, line)
        for bars in axes.collections:
            if isinstance(bars, LineCollection):
                yield from ((f"a bar of {_name(axes)}", tuple(colour)) for colour in to_rgba_array(bars.get_colors()))


def _marks_of(axes: Axes, line: Line2D) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    alpha = line.get_alpha()
    what = f"a line of {_name(axes)}"
    if line.get_linestyle() not in ("None", "none", "", " ") and line.get_linewidth() > 0:
        yield what, to_rgba(line.get_color(), alpha)
    if line.get_marker() not in ("None", "none", "", " ", None):
        edged = line.get_markeredgewidth() > 0
        yield f"a marker of {what}", to_rgba(line.get_markeredgecolor() if edged else line.get_markerfacecolor(), alpha)


def _name(axes: Axes) -> str:
    return repr(axes.get_title(loc="left") or axes.get_xlabel())


def on(colour: tuple[float, float, float, float], ground: str) -> tuple[float, float, float]:
    """What is seen of a colour that is partly clear."""
    *shade, alpha = colour
    red, green, blue = (alpha * one + (1 - alpha) * behind for one, behind in zip(shade, to_rgb(ground), strict=True))
    return red, green, blue
