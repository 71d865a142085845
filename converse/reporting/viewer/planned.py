"""What could be shown of a store: for each table and test set its images, and which networks restored them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from converse.analysis.published import published
from converse.data.catalogue import datasets
from converse.data.tasks import GIVEN, TASKS, Task
from converse.metrics import METRICS
from converse.plain_text import slug, unique
from converse.reporting.inputs.material import Material
from converse.reporting.viewer.pictures import Layer
from converse.reporting.words import case_title

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PlannedImage:
    """One image of a test set.

    Attributes:
        name: of the image.
        sha256: of its file.
        values: trial → metric → value.
        given: metric → value of what networks are given, as far as the stores have it.
    """

    name: str
    sha256: str
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    given: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedShelf:
    """The images of a test set in one case, by one table's networks.

    Attributes:
        key: unique, of letters, digits and hyphens.
        title: for people.
        place: test set and case, in words.
        task: how images are degraded.
        dataset: name in the catalogue, or title of a folder.
        case: the blur kernel of a task with cases.
        methods: the networks, in the order of the table.
        images: in the order of the test set.
    """

    key: str
    title: str
    place: str
    task: Task
    dataset: str
    case: str | None
    methods: tuple[Layer, ...]
    images: tuple[PlannedImage, ...]


def planned_shelves(material: Material, *, embedded_only: bool = False) -> list[PlannedShelf]:
    """All of them, in the order of the report: released weights task by task, then study by study.

    Args:
        material: of the stores.
        embedded_only: only test sets that scikit-image ships.
    """
    paper = published()
    shelves: list[PlannedShelf] = []
    rows = material.counted.released_rows
    for task in TASKS.values():
        of_task = rows[rows["task"] == task.name]
        if of_task.empty:
            continue
        order = {name: place for place, name in enumerate(paper.entries(task.name))}
        layers = [
            Layer(str(trial), str(entry), "method")
            for entry, trial in of_task.drop_duplicates(["entry", "trial"])[["entry", "trial"]].itertuples(index=False)
        ]
        layers.sort(key=lambda one: order.get(one.title, len(order)))
        shelves += _shelves(f"released-{task.name}", f"Released weights, {task.title}", task, layers, of_task)
    for study in material.studies:
        if study.tunes:
            continue
        entries = [one.name for one in study.entries]
        several = len({seed for _, _, seed in study.trials}) > 1
        trials = sorted(study.trials, key=lambda one: (one[2] or 0, entries.index(one[1]) if one[1] in entries else 0))
        layers = [
            Layer(trial, f"{entry}, seed {seed}" if several and seed is not None else entry, "method", seed)
            for trial, entry, seed in trials
        ]
        shelves += _shelves(study.key, f"{study.title}, {study.budget}", TASKS[study.task], layers, study.rows)
    inputs = _inputs(material.counted.inputs)
    shelves = [_with_inputs(one, inputs) for one in shelves]
    if embedded_only:
        shelves = [one for one in shelves if may_be_shipped(one.dataset)]
    keys = unique(one.key for one in shelves)
    return [replace(one, key=key) for one, key in zip(shelves, keys, strict=True)]


_Place = tuple[str, str, str | None, str]
"""What the input is called, test set, case, and SHA-256 of the image."""


def _inputs(rows: pd.DataFrame) -> dict[_Place, dict[str, float]]:
    """The values that the stores have of what networks are given."""
    found: dict[_Place, dict[str, float]] = {}
    known = rows[rows["entry"].isin(list(GIVEN)) & rows["image_sha256"].notna() & rows["value"].notna()]
    columns = ["entry", "dataset", "case", "image_sha256", "metric", "value"]
    for entry, dataset, case, sha256, metric, value in known[columns].itertuples(index=False):
        place = (str(entry), str(dataset), case if isinstance(case, str) else None, str(sha256))
        found.setdefault(place, {})[str(metric)] = float(value)
    return found


def _with_inputs(shelf: PlannedShelf, inputs: Mapping[_Place, Mapping[str, float]]) -> PlannedShelf:
    def of(image: PlannedImage) -> Mapping[str, float]:
        return inputs.get((shelf.task.given, shelf.dataset, shelf.case, image.sha256), {})

    return replace(shelf, images=tuple(replace(one, given=of(one)) for one in shelf.images))


def may_be_shipped(dataset: str) -> bool:
    """Whether anyone may pass on the images of a test set.

    Args:
        dataset: name in the catalogue, or title of a folder.
    """
    known = datasets().get(dataset)
    return known is not None and known.source == "scikit-image"


def _shelves(key: str, title: str, task: Task, layers: list[Layer], rows: pd.DataFrame) -> Iterator[PlannedShelf]:
    import pandas as pd

    measured = rows[rows["image"].notna() & rows["metric"].isin(list(METRICS))]
    known = datasets()
    for (dataset, case), group in measured.groupby(["dataset", "case"], dropna=False, sort=False):
        text = case if isinstance(case, str) else None
        name = known[str(dataset)].title if str(dataset) in known else str(dataset)
        place = " ".join(filter(None, (name, case_title(case))))
        images: dict[str, PlannedImage] = {}
        values: dict[tuple[str, str], dict[str, float]] = {}
        columns = ["image", "image_sha256", "trial", "metric", "value"]
        for image, sha256, trial, metric, value in group[columns].itertuples(index=False):
            if pd.isna(sha256):
                continue
            if value == value:
                values.setdefault((str(sha256), str(trial)), {})[str(metric)] = float(value)
            images.setdefault(str(sha256), PlannedImage(str(image), str(sha256)))
        tried = set(group["trial"])
        by_image: dict[str, dict[str, Any]] = {}
        for (sha256, trial), of_trial in values.items():
            by_image.setdefault(sha256, {})[trial] = of_trial
        yield PlannedShelf(
            key=slug(f"{key}-{dataset}{f'-{text}' if text else ''}"),
            title=f"{title}: {place}",
            place=place,
            task=task,
            dataset=str(dataset),
            case=text,
            methods=tuple(one for one in layers if one.key in tried),
            images=tuple(PlannedImage(one.name, one.sha256, by_image.get(one.sha256, {})) for one in images.values()),
        )
