"""The chapter of released weights: the paper's tables as they come out here, and what else was measured with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import pandas as pd

from converse.analysis.image_checks import ImageCheck
from converse.analysis.published import Published
from converse.analysis.selection import with_further_levels
from converse.analysis.tables import PUBLISHED_METRIC, Expected, records, results
from converse.data.tasks import GIVEN
from converse.experiments.suites import vocabulary
from converse.plain_text import slug
from converse.reporting.inputs.commands import measuring, repeating_released
from converse.reporting.inputs.evidence import Evidence, evidence
from converse.reporting.inputs.material import Material
from converse.reporting.report import Part
from converse.reporting.tables.noise_levels import noise_level_sheet
from converse.reporting.tables.paper import TASKS, own, paper_sheets
from converse.reporting.tables.sheet import BLIND, INPUT, Picture, Sheet, noted
from converse.reporting.tables.sources import earlier_sheets, image_sheets
from converse.reporting.tables.values import value_sheet

Record = Mapping[str, Any]

NOT_RUN: Final = "not measured here"
"""Why a cell may have no number, where nothing else is known."""

_RELEASED: Final = (
    "The authors' released weights, evaluated here by the paper's protocol and held against the published means. "
    "Nothing in these tables was trained here. A verdict needs the whole test set: match if the number rounds to the "
    "published one, close within 0.05 dB."
)


def paper_cells(paper: Published) -> Iterator[Expected]:
    """Every cell of the main tables, with the reason why there may be no number from released weights."""
    released = vocabulary.released()
    for task in paper.tasks:
        for cell in paper.cells(task):
            reason = NOT_RUN if cell.entry in released else f"no released weights for {cell.entry}"
            yield Expected(task, cell.entry, cell.dataset, cell.case, "psnr", reason)


def released_part(
    material: Material,
    measured: Sequence[Record],
    paper: Published,
    *,
    earlier: Sequence[Record],
    images: Sequence[ImageCheck],
    kernels: Mapping[str, Picture] | None = None,
) -> Part:
    """The paper's main tables from released weights, what else the authors published, and the user's own images.

    Args:
        material: of the stores.
        measured: result rows of released weights, one for each of :func:`paper_cells` at least.
        paper: its numbers.
        earlier: result rows held against the authors' earlier tables.
        images: single images held against the authors' logs.
        kernels: the blur kernels, where they may be shown.
    """
    rows = material.counted.released_rows
    again = repeating_released(material)
    sheets: list[Sheet] = []
    for task in dict.fromkeys(record["task"] for record in measured):
        of_task = [record for record in measured if record["task"] == task]
        command = partial(measuring, material=material)
        rests_on = evidence(rows[rows["task"] == task])
        inputs = material.counted.inputs
        inputs = inputs[(inputs["task"] == task) & inputs["image"].notna()]
        rests_on = {**rests_on, **evidence(inputs)}
        of_task = [*records(results(inputs, published=paper)), *of_task]
        here = paper_sheets(of_task, paper, source="released", evidence=rests_on, command=command, kernels=kernels)
        full = [record for record in of_task if record["measured"] is not None and not own(record)]
        if any(record["metric"] in ("ssim", "lpips") for record in full):
            names = {record["entry"]: record["entry"] for record in full}
            here.append(
                value_sheet(
                    full,
                    key=slug(task, "released", "values"),
                    title=f"{TASKS.get(task, task)}: all metrics",
                    source="released",
                    entries=names,
                    evidence=rests_on,
                    published=partial(paper.number, task),
                    command=command,
                    marks={name: _marks(task, name, paper) for name in names},
                )
            )
        if (further := _noise_levels(task, material, paper)) is not None:
            here.append(further)
        here += earlier_sheets(
            [record for record in earlier if record["task"] == task],
            paper,
            evidence=rests_on,
            command=partial(_measuring_released, material=material),
        )
        here += image_sheets(
            [one for one in images if one["task"] == task], evidence=partial(_image_evidence, rows), command=command
        )
        left_out = material.counted.released[task].left_out if task in material.counted.released else ()
        sheets += noted(here, left_out)
    return Part(
        "released",
        "The paper's tables, from released weights",
        _RELEASED,
        tuple(sheets),
        commands=again,
        begin="" if again else "converse reproduce",
    )


def _noise_levels(task: str, material: Material, paper: Published) -> Sheet | None:
    """What was measured at further noise levels, if anything was."""
    every = pd.concat([material.counted.every_released, material.counted.every_input], ignore_index=True)
    levels = with_further_levels(every[every["task"] == task])
    return noise_level_sheet(
        records(results(levels, published=paper)),
        source="released",
        key=slug(task, "released"),
        evidence=evidence(levels),
        command=partial(measuring, material=material),
    )


def _marks(task: str, entry: str, paper: Published) -> tuple[str, ...]:
    if entry in GIVEN:
        return (INPUT,)
    return (BLIND,) if paper.blind(task, entry) else ()


def _measuring_released(record: Record, material: Material) -> str | None:
    """The command that measures a cell; ``None`` where no training would give an earlier table's number."""
    return measuring(record, material) if record["entry"] in vocabulary.released() else None


def _image_evidence(rows: pd.DataFrame, one: ImageCheck) -> Evidence | None:
    of_image = rows[(rows["task"] == one["task"]) & (rows["image"] == one["image"])]
    place = (one["entry"], one["dataset"], one["case"], PUBLISHED_METRIC, one["signature"])
    return evidence(of_image).get(place)
