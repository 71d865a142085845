"""The first screen of a report: what it answers, what it cannot answer yet and why, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converse.analysis.tables import results
from converse.reporting.chapters.findings import Record, full_size, judging_findings, released_finding
from converse.reporting.chapters.newcomer import shown
from converse.reporting.inputs import quickstart
from converse.reporting.report import Missing

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.published import Published
    from converse.reporting.inputs.material import Material


def first_sentences(measured: Sequence[Record], material: Material, paper: Published) -> Iterator[str]:
    """What the rows answer, each sentence from what was measured.

    Args:
        measured: result rows of released weights, one for each cell of the paper's main tables at least.
        material: of the stores.
        paper: the published numbers.

    Yields:
        The quickstart's own result, where nothing else was measured; what the released weights give; how many published
        differences can be judged, and what it would take to judge the others.
    """
    compared = [study for study in material.studies if study.contrasts]
    judging = judging_findings(material.effects(study) for study in compared)
    published = any(record["measured"] is not None and record["published"] is not None for record in measured)
    if not published and not judging:
        for study in compared:
            if study.suite == quickstart.SUITE and not study.superseded:
                means = results(study.rows, published=paper)
                yield from shown(material.effects(study), means, study.rows, material.grounds(study))
    yield released_finding(measured)
    yield from judging or [_none_of_the_papers(material.effects(study) for study in compared)]


def next_step(material: Material, missing: Sequence[Missing]) -> Missing | None:
    """What comes next, with its command; ``None`` where nothing is left to be measured.

    Args:
        material: of the stores.
        missing: what the report lacks, in the order of the report.
    """
    first = next((one for one in missing if one.command), None)
    if first is not None:
        return first
    larger = full_size(material.effects(study) for study in material.studies if study.contrasts)
    return Missing("Networks of the paper's size, which judging it takes first.", larger[0]) if larger else None


def _none_of_the_papers(studied: Iterator[pd.DataFrame]) -> str:
    """Why nothing can be said of the paper's differences."""
    if any(effects["difference"].notna().any() for effects in studied):
        return "What was compared here is none of the paper's comparisons: nothing can be said about its differences."
    return "No two networks were trained and compared here: nothing can be said about the paper's differences."
