"""The paper's tables on a terminal: what stands below them. Oracle: text written by hand."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from converse.analysis.tables import RESULT_COLUMNS
from converse.cli.paper_tables import paper_tables


def row(entry: str, dataset: str, reason: str | None, **said: Any) -> Any:
    known = {"task": "denoising", "entry": entry, "dataset": dataset, "metric": "psnr", "reason": reason}
    return {**dict.fromkeys(RESULT_COLUMNS), **known, **said}


def shown(*rows: Any) -> list[str]:
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


def test_each_metric_has_a_line_below_what_the_paper_has() -> None:
    psnr = {"measured": 30.6986, "published": 30.70, "difference": -0.0014, "verdict": "match"}
    lines = shown(
        row("Converse-DnCNN", "Set12", None, **psnr),
        row("Converse-DnCNN", "Set12", None, metric="ssim", measured=0.8683),
    )
    at = next(index for index, line in enumerate(lines) if line.startswith("Converse-DnCNN"))
    assert [line.split() for line in lines[at : at + 5]] == [
        ["Converse-DnCNN", "PSNR", "30.6986"],
        ["published", "30.70"],
        ["Δ", "−0.0014"],
        ["verdict", "✓", "match"],
        ["SSIM", "0.8683"],
    ]


def test_each_test_set_of_several_kernels_has_a_table_with_its_own_kernels() -> None:
    given = {"task": "deblurring", "measured": 22.0, "metric": "psnr"}
    lines = shown(
        *(row("ConverseNet", "Set5", None, case=f"kernel_{number}", **given) for number in (2, 1)),
        row("ConverseNet", "Set14", None, case="kernel_1", **given),
    )
    titles = [line for line in lines if line.startswith("Deblurring, ")]
    assert titles == ["Deblurring, Set5", "Deblurring, Set14"]  # as the paper has them, and so its kernels
    assert [line.split() for line in lines if line.startswith("kernel")] == [
        ["kernel", "1", "kernel", "2"],
        ["kernel", "1"],
    ]


def test_entries_that_nobody_asked_for_have_no_row() -> None:
    lines = shown(row("DnCNN", "Set12", None, measured=30.0))
    assert not any("ConvT-DnCNN" in line or "BSD68" in line for line in lines)


def test_parameters_stand_apart_with_the_reason() -> None:
    counted = {"metric": "parameters", "measured": 555137.0, "published": 557057.0, "difference": -1920.0}
    lines = shown({**row("DnCNN", "", "folded", verdict="differs", **counted), "dataset": None})
    (line,) = (line for line in lines if line.startswith("DnCNN"))
    cells = [cell.strip() for cell in line.replace("\u202f", " ").split("  ") if cell.strip()]
    assert cells == ["DnCNN", "555 137", "557 057", "−1 920", "✗ differs", "folded"]


def test_without_a_published_value_there_is_nothing_to_note() -> None:
    assert "Without a verdict" not in shown(row("DnCNN", "photos", "no published value", measured=30.0))


def test_in_how_many_images_a_metric_is_infinite_stands_below_the_mean_of_the_others() -> None:
    exact = {"measured": 62.7931, "images": 3, "infinite": 2}
    whole = {"measured": math.inf, "images": 3, "infinite": 3}
    lines = shown(row("DnCNN", "photos", None, **exact), row("Mine", "photos", None, **whole))
    at = next(index for index, line in enumerate(lines) if line.startswith("DnCNN"))
    assert [line.split() for line in lines[at : at + 2]] == [["DnCNN", "PSNR", "62.7931"], ["∞", "in", "2", "of", "3"]]
    assert ["Mine", "PSNR", "∞"] in [line.split() for line in lines]
    assert "∞: the output equals the image; the mean is that of the other images." in lines


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_nothing_is_cut_where_a_terminal_is_narrow(width: int) -> None:
    sets = ("Set12", "BSD68", "Urban100", "a-folder-of-my-own", "[bold]not bold[/bold]")
    rows: list[Any] = [
        row(entry, name, None, measured=30.0 + at, published=31.0 + at, difference=-1.0, verdict="differs")
        for entry in ("DnCNN", "Converse-DnCNN")
        for at, name in enumerate(sets)
    ]
    counts = {"measured": 555137, "published": 557057, "difference": -1920, "verdict": "differs", "reason": "folded in"}
    rows.append(row("DnCNN", "", None, metric="parameters") | {"dataset": None} | counts)
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(*paper_tables(rows), sep="\n")
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for number in ("30.0000", "34.0000", "31.00", "35.00", "555\u202f137", "557\u202f057", "−1\u202f920"):
        assert number in text
    letters = "".join(text.split())
    assert letters.count("✗differs") >= len(rows)
    for name in sets[:3]:
        assert name in letters
