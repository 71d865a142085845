"""Result rows in the paper's own arrangement: networks down; test sets, or blur kernels, across."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from converse.analysis.published import Published
from converse.analysis.tables import PUBLISHED_METRIC
from converse.analysis.told_apart import Against, Place
from converse.data import tasks
from converse.data.catalogue import datasets
from converse.metrics import METRICS, PARAMETERS
from converse.plain_text import slug
from converse.reporting.inputs.evidence import Evidence, EvidenceKey
from converse.reporting.tables.below import below
from converse.reporting.tables.sheet import (
    BLIND,
    EMPTY,
    INPUT,
    PARAMETERS_HEAD,
    Cell,
    Kind,
    Measure,
    Picture,
    Row,
    Sheet,
    Source,
    infinite,
    metric_head,
    parts,
)
from converse.reporting.words import case_title

Record = Mapping[str, Any]
Command = Callable[[Record], str | None]
"""Result row → the command that measures it."""

TASKS: Final = {task.name: task.title for task in tasks.TASKS.values()}
"""Headings of the tasks."""

_UNPUBLISHED: Final = "no published value"
_NOT_RUN: Final = "not measured here"

_CAPTIONS: Final = {
    "denoising": "PSNR in dB on grey images with white Gaussian noise of level 25",
    "super_resolution": "PSNR in dB on the luminance, scale 4, bicubic downsampling",
    "deblurring": "PSNR in dB on colour images blurred by five kernels, noise of level 2.55",
}


def paper_sheets(
    records: Iterable[Record],
    published: Published,
    *,
    source: Source,
    evidence: Mapping[EvidenceKey, Evidence] | None = None,
    command: Command = lambda record: None,
    suffix: str = "",
    whole: bool = True,
    kernels: Mapping[str, Picture] | None = None,
    inputs: bool = True,
    against: Mapping[Place, Against] | None = None,
) -> list[Sheet]:
    """A sheet per task, arranged as the paper's table of that task; and one of the user's own images, if there are any.

    The first row is what networks are given, which all of them have to be above. The others are the paper's entries in
    its order, whether measured or not, and then what else was measured; columns the
    number of parameters, the paper's test sets (for deblurring, its kernels, one group of rows per test set), and then
    what else of the catalogue was measured. Folders of the user's have a sheet of their own, of the kind ``values``.
    Other metrics of a cell are in :attr:`Cell.more`.

    Args:
        records: result rows (:func:`converse.analysis.tables.records`) of one source and budget, in the paper's order.
        published: the paper's numbers.
        source: of the measured numbers.
        evidence: what they rest on.
        command: what measures a cell.
        suffix: of titles and keys: ``budget quick``.
        whole: also the paper's entries, test sets and kernels of which there is no record.
        kernels: the blur kernels, which stand in the heads of their columns; by case.
        inputs: of a whole table, also the row of inputs of which there is no record.
        against: how values stand to those of their base entries (:func:`converse.analysis.told_apart.told_apart`).

    Returns:
        Sheets in the order of the paper.
    """
    sheets = []
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record["task"], []).append(record)
    for task, of_task in by_task.items():
        mine = [record for record in of_task if own(record)]
        others = [record for record in of_task if not own(record)]
        title = TASKS.get(task, task)
        if whole or not mine or any(record["dataset"] for record in others):
            cells = _Cells(
                task, others, published, evidence or {}, command, whole, kernels or {}, inputs, against or {}
            )
            heading = f"{title}, {suffix}" if suffix else title
            sheets.append(_sheet(cells, slug(task, source, suffix), "paper", heading, source, "Test set"))
            others = []
        if mine:
            cells = _Cells(
                task, [*mine, *others], published, evidence or {}, command, False, kernels or {}, False, against or {}
            )
            heading = f"{title}, own images, {suffix}" if suffix else f"{title}, own images"
            sheets.append(_sheet(cells, slug(task, source, suffix, "own"), "values", heading, source, "Folder"))
    return sheets


def own(record: Record) -> bool:
    """Whether a result row is about a folder of the user's."""
    return record["dataset"] is not None and record["dataset"] not in _catalogue_titles()


@cache
def _catalogue_titles() -> frozenset[str]:
    return frozenset(known.title for known in datasets().values())


def _sheet(cells: _Cells, key: str, kind: Kind, title: str, source: Source, group: str) -> Sheet:
    """One table: networks down; test sets, or kernels within them, across."""
    cases = cells.cases()
    if cases:
        heads = [
            replace(
                metric_head(PUBLISHED_METRIC, key=case, title=case_title(case), group="Blur kernel"),
                picture=cells.kernels.get(case, ()),
            )
            for case in cases
        ]
        rows = [
            Row(entry, tuple(cells.cell(entry, dataset, case) for case in cases), group=dataset)
            for dataset in cells.datasets()
            for entry in cells.entries()
        ]
    else:
        columns = cells.datasets()
        heads = [metric_head(PUBLISHED_METRIC, key=dataset, title=dataset, group=group) for dataset in columns]
        rows = [Row(entry, tuple(cells.cell(entry, dataset, None) for dataset in columns)) for entry in cells.entries()]
    rows = [Row(row.title, (cells.parameters(row.title), *row.cells), row.group) for row in rows]
    heads = [PARAMETERS_HEAD, *heads]
    if all(row.cells[0].empty for row in rows):
        heads, rows = heads[1:], [Row(row.title, row.cells[1:], row.group) for row in rows]
    rows = [
        replace(row, marks=(*row.marks, *cells.marks(row.title)))
        for row in rows
        if any(not cell.empty for cell in row.cells)
    ]
    sheet = Sheet(
        key=key,
        kind=kind,
        title=title,
        caption=f"{_CAPTIONS.get(cells.task, 'PSNR in dB')}; mean over images{over_seeds(cells.records)}.",
        source=source,
        stub="Network",
        heads=tuple(heads),
        rows=tuple(rows),
    )
    return replace(sheet, notes=(*_rivals(sheet), *below(sheet), *parts(sheet)))


def _rivals(sheet: Sheet) -> tuple[str, ...]:
    """A note that says that blind networks stand apart, where there are both kinds."""
    networks = {BLIND in row.marks for row in sheet.rows if INPUT not in row.marks}
    if len(networks) < 2:
        return ()
    return (
        "Blind networks are not given the blur kernel: best and second are marked among them and among the others.",
    )


class _Cells:
    """The records of one task by place."""

    def __init__(
        self,
        task: str,
        records: Sequence[Record],
        published: Published,
        evidence: Mapping[EvidenceKey, Evidence],
        command: Command,
        whole: bool,
        kernels: Mapping[str, Picture],
        inputs: bool,
        against: Mapping[Place, Against],
    ) -> None:
        self.inputs = inputs
        self.against = against
        self.records = records
        self.kernels = kernels
        self.whole = whole
        self.task = task
        self.published = published
        self.evidence = evidence
        self.command = command
        self.given = tasks.TASKS[task].given if task in tasks.TASKS else ""
        self.by_place: dict[tuple[Any, ...], Record] = {}
        for record in records:
            place = (record["entry"], record["dataset"], record["case"], record["metric"])
            # With several signatures or devices in one table, the one with the most images is shown.
            if place not in self.by_place or (record["images"] or 0) > (self.by_place[place]["images"] or 0):
                self.by_place[place] = record

    def entries(self) -> list[str]:
        recorded = [record["entry"] for record in self.records]
        given = [self.given] if self.given in recorded or (self.whole and self.inputs) else []
        return list(dict.fromkeys([*given, *self._shown(self.published.entries(self.task), recorded)]))

    def marks(self, entry: str) -> tuple[str, ...]:
        if entry == self.given:
            return (INPUT,)
        return (BLIND,) if self.published.blind(self.task, entry) else ()

    def datasets(self) -> list[str]:
        return self._shown(self.published.datasets(self.task), (record["dataset"] for record in self.records))

    def cases(self) -> list[str]:
        published = (cell.case for cell in self.published.cells(self.task))
        return self._shown(published, (record["case"] for record in self.records))

    def _shown(self, published: Iterable[str | None], recorded: Iterable[str | None]) -> list[str]:
        """The paper's names in its order, then those that only the records have; of a part, without the others."""
        names = list(recorded)
        kept = [name for name in published if self.whole or name in names]
        return list(dict.fromkeys(name for name in (*kept, *names) if name))

    def cell(self, entry: str, dataset: str, case: str | None) -> Cell:
        by_metric = {name: self.by_place.get((entry, dataset, case, name)) for name in METRICS}
        record = by_metric[PUBLISHED_METRIC]
        number = self.published.number(self.task, entry, dataset, case)
        unmeasured = not any(by_metric.values())
        if record is None and number is None and unmeasured and entry != self.given:
            return EMPTY
        if record is None:
            record = {
                **dict.fromkeys(("measured", "deviation", "difference", "reason", "signature", "metric")),
                "task": self.task,
                "entry": entry,
                "dataset": dataset,
                "case": case,
                "published": number.value if number else None,
                "verdict": "not measured" if number else None,
                "reason": _NOT_RUN if entry == self.given and unmeasured else None,
            }
        more = tuple(
            Measure(
                facts.title,
                other["measured"],
                other["deviation"],
                facts.digits,
                self._evidence(other),
                infinite(other),
            )
            for name, facts in METRICS.items()
            if name != PUBLISHED_METRIC and (other := by_metric[name]) is not None
        )
        return self._cell(record, number.trust if number else None, more)

    def parameters(self, entry: str) -> Cell:
        if entry == self.given:
            return EMPTY
        record = self.by_place.get((entry, None, None, PARAMETERS))
        number = self.published.parameters(entry)
        if record is not None and record["source"] == "trained" and record["budget"] != "paper":
            # A budget makes networks narrow on purpose: that their size is not the paper's says nothing.
            return Cell(measured=record["measured"], evidence=self._evidence(record))
        if record is None:
            return Cell(published=number.value, trust=number.trust) if number and self.whole else EMPTY
        return self._cell(record, number.trust if number else None, ())

    def _cell(self, record: Record, trust: Any, more: tuple[Measure, ...]) -> Cell:
        reason = record["reason"]
        return Cell(
            measured=record["measured"],
            deviation=None if record["metric"] == PARAMETERS else record["deviation"],
            published=record["published"],
            trust=trust if record["published"] is not None else None,
            difference=record["difference"],
            verdict=record["verdict"],
            reason=None if reason == _UNPUBLISHED else reason and reason.removeprefix(f"{_UNPUBLISHED}; "),
            more=more,
            evidence=self._evidence(record),
            command=self.command(record),
            infinite=infinite(record),
            part=record.get("part"),
            against=self.against.get((record["entry"], record["dataset"], record["case"], record["metric"])),
        )

    def _evidence(self, record: Record) -> Evidence | None:
        place = (record["entry"], record["dataset"], record["case"], record["metric"], record["signature"])
        return self.evidence.get(place)


def over_seeds(records: Sequence[Record]) -> str:
    """What a caption says of means over seeds, where there are any."""
    return ", then over seeds, ± standard deviation over seeds" if any(r["seeds"] for r in records) else ""
