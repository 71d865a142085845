"""Where the paper, its released weights and its second-hand sources are known to disagree, found in the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converse.analysis.published import Published
from converse.metrics import PARAMETERS
from converse.reporting.tables.paper import Command, Record
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet
from converse.reporting.words import case_title


@dataclass(frozen=True)
class Design:
    """How a network is built.

    Attributes:
        entry: its name in the paper.
        options: option → value, defaults among them.
    """

    entry: str
    options: Mapping[str, Any]


def audit_sheets(
    records: Iterable[Record],
    earlier: Sequence[Record],
    published: Published,
    *,
    released: Sequence[Design],
    described: Sequence[Design],
    bases: Mapping[str, tuple[str, str, str]],
    command: Command = lambda record: None,
) -> tuple[Sheet, ...]:
    """What is known to disagree.

    Args:
        records: result rows of released weights.
        earlier: the same held against the authors' earlier tables (:func:`converse.analysis.earlier.earlier_results`).
        published: the paper's numbers.
        released: the networks of the released weights.
        described: the networks as the paper describes them, which is how suites build them.
        bases: table of an ablation → its row that is the base entry, the task and entry of the main table.
        command: result row of released weights → the command that measures it.

    Returns:
        Sheets of parameters, of designs, of what is known of networks, of PSNR, of the paper against itself, of rows
        that an earlier table repeats, and of second-hand tables; those that would be empty are left out.
    """
    listed = list(records)
    sheets = (
        _parameters(listed, published),
        _designs(released, described),
        _networks(published),
        _values(listed),
        _own_tables(published, bases),
        _repeated(earlier, published, command),
        _second_hand(published),
    )
    return tuple(sheet for sheet in sheets if sheet.rows)


def _parameters(records: Sequence[Record], published: Published) -> Sheet:
    counted = {record["entry"]: record for record in records if record["metric"] == PARAMETERS}
    explained = {one.entry: one for one in published.disagreements if one.metric == PARAMETERS}
    rows = []
    for entry in dict.fromkeys(
        (*(e for task in published.tasks for e in published.entries(task)), *counted, *explained)
    ):
        number = published.parameters(entry)
        if number is None:
            continue
        record, disagreement = counted.get(entry), explained.get(entry)
        measured = record["measured"] if record else disagreement.measured if disagreement else None
        if measured is None:
            continue
        differs = measured != number.value
        reason = (record or {}).get("reason") or (disagreement.reason if disagreement and differs else None)
        rows.append(
            Row(
                entry,
                (
                    Cell(published=number.value, trust=number.trust),
                    Cell(measured=measured, reason=None if record else "not counted here: as it is known"),
                    Cell(measured=measured - number.value, verdict="differs" if differs else "match"),
                    Cell(text=reason or ("no explanation is known" if differs else "")),
                ),
            )
        )
    heads = (
        Head("published", "Published", published_digits=0),
        Head("released", "Released weights", digits=0),
        Head("difference", "Released − published", digits=0, signed=True),
        Head("reason", "Why", words=True),
    )
    caption = "Numbers of parameters: the authors' model list or main table, and the released checkpoints counted."
    return _sheet("audit-parameters", "Numbers of parameters", caption, "Network", heads, rows)


def _designs(released: Sequence[Design], described: Sequence[Design]) -> Sheet:
    by_entry = {one.entry: one.options for one in described}
    rows = []
    for one in released:
        if one.entry not in by_entry:
            continue
        theirs = by_entry[one.entry]
        rows += [
            Row(
                one.entry,
                (Cell(text=name), Cell(text=_word(theirs.get(name))), Cell(text=_word(one.options.get(name)))),
            )
            for name in dict.fromkeys((*one.options, *theirs))
            if one.options.get(name) != theirs.get(name)
        ]
    heads = (
        Head("option", "What", words=True),
        Head("described", "As described", words=True),
        Head("released", "As released", words=True),
    )
    caption = "Options of the released checkpoints that differ from the description after which suites build them."
    return _sheet("audit-designs", "Designs", caption, "Network", heads, rows)


def _networks(published: Published) -> Sheet:
    rows = [
        Row(one.entry, (Cell(text=one.basis), Cell(text=one.known), Cell(text=one.here))) for one in published.networks
    ]
    heads = (
        Head("basis", "How it is known", words=True),
        Head("known", "What is known", words=True),
        Head("here", "Here", words=True),
    )
    caption = (
        "How the authors built their networks: read in an older commit of their repository, measured from the released "
        "weights, or inferred; and how suites build them."
    )
    return _sheet("audit-networks", "Networks as their authors wrote them", caption, "Network", heads, rows)


def _values(records: Sequence[Record]) -> Sheet:
    rows = [
        Row(
            record["entry"],
            (
                Cell(text=" ".join(filter(None, (record["dataset"], case_title(record["case"]))))),
                Cell(published=record["published"]),
                Cell(measured=record["measured"]),
                Cell(measured=record["difference"], verdict=record["verdict"]),
            ),
        )
        for record in records
        if record["metric"] == "psnr" and record["verdict"] in ("close", "differs")
    ]
    heads = (
        Head("where", "Test set", words=True),
        Head("published", "Published", unit="dB"),
        Head("released", "Released weights", unit="dB", digits=4),
        Head("difference", "Released − published", unit="dB", digits=4, signed=True),
    )
    caption = "Mean PSNR of released weights that does not round to the published number."
    return _sheet("audit-values", "Published PSNR and that of the released weights", caption, "Network", heads, rows)


def _own_tables(published: Published, bases: Mapping[str, tuple[str, str, str]]) -> Sheet:
    rows = []
    for name, (row, task, entry) in bases.items():
        table = published.table(name)
        for column in table.columns:
            quoted, main = table.number(row, column), published.number(task, entry, column)
            if quoted is None or main is None or quoted.value == main.value:
                continue
            rows.append(
                Row(
                    entry,
                    (
                        Cell(text=column),
                        Cell(published=main.value, trust=main.trust),
                        Cell(text=f"{name.partition('.')[2].replace('.', ', ').replace('_', ' ')}: {row}"),
                        Cell(published=quoted.value, trust=quoted.trust),
                        Cell(measured=round(quoted.value - main.value, 9)),
                    ),
                )
            )
    heads = (
        Head("where", "Test set", words=True),
        Head("main", "Main table", unit="dB"),
        Head("ablation", "Ablation", words=True),
        Head("quoted", "There", unit="dB"),
        Head("difference", "There − main table", unit="dB", signed=True),
    )
    caption = "The same network on the same images, with two numbers in two tables of the paper."
    return _sheet("audit-tables", "Published tables that disagree", caption, "Network", heads, rows)


def _repeated(earlier: Sequence[Record], published: Published, command: Command) -> Sheet:
    by_place: dict[tuple[str, str, str], list[Record]] = {}
    for record in earlier:
        by_place.setdefault((record["task"], record["entry"], record["dataset"]), []).append(record)
    numbers = {place: tuple((one["case"], one["published"]) for one in members) for place, members in by_place.items()}
    rows = []
    for (task, entry, dataset), members in by_place.items():
        own = numbers[task, entry, dataset]
        same = [place[2] for place in numbers if place[:2] == (task, entry) and numbers[place] == own]
        if len(same) > 1 and len(own) > 1:
            others = ", ".join(name for name in same if name != dataset)
            kept = published.unchanged(task, entry)
            conclusion = Cell(text=_conclusion(members, command(members[0]) if kept else None))
            rows.append(Row(entry, (Cell(text=dataset), Cell(text=others), _largest(members), conclusion)))
    heads = (
        Head("where", "Test set", words=True),
        Head("same", "Same numbers on", words=True),
        Head("difference", "Released − published, the largest", unit="dB", signed=True),
        Head("conclusion", "What the released weights say", words=True),
    )
    caption = (
        "Rows of the authors' earlier table that are the same on two test sets, to the last digit: one of them must be "
        "a slip. Released weights decide where the paper has kept the network's numbers on other test sets."
    )
    return _sheet("audit-repeated", "Rows that are repeated", caption, "Network", heads, rows)


def _largest(records: Sequence[Record]) -> Cell:
    """The largest difference of the released weights to what of a row was measured."""
    found = [one["difference"] for one in records if one["difference"] is not None]
    return Cell(measured=max(found, key=abs)) if found else Cell()


def _conclusion(records: Sequence[Record], command: str | None) -> str:
    judged = [one["verdict"] for one in records if one["verdict"] not in (None, "not measured")]
    part = "" if len(judged) == len(records) else f", by {len(judged)} of {len(records)}"
    if judged and set(judged) <= {"match", "close"}:
        return f"the numbers are of this test set{part}"
    if set(judged) == {"differs"}:
        return f"the numbers are not of this test set{part}"
    reason = next((str(one["reason"]) for one in records if one["reason"]), "undecided")
    return f"{reason}: {command}" if command else reason


def _second_hand(published: Published) -> Sheet:
    rows = []
    for table in published.tables.values():
        if table.trust == "secondary":
            name = table.name.removeprefix("ablation.").replace("_", " ").replace(".", ", ")
            numbers = len(table.rows) * len(table.columns)
            rows.append(Row(name, (Cell(text=", ".join(table.columns)), Cell(measured=numbers))))
    heads = (Head("columns", "Test sets", words=True), Head("numbers", "Numbers", digits=0))
    caption = "Tables quoted by a third party, marked † wherever a number of theirs is shown: check them first."
    return _sheet("audit-secondary", "Second-hand sources", caption, "Ablation", heads, rows)


def _sheet(key: str, title: str, caption: str, stub: str, heads: tuple[Head, ...], rows: Sequence[Row]) -> Sheet:
    return Sheet(key, "audit", title, caption, "published", stub, heads, tuple(rows))


def _word(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else "none" if value is None else str(value)
