"""Absolute values as sheets: every entry, every metric, with or without the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from converse.analysis.published import PublishedValue
from converse.analysis.tables import PUBLISHED_METRIC
from converse.analysis.told_apart import Against, Place
from converse.metrics import METRICS, PARAMETERS
from converse.reporting.inputs.evidence import Evidence, EvidenceKey
from converse.reporting.tables.paper import Command, over_seeds
from converse.reporting.tables.sheet import (
    EMPTY,
    PARAMETERS_HEAD,
    Cell,
    Head,
    Row,
    Sheet,
    Source,
    infinite,
    metric_head,
    parts,
)
from converse.reporting.words import place_title

Record = Mapping[str, Any]

BASE: Final = "base"
"""Mark of an entry that others are held against."""


def measured_cell(record: Record, evidence: Mapping[EvidenceKey, Evidence], command: Command) -> Cell:
    """A result row as a cell, without the paper.

    Args:
        record: the row.
        evidence: what means rest on.
        command: what measures a cell.
    """
    place = (record["entry"], record["dataset"], record["case"], record["metric"], record["signature"])
    return Cell(
        measured=record["measured"],
        deviation=None if record["metric"] == PARAMETERS else record["deviation"],
        reason=record["reason"] if record["measured"] is None else None,
        evidence=evidence.get(place),
        command=command(record),
        infinite=infinite(record),
        part=record["part"],
    )


def value_sheet(
    records: Sequence[Record],
    *,
    key: str,
    title: str,
    source: Source,
    entries: Mapping[str, str],
    evidence: Mapping[EvidenceKey, Evidence],
    published: PublishedValue | None = None,
    reasons: Mapping[str, str] | None = None,
    command: Command = lambda record: None,
    stub: str = "Network",
    against: Mapping[Place, Against] | None = None,
    marks: Mapping[str, tuple[str, ...]] | None = None,
) -> Sheet:
    """Means over images of all metrics: a row per entry, a group of columns per test set.

    Where a test set has several cases (blur kernels), each test set and case is a group of rows instead.

    Args:
        records: result rows of one task, source and budget.
        key: of the sheet.
        title: heading.
        source: of the numbers.
        entries: name → how it is called in the table, in order.
        evidence: what the means rest on.
        published: the paper's values.
        reasons: entry → why it may have no values.
        command: what measures a cell.
        stub: head of the first column.
        against: how values stand to those of their base entries (:func:`converse.analysis.told_apart.told_apart`).
        marks: entry → words about the whole row.

    Returns:
        The sheet, with a row for every entry.
    """
    places = list(dict.fromkeys((record["dataset"], record["case"]) for record in records if record["dataset"]))
    by_place = {(r["entry"], r["dataset"], r["case"], r["metric"]): r for r in records}
    shown = [metric for metric in METRICS if any(r["metric"] == metric and r["measured"] is not None for r in records)]
    unmeasured = {
        f"{METRICS[r['metric']].title}: {r['reason']}": None
        for r in records
        if r["metric"] in METRICS and r["metric"] not in shown and r["reason"]
    }

    task = next((record["task"] for record in records), None)

    def cell(entry: str, dataset: str | None, case: str | None, metric: str) -> Cell:
        record = by_place.get((entry, dataset, case, metric))
        number = None
        if published is not None and metric == PUBLISHED_METRIC and dataset:
            number = published(entry, dataset, case)
        if record is None:
            reason = (reasons or {}).get(entry)
            if number is None and (reason is None or metric != PUBLISHED_METRIC):
                return EMPTY
            return Cell(
                published=number.value if number else None,
                trust=number.trust if number else None,
                reason=reason,
                command=command({"task": task, "entry": entry, "dataset": dataset, "measured": None}),
            )
        return replace(
            measured_cell(record, evidence, command),
            published=number.value if number else None,
            trust=number.trust if number else None,
            against=(against or {}).get((entry, dataset, case, metric)),
        )

    def heads(group: str) -> list[Head]:
        return [metric_head(metric, key=f"{group}-{metric}" if group else metric, group=group) for metric in shown]

    if any(case for _, case in places):
        groups = [(place_title(*place), [place]) for place in places]
        metric_heads = heads("")
    else:
        groups = [("", places)]
        metric_heads = [head for dataset, _ in places for head in heads(str(dataset))]
    rows = [
        Row(
            label,
            (
                cell(entry, None, None, PARAMETERS),
                *(cell(entry, *place, metric) for place in across for metric in shown),
            ),
            group=group,
            marks=(marks or {}).get(entry, ()),
        )
        for group, across in groups
        for entry, label in entries.items()
    ]
    sheet = Sheet(
        key=key,
        kind="values",
        title=title,
        caption=f"Mean over images{over_seeds(records)}.",
        source=source,
        stub=stub,
        heads=(PARAMETERS_HEAD, *metric_heads),
        rows=tuple(rows),
        notes=tuple(unmeasured),
    )
    return replace(sheet, notes=(*sheet.notes, *parts(sheet)))
