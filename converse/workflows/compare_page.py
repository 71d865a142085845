"""The page of a comparison: what of the store belongs to it, as a report in a folder of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from converse.analysis.answers import answer_records
from converse.analysis.side_by_side import network_records
from converse.data.resources import Resources
from converse.experiments.store import Store
from converse.reporting.chapters.compared import Asked, comparison_report, sentences
from converse.reporting.chapters.figures import with_figures
from converse.reporting.figures.drawing import DRAWINGS
from converse.reporting.folder import write
from converse.reporting.inputs.material import Material, gather
from converse.reporting.inputs.networks import RESTORED, Networks

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Page:
    """What was written.

    Attributes:
        page: to open.
        sentences: the answers, and what must be known with them.
    """

    page: Path
    sentences: tuple[str, ...]


def write_page(
    store: Path,
    folder: Path,
    answers: pd.DataFrame,
    networks: pd.DataFrame,
    asked: Asked,
    *,
    suites: Collection[str],
    trials: Collection[str],
    runs: Collection[str],
    data_dir: Path | None = None,
) -> Page:
    """Write the report of one comparison.

    Args:
        store: folder of the store.
        folder: where the report is written.
        answers: of the comparison.
        networks: of the comparison.
        asked: what was asked for.
        suites: names of its studies in the store.
        trials: ids of its trials.
        runs: ids of its runs of speed.
        data_dir: where images for the visual comparisons are looked for; none are fetched.

    Raises:
        StoreError: the folder cannot be written.
    """
    material = _of_comparison(gather([Store(store, create=False)]), suites, set(trials), runs)
    networks_of = Networks(Resources(data_dir, fetch=False), folder / RESTORED)
    report = comparison_report(material, answers, networks, asked)
    whole = with_figures(report, material, networks_of, operator=False, kept=folder / DRAWINGS)
    kept = [f"{RESTORED}/{name}" for name in dict.fromkeys(networks_of.shown) if (folder / RESTORED / name).exists()]
    written = write(replace(whole, missing=()), folder, published=False, kept=kept)
    return Page(written.page, tuple(sentences(answer_records(answers), network_records(networks), asked)))


def _of_comparison(material: Material, suites: Collection[str], trials: set[str], runs: Collection[str]) -> Material:
    """What of a store belongs to a comparison: the studies of these suites that have its trials."""
    asked = replace(material, notes=tuple(one for one in material.notes if one.suite in suites))
    studied = [
        {trial for trial, _, _ in one.trials}
        for one in asked.studies
        if one.suite in suites and not trials.isdisjoint(trial for trial, _, _ in one.trials)
    ]
    named = set[str]().union(*studied)
    return replace(
        asked,
        trials={key: one for key, one in material.trials.items() if key in named},
        rows=material.rows[material.rows["trial"].isin(named)].reset_index(drop=True),
        speed=material.speed[material.speed["run"].isin(runs)].reset_index(drop=True),
        speed_requests={run: line for run, line in material.speed_requests.items() if run in runs},
        notes=tuple(one for one in asked.notes if {trial for trial, _, _ in one.trials} <= named),
    )
