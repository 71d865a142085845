"""The paper's tables on a terminal: what stands below them. Oracle: text written by hand."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from converse.analysis.tables import RESULT_COLUMNS
from converse.cli.paper_tables import paper_tables


def row(entry: str, dataset: str, reason: str | None, **said: Any) -> dict[str, Any]:
    known = {"task": "denoising", "entry": entry, "dataset": dataset, "metric": "psnr", "reason": reason}
    return {**dict.fromkeys(RESULT_COLUMNS), **known, **said}


def shown(*rows: dict[str, Any]) -> list[str]:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(*paper_tables(rows), sep="\n")
    return [line.strip() for line in console.export_text().splitlines()]


def test_a_reason_is_told_once_and_whole_with_all_that_it_holds_for() -> None:
    few = "2 of 9 images; image of 1×1 pixels is too small; …"
    lines = shown(row("DnCNN", "tiny", f"no published value; {few}"), row("Converse-DnCNN", "tiny", few))
    assert f"DnCNN tiny, Converse-DnCNN tiny: {few}" in lines
    assert lines.index("Without a verdict") == lines.index(f"DnCNN tiny, Converse-DnCNN tiny: {few}") - 1


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("no released weights for Conv-DnCNN", "no released weights for Conv-DnCNN"),
        ("Set12: images are not at hand", "Set12: images are not at hand"),
        ("braces {0} stay", "Conv-DnCNN Set12: braces {0} stay"),
        ("unreadable: Set12/1.png", "Conv-DnCNN Set12: unreadable: Set12/1.png"),
    ],
    ids=["names-the-network", "begins-with-the-set", "braces", "names-the-set-elsewhere"],
)
def test_what_a_reason_names_already_is_not_said_twice(reason: str, line: str) -> None:
    assert line in shown(row("Conv-DnCNN", "Set12", reason))


def test_without_a_published_value_there_is_nothing_to_note() -> None:
    assert "Without a verdict" not in shown(row("DnCNN", "photos", "no published value", measured=30.0))
