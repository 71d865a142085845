"""The chapter of a study: the differences that it is about, the paper's table as trained here, all values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converse.analysis.effects import effect_records
from converse.analysis.published import Published
from converse.analysis.studies import Study
from converse.analysis.suite_effects import study_values
from converse.analysis.tables import records, results
from converse.analysis.told_apart import Against, Place, same_as_base, told_apart
from converse.data.tasks import GIVEN
from converse.plain_text import slug
from converse.reporting.inputs import quickstart
from converse.reporting.inputs.commands import UNKNOWN, measuring
from converse.reporting.inputs.evidence import Evidence, EvidenceKey, evidence
from converse.reporting.inputs.material import Material
from converse.reporting.report import Part, plain_facts
from converse.reporting.tables.effects import effect_sheet
from converse.reporting.tables.noise_levels import noise_level_sheet
from converse.reporting.tables.paper import Command, paper_sheets
from converse.reporting.tables.quickstart import beaten_sheet, operator_sheet
from converse.reporting.tables.sheet import BLIND, Picture, Sheet, noted
from converse.reporting.tables.tuning import tuning_sheet
from converse.reporting.tables.values import BASE, value_sheet

Record = Mapping[str, Any]


def study_part(
    study: Study, material: Material, paper: Published, *, kernels: Mapping[str, Picture] | None = None
) -> Part:
    """The chapter of a suite or an ablation: differences, the paper's table with what was trained here, all values.

    Args:
        study: of the stores.
        material: of the stores.
        paper: its numbers.
        kernels: the blur kernels, where they may be shown.
    """
    done = sum(material.trials[key].status.complete for key, _, _ in study.trials)
    facts = {
        "Budget": study.budget,
        "Machine": study.machine,
        "Seeds": ", ".join(map(str, study.seeds)),
        "Trials": f"{done} of {len(study.trials)} done",
        "Trainings": material.grounds(study).trainings(key for key, _, _ in study.trials),
        "Images held out for validation": _held_out(study, material),
        "Suite": study.suite,
        "Beside the newest chapter of this suite": study.apart,
        **study.missing,
        "Asked for with": UNKNOWN if study.suite and not study.commands else "",
    }
    return Part(
        key=study.key,
        title=study.name,
        text=" ".join(study.description.split()),
        sheets=tuple(noted(list(_study_sheets(study, material, paper, kernels)), (*study.data_notes, *study.left_out))),
        facts=plain_facts(facts),
        commands=study.commands,
    )


def _held_out(study: Study, material: Material) -> str:
    """How many images of the training sets are held out; empty where none are."""
    found = (material.trials[key].provenance.get("not_trained_on") or {} for key, _, _ in study.trials)
    counts = sorted({len(one.get("held_out", ())) for one in found} - {0})
    return " or ".join(map(str, counts))


def _study_sheets(
    study: Study, material: Material, paper: Published, kernels: Mapping[str, Picture] | None
) -> Iterator[Sheet]:
    def asking(record: Record) -> str | None:
        if record["entry"] in GIVEN:
            return measuring(record, material)
        return study.command(*filter(None, (record["entry"], record.get("base")))) or None

    rests_on = evidence(study.rows)
    if study.tunes:
        done = all(material.trials[key].status.state in ("done", "failed") for key, _, _ in study.trials)
        yield tuning_sheet(study, done=done, reasons=material.reasons(study))
        return
    lacking = material.grounds(study).lacking
    means = records(results(study.rows, published=paper, whole=study.selection.images, lacking=lacking))
    if study.suite == quickstart.SUITE and (filters := quickstart.to_beat(set(study.rows["image_sha256"]))):
        yield beaten_sheet(means, filters, key=study.key)
    if study.contrasts:
        yield effect_sheet(
            material.effects(study),
            title="Differences",
            key=slug(study.key, "differences"),
            evidence=rests_on,
            command=asking,
            stub="Variant" if study.base is not None else "Difference",
        )
    compared = effect_records(material.effects(study)) if study.contrasts else []
    against = told_apart(compared)
    yield from _beside_the_paper(study, material, means, paper, rests_on, kernels, against, asking)
    # A base entry and the value that is equal to it are one network, and one row.
    twice = same_as_base(compared)
    base = None if study.base is None else twice.get(study.base, study.base)
    marks = {
        entry.name: (
            *((BASE,) if entry.name == base else ()),
            *((BLIND,) if paper.blind(study.task, entry.published[1] if entry.published else entry.name) else ()),
        )
        for entry in study.entries
    }
    yield value_sheet(
        means,
        key=slug(study.key, "values"),
        title="Absolute values" if study.contrasts else "All metrics",
        source="trained",
        entries={entry.name: entry.label for entry in study.entries if entry.name not in twice},
        evidence=rests_on,
        published=study_values(study, paper),
        reasons=material.reasons(study),
        command=asking,
        stub="Variant" if study.base is not None else "Network",
        against=against,
        marks=marks,
    )
    if (further := _noise_levels(study, material, paper, asking)) is not None:
        yield further
    if study.suite == quickstart.SUITE and (times := quickstart.newest_times(material.speed, study.budget)):
        yield operator_sheet(times, key=study.key)


def _noise_levels(study: Study, material: Material, paper: Published, asking: Command) -> Sheet | None:
    """What was measured at further noise levels, if anything was."""
    levels = material.counted.levels_of(study)
    return noise_level_sheet(
        records(results(levels, published=paper, whole=study.selection.images)),
        source="trained",
        key=study.key,
        entries={entry.name: entry.label for entry in study.entries},
        evidence=evidence(levels),
        command=asking,
    )


def _beside_the_paper(
    study: Study,
    material: Material,
    means: Sequence[Record],
    paper: Published,
    rests_on: Mapping[EvidenceKey, Evidence],
    kernels: Mapping[str, Picture] | None,
    against: Mapping[Place, Against],
    asking: Command,
) -> Iterator[Sheet]:
    """The paper's table with the numbers of a suite of its networks, where at least one of them was measured."""
    both = any(
        record["measured"] is not None and record["published"] is not None for record in means if record["dataset"]
    )
    if study.base is not None or not study.suite or not both:
        return
    judged = any(record["verdict"] not in (None, "not measured") for record in means if record["dataset"])
    note = (
        f"Trained here with the budget {study.budget}: no verdict, since these trainings may not judge the paper. Each "
        "cell says what they lack."
    )
    inputs = material.counted.inputs_of(study)
    for sheet in paper_sheets(
        [*means, *records(results(inputs, published=paper, whole=study.selection.images))],
        paper,
        source="trained",
        evidence={**rests_on, **evidence(inputs)},
        command=asking,
        suffix=f"trained here, budget {study.budget}",
        kernels=kernels,
        against=against,
    ):
        if sheet.kind == "paper":  # the user's own images are among the values
            # The same table of the paper may stand in several chapters: at equal settings, and tuned.
            sheet = replace(sheet, key=slug(study.key, "paper"))
            yield sheet if judged else replace(sheet, notes=(note,))
