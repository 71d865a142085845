"""The viewer in a page: what its template shows without a script, and the data that its script reads."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from converse.metrics import METRICS
from converse.reporting import numbers
from converse.reporting.pages import data_element
from converse.reporting.viewer.pictures import FOLDER, Gallery, Picture, Print, Shelf

RANGES: Final = (8, 16, 32, 64, 128, 255)
"""Absolute errors, of 255, at which the scale of the error map may end; it is the same for all images."""

_STEPS: Final = 17


@dataclass(frozen=True)
class CardView:
    """What is shown of a picture without a script.

    Attributes:
        key: of the picture.
        name: of the image.
        source: address of what is shown first.
        width: pixels.
        height: pixels.
        links: what there is, in words, and its address; none where the addresses are long.
    """

    key: str
    name: str
    source: str
    width: int
    height: int
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ShelfView:
    """What is shown of a shelf without a script.

    Attributes:
        shelf: what it is.
        cards: one for each picture.
    """

    shelf: Shelf
    cards: tuple[CardView, ...]


@dataclass(frozen=True)
class GalleryView:
    """What the template gets.

    Attributes:
        shelves: in the order of the report.
        notes: what is left out.
        data: for the script.
        beside: whether the pictures lie beside the page.
        ranges: where the scale of the error map may end.
        tables: the colours of the error map from 0 to 1, for red, green and blue.
        gradient: the same for a style.
    """

    shelves: tuple[ShelfView, ...]
    notes: tuple[str, ...]
    data: Markup
    beside: bool
    ranges: tuple[int, ...]
    tables: tuple[str, str, str]
    gradient: str


def gallery_view(gallery: Gallery | None) -> GalleryView | None:
    """What the template gets; ``None`` where there are no pictures.

    Args:
        gallery: of the report.
    """
    if gallery is None or not gallery.shelves:
        return None
    inside = gallery.inside

    def source(name: str) -> str:
        if inside is None:
            return f"{FOLDER}/{name}"
        return f"data:image/png;base64,{base64.b64encode(inside[name]).decode()}"

    shelves = tuple(
        ShelfView(shelf, tuple(_card(shelf, picture, source, links=inside is None) for picture in shelf.pictures))
        for shelf in gallery.shelves
    )
    metrics = [{"title": one.title, "unit": one.unit, "digits": one.fine_digits} for one in METRICS.values()]
    data = {"metrics": metrics, "shelves": [_shelf(shelf, source) for shelf in gallery.shelves]}
    colours = _colours()
    return GalleryView(
        shelves=shelves,
        notes=gallery.notes,
        data=data_element(data),
        beside=inside is None,
        ranges=RANGES,
        tables=tuple(" ".join(f"{one[band]:.4f}" for one in colours) for band in range(3)),  # type: ignore[arg-type]
        gradient=", ".join(f"rgb({', '.join(str(round(255 * band)) for band in one)})" for one in colours),
    )


def _card(shelf: Shelf, picture: Picture, source: Callable[[str], str], *, links: bool) -> CardView:
    there = [(layer, picture.prints[layer.key]) for layer in shelf.layers if layer.key in picture.prints]
    first = there[0][1]
    said = tuple((" ".join(filter(None, (layer.title, _psnr(one)))), source(one.file)) for layer, one in there)
    return CardView(picture.key, picture.name, source(first.file), picture.width, picture.height, said if links else ())


def _psnr(one: Print) -> str:
    facts = METRICS["psnr"]
    value = one.values.get("psnr")
    return "" if value is None else f"{numbers.number(value, facts.paper_digits)} {facts.unit}"


def _shelf(shelf: Shelf, source: Callable[[str], str]) -> dict[str, Any]:
    return {
        "key": shelf.key,
        "title": shelf.title,
        "place": shelf.place,
        "note": shelf.note,
        "layers": [{"key": one.key, "title": one.title, "kind": one.kind, "seed": one.seed} for one in shelf.layers],
        "pictures": [_picture(shelf, one, source) for one in shelf.pictures],
    }


def _picture(shelf: Shelf, picture: Picture, source: Callable[[str], str]) -> dict[str, Any]:
    prints: list[dict[str, Any] | None] = []
    for layer in shelf.layers:
        one = picture.prints.get(layer.key)
        if one is None:
            prints.append(None)
            continue
        # The address of what the page shows already stands there, once.
        first = all(before is None for before in prints)
        values = [_value(one.values.get(name), facts.fine_digits) for name, facts in METRICS.items()]
        prints.append({"file": "" if first else source(one.file), "values": values, "coarse": one.coarse})
    return {
        "key": picture.key,
        "name": picture.name,
        "width": picture.width,
        "height": picture.height,
        "part": picture.part,
        "prints": prints,
    }


def _value(value: float | None, digits: int) -> str | None:
    return None if value is None else numbers.number(value, digits)


def _colours() -> list[tuple[float, ...]]:
    """The colours of the error map: matplotlib's inferno, which grows lighter evenly."""
    import matplotlib as mpl

    return [tuple(mpl.colormaps["inferno"](step / (_STEPS - 1))[:3]) for step in range(_STEPS)]
