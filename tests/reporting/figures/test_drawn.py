"""Oracle: the XML parser, matplotlib's own drawing, relative luminance as WCAG 2 defines it."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from converse.reporting.figure import Figure, Values
from converse.reporting.figure_values import values_exports
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import INK, QUIET, label, looks, new_drawing, styled
from converse.reporting.figures.svg import alone, tidied
from tests.reporting.figures.seen import GROUNDS, contrast

HOSTILE = '<script>alert("1")</script> $x_1$ & -- % 😀 مرحبا λσ×± \\input{/etc/passwd}'


def figure(name: str = "example") -> Figure:
    with styled():
        drawing = new_drawing(3, 2)
        axes = drawing.add_subplot()
        axes.plot([0, 1], [1, 2], color=looks(["Converse-DnCNN"])["Converse-DnCNN"].colour, marker="o")
        axes.set_title(label(HOSTILE, 60))
    values = pd.DataFrame({"x": [0, 1], "y": [1.0, np.nan], "name": HOSTILE})
    return drawn(drawing, name=name, title="An example", caption="Two points.", alt=HOSTILE, values=values)


def test_svg_stands_in_a_page_and_takes_its_ink() -> None:
    svg = figure().svg
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == HOSTILE
    assert INK not in svg
    assert "currentColor" in svg
    assert "style>" not in svg
    assert "<script" not in svg
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)


def test_ids_of_two_figures_do_not_meet_and_all_references_lead_somewhere() -> None:
    found = []
    for name in ("one", "two"):
        root = ElementTree.fromstring(figure(name).svg)
        ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
        text = figure(name).svg
        assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', text)) == ids
        found.append(ids)
    assert found[0]
    assert not found[0] & found[1]


def test_the_same_drawing_is_the_same_bytes_whatever_the_user_has_set() -> None:
    first = figure()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        second = figure()
    assert first == second
    assert b"CreationDate" not in first.pdf


_MARKS = "".join(f'<use xlink:href="#m" x="{x}.123" y="1" style="fill: #ff0000"/>' for x in range(3))


def document(inside: str) -> str:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} width="72pt" height="72pt" viewBox="0 0 72 72">{inside}</svg>'


def test_what_says_nothing_is_left_out_and_what_is_said_often_is_said_once() -> None:
    """Oracle: the same document by hand."""
    given = document(
        f'<defs><path id="m" d="M 0 0"/></defs><g id="axes"><g>{_MARKS}</g>'
        '<g><text x="1" transform="rotate(-0 1 2)">a</text><text transform="rotate(-90 1 2)">b</text></g><g/></g>'
    )
    root = ElementTree.fromstring(tidied(given, "f", "words"))
    tags = [element.tag.partition("}")[2] for element in root]
    assert tags == ["defs", "g", "text", "text"]
    marks = root[1]
    assert marks.attrib == {"style": "fill:#ff0000"}
    assert [mark.get("x") for mark in marks] == ["0.12", "1.12", "2.12"]
    assert {mark.get("style") for mark in marks} == {None}
    assert [text.get("transform") for text in root[2:]] == [None, "rotate(-90 1 2)"]


@pytest.mark.parametrize("coloured", [False, True])
def test_pictures_keep_their_colours(coloured: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 4 if coloured else 1), dtype=np.uint8)
    shown = Image.fromarray(pixels if coloured else np.repeat(pixels, 3, axis=2)).convert("RGBA")
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    found = tidied(document(f'<image xlink:href="{address}" width="1" height="1"/>'), "f", "words")
    (kept,) = re.findall('base64,([^"]*)"', found)
    with Image.open(io.BytesIO(base64.b64decode(kept))) as image:
        assert image.convert("RGBA").tobytes() == shown.tobytes()
    assert (len(kept) < len(address) / 2) == (not coloured)


def test_a_picture_has_a_pdf_too() -> None:
    assert figure().pdf.startswith(b"%PDF")


def test_the_numbers_can_be_taken_away() -> None:
    """Oracle: the parsers of pandas and of Python."""
    found = values_exports(figure())
    read = pd.read_csv(io.StringIO(found["csv"]))
    assert list(read.columns) == ["x", "y", "name"]
    assert read["y"].isna().tolist() == [False, True]
    whole = json.loads(found["json"])
    assert whole["columns"] == ["x", "y", "name"]
    assert whole["rows"] == [[0, 1.0, HOSTILE], [1, None, HOSTILE]]
    assert read["name"].tolist() == [HOSTILE] * 2


def test_a_line_break_of_a_name_is_one_in_both_formats() -> None:
    found = values_exports(replace(figure(), values=Values(("name",), (("two\nlines",),))))
    assert pd.read_csv(io.StringIO(found["csv"]))["name"].tolist() == ["two\nlines"]
    assert json.loads(found["json"])["rows"] == [["two\nlines"]]


def test_svg_of_its_own_has_ink_for_light_and_dark() -> None:
    root = ElementTree.fromstring(alone(figure().svg).encode())
    (sheet,) = (element.text for element in root.iter("{http://www.w3.org/2000/svg}style"))
    assert sheet
    assert INK in sheet
    assert "prefers-color-scheme:dark" in sheet


def test_each_entry_has_its_own_look_and_keeps_it() -> None:
    entries = ["DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN", *(f"mine-{i}" for i in range(10))]
    found = looks(entries)
    assert len(set(found.values())) == len(entries)
    assert looks(entries[:4]) == {entry: found[entry] for entry in entries[:4]}
    assert looks(["ConverseNet"])["ConverseNet"] == found["Converse-DnCNN"]
    assert looks(["mine", "other"], base="mine")["mine"].colour == found["Converse-DnCNN"].colour


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=list(GROUNDS))
def test_colours_stand_out_on_light_and_on_dark(ground: str) -> None:
    colours = {look.colour for look in looks([f"entry {i}" for i in range(14)]).values()} | {QUIET}
    for colour in sorted(colours):
        assert contrast(colour, ground) >= 3, colour


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Converse-DnCNN", "Converse-DnCNN", id="plain"),
        pytest.param("λ = σ × 2 ± 1", "λ = σ × 2 ± 1", id="greek"),
        pytest.param("a🦜b", "aU+1F99Cb", id="emoji"),
        pytest.param("a\u202eb\n", "aU+202Eb ", id="direction-and-line"),
        pytest.param("x" * 30 + "y" * 170, "x" * 21 + "…" + "y" * 10, id="long"),
    ],
)
def test_names_are_shown_with_the_letters_that_the_font_has(name: str, shown: str) -> None:
    assert label(name) == shown
