"""What a page writes of names that give orders to terminals, turn text round or end XML: none of their characters."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest

from converse.reporting import csv, html, latex, markdown
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import new_drawing, styled
from converse.reporting.notebook import COLUMNS, results_html
from converse.reporting.report import Report
from converse.reporting.tables.sheet import Sheet

ACTIVE = set("\x1b\x07\x9b\u202e\u2066\u2028\ufeff\ufffe\udce9")
NAME = "".join(sorted(ACTIVE))


def active(text: str) -> set[str]:
    text.encode("utf-8")  # a lone surrogate would raise
    return ACTIVE & set(text)


def test_tables_have_none_of_them(sheet: Sheet) -> None:
    for text in (csv.table(sheet), markdown.table(sheet), latex.table(sheet, published=True)):
        assert active(text) == set()
    assert r"\x1b[2J" in csv.table(sheet)
    assert "emoji" in markdown.table(sheet)


def test_a_page_has_none_of_them_nor_has_what_its_script_shows(hostile: Report) -> None:
    page = html.render(hostile)
    assert active(page) == set()
    behind = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert len(behind) == 3  # what lies behind the cells; tables, and the numbers of figures, to be taken away
    for data in behind:
        assert active(json.dumps(json.loads(data), ensure_ascii=False)) == set()
    HTMLParser().feed(page)
    assert r"\x1b[2J" in page


def test_a_document_has_none_of_them(hostile: Report) -> None:
    assert active(latex.document(hostile, published=True)) == set()


def test_a_notebook_has_none_of_them() -> None:
    row = dict.fromkeys(COLUMNS, "x") | {"entry": NAME.replace("\udce9", "")}  # no frame has lone surrogates
    assert active(results_html(pd.DataFrame([row]))) == set()


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_drawing_is_xml_whatever_it_says() -> None:
    with styled():
        drawing = new_drawing(3, 2)
        axes = drawing.add_subplot()
        axes.set_title(f"title {NAME}")
        axes.annotate(f"note {NAME}", (0.5, 0.5))
    svg = drawn(drawing, name="n", title="t", caption="c", alt=f"alt {NAME}", values=pd.DataFrame()).svg
    root = ElementTree.fromstring(svg)
    assert active(svg) == set()
    assert root.attrib["aria-label"].startswith(r"alt \x07\x1b")
