"""Visual comparisons of a report: which networks, which image, which place, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from converse.analysis import image_selection
from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.catalogue import datasets
from converse.data.resources import Absent
from converse.reporting.figures.drawing import ToDraw
from converse.reporting.inputs.material import Material
from converse.reporting.inputs.networks import Lacking, Networks
from converse.reporting.numbers import number
from converse.reporting.report import Missing
from converse.reporting.words import place_title

if TYPE_CHECKING:
    from converse.data.images import ImageFile

EMBEDDED: Final = "scikit-image"
"""Source of the images that anyone may ship."""

_MOST: Final = 8
"""Networks in one comparison."""

Contrast = tuple[str, str, str]
Drawing = ToDraw | Missing
"""What draws a figure, or why there is none."""
Trials = Mapping[tuple[str, int | None], str]


@dataclass(frozen=True)
class TableRows:
    """What figures need to know of the rows of one table.

    Attributes:
        key: unique in the report, for names of files.
        task: ``denoising`` …
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, under the names of the table.
        contrasts: entry, base and label of each difference.
        base: name of the base entry of an ablation.
        trials: entry and seed → id of the trial.
        names: entry → how drawings call it, where that is shorter.
    """

    key: str
    task: str
    rows: pd.DataFrame
    contrasts: tuple[Contrast, ...]
    base: str | None
    trials: Trials
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Place:
    """What one figure shows."""

    pair: tuple[str, str]
    chosen: image_selection.ChosenImage
    file: ImageFile
    where: str
    case: str | None


def comparisons(
    shown: TableRows, entries: list[str], material: Material, networks: Networks, embedded_only: bool
) -> Iterator[Drawing]:
    """Crops of two images of the first test set whose images may be shown and are at hand.

    Args:
        shown: a table's rows.
        entries: in the order of the table; the first so many are shown, and the two that decide.
        material: of the stores.
        networks: builds networks, and finds images.
        embedded_only: show no image but scikit-image's own.

    Yields:
        What draws at most two figures, or why there is none.
    """
    rows = shown.rows[(shown.rows["metric"] == PUBLISHED_METRIC) & shown.rows["value"].notna()]
    missing: dict[str, Missing] = {}
    groups: list[tuple[Any, pd.DataFrame]] = list(rows.groupby(["dataset", "case"], dropna=False, sort=False))
    for (name, case), group in groups:
        catalogued = datasets().get(str(name))
        if catalogued is None:  # a folder of the user's: it may have changed, and reports do not look for it
            continue
        pair = image_selection.rivals(group, shown.base)
        if pair is None or (embedded_only and catalogued.source != EMBEDDED):
            continue
        images = networks.resources.images(catalogued.name)
        if isinstance(images, Absent):
            what = f"Visual comparison: images of {catalogued.title} are not at hand"
            missing[catalogued.name] = Missing(what, f"converse data fetch {images.fetch}")
            continue
        files = {image.sha256: image for image in images.images}
        where = place_title(catalogued.title, case)
        for chosen in image_selection.choose_images(group, *pair):
            if chosen.sha256 in files:
                text = None if pd.isna(case) else str(case)
                try:
                    place = _Place(pair, chosen, files[chosen.sha256], where, text)
                    yield _comparison(shown, entries, material, networks, place)
                except Lacking as error:
                    yield Missing(f"Visual comparison: {error}", error.command)
                    return
        return
    yield from missing.values()


def _comparison(
    shown: TableRows,
    entries: list[str],
    material: Material,
    networks: Networks,
    place: _Place,
) -> ToDraw:
    from converse.data.degradations import degrade
    from converse.data.images import read_image
    from converse.data.tasks import TASKS
    from converse.metrics import metrics_for, to_uint8
    from converse.reporting.figures.comparison import SIDE, Shown, comparison_figure

    pair, chosen, file, case = place.pair, place.chosen, place.file, place.case
    task = TASKS[shown.task]
    kernels = networks.resources.kernels() if case else {}
    if isinstance(kernels, Absent):
        raise Lacking("the blur kernels are not at hand", kernels.fetch)
    kernel = kernels[case] if case else None
    rows = shown.rows[shown.rows["metric"] == PUBLISHED_METRIC]
    pixels = read_image(file.path, task.colour)
    sample = degrade(task, pixels, kernel)
    (psnr,) = metrics_for(task.psnr_colour, task.border, [PUBLISHED_METRIC], None)
    measured = {
        (entry, None if pd.isna(one) else int(one)) for entry, one in zip(rows["entry"], rows["seed"], strict=True)
    }
    seeds = sorted((one for entry, one in measured if entry == pair[0]), key=lambda one: -1 if one is None else one)
    seed = next((one for one in seeds if (pair[1], one) in measured), None)
    outputs = {}
    for index, entry in enumerate(one for one in entries if (one, seed) in measured):
        if entry in pair or index < _MOST - 2:
            try:
                trial = material.trials[shown.trials[entry, seed]]
                outputs[entry] = networks.restored(trial, task, file, pixels, case, kernel)
            except Lacking:
                if entry in pair:
                    raise
    side = min(SIDE, *(length // task.scale * task.scale for length in sample.target.shape[:2]))
    top, left = image_selection.choose_window(
        sample.target, outputs[pair[0]], outputs[pair[1]], side, multiple=task.scale, border=task.border
    )
    given = to_uint8(sample.input)
    whole = given.shape == sample.target.shape
    images = [
        Shown("input", given, psnr(sample.target, given) if whole else None),
        *(
            Shown(shown.names.get(entry, entry), output, psnr(sample.target, output))
            for entry, output in outputs.items()
        ),
        Shown("truth", sample.target),
    ]
    which = "largest" if chosen.why == "largest" else "median"
    rule = (
        f"Image: that of the {which} difference of PSNR, {pair[1]} (the best other network) − {pair[0]}: "
        f"{number(chosen.difference, 2, sign=True)} dB, mean over common seeds. Place: the window of {side}×{side} "
        f"pixels where their squared errors differ most. {'Weights as released' if seed is None else f'Seed {seed}'}."
    )
    return partial(
        comparison_figure,
        images,
        (top, left, side),
        name=f"comparison-{shown.key}-{chosen.why}",
        image=file.name,
        where=place.where,
        rule=rule,
    )
