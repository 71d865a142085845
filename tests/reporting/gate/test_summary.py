"""Oracle: markdown-it, a reader of Markdown that is not ours: what it makes of the text is what a page shows."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from converse.analysis.gate.findings import Finding
from converse.reporting.gate.answer import Answer
from converse.reporting.gate.summary import summary
from tests.reporting.hostile import CONTROLS, NAMES

OWN = {"details", "summary"}
"""Elements that the text itself opens; GitHub allows them."""


class Page(HTMLParser):
    """Which elements a page has, and the text of its cells and code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text: dict[str, list[str]] = {"td": [], "code": []}
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._inside.append(tag)
        if tag in self.text:
            self.text[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag in set(self._inside) & self.text.keys():
            self.text[tag][-1] += data


def page(answer: Answer) -> Page:
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(summary(answer)))


def test_what_regressed_stands_first_with_the_command_to_look_closer(answer: Answer) -> None:
    shown = page(answer)
    assert shown.text["td"][:9] == [
        *("Converse-DnCNN", "✗\u00a0regressed", "Set12", "PSNR, worst image: 05.png", "0.1\u00a0dB worse"),
        *("31.23\u00a0dB", "31.13\u00a0dB", "0.05\u00a0dB", "paired, image for image"),
    ]
    assert shown.text["td"][9:11] == ["Conv-DnCNN", "·\u00a0not measured"]
    assert "12\u00a0% slower [0\u00a0%,\u00a020\u00a0%]" in shown.text["td"]
    assert shown.text["code"] == [
        "converse check gate.toml --only Converse-DnCNN --html check.html\n",
        "converse check gate.toml --part speed --seconds 300\n",
        "converse check gate.toml\n",
    ]
    text = summary(answer)
    assert text.startswith("## ✗ converse check: regressed\n")
    assert text.index("<details>") > text.index("look closer")
    assert text.index("✓\u00a0passed") > text.index("<details>")
    assert "<summary>What is as it should be: 3 findings</summary>" in text
    assert text.count("What is as it should be") == 1


def test_hostile_words_are_text(hostile: Answer) -> None:
    shown = page(hostile)
    allowed = {"h2", "h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "pre", "code"}
    assert set(shown.elements) <= allowed | OWN
    assert shown.elements.count("details") == 1
    assert not set(summary(hostile)) & (set(CONTROLS) - set("[2J"))
    for name in NAMES[:3]:
        assert any(name in cell for cell in shown.text["td"]), name
    looks = {(finding.reason, finding.look) for finding in hostile.grave}
    assert sum(code.rstrip("\n").endswith("```") for code in shown.text["code"]) == len(looks) > 3


def test_a_list_is_bounded_and_says_so() -> None:
    one = Finding("quality", "x" * 200, "y" * 200, "z" * 200, "regressed", "why", look="w" * 200)
    many = Answer("gate.toml", tuple(replace(one, reason=f"number {index}") for index in range(3000)))
    text = summary(many)
    assert "and 2900 more" in text
    assert len(text.encode()) < 2**20


def test_what_has_one_reason_is_told_once() -> None:
    one = Finding("presence", "A", "Set12", "images", "not measured", "Set12 is not here", look="converse data fetch")
    text = summary(Answer("gate.toml", (one, replace(one, subject="B"))))
    assert text.count("Set12 is not here") == 1
    assert "**A, Set12, images; B, Set12, images**: Set12 is not here" in text


def test_no_findings() -> None:
    assert "· converse check: not measured" in summary(Answer("gate.toml", ()))
