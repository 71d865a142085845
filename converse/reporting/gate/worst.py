"""Crops of the worst images of an answer: what the network got, what it made of it, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from converse.analysis import image_selection
from converse.analysis.gate.findings import Finding, OneImage
from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.catalogue import datasets
from converse.data.resources import Absent
from converse.errors import ConverseError
from converse.reporting.figure import Figure
from converse.reporting.gate.amounts import before_and_now
from converse.reporting.inputs.material import Material, TrialMaterial
from converse.reporting.inputs.networks import Lacking, Networks
from converse.reporting.report import Missing
from converse.reporting.words import place_title

if TYPE_CHECKING:
    from converse.data.images import ImageFile

MOST: Final = 4
"""Images that a page shows: the gravest ones."""


def worst_images(
    findings: Sequence[Finding], material: Material, networks: Networks, places: Mapping[str, str] | None = None
) -> Iterator[Figure | Missing]:
    """A figure for each image that a finding names, the same image of an entry once.

    Args:
        findings: the gravest first.
        material: of the store that has the trials.
        networks: builds networks, and finds images.
        places: test set → its folder, for those that the catalogue does not have.

    Yields:
        At most :data:`MOST` figures, or why there is none.
    """
    told: dict[OneImage, Finding] = {}
    for finding in findings:
        if finding.image is not None:
            told.setdefault(finding.image, finding)
    for number, (image, finding) in enumerate(list(told.items())[:MOST], start=1):
        try:
            yield _figure(f"worst-{number}", image, finding, material, networks, places or {})
        except Lacking as error:
            yield Missing(f"{image.entry} on {image.name}: no crop is shown: {error}", error.command)
        except ConverseError as error:
            yield Missing(f"{image.entry} on {image.name}: no crop is shown: {error}")


def _figure(
    name: str,
    image: OneImage,
    finding: Finding,
    material: Material,
    networks: Networks,
    places: Mapping[str, str],
) -> Figure:
    from converse.data.degradations import degrade
    from converse.data.images import read_image
    from converse.data.tasks import TASKS
    from converse.metrics import metrics_for, to_uint8
    from converse.reporting.figures.comparison import SIDE, Shown, comparison_figure

    trial, sha256 = _trial(image, material)
    task = TASKS[trial.trial.task]
    file = _file(image, sha256, networks, places)
    kernels = networks.resources.kernels() if image.case else {}
    if isinstance(kernels, Absent):
        raise Lacking("the blur kernels are not at hand", kernels.fetch)
    kernel = kernels[image.case] if image.case else None
    pixels = read_image(file.path, task.colour)
    sample = degrade(task, pixels, kernel)
    output = networks.restored(trial, task, file, pixels, image.case, kernel)
    if output.shape != sample.target.shape:
        raise Lacking(f"the output has the shape {output.shape}, the truth {sample.target.shape}")
    side = min(SIDE, *(length // task.scale * task.scale for length in sample.target.shape[:2]))
    # Held against the truth itself, the place where errors differ most is that of the largest error.
    top, left = image_selection.choose_window(
        sample.target, output, sample.target, side, multiple=task.scale, border=task.border
    )
    (psnr,) = metrics_for(task.psnr_colour, task.border, [PUBLISHED_METRIC], None)
    given = to_uint8(sample.input)
    whole = given.shape == sample.target.shape
    before, now = before_and_now(finding)
    known = datasets().get(image.dataset)
    seed = "weights as released" if image.seed is None else f"seed {image.seed}"
    return comparison_figure(
        [
            Shown("input", given, psnr(sample.target, given) if whole else None),
            Shown(image.entry, output, psnr(sample.target, output)),
            Shown("truth", sample.target),
        ],
        (top, left, side),
        name=name,
        image=image.name,
        where=place_title(known.title if known else image.dataset, image.case),
        rule=(
            f"{finding.what}: {before or 'nothing'} in the baseline, {now or 'nothing'} here ({seed}). Place: the "
            f"window of {side}×{side} pixels where the squared error is largest."
        ),
    )


def _trial(image: OneImage, material: Material) -> tuple[TrialMaterial, str]:
    """The trial that restored the image, and the image's checksum."""
    rows = material.rows
    same = (rows["entry"] == image.entry) & (rows["dataset"] == image.dataset) & (rows["image"] == image.name)
    same &= rows["seed"].isna() if image.seed is None else rows["seed"] == image.seed
    same &= rows["case"].isna() if image.case is None else rows["case"] == image.case
    found = rows[same]
    if found.empty:
        raise Lacking("the store has no trial that restored it")
    return material.trials[str(found["trial"].iloc[-1])], str(found["image_sha256"].iloc[-1])


def _file(image: OneImage, sha256: str, networks: Networks, places: Mapping[str, str]) -> ImageFile:
    images = networks.resources.images(places.get(image.dataset, image.dataset))
    if isinstance(images, Absent):
        raise Lacking(images.reason.partition(":")[0], images.fetch)
    for file in images.images:
        if file.sha256 == sha256:
            return file
    raise Lacking(f"{image.dataset} has no image with the checksum {sha256[:12]} any more")
