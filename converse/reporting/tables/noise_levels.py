"""PSNR at several noise levels of the test images: networks down, levels across, a group of rows per test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.noise_levels import level_of, shown
from converse.data.tasks import TASKS
from converse.plain_text import slug
from converse.reporting.inputs.evidence import Evidence, EvidenceKey
from converse.reporting.tables.paper import Command, over_seeds
from converse.reporting.tables.sheet import EMPTY, INPUT, Cell, Row, Sheet, Source, metric_head, parts
from converse.reporting.tables.values import measured_cell

Record = Mapping[str, Any]

TITLE: Final = "PSNR against noise level"


def noise_level_sheet(
    records: Sequence[Record],
    *,
    source: Source,
    key: str,
    entries: Mapping[str, str] | None = None,
    evidence: Mapping[EvidenceKey, Evidence] | None = None,
    command: Command = lambda record: None,
) -> Sheet | None:
    """Means of a task whose test images were measured at further noise levels; no published number stands among them.

    Args:
        records: result rows of one task, source and budget, in the paper's order, those of all levels among them.
        source: of the numbers.
        key: of the table's place; the sheet's begins with it.
        entries: name → how it is called in the table; ``None`` for its name.
        evidence: what the means rest on.
        command: what measures a cell.

    Returns:
        The sheet; ``None`` where no further level was measured.
    """
    places = {
        (str(one["dataset"]), str(one["entry"]), level_of(one["case"])): one
        for one in records
        if one["metric"] == PUBLISHED_METRIC and one["dataset"] is not None
    }
    further = {level for _, _, level in places if level is not None}
    if not further:
        return None
    task = TASKS[records[0]["task"]]
    levels = sorted({task.noise_level, *further})

    def cell(entry: str, dataset: str, level: float) -> Cell:
        record = places.get((dataset, entry, None if level == task.noise_level else level))
        return EMPTY if record is None else measured_cell(record, evidence or {}, command)

    # What was measured at the task's own level alone stands in the other tables.
    wanted = {(dataset, entry) for dataset, entry, level in places if level is not None}
    names = dict.fromkeys(entry for _, entry, _ in places)
    rows = tuple(
        Row(
            (entries or {}).get(entry, entry),
            tuple(cell(entry, dataset, level) for level in levels),
            group=dataset,
            marks=(INPUT,) if entry == task.given else (),
        )
        for dataset in dict.fromkeys(dataset for dataset, _, _ in places)
        for entry in dict.fromkeys([*(name for name in names if name == task.given), *names])
        if (dataset, entry) in wanted
    )
    sheet = Sheet(
        key=slug(key, "noise levels"),
        kind="values",
        title=f"{task.title}: {TITLE}",
        caption=(
            "PSNR in dB on images with white Gaussian noise of standard deviation σ (of 255). Networks were trained "
            f"for σ = {shown(task.noise_level)}, the only level of which the paper has numbers. Mean over "
            f"images{over_seeds(records)}."
        ),
        source=source,
        stub="Network",
        heads=tuple(
            metric_head(PUBLISHED_METRIC, key=f"noise-{shown(level)}", title=f"σ = {shown(level)}") for level in levels
        ),
        rows=rows,
    )
    return replace(sheet, notes=parts(sheet))
