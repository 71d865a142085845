"""The chapters of a report: which tables stand together, and what is said above them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.audit_sheets import Design, audit_sheets
from converse.analysis.effect_sheets import effect_sheet
from converse.analysis.evidence import EvidenceKey, evidence
from converse.analysis.paper_sheets import TASKS, own, paper_sheets
from converse.analysis.published import Published
from converse.analysis.quickstart_sheets import beaten_sheet, operator_sheet
from converse.analysis.selection import LeftOut
from converse.analysis.sheets import Evidence, Sheet, slug
from converse.analysis.speed import different_machines
from converse.analysis.speed_sheets import speed_sheets
from converse.analysis.studies import Study
from converse.analysis.suite_effects import study_values
from converse.analysis.tables import Expected, records, results
from converse.analysis.value_sheets import value_sheet
from converse.experiments.suites import vocabulary
from converse.experiments.suites.suite import load_suite, suites
from converse.reporting.report import Part, plain_facts
from converse.workflows.report_commands import (
    UNKNOWN,
    measuring,
    repeating_released,
    repeating_speed,
    runs_without_request,
)
from converse.workflows.report_material import Material

if TYPE_CHECKING:
    pass

Record = Mapping[str, Any]

QUICKSTART: Final = "quickstart"
"""The suite beside which filters are measured and operators timed."""

_NOT_RUN: Final = "not measured here"

_SPEED: Final = (
    "Times are medians; subjects of one group took turns on the same input, so that they may be compared. Times of "
    "different machines may not."
)
_RELEASED: Final = (
    "The authors' released weights, evaluated here by the paper's protocol and held against the published means. "
    "Nothing in these tables was trained here. A verdict needs the whole test set: match if the number rounds to the "
    "published one, close within 0.05 dB."
)


def released_part(material: Material, measured: Sequence[Record], paper: Published) -> Part:
    """The paper's main tables from released weights, and a table of the user's own images.

    Args:
        material: of the stores.
        measured: result rows of released weights, one for each of :func:`paper_cells` at least.
        paper: its numbers.
    """
    rows = material.counted.released_rows
    again = repeating_released(material)
    sheets: list[Sheet] = []
    for task in dict.fromkeys(record["task"] for record in measured):
        of_task = [record for record in measured if record["task"] == task]
        command = partial(measuring, material=material)
        known = evidence(rows[rows["task"] == task])
        here = paper_sheets(of_task, paper, source="released", evidence=known, command=command)
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
                    evidence=known,
                    published=partial(paper.number, task),
                    command=command,
                )
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


def noted(sheets: Sequence[Sheet], left_out: Sequence[LeftOut]) -> list[Sheet]:
    """The tables, the last of them with a note on what else the store has."""
    if not sheets or not left_out:
        return list(sheets)
    return [*sheets[:-1], replace(sheets[-1], notes=(*sheets[-1].notes, *(f"{one}." for one in left_out)))]


def study_part(study: Study, material: Material, paper: Published) -> Part:
    """The chapter of a suite or an ablation: differences, the paper's table with what was trained here, all values."""
    done = sum(material.trials[key].status.complete for key, _, _ in study.trials)
    facts = {
        "Budget": study.budget,
        "Machine": study.machine,
        "Seeds": ", ".join(map(str, study.seeds)),
        "Trials": f"{done} of {len(study.trials)} done",
        "Suite": study.suite,
        "Not the newest": "the suite was edited and run again after this" if study.superseded else "",
        **study.missing,
        "Asked for with": UNKNOWN if study.suite and not study.commands else "",
    }
    return Part(
        key=study.key,
        title=study.name,
        text=" ".join(study.description.split()),
        sheets=tuple(noted(list(_study_sheets(study, material, paper)), study.left_out)),
        facts=plain_facts(facts),
        commands=study.commands,
    )


def _study_sheets(study: Study, material: Material, paper: Published) -> Iterator[Sheet]:
    def asking(record: Record) -> str | None:
        return study.command(*filter(None, (record["entry"], record.get("base")))) or None

    known = evidence(study.rows)
    found = records(results(study.rows, published=paper, whole=study.selection.images))
    if study.suite == QUICKSTART and material.filters:
        yield beaten_sheet(found, material.filters, link=study.key)
    if study.contrasts:
        yield effect_sheet(
            material.effects(study),
            title="Differences",
            key=slug(study.key, "differences"),
            evidence=known,
            command=asking,
            link=study.key,
            stub="Variant" if study.base is not None else "Difference",
        )
    yield from _beside_the_paper(study, found, paper, known)
    yield value_sheet(
        found,
        key=slug(study.key, "values"),
        title="Absolute values" if study.contrasts else "All metrics",
        source="trained",
        entries={entry.name: entry.label for entry in study.entries},
        evidence=known,
        published=study_values(study, paper),
        reasons=material.reasons(study),
        command=asking,
        stub="Variant" if study.base is not None else "Network",
        link=study.key,
    )
    if study.suite == QUICKSTART and material.timings:
        yield operator_sheet(material.timings, link=study.key)


def _beside_the_paper(
    study: Study, found: Sequence[Record], paper: Published, known: Mapping[EvidenceKey, Evidence]
) -> Iterator[Sheet]:
    """The paper's table with the numbers of a suite of its networks, where at least one of them was measured."""
    both = any(
        record["measured"] is not None and record["published"] is not None for record in found if record["dataset"]
    )
    if study.base is not None or not study.suite or not both:
        return
    note = f"Trained here with the budget {study.budget}, which is not the paper's training: no verdict."
    for sheet in paper_sheets(
        found,
        paper,
        source="trained",
        evidence=known,
        command=lambda record: study.command(record["entry"]) or None,
        suffix=f"trained here, budget {study.budget}",
        link=study.key,
    ):
        if sheet.kind == "paper":  # the user's own images are among the values
            yield sheet if study.budget == "paper" else replace(sheet, notes=(note,))


def paper_cells(paper: Published) -> Iterator[Expected]:
    """Every cell of the main tables, with the reason why there may be no number from released weights."""
    released = vocabulary.released()
    for task in paper.tasks:
        for cell in paper.cells(task):
            reason = _NOT_RUN if cell.entry in released else f"no released weights for {cell.entry}"
            yield Expected(task, cell.entry, cell.dataset, cell.case, "psnr", reason)


def speed_part(material: Material) -> Iterator[Part]:
    """What ``converse speed`` measured, where it did.

    Args:
        material: of the stores.
    """
    rows = material.speed
    if len(rows):
        apart = different_machines(rows)
        text = _SPEED if apart is None else f"{_SPEED} Here are several: {apart}."
        unknown = runs_without_request(material)
        yield Part(
            "speed",
            "Speed and memory",
            text,
            tuple(speed_sheets(rows)),
            facts=plain_facts({f"Run {run} was asked for with": UNKNOWN for run in unknown}),
            commands=repeating_speed(material),
        )


def disagreements(measured: Sequence[Record], paper: Published) -> tuple[Sheet, ...]:
    """What is known to disagree, found in the data."""
    models = vocabulary.models()
    released = [
        Design(one.entry, {**models[one.model].defaults, **one.options}) for one in vocabulary.released().values()
    ]
    described, bases = [], {}
    for name in suites():
        suite = load_suite(name, networks=False)
        plans = suite.resolve("paper") if "paper" in suite.budgets else []
        for plan in {plan.entry: plan for plan in plans}.values():
            if plan.variation is None and suite.published:
                described.append(Design(plan.entry, {**models[plan.model].defaults, **plan.options}))
            elif plan.variation and not plan.variation.changes and plan.variation.published:
                table, row = plan.variation.published
                bases[table] = (row, plan.task, plan.variation.base)
    return audit_sheets(measured, paper, released=released, described=described, bases=bases)
