"""Oracle: a parser of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from converse.reporting.gate.answer import Answer
from converse.reporting.gate.page import page
from converse.reporting.report import Missing
from tests.reporting.hostile import CONTROLS, NAMES


class Elements(HTMLParser):
    """Names of elements, addresses in attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_says_what_the_answer_says(answer: Answer) -> None:
    read = Elements(page(answer, [Missing("No crop of this.", "converse data fetch set12")]))
    for text in (
        "1 regressed, 1 not measured",
        "PSNR, worst image: 05.png",
        "0.1\u00a0dB worse",
        "one image is worse by more than is allowed",
        "converse check gate.toml --only Converse-DnCNN --html check.html",
        "No crop of this.",
        "converse data fetch set12",
        "Some CPU, 1 thread",
        "A note.",
    ):
        assert text in read.text, text
    assert read.text.index("What to look at") < read.text.index("Worst images") < read.text.index("as it should be")


def test_hostile_words_are_text_and_nothing_is_fetched(hostile: Answer) -> None:
    html = page(hostile, [Missing(name, name) for name in NAMES])
    read = Elements(html)
    assert "script" not in read.names
    assert set(read.addresses) == {"data:,"}
    assert NAMES[0] in read.text
    assert not set(html) & (set(CONTROLS) - set("[2J"))
    assert re.search(r"default-src 'none'", html)


def test_an_answer_without_findings_has_a_page() -> None:
    assert "no findings, compared with gate.toml" in Elements(page(Answer("gate.toml", ()))).text
