"""From what stores hold to what a report says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from converse import __version__
from converse.analysis.earlier import earlier_results
from converse.analysis.image_checks import image_check_records, image_checks
from converse.analysis.published import published
from converse.analysis.studies import Study
from converse.analysis.tables import records, results
from converse.counted import counted
from converse.reporting.chapters.disagreements import disagreements
from converse.reporting.chapters.findings import difference_findings, image_finding
from converse.reporting.chapters.first_screen import first_sentences, next_step
from converse.reporting.chapters.missing import failures, missing
from converse.reporting.chapters.origins import environments, marked, trial_facts
from converse.reporting.chapters.released import paper_cells, released_part
from converse.reporting.chapters.speed import speed_part
from converse.reporting.chapters.study import study_part
from converse.reporting.inputs.commands import about_repeating
from converse.reporting.inputs.material import Material
from converse.reporting.report import Report
from converse.reporting.tables.sheet import Picture, tally

if TYPE_CHECKING:
    import pandas as pd


def make_report(
    material: Material,
    progress: Callable[[str], None] = lambda part: None,
    *,
    kernels: Mapping[str, Picture] | None = None,
) -> Report:
    """All that a report says, without figures.

    Args:
        material: from :func:`converse.reporting.inputs.material.gather`.
        progress: told of which chapter the numbers come next.
        kernels: the blur kernels, for the heads of tables; ``None`` where they are not at hand or may not be shown.

    Returns:
        The report. What is not there is said, with the command that gets it.
    """
    paper = published()
    trials = {key: trial_facts(one) for key, one in material.trials.items()}
    studies = material.studies
    whole = {name: count for one in material.counted.released.values() for name, count in one.images.items()}
    rows = material.counted.released_rows
    measured = records(results(rows, published=paper, expected=paper_cells(paper), whole=whole))
    earlier = earlier_results(rows, published=paper, expected=paper_cells(paper.earlier))
    images = image_check_records(image_checks(rows, published=paper, expected=paper_cells(paper)))
    chapters = [released_part(material, measured, paper, earlier=earlier, images=images, kernels=kernels)]
    for one in studies:
        progress(one.name)
        chapters.append(study_part(one, material, paper, kernels=kernels))
    chapters += speed_part(material)
    parts = tuple(marked(part, trials) for part in chapters)
    sheets = [sheet for part in parts for sheet in part.sheets]
    lacking = tuple(missing(measured, studies, material))
    return Report(
        title="Does reverse convolution help?",
        subtitle=_subtitle(material),
        verdicts=tally((sheet for sheet in sheets if sheet.source == "released"), "paper"),
        differences=tally(sheets, "effects"),
        lead=tuple(first_sentences(measured, material, paper)),
        findings=(*image_finding(images), *difference_findings(_compared(studies, material))),
        parts=parts,
        audit=disagreements(measured, earlier, paper, material),
        environments=environments(material),
        trials=trials,
        seeds=tuple((one.name, ", ".join(map(str, one.seeds))) for one in studies),
        failures=tuple(failures(material)),
        missing=lacking,
        commands=tuple(dict.fromkeys([*(line for part in parts for line in part.commands), "converse report"])),
        repeating=about_repeating(material),
        next_step=next_step(material, lacking),
        damaged=material.damaged,
    )


def _compared(studies: Sequence[Study], material: Material) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and effects of each study of the newest definition; where titles are the same, with the machine."""
    newest = [study for study in studies if study.contrasts and not study.superseded]
    many = Counter((study.title, study.budget) for study in newest)
    for study in newest:
        title = study.title if many[study.title, study.budget] == 1 else f"{study.title} ({study.machine})"
        yield title, material.effects(study)


def _subtitle(material: Material) -> str:
    states = [one.status.state for one in material.trials.values()]
    times = sorted(str(one.provenance.get("time") or "") for one in material.trials.values())
    newest = f"; newest number of {times[-1][:10]}" if times and times[-1] else ""
    many = f"{counted(states.count('done'), 'trial', of=len(states))} done" if states else "no trials"
    return f"{many}, {counted(len(material.rows), 'measurement')}{newest}; converse {__version__}"
