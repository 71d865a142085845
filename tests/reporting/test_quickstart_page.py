"""Oracle: Python's own HTML parser, and numbers written down here."""

from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

from converse.reporting.quickstart_page import Line, render, table

EMPTY = {"deviation": None, "dataset": "Some images", "images": 3, "seeds": 2}
RESULTS: list[dict[str, Any]] = [
    {**EMPTY, "entry": "Good", "metric": "psnr", "measured": 29.0, "deviation": 0.125},
    {**EMPTY, "entry": "Good", "metric": "ssim", "measured": 0.8},
    {**EMPTY, "entry": "Good", "metric": "parameters", "measured": 12345, "dataset": None, "images": None},
    {**EMPTY, "entry": "<b>Bad</b>", "metric": "psnr", "measured": None},
]
COMPARISONS = [
    {"entry": "Noisy input", "metric": "psnr", "measured": 20.5},
    {"entry": "Noisy input", "metric": "ssim", "measured": 0.3},
    {"entry": "Filter", "metric": "psnr", "measured": 27.0},
    {"entry": "Filter", "metric": "ssim", "measured": 0.7},
]
SPEEDS = [
    {"operator": "conv", "forward": 1.234, "training": 5.678, "shape": "1x2x3x4", "kernel_size": 5, "device": "cpu"}
    | {"threads": 2}
]


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.said = ""
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta",):
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def page(**changes: Any) -> Text:
    given = {"failures": [SimpleNamespace(name="Bad seed 1", reason="the loss became NaN in step 7")]}
    return Text(render(RESULTS, COMPARISONS, SPEEDS, **{**given, **changes}, cpu="A <CPU>", versions={"torch": "2.9"}))


def test_lines_go_from_worst_to_best() -> None:
    lines = table(RESULTS, COMPARISONS)
    assert [line.entry for line in lines] == ["<b>Bad</b>", "Noisy input", "Filter", "Good"]
    assert lines[-1] == Line("Good", 2, 12345, 29.0, 0.125, 0.8, None, 8.5, 2.0)
    assert (lines[1].gain, lines[1].seeds, lines[0].psnr) == (0.0, None, None)


def test_the_page_is_whole_and_refers_to_nothing() -> None:
    found = page()
    assert found.open == []
    assert found.addresses == []
    assert "script" not in found.tags
    for text in ("29.00", "± 0.12", "12,345", "8.50", "1.23", "5.68", "1×2×3×4", "3 held-out images", "torch 2.9"):
        assert text in found.said, text


def test_what_comes_from_outside_is_escaped() -> None:
    found = page()
    assert "b" not in found.tags
    assert "<b>Bad</b>" in found.said
    assert "A <CPU>" in found.said


def test_failures_are_shown_where_there_are_some() -> None:
    assert "Bad seed 1: the loss became NaN in step 7" in page().said
    assert "Failed" not in page(failures=[]).said
