"""What was tried of each entry's settings, as a sheet: the PSNR on validation images, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from converse.analysis.studies import Study
from converse.analysis.tables import PUBLISHED_METRIC
from converse.analysis.tuning import at_an_edge, scores
from converse.plain_text import slug
from converse.reporting.tables.sheet import Cell, Row, Sheet, metric_head

_NOT_DONE: Final = "Not all trials have ended: nothing is chosen yet."

CHOSEN: Final = "chosen"
"""Mark of the settings that were best of their entry."""


def tuning_sheet(study: Study, *, done: bool, reasons: Mapping[str, str]) -> Sheet:
    """A group of rows per entry, a row per point of its grid.

    Args:
        study: that tunes.
        done: whether all its trials have ended; before, nothing is chosen.
        reasons: point → why it may have no value.
    """
    labels = {entry.name: entry.label for entry in study.entries}
    found = scores(study.rows, study.tunes)
    edges = at_an_edge({entry.name: entry.changes for entry in study.entries}, found)
    rows = tuple(
        Row(
            labels[score["point"]],
            (Cell(measured=score["psnr"], deviation=score["deviation"], reason=reasons.get(score["point"])),),
            group=score["entry"],
            marks=(CHOSEN,) if done and score["chosen"] else (),
        )
        for score in found
    )
    return Sheet(
        key=slug(study.key, "settings"),
        kind="values",
        title="Settings that were tried",
        caption="Mean PSNR over validation images, then over the seeds of the tuning, ± standard deviation over them. "
        "The best settings of each entry are chosen; a point of which a seed failed is not.",
        source="trained",
        stub="Settings",
        heads=(metric_head(PUBLISHED_METRIC, group="Validation"),),
        rows=rows,
        notes=tuple(f"{sentence}." for sentence in edges) if done else (_NOT_DONE,),
    )
