"""Single images by released weights, held against the authors' own evaluation logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypedDict, cast

import pandas as pd

from converse.analysis.published import ImageNumber, Published
from converse.analysis.tables import PUBLISHED_METRIC, Expected, or_none
from converse.analysis.verdicts import Thresholds, verdict
from converse.data.catalogue import datasets


class ImageCheck(TypedDict):
    """One number of a log and what the released weights give; what does not apply is null.

    ``dataset`` is a title, ``image`` the name of a file in the catalogue and ``known_as`` that of the log; numbers are
    PSNR in dB.
    """

    task: str
    entry: str
    dataset: str
    case: str
    image: str
    known_as: str
    signature: str | None
    measured: float | None
    published: float
    difference: float | None
    verdict: str
    reason: str | None
    device: str | None


IMAGE_CHECK_COLUMNS: Final = tuple(ImageCheck.__annotations__)
"""The columns of a table of such checks: the keys of :class:`ImageCheck`, in their order."""


def image_checks(
    rows: pd.DataFrame,
    *,
    published: Published,
    expected: Iterable[Expected],
    thresholds: Thresholds | None = None,
) -> pd.DataFrame:
    """One row for each published number of a single image; for each kind of device, where several measured it.

    An image is known by its checksum, in whatever folder it lies.

    Args:
        rows: of released weights, with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
        published: the authors' numbers.
        expected: what was asked for: numbers of other networks, test sets and kernels are left out. Where an image was
            not measured, it appears with the reason that stands here.
        thresholds: of the verdicts; ``None`` for the rounding of the logs, which is that of the paper.

    Returns:
        A frame with :data:`IMAGE_CHECK_COLUMNS`, network by network in the order of the logs.
    """
    reasons = {(one.task, one.entry, one.dataset, one.case): one.reason for one in expected}
    found: list[dict[str, Any]] = []
    for one in published.images:
        place = (one.task, one.entry, one.dataset, one.case)
        if place in reasons:
            of_image = list(_measured(rows, one)) or [{"value": None, "reason": reasons[place]}]
            found += [_check(one, row, thresholds or Thresholds()) for row in of_image]
    return pd.DataFrame(found, columns=list(IMAGE_CHECK_COLUMNS), dtype=object)


def image_check_records(frame: pd.DataFrame) -> list[ImageCheck]:
    """The checks as mappings, with ``None`` for what does not apply.

    Args:
        frame: from :func:`image_checks`.
    """
    rows = frame.to_dict("records")
    return [cast(ImageCheck, {str(name): or_none(value) for name, value in row.items()}) for row in rows]


def _measured(rows: pd.DataFrame, one: ImageNumber) -> Iterator[dict[str, Any]]:
    known = next(known for known in datasets().values() if known.title == one.dataset)
    sha256 = next(file.sha256 for file in known.files if file.name == one.image)
    values = {"task": one.task, "entry": one.entry, "case": one.case, "metric": PUBLISHED_METRIC}
    for column, value in (values | {"image_sha256": sha256}).items():
        rows = rows[rows[column] == value]
    for row in rows.drop_duplicates("device").to_dict("records"):
        yield {str(name): or_none(value) for name, value in row.items()}


def _check(one: ImageNumber, row: dict[str, Any], thresholds: Thresholds) -> dict[str, Any]:
    value, published = row["value"], one.number.value
    return {
        "task": one.task,
        "entry": one.entry,
        "dataset": one.dataset,
        "case": one.case,
        "image": one.image,
        "known_as": one.known_as,
        "signature": row.get("signature"),
        "measured": value,
        "published": published,
        "difference": None if value is None else value - published,
        "verdict": verdict(value, published, thresholds),
        "reason": row["reason"],
        "device": row.get("device"),
    }
