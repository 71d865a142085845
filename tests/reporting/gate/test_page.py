"""Oracles: a parser of HTML, a browser, and axe-core for accessibility."""

from __future__ import annotations

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from converse.reporting.gate.answer import Answer
from converse.reporting.gate.page import page
from converse.reporting.report import Missing
from tests.reporting.hostile import CONTROLS, NAMES

CHROMIUM = os.environ.get("CONVERSE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 300_000.0  # milliseconds: how long it takes says how busy the machine is


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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (set CONVERSE_CHROMIUM, or install chromium)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(answer: Answer, hostile: Answer, scheme: str, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE)
        context = browser.new_context(color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        shown = context.new_page()
        for name, one in {"answer": answer, "hostile": hostile}.items():
            file = tmp_path / f"{name}.html"
            file.write_text(page(one, [Missing("No crop.", "converse data fetch set12")]), "utf-8")
            shown.goto(file.as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            found = axe.run(shown).response["violations"]
            serious = [line for line in found if line["impact"] in ("serious", "critical")]
            assert not serious, [(line["id"], [node["target"] for node in line["nodes"]][:5]) for line in serious]
        browser.close()
