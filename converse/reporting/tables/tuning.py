"""What was tried of each entry's settings, as a sheet: the PSNR on validation images, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping

from converse.analysis.studies import Study
from converse.analysis.tables import PUBLISHED_METRIC
from converse.analysis.tuning import scores
from converse.plain_text import slug
from converse.reporting.tables.sheet import Cell, Row, Sheet, metric_head

CHOSEN = "chosen"
"""Mark of the settings that were best of their entry."""


def tuning_sheet(study: Study, *, done: bool, reasons: Mapping[str, str]) -> Sheet:
    """A group of rows per entry, a row per point of its grid.

    Args:
        study: that tunes.
        done: whether all its trials have ended; before, nothing is chosen.
        reasons: point → why it may have no value.
    """
    labels = {entry.name: entry.label for entry in study.entries}
    rows = tuple(
        Row(
            labels[score["point"]],
            (Cell(measured=score["psnr"], deviation=score["deviation"], reason=reasons.get(score["point"])),),
            group=score["entry"],
            marks=(CHOSEN,) if done and score["chosen"] else (),
        )
        for score in scores(study.rows, study.tunes)
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
        notes=() if done else ("Not all trials have ended: nothing is chosen yet.",),
    )
