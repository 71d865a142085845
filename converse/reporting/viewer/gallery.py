"""The pictures of a report, made from what stores keep and from clean images at hand, and written beside its page."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

from converse.counted import counted
from converse.data.catalogue import datasets
from converse.data.opening import own_png
from converse.data.resources import Absent
from converse.errors import ConverseError, StoreError
from converse.experiments.evaluation.keeping import IMAGES, cut, encoded
from converse.experiments.store import files
from converse.experiments.store.outputs import KeptOutput, Outputs, Place, Window
from converse.experiments.trials import NUMERICS_VERSION
from converse.metrics import Image
from converse.reporting.inputs.material import Material
from converse.reporting.inputs.networks import Lacking, Networks
from converse.reporting.report import Missing
from converse.reporting.viewer.clean import CleanImages, Given, degradation, given
from converse.reporting.viewer.pictures import FOLDER, Gallery, Layer, Picture, Print, Shelf
from converse.reporting.viewer.planned import PlannedImage, PlannedShelf, planned_shelves
from converse.reporting.words import case_title

BESIDE: Final = 200
"""Megabytes of pictures beside a page, at most, where nobody says another number."""

INSIDE: Final = 20
"""The same of pictures inside a page."""


@dataclass(frozen=True)
class Wanted:
    """Which pictures a report is to have.

    Attributes:
        embedded_only: only those that anyone may pass on.
        inside: in the page itself, not beside it.
        megabytes: of all of them, at most; ``None`` for :data:`BESIDE` or :data:`INSIDE`.
        compute: restore three images of each test set where nothing is kept, beside the page.
    """

    embedded_only: bool = False
    inside: bool = False
    megabytes: int | None = None
    compute: bool = False

    @property
    def bytes(self) -> int:
        """The bound in bytes."""
        return (self.megabytes or (INSIDE if self.inside else BESIDE)) * 10**6


def make_gallery(
    material: Material,
    networks: Networks,
    folder: Path,
    wanted: Wanted,
    progress: Callable[[str], None] = lambda what: None,
) -> tuple[Gallery, tuple[str, ...]]:
    """Make the pictures, and write them beside the page unless they stand in it.

    Args:
        material: of the stores, which are only read.
        networks: finds images and kernels, and restores images where that is wanted.
        folder: of the report.
        wanted: which pictures.
        progress: told which test set is looked at.

    Returns:
        The pictures; and the names of the files that were written, in the folder.

    Raises:
        StoreError: the folder cannot be written.
    """
    made = _Making(material, networks, folder, wanted)
    planned = planned_shelves(material, embedded_only=wanted.embedded_only)
    open_shelves = [made.begun(shelf) for shelf in planned]
    # The first image of each test set, then the second: a bound leaves some of each.
    for round_ in zip_longest(*(one.images for one in open_shelves)):
        for shelf, image in zip(open_shelves, round_, strict=True):
            if image is not None:
                progress(f"images of {shelf.planned.title}")
                made.add(shelf, image)
    shelves = tuple(one.shelf() for one in open_shelves if one.pictures)
    gallery = Gallery(shelves, tuple(made.notes()), made.inside if wanted.inside else None)
    return gallery, () if wanted.inside else tuple(f"{FOLDER}/{name}" for name in made.written)


@dataclass
class _Begun:
    """A shelf that is being filled."""

    planned: PlannedShelf
    kept: Mapping[str, Mapping[Place, KeptOutput]]
    images: Sequence[PlannedImage]
    chosen: frozenset[str]
    pictures: list[Picture] = field(default_factory=list)
    before: dict[str, Layer] = field(default_factory=dict)

    def shelf(self) -> Shelf:
        shown = {key for one in self.pictures for key in one.prints}
        first = [one for key, one in sorted(self.before.items(), key=lambda item: _ORDER.index(item[0]))]
        return Shelf(
            key=self.planned.key,
            title=self.planned.title,
            place=self.planned.place,
            note=degradation(self.planned.task, case_title(self.planned.case)),
            layers=(*first, *(one for one in self.planned.methods if one.key in shown)),
            pictures=tuple(self.pictures),
        )


def nothing_kept(material: Material) -> Iterator[Missing]:
    """What a report of which no pictures could be made lacks, and the commands that keep some.

    Args:
        material: of the stores.
    """
    what = "No restored images are kept of {}, so they cannot be looked at."
    if len(material.counted.released_rows):
        yield Missing(what.format("the released networks"), "converse reproduce --keep-images crops")
    for study in material.studies:
        if study.requests and not study.tunes:
            line = study.requests[0][0]
            if line.name == "run":
                yield Missing(what.format(study.title), str(line.changed(keep_images="crops")))


_SAME: Final = 1e-3
"""dB between the PSNR of one input, measured here and on another machine; other noise differs by more."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ORDER: Final = ("truth", "input", "bicubic")


class _Making:
    def __init__(self, material: Material, networks: Networks, folder: Path, wanted: Wanted) -> None:
        self._material = material
        self._networks = networks
        self._folder = folder / FOLDER
        self._wanted = wanted
        self._clean = CleanImages(networks.resources, [one for note in material.notes for one in note.sets])
        self._outputs: dict[str, Outputs] = {}
        self._bytes = 0
        self._left_out = 0
        self._without_truth: dict[str, None] = {}
        self._unreadable: list[str] = []
        self.inside: dict[str, bytes] = {}
        self.written: dict[str, None] = {}

    def begun(self, planned: PlannedShelf) -> _Begun:
        kept: dict[str, Mapping[Place, KeptOutput]] = {}
        for method in planned.methods:
            try:
                kept[method.key] = self._of(method.key).kept()
            except StoreError as error:
                self._unreadable.append(str(error))
        chosen = (
            frozenset(sorted(one.sha256 for one in planned.images)[:IMAGES]) if self._wanted.compute else frozenset()
        )
        places = {place for of_trial in kept.values() for place in of_trial}
        images = [one for one in planned.images if (one.sha256, planned.case) in places or one.sha256 in chosen]
        return _Begun(planned, kept, images, chosen)

    def _of(self, trial: str) -> Outputs:
        if trial not in self._outputs:
            self._outputs[trial] = Outputs(self._material.trials[trial].folder)
        return self._outputs[trial]

    def add(self, shelf: _Begun, image: PlannedImage) -> None:
        """Add one picture, if all of it fits."""
        planned = shelf.planned
        place = (image.sha256, planned.case)
        found = {key: one for key, of_trial in shelf.kept.items() if (one := of_trial.get(place)) is not None}
        truth, before = self._before(planned, image)
        data: dict[str, bytes] = {}
        computed = self._computed(shelf, image, truth, found) if image.sha256 in shelf.chosen else {}
        windows = {one.window for one in found.values()}
        window = next((one for one in windows if one is not None), None)
        size = next((one.size for one in found.values()), None if truth is None else (truth.shape[0], truth.shape[1]))
        if size is None:
            return
        if any(one.size != size for one in found.values()) or len(windows - {None}) > 1:
            self._unreadable.append(f"{image.name}: what is kept of it has several sizes, or several windows")
            return
        if truth is not None and truth.shape[:2] != size:  # another version cropped otherwise
            truth, before = None, ()
        stem = f"{image.sha256[:16]}{f'-{planned.case}' if planned.case else ''}{'-crop' if window else ''}"
        prints: dict[str, Print] = {}
        layers: dict[str, Layer] = {}

        def put(key: str, name: str, content: bytes, values: Mapping[str, float], coarse: bool = False) -> None:
            data[name] = content
            prints[key] = Print(name, values, coarse)

        if truth is not None:
            layers["truth"] = Layer("truth", "truth", "truth")
            put("truth", f"truth-{planned.task.name}-{stem}.png", encoded(cut(truth, window)), {})
        for was in before:
            coarse = truth is not None and was.image.shape != truth.shape
            shown = cut(was.image, _reduced(window, planned.task.scale) if coarse else window)
            layers[was.key] = Layer(was.key, was.title, "input")
            name = f"{was.key}-{planned.task.name}-{stem}-{NUMERICS_VERSION}.png"
            put(was.key, name, encoded(shown), _known(was.values, image.given), coarse)
        for method in planned.methods:
            values = image.values.get(method.key, {})
            name = f"{method.key}-{stem}.png"
            if method.key in found:
                try:
                    content = _checked(self._of(method.key).read(found[method.key]), found[method.key])
                    if found[method.key].window != window:
                        content = encoded(cut(own_png(content), window))
                except (ConverseError, OSError, ValueError, SyntaxError, struct.error) as error:
                    self._unreadable.append(str(error))
                    continue
                put(method.key, name, content, values)
            elif method.key in computed:
                put(method.key, name, encoded(cut(computed[method.key], window)), values)
        if not any(method.key in prints for method in planned.methods):
            return
        fresh = {name: content for name, content in data.items() if name not in self.written}
        many = sum(map(len, fresh.values()))
        if self._bytes + many > self._wanted.bytes:
            self._left_out += 1
            return
        self._bytes += many
        self._write(fresh)
        shelf.before |= layers
        if truth is None:
            self._without_truth[planned.dataset] = None
        high, wide = (window.height, window.width) if window else size
        part = ""
        if window:
            part = (
                f"{wide}×{high} pixels at row {window.top} and column {window.left}, of {size[1]}×{size[0]}; "
                "numbers are of the whole image"
            )
        shelf.pictures.append(Picture(image.sha256[:12], image.name, high, wide, part, prints))

    def _before(self, planned: PlannedShelf, image: PlannedImage) -> tuple[Image | None, tuple[Given, ...]]:
        file = self._clean.find(planned.dataset, image.name, image.sha256)
        kernels = self._networks.resources.kernels() if planned.case else {}
        if file is None or isinstance(kernels, Absent):
            return None, ()
        try:
            return given(planned.task, file, kernels[planned.case] if planned.case else None)
        except ConverseError as error:
            self._unreadable.append(str(error))
            return None, ()

    def _computed(
        self, shelf: _Begun, image: PlannedImage, truth: Image | None, found: Mapping[str, KeptOutput]
    ) -> dict[str, Image]:
        """What networks make of an image of which nothing is kept."""
        planned = shelf.planned
        file = self._clean.find(planned.dataset, image.name, image.sha256)
        kernels = self._networks.resources.kernels() if planned.case else {}
        if file is None or truth is None or isinstance(kernels, Absent):
            return {}
        from converse.data.images import read_image

        pixels = read_image(file.path, planned.task.colour)
        kernel = kernels[planned.case] if planned.case else None
        made: dict[str, Image] = {}
        for method in planned.methods:
            if method.key in found or method.key not in image.values:
                continue
            material = self._material.trials[method.key]
            try:
                output = self._networks.restored(material, planned.task, file, pixels, planned.case, kernel)
            except Lacking as error:
                self._unreadable.append(str(error))
                continue
            if output.shape == truth.shape:
                made[method.key] = output
        return made

    def _write(self, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            self.written[name] = None
            if self._wanted.inside:
                self.inside[name] = content
                continue
            path = self._folder / name
            with files.explained(path, "write"):
                files.make_folder(self._folder)
            if files.content(path) != content:
                files.write_bytes(path, content)

    def notes(self) -> Iterator[str]:
        """What is left out."""
        for name in self._without_truth:
            known = datasets().get(name)
            way = f"converse data fetch {name}, or --data-dir" if known else "its folder is gone, or has changed"
            title = known.title if known else name
            yield f"{title}: the clean images are not at hand ({way}), so there is neither truth nor input nor error."
        if self._left_out:
            megabytes = self._wanted.bytes // 10**6
            yield (
                f"{counted(self._left_out, 'image')} left out, for all may have {megabytes} MB: "
                f"--images-limit {megabytes * 4} shows more."
            )
        yield from (f"Not shown: {one}" for one in dict.fromkeys(self._unreadable))


def _known(measured: Mapping[str, float], stored: Mapping[str, float]) -> Mapping[str, float]:
    """The values of an input: measured just now, and others of the same pixels that a store has, such as LPIPS."""
    first, second = (values.get("psnr", math.nan) for values in (measured, stored))  # NaN is close to nothing
    return {**stored, **measured} if math.isclose(first, second, abs_tol=_SAME) else measured


def _reduced(window: Window | None, scale: int) -> Window | None:
    if window is None:
        return None
    return replace(
        window,
        top=window.top // scale,
        left=window.left // scale,
        height=window.height // scale,
        width=window.width // scale,
    )


def _checked(content: bytes, one: KeptOutput) -> bytes:
    """The bytes, if they begin as a PNG of the size that its line says: a store may come from anybody.

    Raises:
        ValueError: they do not.
    """
    part = one.window or Window(0, 0, *one.size)
    if content[:8] != _PNG or struct.unpack(">II", content[16:24]) != (part.width, part.height):
        raise ValueError(f"{one.file}: expected a PNG of {part.width}×{part.height} pixels")
    return content
