"""Pictures of a report as values: shelves of images, each with its layers, which lie one on another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

FOLDER: Final = "images"
"""Folder beside a report's page in which the pictures lie."""

Kind = Literal["truth", "input", "method"]


@dataclass(frozen=True)
class Layer:
    """What lies on one shelf's pictures under one name.

    Attributes:
        key: ``truth``, ``input``, ``bicubic``, or the id of a trial.
        title: for people.
        kind: the clean image, what a network is given or a filter makes of it, or what a network makes of it.
        seed: of the trial, where it has one.
    """

    key: str
    title: str
    kind: Kind
    seed: int | None = None


@dataclass(frozen=True)
class Print:
    """One layer of one picture.

    Attributes:
        file: name of a PNG.
        values: metric → its value on the whole image; what was not measured is not in it.
        coarse: whether it has fewer pixels than the truth, and lies under it enlarged.
    """

    file: str
    values: Mapping[str, float] = field(default_factory=dict)
    coarse: bool = False


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        key: first digits of its file's SHA-256.
        name: of its file.
        height: of what is shown, in pixels.
        width: of what is shown, in pixels.
        part: which part of the image that is, in words; empty for the whole.
        prints: key of the layer → what there is of it.
    """

    key: str
    name: str
    height: int
    width: int
    part: str
    prints: Mapping[str, Print]


@dataclass(frozen=True)
class Shelf:
    """The pictures of one test set, in one case, by one table's networks.

    Attributes:
        key: unique in the report, of letters, digits and hyphens.
        title: for people.
        place: test set and case, as :class:`converse.reporting.inputs.evidence.Evidence` has them.
        note: what was done to the images.
        layers: in the order in which they are offered.
        pictures: at least one.
    """

    key: str
    title: str
    place: str
    note: str
    layers: tuple[Layer, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """All pictures of a report.

    Attributes:
        shelves: in the order of the report.
        notes: what is left out, and the way to it, one sentence each.
        inside: name of a PNG → its bytes, where they stand in the page itself; ``None`` where they lie beside it.
    """

    shelves: tuple[Shelf, ...]
    notes: tuple[str, ...] = ()
    inside: Mapping[str, bytes] | None = None
