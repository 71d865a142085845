"""What the authors published besides the paper's tables: a table that those replaced, and logs of single images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from converse.analysis.image_checks import ImageCheck
from converse.analysis.published import Published
from converse.plain_text import slug
from converse.reporting.inputs.evidence import Evidence, EvidenceKey
from converse.reporting.tables.paper import TASKS, Command, Record, paper_sheets
from converse.reporting.tables.sheet import EMPTY, Cell, Head, Row, Sheet
from converse.reporting.words import case_title

_CHANGED: Final = "other numbers in the paper"


def earlier_sheets(
    records: Iterable[Record],
    published: Published,
    *,
    evidence: Mapping[EvidenceKey, Evidence] | None = None,
    command: Command = lambda record: None,
) -> list[Sheet]:
    """The tables that the authors published before the paper's, each as a source of its own.

    Args:
        records: from :func:`converse.analysis.earlier.earlier_results`.
        published: the authors' numbers.
        evidence: what the measured ones rest on.
        command: what measures a cell.

    Returns:
        One sheet per task; networks whose numbers changed afterwards are marked.
    """
    found = []
    for task, of_task in groupby(records, lambda record: str(record["task"])):
        (sheet,) = paper_sheets(
            of_task,
            published.earlier,
            source="released",
            evidence=evidence,
            command=command,
            suffix="the authors' earlier table",
            inputs=False,
        )
        found.append(_apart(sheet, task, published))
    return found


def image_sheets(
    checks: Iterable[ImageCheck],
    *,
    evidence: Callable[[ImageCheck], Evidence | None] = lambda check: None,
    command: Command = lambda record: None,
) -> list[Sheet]:
    """Single images: networks down, the images of a log across; where several kinds of device measured one, the first.

    Args:
        checks: from :func:`converse.analysis.image_checks.image_checks`, as records.
        evidence: what a number rests on.
        command: what measures it.

    Returns:
        One sheet per task, test set and kernel.
    """
    return [
        _image_sheet(*place, list(members), evidence, command)
        for place, members in groupby(checks, lambda one: (one["task"], one["dataset"], one["case"]))
    ]


def _apart(sheet: Sheet, task: str, published: Published) -> Sheet:
    earlier = published.earlier
    main = published.entries(task)
    only = [entry for entry in earlier.entries(task) if entry not in main]
    rows = tuple(
        replace(row, marks=(*row.marks, _CHANGED))
        if row.title in main and not published.unchanged(task, row.title)
        else row
        for row in sheet.rows
    )
    return replace(
        sheet,
        kind="values",
        whose="earlier table",
        caption=f"Not the paper's numbers: the authors replaced this table. {sheet.caption}",
        rows=rows,
        notes=(f"The paper's table has no row of {', '.join(only)}.",) if only else (),
    )


def _image_sheet(
    task: str,
    dataset: str,
    case: str,
    checks: Sequence[ImageCheck],
    evidence: Callable[[ImageCheck], Evidence | None],
    command: Command,
) -> Sheet:
    images = dict.fromkeys((one["image"], one["known_as"]) for one in checks)
    by_place: dict[tuple[str, str], ImageCheck] = {}
    for one in checks:
        by_place.setdefault((one["entry"], one["image"]), one)

    def cell(entry: str, image: str) -> Cell:
        one = by_place.get((entry, image))
        return _image_cell(one, evidence(one), command(one)) if one else EMPTY

    return Sheet(
        key=slug(task, "released", "images", dataset, case),
        kind="values",
        title=f"{TASKS[task]}, single images of {dataset}, {case_title(case)}",
        caption="PSNR in dB of single images, under their names in the authors' evaluation logs, beside the logs' own.",
        source="released",
        stub="Network",
        heads=tuple(Head(image, name, "Image", "dB", digits=4) for image, name in images),
        rows=tuple(
            Row(entry, tuple(cell(entry, image) for image, _ in images))
            for entry in dict.fromkeys(one["entry"] for one in checks)
        ),
        whose="log",
    )


def _image_cell(one: Mapping[str, Any], rests_on: Evidence | None, command: str | None) -> Cell:
    said = {name: one[name] for name in ("measured", "published", "difference", "verdict", "reason")}
    return Cell(**said, evidence=rests_on, command=command)
